"""local_cluster.py - a real redis cluster on this machine, for as long as you need it.

    with LocalCluster(masters=3, replicas=1) as cluster:
        cluster.call(cluster.ports[0], "SET", "key", "value")

Servers listen on 127.0.0.1 on free ports, write nothing to disk but their logs and nodes.conf, and
live in a temporary folder that stop() removes. They end with the process that started them, even
when that is killed. start() returns once every node says that all slots are served and every
replica is in sync: about 3 seconds, of which redis itself insists on 2.

utils/local-cluster is the same as a program.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SLOTS = 16384
HOST = "127.0.0.1"
# The cluster bus is at port + 10000. Both stay below Linux's ephemeral ports (32768 and up), so no
# outgoing connection can sit on one.
PORTS = range(7000, 22000)
BUS_OFFSET = 10000


class ClusterError(RuntimeError):
    """The cluster didn't come up, or a server answered with an error."""


def exit_on_signals():
    """Turn the first SIGINT, SIGTERM or SIGHUP into SystemExit, so that `finally` cleans up; those
    that follow are ignored, so that it can finish."""
    came = []

    def on_signal(sig, _):
        if not came:
            came.append(sig)
            sys.exit(0)

    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, on_signal)


def dies_with_us():
    """The words before a command that tie its life to ours. The kernel ties it to the starting
    thread, so only the main thread may ask for it."""
    if threading.current_thread() is threading.main_thread() and shutil.which("setpriv"):
        return ["setpriv", "--pdeathsig", "KILL"]
    return []


def port_is_free(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def call(port, *words, password=None, timeout_s=5):
    """Send one command to HOST:PORT over a connection of its own; the reply (bytes, int, list,
    None). ClusterError for an error reply, OSError when nobody answers."""
    with socket.create_connection((HOST, port), timeout=timeout_s) as connection:
        with connection.makefile("rb") as replies:
            if password:
                connection.sendall(encode_command("AUTH", password))
                read_reply(replies)
            connection.sendall(encode_command(*words))
            return read_reply(replies)


def encode_command(*words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part)
                                              for part in parts)


def read_reply(replies):
    line = replies.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server closed the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise ClusterError(rest.decode(errors="replace"))
    if kind == b"+":
        return rest
    count = int(rest)
    if kind == b":":
        return count
    if count < 0:
        return None
    if kind == b"*":
        return [read_reply(replies) for _ in range(count)]
    return replies.read(count + 2)[:-2]


