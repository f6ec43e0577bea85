"""What `near` and `embedded` share: one measured cell of mixed.c, rounds, medians, the report.

A subject is a name, a port, and the processes whose CPU counts: the first is the one measured, the
others are servers behind it. Subjects of a workload run one right after another, round by round; a
ratio is taken within each round, and the median of these is what counts.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import time

from machine import BUILD, ask, say, wait_for
from subjects import start_redis

KEYS = 100000
TURN_SECONDS = 0.1
DRAIN_SECONDS = 0.003  # for what is under way


class Subject:
    """What is measured. CPUS: how many it has for itself."""

    def __init__(self, name, port, processes, is_memcached=False, cpus=1):
        self.name = name
        self.port = port
        self.processes = processes
        self.is_memcached = is_memcached
        self.cpus = cpus

    def run(self, seconds, *options, warmup=0.3):
        """One load; a dict with us (of the measured process, a request), servers_us, rps."""
        return self.finish(self.start(seconds, *options, warmup=warmup), seconds)

    def start(self, seconds, *options, warmup=0.3):
        command = [os.path.join(BUILD, "mixed"), "-p", self.port, "-T", seconds, "--warmup",
                   warmup, "--watch", ",".join(str(process.pid) for process in self.processes)]
        command += ["--memcached"] if self.is_memcached else []
        return subprocess.Popen([str(word) for word in [*command, *options]], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self, load, seconds):
        try:
            out, err = load.communicate(timeout=seconds + 60)
        except subprocess.TimeoutExpired:
            load.kill()
            raise
        if load.returncode != 0:
            raise RuntimeError(f"{self.name}: {err.strip()} {out.strip()}")
        found = json.loads(out)
        requests = max(1, found["requests"])
        cpu = [1e6 * each / requests for each in found["watched_cpu_s"]]
        return {"us": cpu[0], "servers_us": sum(cpu[1:]), "rps": found["rps"],
                "misses": found["misses"] / requests, "mean_us": found["mean_us"],
                "load_busy": found["load_cpu_s"] / found["seconds"],
                "busy": found["watched_cpu_s"][0] / found["seconds"]}

    def preload(self, *options):
        """SET every key."""
        command = [os.path.join(BUILD, "mixed"), "-p", str(self.port), "-T", "0", "--preload",
                   *map(str, options)]
        subprocess.run(command + (["--memcached"] if self.is_memcached else []), check=True,
                       timeout=120)

    def info(self, section):
        """INFO's numbers, by name."""
        lines = (line.split(":", 1) for line in ask(self.port, "INFO", section).splitlines())
        return {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()}


def run_by_turns(subjects, seconds, *options, warmup):
    """The same load on all SUBJECTS at once, but only one of them at a time gets it, for a tenth of
    a second: whatever else the machine does concerns them alike. A cell of each.
    """
    loads = [subject.start(seconds, *options, warmup=warmup) for subject in subjects]
    try:
        for load in loads[1:]:
            load.send_signal(signal.SIGSTOP)
        end = time.monotonic() + seconds + warmup
        turn = 0
        while time.monotonic() < end:
            time.sleep(TURN_SECONDS)
            loads[turn].send_signal(signal.SIGSTOP)
            time.sleep(DRAIN_SECONDS)
            turn = (turn + 1) % len(loads)
            loads[turn].send_signal(signal.SIGCONT)
    finally:
        for load in loads:
            load.send_signal(signal.SIGCONT)
    return [subject.finish(load, seconds) for subject, load in zip(subjects, loads)]


class Report:
    """Cells by (workload, subject), the lines about targets, and how it all ends."""

    def __init__(self):
        self.cells = {}
        self.targets = []

    def add(self, workload, subject, cell):
        self.cells.setdefault((workload, subject), []).append(cell)

    def rounds(self, workload, subject, what):
        """WHAT of each round: a field, or a function of the cell."""
        get = what if callable(what) else lambda cell: cell[what]
        return [get(cell) for cell in self.cells[(workload, subject)]]

    def median(self, workload, subject, what):
        return statistics.median(self.rounds(workload, subject, what))

    def ratio(self, workload, subject, other, what):
        """The median of the ratios SUBJECT / OTHER, each taken within a round."""
        pairs = zip(self.rounds(workload, subject, what), self.rounds(workload, other, what))
        return statistics.median(a / b for a, b in pairs)

    def target(self, text, value, limit, is_at_most=True):
        is_met = value <= limit if is_at_most else value >= limit
        sign = "<=" if is_at_most else ">="
        self.targets.append((is_met, f"{'PASS' if is_met else 'MISS'}  {text}: {value:.2f} "
                                     f"(target {sign} {limit:g})"))

    def print_table(self, title, workloads, subjects, columns):
        """COLUMNS: (heading, what, format) each."""
        print(f"\n{title}\n")
        print("| workload | subject | " + " | ".join(name for name, _, _ in columns) + " |")
        print("|---|---|" + "---|" * len(columns))
        for workload in workloads:
            for subject in subjects:
                if (workload, subject) in self.cells:
                    values = [form % self.median(workload, subject, what)
                              for _, what, form in columns]
                    print(f"| {workload} | {subject} | " + " | ".join(values) + " |")

    def finish(self):
        """Print the targets; the exit status."""
        print()
        for _, line in self.targets:
            print(line)
        return 0 if all(is_met for is_met, _ in self.targets) else 1


def parse_options(doc):
    parser = argparse.ArgumentParser(description=doc.strip().splitlines()[0])
    add = parser.add_argument
    add("--full", action="store_true", help="longer, for a quiet machine: 7 rounds of 4 s")
    add("--rounds", type=int)
    add("--seconds", type=float)
    add("--only", default="", help="only the parts whose name has this word")
    options = parser.parse_args()
    options.rounds = options.rounds or (7 if options.full else 3)
    options.seconds = options.seconds or (4 if options.full else 2)
    return options


def run_rounds(report, options, workloads, subjects):
    """WORKLOADS: name -> words for mixed. Everything once a round."""
    for number in range(options.rounds):
        for name, words in workloads.items():
            say(f"  round {number + 1}: {name}")
            for subject in subjects:
                report.add(name, subject.name, subject.run(options.seconds, *words))


def start_memcached(machine):
    program = shutil.which("memcached")
    if program is None:
        say("bench: memcached is not there (deps/install.sh bench): going on without it")
        return []
    port = machine.free_port()
    user = ["-u", "root"] if os.geteuid() == 0 else []
    process = machine.spawn("memcached", [program, "-t", "1", "-l", "127.0.0.1", "-p", str(port),
                                          "-U", "0", "-m", "256", "-c", "2000", *user],
                            machine.proxy_cpu)
    subject = Subject("memcached", port, [process], is_memcached=True)
    wait_for("memcached", lambda: subject.preload("--keys", 1) is None, process=process)
    return [subject]


def start_server(machine):
    port, process = start_redis(machine, "redis-server", machine.proxy_cpu)
    return Subject("redis-server", port, [process])
