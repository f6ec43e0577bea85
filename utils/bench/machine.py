"""Processes, ports and CPUs of one benchmark run, and a few words of RESP.

Everything the benchmark starts is started by Machine.spawn, in one temporary folder, pinned to
one CPU; Machine.close ends all of it by pid and removes the folder. A child also dies with its
parent (PR_SET_PDEATHSIG), so even `kill -9` of the driver leaves nothing behind.
"""
import ctypes
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build", "bench")
PR_SET_PDEATHSIG = 1
# Below the kernel's range for outgoing connections, so that no client takes a server's port.
PORTS = range(20000, 30000)
CFLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def build_helpers():
    """Compiles stub.c, load.c and mixed.c into build/bench when their sources are newer."""
    os.makedirs(BUILD, exist_ok=True)
    for name in ("stub", "load", "mixed"):
        source = os.path.join(HERE, name + ".c")
        binary = os.path.join(BUILD, name)
        if os.path.exists(binary) and os.path.getmtime(binary) > os.path.getmtime(source):
            continue
        part = f"{binary}.{os.getpid()}"
        subprocess.run([os.environ.get("CC", "cc"), *CFLAGS, "-o", part, source, "-lm"],
                       check=True)
        os.replace(part, binary)


def files_limit():
    """Raises this process's (and so its children's) limit of open files; returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Machine:
    def __init__(self):
        cpus = sorted(os.sched_getaffinity(0))
        self.proxy_cpu = cpus[0]
        self.other_cpu = cpus[1] if len(cpus) > 1 else cpus[0]
        if self.proxy_cpu == self.other_cpu:
            say("bench: only one CPU: the figures mean little")
        os.sched_setaffinity(0, {self.other_cpu})
        self.folder = tempfile.mkdtemp(prefix="keyway-bench-")
        self.processes = []
        self.used_ports = set()

    def free_port(self):
        while True:
            port = random.choice(PORTS)
            if port in self.used_ports and len(self.used_ports) < len(PORTS) // 2:
                continue
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            self.used_ports.add(port)
            return port

    def path(self, name):
        return os.path.join(self.folder, name)

    def spawn(self, name, command, cpu, **options):
        """CPU: one, or a set of them."""
        libc = ctypes.CDLL(None)

        def in_child():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.sched_setaffinity(0, cpu if isinstance(cpu, set) else {cpu})

        with open(self.path(name + ".out"), "ab") as out:
            options.setdefault("stdin", subprocess.DEVNULL)
            options.setdefault("stdout", out)
            process = subprocess.Popen(command, stderr=out, preexec_fn=in_child,
                                       start_new_session=True, cwd=self.folder, **options)
        process.name = name
        self.processes.append(process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process in self.processes:
            self.processes.remove(process)

    def last_words(self, process):
        """The end of what a process wrote, to explain why it failed."""
        text = ""
        for ending in (".out", ".log"):
            try:
                with open(self.path(process.name + ending), errors="replace") as file:
                    text += file.read()[-300:]
            except OSError:
                pass
        return " ".join(text.split())

    def close(self):
        for process in list(self.processes):
            self.end(process)
        shutil.rmtree(self.folder, ignore_errors=True)


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def cpu_seconds(pid):
    """CPU time of a process, all its threads, user and system: its CPU clock, as load.c reads."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0


def machine_busy_seconds():
    """CPU time spent on this machine by anybody since its start."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq = map(int, file.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def read_reply(file):
    line = file.readline()
    if not line.endswith(b"\r\n"):
        raise OSError("connection closed")
    kind, rest = line[:1], line[1:-2]
    if kind == b"$":
        size = int(rest)
        return None if size < 0 else file.read(size + 2)[:-2].decode()
    if kind == b"*":
        return [read_reply(file) for _ in range(int(rest))]
    if kind == b"-":
        raise OSError(rest.decode())
    return int(rest) if kind == b":" else rest.decode()


def ask(port, *words, timeout=5):
    """Sends one command on a connection of its own; returns the reply, raises OSError."""
    with socket.create_connection(("127.0.0.1", port), timeout) as link:
        parts = [f"*{len(words)}\r\n"]
        parts += [f"${len(str(word))}\r\n{word}\r\n" for word in words]
        link.sendall("".join(parts).encode())
        with link.makefile("rb") as file:
            return read_reply(file)


def wait_for(what, test, seconds=15, process=None, pause=0.02):
    """Calls TEST until it returns true; OSError counts as "not yet"."""
    problem = "it never came true"
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{what}: process ended with status {process.returncode}")
        try:
            if test():
                return
        except OSError as error:
            problem = str(error)
        time.sleep(pause)
    raise RuntimeError(f"{what}: {problem}")
