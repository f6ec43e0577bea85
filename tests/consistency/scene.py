"""A cluster, keyways before it, and the checker at work on all of them."""
import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", "cluster"), os.path.join(ROOT, "tests", "wire"),
                os.path.join(ROOT, "utils")]

from language.keyway import Keyway, free_port  # noqa: E402  (needs the paths above)
from local_cluster import LocalCluster         # noqa: E402
from support.client import Client              # noqa: E402
from support.topology import masters_of        # noqa: E402
from support.wait import until                 # noqa: E402
from language.slots import slot_of             # noqa: E402

LEASE_MS = 300
KINDS = ["text", "expiring", "counter", "hash"]    # as in main.c
TAGS_COUNT = 48
CLUSTER_CONFIG = {"cluster-node-timeout": 1500, "enable-debug-command": "yes",
                  "cluster-require-full-coverage": "no"}
# Everything is worth a fill, so that the cache is in every key's way. Every other keyway also has
# reads of the same key share one call; every other one, the same or not by the seed, has the nodes
# tell of all keys that are written.
CACHED = ["--near-cache", "yes", "--near-cache-admit-reads", "1", "--near-cache-lease-ms",
          str(LEASE_MS)]
COALESCED = ["--near-cache-coalesce", "yes"]
BROADCAST = ["--near-cache-broadcast", "yes"]


