"""SCAN over the whole cluster: every key once while nothing moves, none missed while slots do."""
import threading
import time

from language.slots import slot_of
from support.client import ErrorReply
from support.testing import FRESH, SHARED, test
from support.topology import masters_of, move_around, replica_of, rounds, tags_served_by
from support.wait import until

KEYS = 20_000


def fill(client, prefix="key", count=KEYS):
    keys = ["%s:%d" % (prefix, n) for n in range(count)]
    for start in range(0, count, 2000):
        part = keys[start:start + 2000]
        assert client.call("MSET", *[w for key in part for w in (key, "v")]) == b"OK"
    return {key.encode() for key in keys}


def scan(clients, *options):
    """All keys in the order they came; each step through the next of CLIENTS."""
    cursor, found, steps = b"0", [], 0
    while True:
        reply = clients[steps % len(clients)].call("SCAN", cursor, *options)
        assert isinstance(reply, list) and len(reply) == 2, reply
        cursor, keys = reply
        found += keys
        steps += 1
        assert cursor == str(int(cursor)).encode() and 0 <= int(cursor) < 2 ** 63, cursor
        if cursor == b"0":
            return found
        assert steps < 1_000_000


@test(cluster=SHARED)
def every_key_comes_exactly_once(t):
    client = t.client()
    assert scan([client]) == []
    expected = fill(client)
    other = t.client()
    other.call("HELLO", 3)
    for options in ((), ("COUNT", 1000), ("COUNT", "7"), ("MATCH", "key:*", "COUNT", 500)):
        found = scan([client, other], *options)
        assert len(found) == len(expected) and set(found) == expected, (options, len(found))
    found = scan([client], "MATCH", "key:1?", "COUNT", 5000)
    assert sorted(found) == sorted(b"key:1%d" % n for n in range(10))


@test(cluster=SHARED)
def a_cursor_means_the_same_to_every_keyway(t):
    first = t.client()
    expected = fill(first)
    t.start_keyway()
    second = t.client()
    found = scan([first, second], "COUNT", 100)
    assert len(found) == len(expected) and set(found) == expected


@test(cluster=SHARED)
def type_and_patterns_with_a_hash_tag_are_as_in_redis(t):
    client = t.client()
    fill(client, "string", 500)
    client.pipeline([("RPUSH", "list:%d" % n, "x") for n in range(100)])
    client.pipeline([("SET", "{tag}:%d" % n, "x") for n in range(100)])
    assert len(scan([client], "TYPE", "list", "COUNT", 50)) == 100
    assert sorted(scan([client], "TYPE", "list")) == sorted(b"list:%d" % n for n in range(100))
    assert len(scan([client], "MATCH", "{tag}:*")) == 100
    assert sorted(scan([client], "MATCH", "*{tag}*")) == sorted(scan([client], "MATCH", "{tag}*"))
    assert scan([client], "MATCH", "list:7") == [b"list:7"]
    assert len(client.call("KEYS", "{tag}*")) == 100


@test(cluster=SHARED)
def errors_are_those_of_redis(t):
    client = t.client()
    direct = t.direct(t.cluster.ports[0])
    for words in (("SCAN", "x"), ("SCAN", " 1"), ("SCAN", "1x"), ("SCAN", "99999999999999999999"),
                  ("SCAN", "0", "COUNT"), ("SCAN", "0", "COUNT", "0"), ("SCAN", "0", "COUNT", "x"),
                  ("SCAN", "0", "MATCH"), ("SCAN", "0", "nonsense", "x"), ("SCAN",)):
        mine, theirs = client.call(*words), direct.call(*words)
        assert isinstance(theirs, ErrorReply) and mine == theirs, (words, mine, theirs)
    assert client.call("SCAN", str(2 ** 63)) == ErrorReply("ERR invalid cursor")
    for cursor in ("1", "5", str(2 ** 63 - 1), str(2 ** 60), "0007"):
        reply = client.call("SCAN", cursor)
        assert isinstance(reply, list), (cursor, reply)


