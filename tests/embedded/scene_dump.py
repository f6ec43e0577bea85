"""DUMP and RESTORE: payloads go from keyway to redis-server and back, in every form that there is."""

import random
import shutil
import struct
import tempfile
import time

import __main__
from payloads import OLD, payload, text, ziplist
from resp import Connection, Error
from scene_sessions import compare

BAD = {
    "empty": b"", "short": b"123456789", "sum": OLD["list"][:-1] + b"x", "newer": payload(b"\x00\x01v", 11),
    "no type": payload(b""), "no such type": payload(b"\x08\x01v"), "cut": payload(b"\x00\x25v"),
    "empty list": payload(b"\x01\x00"), "empty set": payload(b"\x02\x00"), "empty hash": payload(b"\x04\x00"),
    "empty zset": payload(b"\x05\x00"),
    "member twice": payload(b"\x02\x02" + text("m") + text("m")),
    "no length": payload(b"\x01\xc0\x01"), "long length": payload(b"\x00\x80\xff\xff\xff\xff"),
    "no form": payload(b"\x00\xc4\x00"), "packed": payload(b"\x00\xc3\x02\x05ab"),
}

# Redis does not look at these (it reads on in the version and the sum), or may not survive them.
WORSE = {
    "field twice": payload(b"\x04\x02" + text("f") + text("1") + text("f") + text("2")),
    "cut": payload(b"\x00\x05v"), "one too few": payload(b"\x01\x02" + text("a")),
    "score": payload(b"\x05\x01" + text("m") + b"\x00" * 7),
    "intset's width": payload(b"\x0b" + text(struct.pack("<IIhh", 3, 2, 1, 2))),
    "ziplist's end": payload(b"\x0a" + text(ziplist([b"a"])[:-1] + b"a")),
    "ziplist's length": payload(b"\x0a" + text(ziplist([b"a", b"b"])[:10] + b"\x00\x3fa\xff")),
    "listpack": payload(b"\x12\x01\x02" + text(b"\x07\x00\x00\x00\x01\x00\xff")),
    "listpack's text": payload(b"\x12\x01\x02" + text(b"\x09\x00\x00\x00\x01\x00\xbf\x01\xff")),
    "half a pair": payload(b"\x10" + text(b"\x0a\x00\x00\x00\x01\x00\x81a\x02\xff")),
    "score that is none": payload(b"\x11" + text(b"\x0d\x00\x00\x00\x02\x00\x81a\x02\x81b\x02\xff")),
    "not a number": payload(b"\x05\x01" + text("m") + struct.pack("<d", float("nan"))),
    "huge claim": payload(b"\x00\xc3\x05\x80\xff\xff\xff\xffabcde"),
}


def dialogue():
    lines = []
    for name, data in list(OLD.items()) + list(BAD.items()):
        lines += [("a", "RESTORE", name, "0", data), ("a", 1), ("a", "OBJECT", "ENCODING", name), ("a", 1)]
        look = {"list": "LRANGE", "ziplist": "LRANGE", "quicklist": "LRANGE"}.get(name)
        if look:
            lines += [("a", look, name, "0", "-1"), ("a", 1)]
        elif "zset" in name:
            lines += [("a", "ZRANGE", name, "0", "-1", "WITHSCORES"), ("a", 1)]
        elif name in ("hash ziplist", "zipmap"):
            lines += [("a", "HLEN", name), ("a", "HMGET", name, "f", "g", "long", "n"), ("a", 2)]
        elif "intset" in name:
            lines += [("a", "SMEMBERS", name), ("a", 1)]
        else:
            lines += [("a", "GET", name), ("a", 1)]
    good = OLD["version 1"]
    for words in (["0", good], ["0", good, "REPLACE"], ["1000000", good, "replace"], ["-1", good, "REPLACE"],
                  ["x", good, "REPLACE"], ["x", b"bad", "REPLACE"], ["x", good], ["0", good, "NOPE"],
                  ["1", good, "ABSTTL", "REPLACE"], ["0", good, "ABSTTL"], ["99999999999999", good, "ABSTTL", "REPLACE"],
                  ["9223372036854775807", good, "REPLACE"], ["0", good, "IDLETIME", "-1"],
                  ["0", good, "IDLETIME", "x"], ["0", good, "IDLETIME"], ["0", good, "FREQ", "256"],
                  ["0", good, "FREQ", "5", "IDLETIME", "1"], ["0", good, "FREQ", "5", "REPLACE"],
                  ["0", good, "IDLETIME", "1000", "REPLACE"], [], ["0"]):
        lines += [("a", "RESTORE", "k", *words), ("a", 1), ("a", "EXISTS", "k"), ("a", 1)]
    lines += [("a", "EXPIRETIME", "k"), ("a", "DUMP", "none"), ("3", "DUMP", "none"), ("a", "DUMP"), ("a", 3),
              ("3", 1), ("a", "DUMP", "number"), ("a", "DUMP", "64 bits of length"), ("a", 2)]
    # Events, and those who wait.
    return lines + [
        ("b", "CONFIG", "SET", "notify-keyspace-events", "EAn"), ("b", 1), ("s", "PSUBSCRIBE", "__key*"),
        ("s", 1), ("b", "RESTORE", "e", "0", good), ("s", 2), ("b", "RESTORE", "e", "5000000", good, "REPLACE"),
        ("s", 2), ("b", "RESTORE", "e", "1", good, "REPLACE", "ABSTTL"), ("s", 1), ("b", 3),
        ("w", "BLPOP", "l", "0"), ("blocked", 1), ("b", "RESTORE", "l", "0", OLD["list"]), ("b", 1), ("w", 1)]


