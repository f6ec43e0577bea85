"""What is measured: the settings, their workloads, and one function per setting.

Every setting runs the subjects one after another within each workload, and the workloads within
each round, so that the figures of a ratio come from the same seconds of a machine whose speed
changes. Each cell has a freshly started proxy, so that the order of cells does not matter.
Results are plain dicts ("cells"); report.py makes medians and ratios of them.
"""
import json
import os
import socket
import subprocess
import time

from machine import BUILD, ask, cpu_seconds, machine_busy_seconds, rss_kib, say
from subjects import (Target, spawn_proxy, start_cluster, start_proxy, start_redis,
                      start_stub)

CLIENTS = [(50, 1), (50, 16), (50, 64), (500, 1)]
KINDS = [("get64", "get", 64), ("set64", "set", 64), ("get1k", "get", 1024)]
WORKLOADS = [(f"{name} c{clients} p{pipeline}", kind, size, clients, pipeline)
             for name, kind, size in KINDS for clients, pipeline in CLIENTS]
WORKLOADS += [(f"mget10 c50 p{pipeline}", "mget", 64, 50, pipeline) for pipeline in (1, 16)]
ONE_WORKLOAD = [w for w in WORKLOADS if w[0] == "get64 c500 p1"]
WARMUP = 0.4
STARTS = 5  # start-up is measured at least so often
IDLE = 10000


class Bench:
    """What all settings share: the machine, the options, and the cells found so far."""

    def __init__(self, machine, options, subjects, files):
        self.machine = machine
        self.options = options
        self.subjects = subjects
        self.files = files
        self.cells = []

    def workloads(self):
        return [w for w in WORKLOADS if self.options.workloads.search(w[0])]

    def proxies(self):
        return [s for s in self.subjects if s != "direct"]

    def add(self, cell):
        self.cells.append(cell)
        if cell.get("failure"):
            say(f"    {cell['subject']}: FAILED: {cell['failure']}")


# ---- one cell -----------------------------------------------------------------------------

def load_command(port, *options):
    return [os.path.join(BUILD, "load"), "-p", str(port), *map(str, options)]


class Strangers:
    """Finds how much of the machine other programs used while a load ran."""

    def __init__(self, processes):
        self.pids = [process.pid for process in processes]
        self.began = time.monotonic()
        self.before = self.spent()

    def spent(self):
        ours = sum(map(cpu_seconds, self.pids)) + sum(os.times()[:4])
        return machine_busy_seconds() - ours

    def share(self):
        """Of all CPUs: 0.5 means that half of the machine's time went to others."""
        seconds = (time.monotonic() - self.began) * os.cpu_count()
        return max(0, (self.spent() - self.before) / seconds)


def run_load(target, workload, options, is_checked):
    """Runs one load against TARGET; returns what was measured, as a dict."""
    _, kind, size, clients, pipeline = workload
    watched = target.processes()
    command = load_command(target.port, "-t", kind, "-d", size, "-c", clients, "-P", pipeline,
                           "-T", options.seconds, "--warmup", WARMUP,
                           "--watch", ",".join(str(process.pid) for process in watched))
    if is_checked and kind != "set":
        command.append("--check")
    strangers = Strangers(watched)
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=options.seconds + 40)
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return {"failure": target.ended() or "the load gave no result"}
    if found["requests"] == 0 or target.ended():
        return {"failure": target.ended() or found["first_error"] or "no request was answered"}

    requests, seconds = found["requests"], found["seconds"]
    cpu = found["watched_cpu_s"]
    proxy_cpu = cpu.pop(0) if target.proxy else 0
    cell = {"requests": requests, "rps": found["rps"], "p50_us": found["p50_us"],
            "p99_us": found["p99_us"], "proxy_us": proxy_cpu / requests * 1e6,
            "servers_us": sum(cpu) / requests * 1e6, "proxy_busy": proxy_cpu / seconds,
            "servers_busy": sum(cpu) / seconds, "load_busy": found["load_cpu_s"] / seconds,
            "strangers_share": strangers.share(), "errors": found["errors"] + found["lost"]}
    if cell["errors"]:
        cell["failure"] = f"{cell['errors']} errors: {found['first_error']}"
    return cell


