"""What is measured: the settings, their workloads, and one function per setting.

Every setting runs the subjects one after another within each workload, and the workloads within
each round, so that the figures of a ratio come from the same seconds of a machine whose speed
changes. Results are plain dicts ("cells"); report.py makes medians and ratios of them.
"""
import json
import os
import socket
import subprocess
import time

from machine import BUILD, ask, cpu_seconds, machine_busy_seconds, rss_kib, say
from subjects import (Target, spawn_proxy, start_cluster, start_proxy,
                      start_redis, start_stub)

CLIENTS = [(50, 1), (50, 16), (50, 64), (500, 1)]
KINDS = [("get64", "get", 64), ("set64", "set", 64), ("get1k", "get", 1024)]
WORKLOADS = [(f"{name} c{clients} p{pipeline}", kind, size, clients, pipeline)
             for name, kind, size in KINDS for clients, pipeline in CLIENTS]
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
    watched = ([target.proxy] if target.proxy else []) + target.servers
    command = load_command(target.port, "-t", kind, "-d", size, "-c", clients, "-P", pipeline,
                           "-T", options.seconds, "--warmup", WARMUP,
                           "--watch", ",".join(str(process.pid) for process in watched))
    if is_checked and kind == "get":
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


def run_round(bench, setting, round_number, workloads, targets, is_checked=False):
    for workload in workloads:
        say(f"  round {round_number + 1} {setting}: {workload[0]}")
        for subject, target in targets.items():
            cell = run_load(target, workload, bench.options, is_checked)
            bench.add({"setting": setting, "workload": workload[0], "subject": subject,
                       "round": round_number, **cell})


def try_start(bench, setting, subject, targets, start):
    """Adds START's target for SUBJECT, or a failed cell when it does not start."""
    try:
        targets[subject] = start()
    except (RuntimeError, OSError) as error:
        bench.add({"setting": setting, "workload": "start", "subject": subject, "round": 0,
                   "failure": str(error)})


def stop(bench, targets):
    for target in targets.values():
        for process in [target.proxy, *target.servers]:
            if process is not None:
                bench.machine.end(process)


# ---- saturated: instant answers, the proxy is the limit -----------------------------------

def measure_saturated(bench):
    machine = bench.machine
    ports, stub = start_stub(machine)
    targets = {}

    def start(subject):
        if subject == "direct":
            return Target(ports[0], None, [stub])
        port, process = start_proxy(machine, subject, "s-" + subject, ports, bench.files)
        return Target(port, process, [stub])

    for subject in bench.subjects:
        try_start(bench, "saturated", subject, targets, lambda: start(subject))
    for round_number in range(bench.options.rounds):
        for size in (64, 1024):
            ask(ports[0], "CONFIG", "SET", "value-size", size)
            workloads = [w for w in bench.workloads() if w[2] == size]
            run_round(bench, "saturated", round_number, workloads, targets)
    stop(bench, targets)


# ---- real: redis-servers -----------------------------------------------------------------

def start_real(bench, subject, one):
    """ONE is the plain server that haproxy and direct share."""
    machine, cpu = bench.machine, bench.machine.other_cpu
    if subject == "direct":
        return Target(one[0], None, [one[1]])
    if subject == "haproxy":
        ports, servers = [one[0]], [one[1]]
    elif subject == "keyway":
        ports, servers = start_cluster(machine, "r-cluster", 3, cpu)
    else:
        nodes = [start_redis(machine, f"r-{subject}-{i}", cpu) for i in range(3)]
        ports, servers = [port for port, _ in nodes], [process for _, process in nodes]
    port, process = start_proxy(machine, subject, "r-" + subject, ports, bench.files)
    return Target(port, process, servers)


def preload(bench, setting, targets, size):
    for subject, target in list(targets.items()):
        command = load_command(target.port, "--preload", "-d", size, "-T", 0)
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            del targets[subject]
            bench.add({"setting": setting, "workload": "preload", "subject": subject, "round": 0,
                       "failure": done.stderr.strip()})


def measure_real(bench):
    one = start_redis(bench.machine, "r-one", bench.machine.other_cpu)
    targets = {}
    for subject in bench.subjects:
        try_start(bench, "real", subject, targets, lambda: start_real(bench, subject, one))
    for round_number in range(bench.options.rounds):
        for size in (64, 1024):
            workloads = [w for w in bench.workloads() if w[2] == size]
            if workloads:
                preload(bench, "real", targets, size)
                run_round(bench, "real", round_number, workloads, targets, is_checked=True)
    stop(bench, targets)
    bench.machine.end(one[1])


# ---- one: through keyway to one redis-server, against no proxy -----------------------------

def measure_one(bench):
    """direct: the same server beside the load; direct-alone: a server that has the proxy's CPU."""
    if "keyway" not in bench.subjects:
        return
    machine = bench.machine
    ports, servers = start_cluster(machine, "o-one", 1, machine.other_cpu)
    alone_ports, alone = start_cluster(machine, "o-alone", 1, machine.proxy_cpu)
    targets = {"direct": Target(ports[0], None, servers),
               "direct-alone": Target(alone_ports[0], None, alone)}

    def start():
        port, process = start_proxy(machine, "keyway", "o-keyway", ports, bench.files)
        return Target(port, process, servers)

    try_start(bench, "one", "keyway", targets, start)
    preload(bench, "one", targets, 64)
    for round_number in range(bench.options.rounds):
        run_round(bench, "one", round_number, ONE_WORKLOAD, targets, is_checked=True)
    stop(bench, targets)


# ---- memory: idle, and with 10,000 idle clients --------------------------------------------

def idle_count(subject, files):
    """haproxy needs two files per client."""
    room = (files - 300) // 2 if subject == "haproxy" else files - 300
    return min(IDLE, room)


def measure_memory_of(bench, subject, ports):
    machine = bench.machine
    port, process = start_proxy(machine, subject, "m-" + subject, ports, bench.files)
    try:
        time.sleep(1)
        before = rss_kib(process.pid)
        count = idle_count(subject, bench.files)
        holder = machine.spawn("m-idle", load_command(port, "--idle", count), machine.other_cpu,
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
    port, process = spawn_proxy(machine, subject, "u-" + subject, ports, bench.files)
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
    cell = options.seconds + WARMUP + 0.2
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
