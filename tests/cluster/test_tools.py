"""redis-cli and redis-benchmark, as a new user would try them."""
import os
import pty
import re
import select
import subprocess
import time

from support.testing import test
from support.topology import masters_of

PIPED_COMMANDS = 100_000
# All tests of redis-benchmark that have one key (mset has ten).
BENCHMARK_TESTS = ("ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,"
                   "zadd,zpopmin,lrange_100,lrange_300,lrange_500,lrange_600")


def cli(t, *words, stdin=""):
    ended = subprocess.run(["redis-cli", "-p", str(t.keyway.port)] + list(words), input=stdin,
                           capture_output=True, text=True, timeout=60 * t.patience)
    return ended.stdout


@test()
def redis_cli_runs_single_commands(t):
    assert cli(t, "SET", "k", "v") == "OK\n"
    assert cli(t, "GET", "k") == "v\n"
    assert cli(t, "PING") == "PONG\n"
    assert cli(t, "-3", "HSET", "h", "f", "v") == "1\n"
    assert cli(t, "-3", "--no-raw", "HGETALL", "h") == '1# "f" => "v"\n'
    assert cli(t, "--no-raw", "INCR", "n") == "(integer) 1\n"
    assert "redis_version:" in cli(t, "INFO", "server")


@test()
def redis_cli_reads_commands_from_its_input(t):
    assert cli(t, stdin="SET k v\nGET k\nnonsense\nPING\n") == (
        "OK\nv\nERR unknown command 'nonsense', with args beginning with: \n\nPONG\n")


@test()
def redis_cli_is_interactive(t):
    """On a terminal it asks COMMAND DOCS for its hints, and shows types."""
    terminal = Terminal(["redis-cli", "-p", str(t.keyway.port)])
    try:
        terminal.expect("127.0.0.1:%d> " % t.keyway.port)
        terminal.type("SET k v", "OK")
        terminal.type("GET k", '"v"')
        terminal.type("HELLO 3", "proto")
        terminal.type("GET no-such-key", "(nil)")
        terminal.type("nonsense", "(error) ERR unknown command 'nonsense'")
        terminal.type("HELP GET", "summary:")
        terminal.type("PING", "PONG")
    finally:
        terminal.end()


class Terminal:
    """A program on a pseudo terminal."""

    def __init__(self, words):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb"
            os.execvp(words[0], words)
        self.shown = ""

    def type(self, line, answer):
        self.shown = ""
        os.write(self.descriptor, line.encode() + b"\n")
        self.expect(answer)
        self.expect("> ")

    def expect(self, text, timeout_s=15):
        deadline = time.monotonic() + timeout_s
        while text not in self.shown:
            left = deadline - time.monotonic()
            assert left > 0, "%r is not in %r" % (text, self.shown)
            if select.select([self.descriptor], [], [], left)[0]:
                self.shown += os.read(self.descriptor, 65536).decode("utf-8", "replace")

    def end(self):
        os.close(self.descriptor)
        os.waitpid(self.pid, 0)


@test(arguments=["--threads", "1"])
def redis_cli_pipe_loads_a_hundred_thousand_commands(t):
    """It ends with an ECHO of a random token, which must come back behind all other replies."""
    script = "".join("*3\r\n$3\r\nSET\r\n$%d\r\nkey:%d\r\n$5\r\nvalue\r\n" % (len(str(n)) + 4, n)
                     for n in range(PIPED_COMMANDS))
    said = cli(t, "--pipe", stdin=script)
    assert "errors: 0, replies: %d" % PIPED_COMMANDS in said, said
    assert sum(t.cluster.call(node["port"], "DBSIZE") for node, _ in masters_of(t.cluster)) \
        == PIPED_COMMANDS


@test(arguments=["--threads", "1"])
def redis_cli_pipe_takes_inline_lines_too(t):
    """Lines ended by LF, as people type them into a file."""
    script = "".join("SET key:%d \"a value\"\n" % n for n in range(10_000))
    said = cli(t, "--pipe", stdin=script)
    assert "errors: 0, replies: 10000" in said, said


@test(arguments=["--threads", "1"])
def redis_cli_pipe_counts_the_errors_among_the_replies(t):
    script = "SET k v\r\nnonsense\r\nGET\r\nINCR k\r\nGET k\r\n"
    said = cli(t, "--pipe", stdin=script)
    assert "errors: 3, replies: 5" in said, said


def benchmark(t, *words):
    ended = subprocess.run(["redis-benchmark", "-p", str(t.keyway.port), "-q"] + list(words),
                           capture_output=True, text=True, timeout=120 * t.patience)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0 and "rror" not in said and "WARN" not in said, said
    return said


@test(arguments=["--threads", "1"])
def redis_benchmark_runs_all_its_tests_that_have_one_key(t):
    said = benchmark(t, "-t", BENCHMARK_TESTS, "-n", "2000", "-c", "20", "-r", "1000")
    assert len(re.findall(r"requests per second", said)) >= 17, said


@test(arguments=["--threads", "1"])
def redis_benchmark_pipelines(t):
    benchmark(t, "-t", "set,get,incr", "-n", "50000", "-c", "50", "-P", "64", "-r", "10000")
    benchmark(t, "-t", "set,get", "-n", "20000", "-c", "50", "-P", "16", "-d", "1024", "-3")