def run_cell(bench, setting, round_number, workload, target, name, is_checked):
    """Starts the target's proxy, measures it, adds the cell; False when it did not start."""
    did_start = False
    try:
        with target.running():
            did_start = True
            cell = run_load(target, workload, bench.options, is_checked)
    except (RuntimeError, OSError) as error:
        cell = {"failure": str(error)}
    bench.add({"setting": setting, "workload": workload[0], "subject": name,
               "round": round_number, **cell})
    return did_start


def run_round(bench, setting, round_number, workloads, targets, is_checked=False):
    """Measures all WORKLOADS; drops a target whose proxy does not start from TARGETS."""
    for workload in workloads:
        say(f"  round {round_number + 1} {setting}: {workload[0]}")
        for name, target in list(targets.items()):
            if not run_cell(bench, setting, round_number, workload, target, name, is_checked):
                del targets[name]


def preload(bench, setting, targets, size):
    """SETs all keys through each target; drops a target where that fails from TARGETS."""
    for name, target in list(targets.items()):
        problem = None
        try:
            with target.running():
                command = load_command(target.port, "--preload", "-d", size, "-T", 0)
                done = subprocess.run(command, capture_output=True, text=True, timeout=120)
                problem = done.stderr.strip() if done.returncode != 0 else None
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            problem = str(error)
        if problem is not None:
            del targets[name]
            bench.add({"setting": setting, "workload": "preload", "subject": name, "round": 0,
                       "failure": problem})


def end_servers(bench, targets):
    for target in targets.values():
        for process in target.servers:
            bench.machine.end(process)


# ---- saturated: instant answers, the proxy is the limit -----------------------------------

def measure_saturated(bench):
    ports, stub = start_stub(bench.machine)
    targets = {s: Target(bench.machine, s, bench.files, ports, [stub]) for s in bench.subjects}
    for round_number in range(bench.options.rounds):
        for size in (64, 1024):
            ask(ports[0], "CONFIG", "SET", "value-size", size)
            workloads = [w for w in bench.workloads() if w[2] == size]
            run_round(bench, "saturated", round_number, workloads, targets)
    bench.machine.end(stub)


# ---- real: redis-servers -----------------------------------------------------------------

def real_target(bench, subject, plain):
    """PLAIN are three plain servers; haproxy and direct use the first of them."""
    ports, servers = plain
    if subject == "keyway":
        ports, servers = start_cluster(bench.machine, "cluster", 3, bench.machine.other_cpu)
    elif not subject.startswith("nutcracker"):
        ports, servers = ports[:1], servers[:1]
    return Target(bench.machine, subject, bench.files, ports, servers)


def measure_real(bench):
    nodes = [start_redis(bench.machine, f"plain-{i}", bench.machine.other_cpu) for i in range(3)]
    plain = [port for port, _ in nodes], [process for _, process in nodes]
    targets = {s: real_target(bench, s, plain) for s in bench.subjects}
    all_targets = dict(targets)
    for round_number in range(bench.options.rounds):
        for size in (64, 1024):
            workloads = [w for w in bench.workloads() if w[2] == size]
            if workloads:
                preload(bench, "real", targets, size)
                run_round(bench, "real", round_number, workloads, targets, is_checked=True)
    end_servers(bench, all_targets)


# ---- one: through keyway to one redis-server, against no proxy -----------------------------

