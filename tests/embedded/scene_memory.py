"""Memory that is full, with every policy; and limits that change while it runs."""

import time

from resp import Connection, Error

MIB = 1 << 20
LIMIT = 8 * MIB
OOM = "OOM command not allowed when used memory > 'maxmemory'."


def info(connection, field):
    lines = connection.ask("INFO", "everything").decode().split("\r\n")
    return next(line.split(":", 1)[1] for line in lines if line.startswith(field + ":"))


def fill(connection, count, size, prefix="key", extra=()):
    """COUNT sets; the replies."""
    replies = []
    for first in range(0, count, 200):
        names = ["%s%d" % (prefix, i) for i in range(first, min(first + 200, count))]
        connection.send(*[["SET", name, "v" * size, *extra] for name in names])
        replies += [connection.read() for _ in names]
    return replies


def within_limit(connection, limit):
    assert int(info(connection, "used_memory_dataset")) <= limit


def keys_leave_by_every_policy(start):
    for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random", "balanced"):
        keyway = start("--maxmemory", str(LIMIT), "--maxmemory-policy", policy)
        connection = Connection(keyway.port)
        assert set(fill(connection, 20000, 1000)) == {b"+OK\r\n"}, policy
        within_limit(connection, LIMIT)
        assert int(info(connection, "evicted_keys")) > 5000, policy
        assert 1000 < connection.ask("DBSIZE") < 10000, policy


def timed_keys_leave_first(start):
    for policy in ("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"):
        keyway = start("--maxmemory", str(LIMIT), "--maxmemory-policy", policy)
        connection = Connection(keyway.port)
        fill(connection, 500, 1000, "stays")
        assert set(fill(connection, 20000, 1000, "timed", ("EX", "10000"))) == {b"+OK\r\n"}, policy
        assert connection.ask("EXISTS", *["stays%d" % i for i in range(500)]) == 500, policy
        within_limit(connection, LIMIT)
        connection.ask("FLUSHALL")
        replies = fill(connection, 20000, 1000, "untimed")
        assert ("-%s\r\n" % OOM).encode() in replies, policy + ": nothing may be evicted"


def nothing_leaves_without_a_policy(start):
    keyway = start("--maxmemory", str(LIMIT))
    connection = Connection(keyway.port)
    replies = fill(connection, 20000, 1000)
    full = replies.index(("-%s\r\n" % OOM).encode())
    assert 3000 < full < 9000, full
    assert connection.ask("EXISTS", *["key%d" % i for i in range(full)]) == full
    assert connection.ask("GET", "key1") == b"v" * 1000
    assert connection.ask("LPUSH", "list", "x") == Error(OOM)
    assert connection.ask("DEL", *["key%d" % i for i in range(1000)]) == 1000
    deadline = time.monotonic() + 20
    while connection.ask("SET", "key1", "again") != b"OK":
        assert time.monotonic() < deadline, "what was deleted does not become free"
    within_limit(connection, LIMIT)


def objects_count_and_leave_whole(start):
    keyway = start("--maxmemory", str(LIMIT), "--maxmemory-policy", "allkeys-lru")
    connection = Connection(keyway.port)
    for number in range(300):
        pairs = [word for i in range(100) for word in ("field%d" % i, "v" * 500)]
        assert connection.ask("HSET", "hash%d" % number, *pairs) == 100
    within_limit(connection, LIMIT * 1.05)
    left = connection.ask("DBSIZE")
    assert 40 <= left <= 160, "%d hashes of 50 KiB are left of 8 MiB" % left
    for number in range(300):
        count = connection.ask("HLEN", "hash%d" % number)
        assert count in (0, 100), count


def large_values_find_room(start):
    keyway = start("--maxmemory", str(LIMIT), "--maxmemory-policy", "allkeys-lru")
    connection = Connection(keyway.port)
    fill(connection, 3000, 1000)
    for i in range(40):
        assert connection.ask("SET", "large%d" % i, b"x" * 300000) == b"OK", i
    assert connection.ask("SET", "huge", b"x" * (4 * LIMIT)) == Error(OOM)
    assert connection.ask("STRLEN", "large39") == 300000
    for i in range(200):
        connection.ask("APPEND", "grows", b"y" * 1000)
    assert connection.ask("STRLEN", "grows") == 200000


def limits_change_while_it_runs(start):
    keyway = start("--maxmemory", str(4 * LIMIT))
    connection = Connection(keyway.port)
    fill(connection, 12000, 1000)
    assert connection.ask("CONFIG", "GET", "maxmemory-policy")[1] == b"noeviction"
    assert connection.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru") == b"OK"
    assert connection.ask("CONFIG", "SET", "maxmemory", str(LIMIT)) == b"OK"
    assert info(connection, "maxmemory") == str(LIMIT)
    assert info(connection, "maxmemory_policy") == "allkeys-lru"
    deadline = time.monotonic() + 30
    while int(info(connection, "used_memory_dataset")) > LIMIT:
        assert time.monotonic() < deadline, "keys do not leave after maxmemory was lowered"
        fill(connection, 20, 10, "little")
        time.sleep(0.02)
    assert connection.ask("CONFIG", "SET", "maxmemory", str(4 * LIMIT)) == b"OK"
    assert set(fill(connection, 12000, 1000, "more")) == {b"+OK\r\n"}
    assert connection.ask("DBSIZE") > 12000


def a_request_of_many_large_arguments_is_moved_a_few_times(start):
    """What has come of it is copied when its room grows: not for each of its arguments."""
    connection = Connection(start().port)
    before = int(info(connection, "heap_allocations"))
    assert connection.ask("DEL", *["v" * 1000] * 20000) == 0
    grown = int(info(connection, "heap_allocations")) - before
    assert grown < 250, grown


SCENES = [keys_leave_by_every_policy, timed_keys_leave_first, nothing_leaves_without_a_policy,
          objects_count_and_leave_whole, large_values_find_room, limits_change_while_it_runs,
          a_request_of_many_large_arguments_is_moved_a_few_times]