def payloads_of_all_times_are_restored(start):
    compare(start, dialogue())


def damaged_payloads_are_refused(start):
    client = Connection(start().port)
    for name, data in WORSE.items():
        assert client.ask("RESTORE", "k", "0", data) == Error("ERR Bad data format"), name
    for kind, lacking in ((15, "streams"), (19, "streams"), (7, "modules")):
        reply = client.ask("RESTORE", "k", "0", payload(bytes([kind]) + b"\x00"))
        assert "needs a server: the embedded store has no %s" % lacking in reply, reply
    client.ask("HSET", "h", "f", "v")
    assert client.ask("HEXPIRE", "h", "1000", "FIELDS", "1", "f") == [1]
    assert client.ask("DUMP", "h").startswith("ERR DUMP would lose the deadlines")
    draw = random.Random(7)
    for _ in range(3000):
        data = bytearray(draw.choice(list(OLD.values()) + list(WORSE.values()))[:-10])
        for _ in range(draw.randint(1, 4)):
            data[draw.randrange(len(data))] = draw.choice([0, 1, 0x7f, 0x80, 0xc3, 0xfe, 0xff,
                                                           draw.randrange(256)])
        if len(data) > 1000:
            continue
        reply = client.ask("RESTORE", "k", "0", payload(bytes(data)), "REPLACE")
        assert reply == b"OK" or isinstance(reply, Error), reply
    assert client.ask("PING") == b"PONG"


def uses_that_are_restored_are_told(start):
    """OBJECT IDLETIME and FREQ say what RESTORE said, by policies that know; redis says the same."""
    folder = tempfile.mkdtemp(prefix="keyway-scene-")
    redis = __main__.start_redis(folder)
    try:
        for server in (start("--threads", "2"), redis):
            client = Connection(server.port)
            client.ask("HSET", "h", "f", "v")
            data = client.ask("DUMP", "h")
            for policy in ("noeviction", "allkeys-lru", "volatile-ttl", "allkeys-random"):
                assert client.ask("CONFIG", "SET", "maxmemory-policy", policy) == b"OK"
                began = time.monotonic()
                assert client.ask("RESTORE", "k", "0", data, "IDLETIME", "1000", "REPLACE") == b"OK"
                idle = client.ask("OBJECT", "IDLETIME", "k")
                assert 1000 <= idle <= 1001 + time.monotonic() - began, (policy, idle)
                assert client.ask("RESTORE", "k", "0", data, "FREQ", "9", "REPLACE") == b"OK"
                assert client.ask("OBJECT", "IDLETIME", "k") <= 1 + time.monotonic() - began
            for policy in ("allkeys-lfu", "volatile-lfu"):
                assert client.ask("CONFIG", "SET", "maxmemory-policy", policy) == b"OK"
                for uses in (0, 1, 77, 127):
                    assert client.ask("RESTORE", "k", "500000", data, "FREQ", str(uses),
                                      "REPLACE") == b"OK"
                    said = client.ask("OBJECT", "FREQ", "k")
                    assert uses - 1 <= said <= uses, (policy, uses, said)   # redis's minute may end
    finally:
        redis.end()
        shutil.rmtree(folder)


def content(client, name):
    kind = client.ask("TYPE", name)
    words = {b"string": ["GET", name], b"list": ["LRANGE", name, "0", "-1"], b"set": ["SMEMBERS", name],
             b"hash": ["HGETALL", name], b"zset": ["ZRANGE", name, "0", "-1", "WITHSCORES"]}[kind]
    values = client.ask(*words)
    if kind == b"hash":
        values = [values[i:i + 2] for i in range(0, len(values), 2)]
    if kind in (b"hash", b"set"):
        values = sorted(values)
    return kind, client.ask("OBJECT", "ENCODING", name), values


def keys_go_to_redis_and_come_back(start):
    """Every key of a random keyspace, both ways; what redis makes of a payload is what it is here."""
    folder = tempfile.mkdtemp(prefix="keyway-scene-")
    redis = __main__.start_redis(folder)
    seed = random.randrange(1 << 32)
    try:
        keyway = start()
        families = __main__.load_families(None)
        del families["packing"]  # who restores a payload looks by limits of its own
        stream = __main__.Stream(keyway, redis, families, seed)
        ours, theirs, count = Connection(keyway.port), Connection(redis.port), 0
        for _ in range(12):
            stream.fill(20)
            for name in theirs.ask("KEYS", "k*"):
                there, here = theirs.ask("DUMP", name), ours.ask("DUMP", name)
                for client in (ours, theirs):
                    for data, copy in ((there, "from redis"), (here, "from keyway")):
                        reply = client.ask("RESTORE", copy, "0", data, "REPLACE")
                        assert reply == b"OK", "seed %d: %s of %r %s" % (seed, reply, name, copy)
                    one, two = content(client, "from redis"), content(client, "from keyway")
                    assert one == two, "seed %d: %r: %r %r" % (seed, name, one, two)
                assert content(ours, "from redis") == content(theirs, "from redis"), (seed, name)
                count += 1
            for client in (ours, theirs):
                client.ask("DEL", "from redis", "from keyway")
        assert count > 50
    finally:
        redis.end()
        shutil.rmtree(folder)


SCENES = [payloads_of_all_times_are_restored, damaged_payloads_are_refused, uses_that_are_restored_are_told,
          keys_go_to_redis_and_come_back]
