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
from support.wait import until                 # noqa: E402

LEASE_MS = 300
CLUSTER_CONFIG = {"cluster-node-timeout": 1500, "enable-debug-command": "yes",
                  "cluster-require-full-coverage": "no"}
# Everything is worth a fill, so that the cache is in every key's way.
CACHED = ["--near-cache", "yes", "--near-cache-admit-reads", "1", "--near-cache-lease-ms",
          str(LEASE_MS)]


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
                 cluster=(3, 1)):
        self.options = options
        self.binary = binary
        self.arguments = list(arguments)
        self.keyways_count = keyways
        self.relay = relay
        self.check_arguments = list(check)
        self.cluster_size = cluster
        self.lease_ms = LEASE_MS
        self.keyways = []
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
        for _ in range(self.keyways_count):
            keyway = Keyway(self.binary, ["--cluster-seeds"] + seeds + ["--threads", "2"] +
                            self.arguments, folder, patience=self.options.patience)
            self.keyways.append(keyway)
            self.closing.callback(keyway.kill)
        for keyway in self.keyways:
            keyway.wait_until_it_answers()
            until(lambda k=keyway: all_slots_answer(k.port), 10 * self.options.patience,
                  "keyway reaches every slot")
        ports = [keyway.port for keyway in self.keyways]
        if self.relay:
            ports[0] = self._start_relay(ports[0])
        words = ["--seed", self.options.seed, "--lease-ms", LEASE_MS] + self.check_arguments
        for port in ports:
            words += ["--keyway", port]
        for port in self.cluster.ports:
            words += ["--node", port]
        self.checker = Checker(self.options.check, words)
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
        return figures

    def masters(self):
        from support.topology import masters_of
        return [node for node, _ in masters_of(self.cluster)]

    @contextlib.contextmanager
    def season(self):
        """Acknowledged writes may be lost in here: see register.h. It ends when all is whole."""
        assert self.checker.ask("season begin") == "season"
        yield
        until(self.is_whole, 40 * self.options.patience, "the cluster is whole again")
        time.sleep(LEASE_MS / 1000 + 0.3)     # what was cached in it may live that long
        assert self.checker.ask("season end") == "checking"

    def is_whole(self):
        try:
            self.cluster.wait_ready(0.3)
        except Exception:
            return False
        return all(all_slots_answer(keyway.port) for keyway in self.keyways)


def all_slots_answer(port):
    with Client(port, 3) as client:
        return all(not hasattr(client.call("GET", "ready:%d" % n), "text") for n in range(24))


def violations_of(figures):
    return sum(figures["violations"].values())


def describe(figures):
    """One line, and the first violations."""
    cache = figures.get("cache", {})
    lines = ["%d operations in %.0f s (%d writes, %d errors, %d unchecked in %d seasons), %s hits, "
             "%d violations %s, oldest stale hit %.1f ms (%s), %d of the servers' own" % (
                 figures["reads"] + figures["writes"], figures["seconds"], figures["writes"],
                 figures["errors"], figures["unchecked"], figures["seasons"],
                 cache.get("hits", "no"), violations_of(figures),
                 {k: v for k, v in figures["violations"].items() if v} or "",
                 figures["oldest_ms"], figures["oldest_by"], figures["servers_own"])]
    return "\n".join(["     " + line for line in lines + figures["examples"]])
