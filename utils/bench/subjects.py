"""The subjects that are measured and the servers behind them, each as it is best started.

A Target is what the load is aimed at: the servers of a subject, and while Target.running the
proxy in front of them.
"""
import contextlib
import os
import re
import shutil
import subprocess

from machine import BUILD, ROOT, ask, wait_for

PROXIES = ["keyway", "nutcracker", "haproxy"]
OPTIONAL = ["nutcracker-quiet"]  # nutcracker with -v 4: see README.md
SUBJECTS = PROXIES + ["direct"]
KEYWAY = os.environ.get("KEYWAY", os.path.join(ROOT, "build", "keyway"))
MAX_CLIENTS = 12000
SLOTS = 16384

NUTCRACKER = """bench:
  listen: 127.0.0.1:{port}
  hash: fnv1a_64
  distribution: ketama
  redis: true
  preconnect: true
  auto_eject_hosts: false
  server_connections: 1
  backlog: 4096
  servers:
{servers}
"""

HAPROXY = """global
    nbthread 1
    maxconn {maxconn}
defaults
    mode tcp
    timeout connect 10s
    timeout client 10m
    timeout server 10m
listen bench
    bind 127.0.0.1:{port} backlog 4096
    server s1 127.0.0.1:{server} maxconn {maxconn}
"""


class Target:
    """SUBJECT in front of the servers at PORTS; servers are the processes behind those."""

    def __init__(self, machine, subject, files, ports, servers):
        self.machine = machine
        self.subject = subject
        self.files = files
        self.ports = ports
        self.servers = list(servers)
        self.port = ports[0]
        self.proxy = None

    @contextlib.contextmanager
    def running(self):
        """A proxy of its own for one cell: what it did before must not colour what it does now.

        (Pipelines were seen to cost nutcracker up to twice as much after 500 clients.)
        """
        if self.subject not in PROXIES + OPTIONAL:
            yield
            return
        self.port, self.proxy = start_proxy(self.machine, self.subject, self.ports, self.files)
        try:
            yield
        finally:
            self.machine.end(self.proxy)
            self.proxy = None

    def processes(self):
        return ([self.proxy] if self.proxy else []) + self.servers

    def ended(self):
        """The name of a process of this target that is no longer there, or None."""
        for process in self.processes():
            if process.poll() is not None:
                return f"{process.name} ended: {self.machine.last_words(process)}"
        return None


def program_of(subject):
    """The path of a subject's program, None when it is not installed (or not built)."""
    if subject == "direct":
        return "direct"
    if subject == "keyway":
        return KEYWAY if os.access(KEYWAY, os.X_OK) else None
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return shutil.which(subject.split("-")[0], path=path)


def version_of(subject):
    program = program_of(subject)
    if subject == "direct" or program is None:
        return ""
    flag = {"keyway": "--version", "haproxy": "-v"}.get(subject, "-V")
    done = subprocess.run([program, flag], capture_output=True, text=True, timeout=10)
    words = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
    return words.group(0) if words else "?"


# ---- servers ------------------------------------------------------------------------------

def start_stub(machine, count=3):
    ports = [machine.free_port() for _ in range(count)]
    command = [os.path.join(BUILD, "stub"), "--ports", ",".join(map(str, ports))]
    process = machine.spawn("stub", command, machine.other_cpu)
    wait_for("stub", lambda: ask(ports[-1], "PING") == "PONG", process=process)
    return ports, process


def start_redis(machine, name, cpu, is_cluster=False):
    port = machine.free_port()
    os.mkdir(machine.path(name))
    command = [shutil.which("redis-server"), "--port", str(port), "--bind", "127.0.0.1",
               "--dir", machine.path(name), "--logfile", machine.path(name + ".log"),
               "--save", "", "--appendonly", "no", "--daemonize", "no",
               "--maxclients", str(MAX_CLIENTS), "--tcp-backlog", "4096"]
    if is_cluster:
        command += ["--cluster-enabled", "yes", "--cluster-port", str(machine.free_port())]
    process = machine.spawn(name, command, cpu)
    wait_for(name, lambda: ask(port, "PING") == "PONG", process=process)
    return port, process


def start_cluster(machine, name, masters_count, cpu):
    """A cluster of masters, slots split evenly; returns ports and processes."""
    nodes = [start_redis(machine, f"{name}-{i}", cpu, is_cluster=True)
             for i in range(masters_count)]
    ports = [port for port, _ in nodes]
    for i, port in enumerate(ports):
        first = i * SLOTS // masters_count
        last = (i + 1) * SLOTS // masters_count - 1
        ask(port, "CLUSTER", "ADDSLOTSRANGE", first, last)
        ask(port, "CLUSTER", "SET-CONFIG-EPOCH", i + 1)
    for port in ports[1:]:
        bus = re.search(r"@(\d+)\D", ask(port, "CLUSTER", "NODES")).group(1)
        ask(ports[0], "CLUSTER", "MEET", "127.0.0.1", port, bus)

    def is_whole():
        return all("cluster_state:ok" in ask(port, "CLUSTER", "INFO") and
                   len(ask(port, "CLUSTER", "SLOTS")) == masters_count for port in ports)

    wait_for(name, is_whole, seconds=30)
    return ports, [process for _, process in nodes]


# ---- proxies ------------------------------------------------------------------------------

def proxy_command(machine, subject, port, servers, files):
    program = program_of(subject)
    config = machine.path(subject + ".conf")
    log = machine.path(subject + ".log")
    if subject == "keyway":
        return [program, "--threads", "1", "--port", str(port), "--bind", "127.0.0.1",
                "--cluster-seeds", f"127.0.0.1:{servers[0]}", "--logfile", log,
                "--maxclients", str(MAX_CLIENTS)]
    with open(config, "w") as file:
        if subject == "haproxy":
            file.write(HAPROXY.format(port=port, server=servers[0], maxconn=(files - 200) // 2))
        else:
            lines = "\n".join(f"   - 127.0.0.1:{server}:1" for server in servers)
            file.write(NUTCRACKER.format(port=port, servers=lines))
    if subject == "haproxy":
        return [program, "-db", "-f", config]
    verbose = "4" if subject == "nutcracker-quiet" else "5"
    return [program, "-c", config, "-o", log, "-p", machine.path(subject + ".pid"),
            "-v", verbose, "-s", str(machine.free_port()), "-a", "127.0.0.1"]


def spawn_proxy(machine, subject, servers, files):
    """Starts a proxy and returns at once; see start_proxy."""
    port = machine.free_port()
    command = proxy_command(machine, subject, port, servers, files)
    return port, machine.spawn(subject, command, machine.proxy_cpu)


def start_proxy(machine, subject, servers, files):
    """Starts a proxy in front of the SERVERS' ports and waits until a GET is answered."""
    port, process = spawn_proxy(machine, subject, servers, files)

    def is_up():
        ask(port, "GET", "key:000000000000")
        return True

    try:
        wait_for(f"start of {subject}", is_up, process=process)
    except RuntimeError as error:
        words = machine.last_words(process)
        machine.end(process)
        raise RuntimeError(f"{error} {words}") from None
    return port, process
