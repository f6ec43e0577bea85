"""Keys that end: never seen afterwards, and gone from memory without being asked for."""

import os
import time

from resp import Connection


def until(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def a_key_is_never_seen_after_its_time(start):
    keyway = start("--threads", "2")
    connection = Connection(keyway.port)
    for _ in range(60):
        connection.send(["SET", "k", "v", "PX", "25"], ["PEXPIRETIME", "k"])
        connection.read()
        ends_ms = int(connection.read()[1:-2])
        while True:
            before_ms = time.time() * 1000
            value = connection.ask("GET", "k")
            if value is None:
                assert time.time() * 1000 >= ends_ms - 1, "it was gone before its time"
                break
            assert before_ms < ends_ms + 1, "it was seen after its time"
    assert connection.ask("TTL", "k") == -2
    assert connection.ask("EXISTS", "k") == 0 and connection.ask("TYPE", "k") == b"none"


def what_is_over_leaves_by_itself(start):
    keyway = start("--threads", "2")
    connection = Connection(keyway.port)
    connection.send(*[["SET", "k%d" % i, "v", "PX", 50 + i % 100] for i in range(5000)])
    for _ in range(5000):
        connection.read()
    connection.ask("SADD", "set", "member")
    connection.ask("PEXPIRE", "set", "60")
    connection.ask("SET", "stays", "v")
    until(lambda: connection.ask("DBSIZE") == 1, "keys that are over are still there")
    assert connection.ask("KEYS", "*") == [b"stays"]


def a_deadline_moves_with_its_key(start):
    keyway = start()
    connection = Connection(keyway.port)
    connection.ask("SET", "a", "1", "PX", "60000")
    connection.ask("INCR", "a")
    connection.ask("APPEND", "a", "5")
    connection.ask("RENAME", "a", "b")
    assert 0 < connection.ask("PTTL", "b") <= 60000
    connection.ask("COPY", "b", "c")
    assert 0 < connection.ask("PTTL", "c") <= 60000
    connection.ask("SET", "b", "x")
    assert connection.ask("PTTL", "b") == -1
    connection.ask("SET", "c", "x", "KEEPTTL")
    assert 0 < connection.ask("PTTL", "c") <= 60000
    connection.ask("PEXPIREAT", "c", "99999999999999")
    assert connection.ask("PEXPIRETIME", "c") == 99999999999999



def keys_end_though_nobody_asks_for_anything(start):
    keyway = start("--threads", "2", "--notify-keyspace-events", "Ex")
    watcher = Connection(keyway.port)
    watcher.ask("SUBSCRIBE", "__keyevent@0__:expired")
    connection = Connection(keyway.port)
    connection.ask("SET", "later", "v", "PX", "900")
    connection.ask("SET", "sooner", "v", "PX", "20")
    assert watcher.read().endswith(b"\r\nsooner\r\n")
    assert watcher.read().endswith(b"\r\nlater\r\n")


def who_has_nothing_to_do_sleeps(start):
    keyway = start("--threads", "2")
    connection = Connection(keyway.port)
    connection.ask("SET", "a", "1")
    connection.ask("SET", "a", "2")
    connection.ask("SADD", "set", "a")
    connection.ask("DEL", "set")
    connection.ask("SET", "ends", "v", "EX", "1000")

    def wakes():
        count = 0
        for task in os.listdir("/proc/%d/task" % keyway.process.pid):
            with open("/proc/%d/task/%s/status" % (keyway.process.pid, task)) as file:
                lines = dict(line.split(":", 1) for line in file)
            if lines["Name"].strip().startswith("worker"):
                count += int(lines["voluntary_ctxt_switches"])
        return count

    # Each thread has a look once a second; the thread sanitizer has one of its own, ten times.
    most = 6 + (15 if os.environ.get("KW_SANITIZER") == "thread" else 0)

    def is_quiet():
        before = wakes()
        time.sleep(1)
        return wakes() - before <= most

    until(is_quiet, "it wakes again and again")


SCENES = [a_key_is_never_seen_after_its_time, what_is_over_leaves_by_itself,
          a_deadline_moves_with_its_key, keys_end_though_nobody_asks_for_anything,
          who_has_nothing_to_do_sleeps]