class LocalCluster:
    """MASTERS masters with REPLICAS replicas each, not started yet.

    folder  (dir) where the servers live; a temporary one, removed by stop(), when None
    config  directives for every server, as {"maxmemory": "100mb", "cluster-node-timeout": 500}

    nodes   after start(): one dict per server with id, port, pid, role ("master" or "replica", as
            it was at the start), master (the id, for a replica), slots ((first, last), for a
            master), dir, log. Masters come first; replica i of the list follows master i % MASTERS.
    """

    def __init__(self, masters=3, replicas=1, dir=None, redis_server="redis-server", config=None):
        self.masters_count = masters
        self.replicas_count = replicas
        self.redis_server = redis_server
        self.config = dict(config or {})
        self.dir = dir
        self.nodes = []
        self._removes_dir = dir is None
        self._processes = {}  # port -> Popen
        self._ended_by_us = set()  # ports

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def ports(self):
        return [node["port"] for node in self.nodes]

    def node(self, port):
        """The node at PORT."""
        return next(node for node in self.nodes if node["port"] == port)

    def call(self, port, *words, timeout_s=20):
        """Send one command to the server at PORT, with the cluster's password if it has one."""
        return call(port, *words, password=self.config.get("requirepass"), timeout_s=timeout_s)

    # ---- life ---------------------------------------------------------------------------------

    def start(self, timeout_s=120):
        """Start the servers and make a cluster of them; returns self. On failure nothing is left
        behind and ClusterError says what the servers said."""
        deadline = time.monotonic() + timeout_s
        try:
            if self.dir is None:
                self.dir = tempfile.mkdtemp(prefix="keyway-cluster-")
            count = self.masters_count * (1 + self.replicas_count)
            self.nodes = [self._launch_anywhere(index) for index in range(count)]
            for node in self.nodes:
                self._wait_until_up(node, deadline)
                node["id"] = self.call(node["port"], "CLUSTER", "MYID").decode()
            self._share_out_slots()
            self._introduce(deadline)
            self._attach_replicas(deadline)
            self.wait_ready(max(0.1, deadline - time.monotonic()))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        """End every server and remove the folder if start() made it. Harmless twice."""
        for process in self._processes.values():
            process.kill()  # nothing to save; also ends one that is stopped by SIGSTOP
        for process in self._processes.values():
            process.wait()
        self._processes = {}
        if self._removes_dir and self.dir is not None:
            shutil.rmtree(self.dir, ignore_errors=True)
            self.dir = None

    def kill(self, port, sig=signal.SIGKILL):
        """Send SIG to the server at PORT. With SIGKILL (and SIGTERM) waits until it is gone."""
        process = self._processes[port]
        process.send_signal(sig)
        if sig in (signal.SIGKILL, signal.SIGTERM):
            process.wait(timeout=60)
            self._ended_by_us.add(port)

    def restart(self, port, timeout_s=60):
        """Start the server at PORT again, with the identity it had (and no data). It is up, but may
        still be finding its place in the cluster: see wait_ready()."""
        self.kill(port)
        node = self.node(port)
        node["pid"] = self._launch(node)
        self._ended_by_us.discard(port)
        self._wait_until_up(node, time.monotonic() + timeout_s)

    def add_master(self, timeout_s=60):
        """Start one more server and introduce it to the others; the node, a master without slots."""
        deadline = time.monotonic() + timeout_s
        node = self._launch_anywhere(len(self.nodes))
        node["role"] = "master"
        self._wait_until_up(node, deadline)
        node["id"] = self.call(node["port"], "CLUSTER", "MYID").decode()
        self.nodes.append(node)
        for other in self.nodes[:-1]:
            self.call(node["port"], "CLUSTER", "MEET", HOST, other["port"])
        for each in self.nodes:
            self._wait(deadline, each, self._why_not_introduced)
        return node

    def dead(self):
        """The nodes whose server has ended without being asked to by kill()."""
        return [node for node in self.nodes
                if node["port"] in self._processes and node["port"] not in self._ended_by_us
                and self._processes[node["port"]].poll() is not None]

    def wait_ready(self, timeout_s=120):
        """Wait until each node sees all nodes, all slots served and its replication in sync."""
        deadline = time.monotonic() + timeout_s
        for node in self.nodes:
            self._wait(deadline, node, self._why_not_ready)

    def log_tail(self, port, lines_count=20):
        """The last lines of the log of the server at PORT."""
        try:
            with open(self.node(port)["log"], encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-lines_count:])
        except (OSError, StopIteration):
            return ""

    # ---- servers ------------------------------------------------------------------------------

    def _launch_anywhere(self, index):
        """Launch server INDEX on a free port. Somebody may take the port between our look and the
        server's bind: a server that ends over that is launched again elsewhere."""
        for _ in range(20):
            port = self._find_port()
            folder = os.path.join(self.dir, str(port))
            node = {"index": index, "port": port, "dir": folder, "master": None, "slots": None,
                    "log": os.path.join(folder, "redis.log"),
                    "role": "master" if index < self.masters_count else "replica"}
            os.makedirs(folder, exist_ok=True)
            node["pid"] = self._launch(node)
            if self._survives_bind(node):
                return node
            self._processes.pop(port).wait()
        raise ClusterError("no free port found for a redis-server")

    def _find_port(self):
        for _ in range(1000):
            port = random.choice(PORTS)
            if port not in self._processes and port_is_free(port) \
                    and port_is_free(port + BUS_OFFSET):
                return port
        raise ClusterError("no free port found for a redis-server")

    def _launch(self, node):
        config = {"port": node["port"], "bind": HOST, "dir": node["dir"], "daemonize": "no",
                  "logfile": node["log"], "save": "", "appendonly": "no", "protected-mode": "yes",
                  "cluster-enabled": "yes", "cluster-config-file": "nodes.conf",
                  "cluster-node-timeout": 2000, "repl-diskless-sync": "yes",
                  "repl-diskless-sync-delay": 0}
        config.update(self.config)
        path = os.path.join(node["dir"], "redis.conf")
        with open(path, "w", encoding="utf-8") as file:
            for name, value in config.items():
                file.write(f'{name} {value if value != "" else chr(34) * 2}\n')
        # A session of its own: Ctrl-C in the terminal is for us, and we end the servers.
        with open(os.path.join(node["dir"], "output"), "ab") as output:
            process = subprocess.Popen([*dies_with_us(), self.redis_server, path],
                                       stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        self._processes[node["port"]] = process
        return process.pid

    def _survives_bind(self, node):
        """False when the server ended because its port was taken. Other endings raise."""
        process = self._processes[node["port"]]
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if process.poll() is not None:
                said = self._all_said(node)
                if "Address already in use" in said:
                    return False
                raise ClusterError(f"{self.redis_server} ended at once:\n{said}")
            try:
                if self._fields(node, "INFO", "server").get("process_id") == str(process.pid):
                    return True
            except (OSError, ClusterError):
                pass
            time.sleep(0.005)
        raise ClusterError(f"{self.redis_server} is not ready after 10 s:\n{self._all_said(node)}")

    @staticmethod
    def _all_said(node):
        said = ""
        for path in (os.path.join(node["dir"], "output"), node["log"]):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    said += file.read()
            except OSError:
                pass
        return said

    # ---- the cluster --------------------------------------------------------------------------

    def _share_out_slots(self):
        masters = self.nodes[:self.masters_count]
        for index, node in enumerate(masters):
            first = index * SLOTS // len(masters)
            last = (index + 1) * SLOTS // len(masters) - 1
            node["slots"] = (first, last)
            # Epochs of their own, or the masters would have to argue them out later.
            self.call(node["port"], "CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            try:
                self.call(node["port"], "CLUSTER", "ADDSLOTSRANGE", first, last)
            except ClusterError:  # redis before 7
                self.call(node["port"], "CLUSTER", "ADDSLOTS", *range(first, last + 1))

    def _introduce(self, deadline):
        """Everyone meets everyone: no waiting until gossip gets around."""
        for index, node in enumerate(self.nodes):
            for other in self.nodes[:index]:
                self.call(node["port"], "CLUSTER", "MEET", HOST, other["port"])
        for node in self.nodes:
            self._wait(deadline, node, self._why_not_introduced)

    def _attach_replicas(self, deadline):
        for node in self.nodes[self.masters_count:]:
            master = self.nodes[node["index"] % self.masters_count]
            node["master"] = master["id"]
            self._wait(deadline, node, self._why_not_replicating)

    def _wait(self, deadline, node, why_not):
        """Wait until WHY_NOT(node) finds no reason any more."""
        reason = "nothing was tried"
        while time.monotonic() < deadline:
            try:
                reason = why_not(node)
            except (OSError, ClusterError) as error:
                reason = str(error)
            if reason is None:
                return
            if self._processes[node["port"]].poll() is not None:
                break
            time.sleep(0.02)
        raise ClusterError(f"the redis-server on port {node['port']} is not ready: {reason}\n"
                           + self.log_tail(node["port"]))

    def _wait_until_up(self, node, deadline):
        self._wait(deadline, node, self._why_not_up)

    def _why_not_up(self, node):
        return None if self.call(node["port"], "PING") == b"PONG" else "no PONG"

    def _why_not_introduced(self, node):
        lines = self.call(node["port"], "CLUSTER", "NODES").decode().splitlines()
        known = {line.split()[0] for line in lines if "handshake" not in line.split()[2]}
        missing = {other["id"] for other in self.nodes} - known
        return f"it has not met {len(missing)} nodes" if missing else None

    def _why_not_replicating(self, node):
        self.call(node["port"], "CLUSTER", "REPLICATE", node["master"])

    def _why_not_ready(self, node):
        state = self._fields(node, "CLUSTER", "INFO")
        if state.get("cluster_state") != "ok" or state.get("cluster_slots_ok") != str(SLOTS):
            return f"cluster_state is {state.get('cluster_state')}, " \
                   f"{state.get('cluster_slots_ok')} slots served"
        replication = self._fields(node, "INFO", "replication")
        if replication.get("role") == "slave" and replication.get("master_link_status") != "up":
            return "its link to its master is down"
        lines = self.call(node["port"], "CLUSTER", "NODES").decode().splitlines()
        flags = [line.split()[2].split(",") for line in lines]
        replicas_seen = sum("slave" in words for words in flags)
        if replicas_seen != self.masters_count * self.replicas_count:
            return f"it sees {replicas_seen} replicas"
        if any(word in ("fail", "fail?", "handshake") for words in flags for word in words):
            return "it sees failed nodes"
        return None

    def _fields(self, node, *words):
        lines = self.call(node["port"], *words).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)