def measure_one(bench):
    """direct: the same server beside the load; direct-alone: a server that has the proxy's CPU."""
    if "keyway" not in bench.subjects:
        return
    machine, files = bench.machine, bench.files
    ports, servers = start_cluster(machine, "one", 1, machine.other_cpu)
    alone_ports, alone = start_cluster(machine, "alone", 1, machine.proxy_cpu)
    targets = {"keyway": Target(machine, "keyway", files, ports, servers),
               "direct": Target(machine, "direct", files, ports, servers),
               "direct-alone": Target(machine, "direct-alone", files, alone_ports, alone)}
    all_targets = dict(targets)
    preload(bench, "one", targets, 64)
    for round_number in range(bench.options.rounds):
        run_round(bench, "one", round_number, ONE_WORKLOAD, targets, is_checked=True)
    end_servers(bench, all_targets)


# ---- memory: idle, and with 10,000 idle clients --------------------------------------------

def idle_count(subject, files):
    """haproxy needs two files per client."""
    room = (files - 300) // 2 if subject == "haproxy" else files - 300
    return min(IDLE, room)


def measure_memory_of(bench, subject, ports):
    machine = bench.machine
    port, process = start_proxy(machine, subject, ports, bench.files)
    try:
        time.sleep(1)
        before = rss_kib(process.pid)
        count = idle_count(subject, bench.files)
        holder = machine.spawn("idle", load_command(port, "--idle", count), machine.other_cpu,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            if holder.stdout.readline() != b"idle\n":
                return {"failure": "idle clients: " + machine.last_words(holder)}
            time.sleep(1)
            after = rss_kib(process.pid)
        finally:
            holder.stdin.close()
            holder.stdout.close()
            machine.end(holder)
    finally:
        machine.end(process)
    return {"idle_rss_kib": before, "full_rss_kib": after, "idle_clients": count,
            "kib_per_client": (after - before) / count}


def measure_memory(bench):
    ports, stub = start_stub(bench.machine)
    for round_number in range(bench.options.rounds):
        say(f"  round {round_number + 1} memory: {IDLE} idle clients")
        for subject in bench.proxies():
            try:
                cell = measure_memory_of(bench, subject, ports)
            except (RuntimeError, OSError) as error:
                cell = {"failure": str(error)}
            bench.add({"setting": "memory", "workload": "idle", "subject": subject,
                       "round": round_number, **cell})
    bench.machine.end(stub)


# ---- start-up: time to the first reply -----------------------------------------------------

def first_reply_ms(bench, subject, ports):
    """Milliseconds from the fork of the proxy to the first reply to a GET through it."""
    machine = bench.machine
    began = time.monotonic()
    port, process = spawn_proxy(machine, subject, ports, bench.files)
    request = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
    try:
        while time.monotonic() < began + 5:
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as link:
                    link.sendall(request)
                    if link.recv(1) == b"$":
                        return (time.monotonic() - began) * 1e3
            except OSError:
                pass
            time.sleep(0.0002)
        raise RuntimeError("no reply within 5 s of the start")
    finally:
        machine.end(process)


def measure_startup(bench):
    ports, stub = start_stub(bench.machine)
    say("  start-up")
    for round_number in range(max(STARTS, bench.options.rounds)):
        for subject in bench.proxies():
            try:
                cell = {"first_reply_ms": first_reply_ms(bench, subject, ports)}
            except RuntimeError as error:
                cell = {"failure": str(error)}
            bench.add({"setting": "startup", "workload": "first reply", "subject": subject,
                       "round": round_number, **cell})
    bench.machine.end(stub)


SETTINGS = {"saturated": measure_saturated, "real": measure_real, "one": measure_one,
            "memory": measure_memory, "startup": measure_startup}


def estimate_seconds(settings, subjects_count, options):
    cell = options.seconds + WARMUP + 0.3
    cells = len([w for w in WORKLOADS if options.workloads.search(w[0])]) * subjects_count
    total = 0
    if "saturated" in settings:
        total += cells * cell * options.rounds + 3
    if "real" in settings:
        total += (cells * cell + subjects_count * 2) * options.rounds + 10
    if "one" in settings:
        total += 3 * cell * options.rounds + 5
    if "memory" in settings:
        total += 5 * subjects_count * options.rounds
    if "startup" in settings:
        total += STARTS * subjects_count * 0.2
    return total