class Checker:
    """build/check as a child: what it says, and what it is told."""

    def __init__(self, program, arguments):
        self.lines = queue.Queue()
        self.process = subprocess.Popen([program] + [str(word) for word in arguments],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def hear(self, timeout_s):
        line = self.lines.get(timeout=timeout_s)
        if line is None:
            raise RuntimeError("the checker ended with status %s" % self.process.wait())
        return line

    def ask(self, text, timeout_s=30):
        self.tell(text)
        return self.hear(timeout_s)

    def figures(self):
        return json.loads(self.ask("figures"))

    def stop(self):
        figures = json.loads(self.ask("stop"))
        self.process.wait(timeout=10)
        return figures

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Scene:
    """with Scene(options, ...) as scene: a cluster, KEYWAYS before it and a checker on them.

    options   of the run: check, seed, patience
    binary    the keyway to run; arguments: more words for it
    relay     (milliseconds, kind): clients reach the first keyway through relay.py
    """

    def __init__(self, options, binary, arguments=(), keyways=2, relay=None, check=(),
                 cluster=(3, 1), tags=TAGS_COUNT):
        self.options = options
        self.binary = binary
        self.arguments = list(arguments)
        self.keyways_count = keyways
        self.relay = relay
        self.check_arguments = list(check)
        self.tags_count = tags
        self.cluster_size = cluster
        self.lease_ms = LEASE_MS
        self.differences = []       # what a look found
        self.keyways = []
        self.ports = []             # that clients know them by
        self.cluster = self.checker = None
        self.closing = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._open()
        except BaseException:
            self.closing.close()
            raise
        return self

    def __exit__(self, *_):
        self.closing.close()

    def _open(self):
        folder = tempfile.mkdtemp(prefix="keyway-consistency-")
        self.closing.callback(shutil.rmtree, folder, ignore_errors=True)
        self.cluster = LocalCluster(*self.cluster_size, config=CLUSTER_CONFIG)
        self.cluster.start()
        self.closing.callback(self.cluster.stop)
        seeds = ["127.0.0.1:%d" % port for port in self.cluster.ports]
        for number in range(self.keyways_count):
            more = COALESCED if self.arguments and number % 2 == 0 else []
            more = more + (BROADCAST if self.arguments and (number + self.options.seed) % 2 else [])
            keyway = Keyway(self.binary, ["--cluster-seeds"] + seeds + ["--threads", "2"] +
                            self.arguments + more, folder, patience=self.options.patience)
            self.keyways.append(keyway)
            self.closing.callback(keyway.kill)
        for keyway in self.keyways:
            keyway.wait_until_it_answers()
            until(lambda k=keyway: all_slots_answer(k.port), 10 * self.options.patience,
                  "keyway reaches every slot")
        self.ports = [keyway.port for keyway in self.keyways]
        if self.relay:
            self.ports[0] = self._start_relay(self.ports[0])
        said = ["--seed", self.options.seed, "--lease-ms", LEASE_MS, "--keys", self.tags_count]
        said += self.check_arguments
        for port in self.ports:
            said += ["--keyway", port]
        for port in self.cluster.ports:
            said += ["--node", port]
        self.checker = Checker(self.options.check, said)
        self.closing.callback(self.checker.kill)

    def _start_relay(self, upstream):
        port = free_port()
        process = subprocess.Popen([sys.executable, os.path.join(HERE, "relay.py"), str(port),
                                    str(upstream), str(self.relay[0]), self.relay[1]],
                                   stderr=subprocess.DEVNULL)
        self.closing.callback(process.wait)
        self.closing.callback(process.kill)
        until(lambda: all_slots_answer(port), 10, "the relay answers")
        return port

    # ---- what tests ask ----

    def keyway_figures(self):
        """The sum of all keyways' near_cache_ figures."""
        total = {}
        for keyway in self.keyways:
            with Client(keyway.port) as client:
                text = client.call("INFO", "nearcache")
            for line in (text if isinstance(text, bytes) else b"").decode().splitlines():
                name, _, value = line.partition(":")
                if name.startswith("near_cache_") and value.isdigit():
                    total[name[11:]] = total.get(name[11:], 0) + int(value)
        return total

    def finish(self):
        """End of the work: the checker's figures with the keyways'. Each keyway must end well."""
        hits = self.keyway_figures()
        figures = self.checker.stop()
        for keyway in self.keyways:
            keyway.ping()
            keyway.end()
        figures["cache"] = hits
        figures["violations"]["differs"] = len(self.differences)
        figures["examples"] = self.differences[:5] + figures["examples"]
        return figures

    def masters(self):
        return [node for node, _ in masters_of(self.cluster)]

    # ---- faults that take a master away ----

    @contextlib.contextmanager
    def season(self, tags):
        """Acknowledged writes of these registers may be lost in here: see register.h."""
        assert self.checker.ask("season begin %s" % words(tags)) == "season"
        yield
        assert self.checker.ask("season end") == "checking"

    @contextlib.contextmanager
    def held(self, tags):
        """Nobody writes to these registers in here, and no write to them is under way."""
        assert self.checker.ask("hold %s" % words(tags), 60 * self.options.patience) == "held"
        yield
        self.checker.tell("release")

    def tags_of(self, node):
        """Numbers of the tags whose slots NODE serves."""
        ranges = next(ranges for master, ranges in masters_of(self.cluster) if master is node)
        return [n for n in range(self.tags_count)
                if any(low <= slot_of("t%d" % n) <= high for low, high in ranges)]

    def sync(self, node, tag):
        """All that NODE has acknowledged, one replica has too."""
        with Client(node["port"], 20) as client:
            assert client.call("SET", "{t%d}:sync" % tag, "x") == b"OK"
            assert client.call("WAIT", 1, 10000) >= 1, "no replica follows"

    def wait_until_heard(self, master, tags):
        """Until MASTER answers for TAGS, and every worker of every keyway asks it."""
        for keyway in self.keyways:
            until(lambda k=keyway: asks(k.port, master, tags), 40 * self.options.patience,
                  "keyway hears of the new master")

    def look(self, tags):
        """Hold these registers: what keyways tell of them is what their masters hold."""
        with self.held(tags):
            names = [(kind, n) for n in tags for kind in range(len(KINDS))]
            deadline = time.monotonic() + LEASE_MS / 1000
            while True:
                is_late = time.monotonic() > deadline
                before = self.ask_masters(names)
                told = [(port, protocol, ask_all(port, names, protocol))
                        for _ in range(2) for port in self.ports for protocol in (2, 3)]
                after = self.ask_masters(names)
                steady = [i for i in range(len(names)) if before[i] == after[i]]
                wrong = ["differs: %s through keyway at %d (RESP%d): %.60r, its master holds %.60r" % (
                    register_name(*names[i]), port, protocol, values[i], after[i])
                    for port, protocol, values in told for i in steady if values[i] != after[i]]
                if is_late or not wrong:
                    break
                time.sleep(0.02)
            self.differences += wrong
            for i in steady:
                self.checker.tell("settled %d %d" % (names[i][0] * self.tags_count + names[i][1],
                                                     number_of(names[i][0], after[i])))

    def ask_masters(self, names):
        values = {}
        for node, ranges in masters_of(self.cluster):
            served = [name for name in names if any(
                low <= slot_of("t%d" % name[1]) <= high for low, high in ranges)]
            values.update(zip(served, ask_all(node["port"], served, 2)))
        return [values.get(name) for name in names]

    def is_whole(self):
        try:
            self.cluster.wait_ready(0.3)
        except Exception:
            return False
        return all(all_slots_answer(keyway.port) for keyway in self.keyways)


def all_slots_answer(port):
    with Client(port, 3) as client:
        return all(not hasattr(client.call("GET", "ready:%d" % n), "text") for n in range(24))


def register_name(kind, n):
    return "{t%d}:%s:%d" % (n, KINDS[kind], n)


def ask_all(port, names, protocol):
    with Client(port, 20) as client:
        client.call("HELLO", protocol)
        return client.pipeline([("HGET", register_name(*name), "f") if KINDS[name[0]] == "hash"
                                else ("GET", register_name(*name)) for name in names])


def number_of(kind, value):
    """The state that VALUE is: see register.h."""
    if not isinstance(value, bytes):
        return 0
    return int(value) * 2 if KINDS[kind] == "counter" else int(value[1:].split(b":")[0])


def asks(port, master, tags):
    """Some connections, to meet every worker: does each ask MASTER for the first and last tag?"""
    for _ in range(8):
        with Client(port, 3) as client:
            for n in (tags[0], tags[-1]):
                if client.call("PROXY", "NODE", "slot:%d" % slot_of("t%d" % n), "CLUSTER",
                               "MYID") != master["id"].encode():
                    return False
                if hasattr(client.call("GET", "{t%d}:sync" % n), "text"):
                    return False
    return True


def words(numbers):
    return " ".join(str(number) for number in numbers)


def violations_of(figures):
    return sum(figures["violations"].values())


def describe(figures):
    """One line, and the first violations."""
    cache = figures.get("cache", {})
    operations = figures["reads"] + figures["writes"]
    lines = ["%d of %d operations checked (%.2f %%; %d seasons) in %.0f s (%d writes, %s), "
             "%s hits, %d violations %s, oldest stale hit %.1f ms (%s), %d of the servers' own" % (
                 operations - figures["unchecked"], operations,
                 100.0 * (operations - figures["unchecked"]) / max(1, operations),
                 figures["seasons"], figures["seconds"], figures["writes"],
                 "%d errors, the last of them %s" % (figures["errors"], figures["last_error"])
                 if figures["errors"] else "no errors",
                 cache.get("hits", "no"), violations_of(figures),
                 {k: v for k, v in figures["violations"].items() if v} or "",
                 figures["oldest_ms"], figures["oldest_by"], figures["servers_own"])]
    return "\n".join(["     " + line for line in lines + figures["examples"]])