MOVE_ROUNDS = 8       # of nine slots


@test(cluster=FRESH, replicas=0)
def no_key_is_missed_while_slots_move(t):
    """Slots full of keys go round between the masters, a few keys at a time, while scans run."""
    client = t.client(30)
    expected = fill(client, count=4000)
    masters = [node for node, _ in t.masters()]
    tags = [tag for node in masters for tag in tags_served_by(node, 3)]
    for tag in tags:
        keys = ["{%s}:%d" % (tag, n) for n in range(60)]
        assert client.call("MSET", *[w for key in keys for w in (key, "v")]) == b"OK"
        expected |= {key.encode() for key in keys}
    scans, problems, is_over = [], [], threading.Event()

    def keep_scanning(options):
        mine = t.client(30)
        while not is_over.is_set():
            found = set(scan([mine], *options))
            scans.append(len(found))
            if expected - found:
                problems.append((options, len(expected - found), sorted(expected - found)[:5]))
    threads = [threading.Thread(target=keep_scanning, args=(options,))
               for options in ((), ("COUNT", 100), ("COUNT", 300, "TYPE", "string"),
                               ("MATCH", "*", "COUNT", 1000))]
    for thread in threads:
        thread.start()
    moves = move_around(t.cluster, t.direct, tags, rounds(MOVE_ROUNDS))
    is_over.set()
    for thread in threads:
        thread.join(60)
    assert not problems, problems[:5]
    assert len(scans) > 8, scans
    found = scan([client], "COUNT", 100)
    assert len(found) == len(set(found)) and set(found) == expected
    print("     (%d scans of %d keys, %d slots moved)" % (len(scans), len(expected), moves))


@test(cluster=FRESH)
def no_key_is_missed_across_a_failover(t):
    client = t.client(30)
    expected = fill(client)
    cursor, found = b"0", set()
    for _ in range(20):
        cursor, keys = client.call("SCAN", cursor, "COUNT", 100)
        found |= set(keys)
    first = min(masters_of(t.cluster), key=lambda pair: pair[1][0][0])[0]
    replica = replica_of(t.cluster, first)
    t.direct(replica["port"]).call("CLUSTER", "FAILOVER")
    until(lambda: b"master" in t.cluster.call(replica["port"], "ROLE")[0], 10, "the failover")
    low, high = first["slots"]
    moved = next(key for key in expected if low <= slot_of(key.decode()) <= high)
    until(lambda: client.call("SET", moved, "v") == b"OK", 10, "keyway knows the new master")
    time.sleep(0.5)                 # all of its slots, not only that one
    deadline = time.monotonic() + 30
    while cursor != b"0":
        assert time.monotonic() < deadline
        reply = client.call("SCAN", cursor, "COUNT", 100)
        assert not isinstance(reply, ErrorReply), reply
        cursor, keys = reply
        found |= set(keys)
    assert found == expected, "%d keys were missed" % len(expected - found)


@test(cluster=FRESH, replicas=0)
def slots_in_many_pieces_still_come_once(t):
    """Every other slot of a range belongs to another master: shards are walked, not ranges."""
    client = t.client(30)
    masters = [node for node, _ in t.masters()]
    for slot in range(0, 60, 2):
        for node in masters:
            reply = t.direct(node["port"]).call("CLUSTER", "SETSLOT", slot, "NODE",
                                                masters[1 + slot % 4 // 2]["id"])
            assert reply == b"OK"
    time.sleep(0.5)
    expected = fill(client)
    extra = ["piece:%d" % n for n in range(200_000) if slot_of("piece:%d" % n) < 60]
    client.pipeline([("SET", key, "v") for key in extra])
    expected |= {key.encode() for key in extra}

    def is_quiet():
        found = scan([client], "COUNT", 1000)
        assert set(found) == expected
        return len(found) == len(expected)
    until(is_quiet, 10, "keyway's map is that of the cluster")
