"""How far objects are small, by options: at the start, by CONFIG SET, by their old names."""

import os
import shutil
import tempfile

import __main__
from resp import Connection, value_of

SMALL = [("hash-max-ziplist-entries", "4"), ("hash-max-listpack-value", "8"),
         ("set-max-intset-entries", "3"), ("zset-max-listpack-entries", "5"),
         ("zset-max-ziplist-value", "1k"), ("list-max-listpack-size", "-1")]
LARGE = [("hash-max-listpack-entries", "1000"), ("hash-max-ziplist-value", "2kb"),
         ("set-max-intset-entries", "2000"), ("zset-max-ziplist-entries", "1000"),
         ("zset-max-listpack-value", "300"), ("list-max-ziplist-size", "5")]
NAMES = ("hash-max-*", "set-max-intset-entries", "zset-max-*", "list-max-*")


def fill(ask):
    """Objects around each of the limits, by each way that one comes to be."""
    for count in (1, 3, 4, 5, 6, 128, 129, 513, 1000, 1001):
        ask("HSET", "hash:%d" % count, *[word for n in range(count) for word in ("f%d" % n, n)])
        ask("ZADD", "zset:%d" % count, *[word for n in range(count) for word in (n, "m%d" % n)])
        ask("SADD", "set:%d" % count, *range(count))
        ask("RPUSH", "list:%d" % count, *range(count))
    for size in (8, 9, 64, 65, 300, 301, 1024, 1025, 2048, 2049):
        ask("HSET", "value:%d" % size, "f", "x" * size)
        ask("HSET", "field:%d" % size, "x" * size, "v")
        ask("ZADD", "member:%d" % size, 1, "x" * size)
    ask("ZUNIONSTORE", "union:129", 1, "zset:129")
    ask("ZUNIONSTORE", "union:5", 1, "zset:5")
    ask("ZRANGESTORE", "range:6", "zset:1000", 0, 5)
    ask("SUNIONSTORE", "sunion:4", "set:4")
    ask("COPY", "zset:4", "copied:4")


def encodings(ask):
    names = sorted(ask("KEYS", "*"))
    return {name: ask("OBJECT", "ENCODING", name) for name in names}


def scans(ask):
    """Of a listpack all is given at once, whatever COUNT says."""
    found = {}
    for name in ("hash:129", "hash:513", "zset:129", "zset:1000", "zset:3"):
        word = "HSCAN" if name.startswith("hash") else "ZSCAN"
        cursor, elements = ask(word, name, 0, "COUNT", 10)
        found[name] = sorted(elements) if cursor == b"0" else "a part"
    return found


def same(redis, keyway, look):
    theirs, ours = look(redis.ask), look(keyway.ask)
    assert theirs == ours, [(name, theirs[name], ours[name]) for name in theirs
                            if theirs[name] != ours[name]]


def compare(start, by_default, *, is_file):
    folder = tempfile.mkdtemp(prefix="keyway-scene-")
    words = [word for name, value in by_default for word in ("--" + name, value)]
    if is_file:
        words = ["--include", os.path.join(folder, "options.conf")]
        with open(words[1], "w", encoding="utf-8") as file:
            file.writelines("%s %s\n" % pair for pair in by_default)
    redis_process = __main__.start_redis(folder, *words)
    try:
        redis = Connection(redis_process.port)
        keyway = Connection(start(*words, "--threads", "2").port)
        for connection in (redis, keyway):
            fill(connection.ask)
        same(redis, keyway, encodings)
        same(redis, keyway, scans)
        for name in NAMES:
            pairs = [sorted(zip(*[iter(one.ask("CONFIG", "GET", name))] * 2))
                     for one in (redis, keyway)]
            assert pairs[0] == pairs[1], pairs
        for change in (SMALL, LARGE):
            for connection in (redis, keyway):
                for name, value in change:
                    assert connection.ask("CONFIG", "SET", name, value) == b"OK"
                connection.ask("COPY", "zset:128", "again:128", "REPLACE")
                connection.ask("COPY", "hash:128", "again:hash:128", "REPLACE")
                connection.ask("COPY", "set:128", "again:set:128", "REPLACE")
                connection.ask("ZADD", "zset:128", 7, "m5")  # only what is new is looked at
                connection.ask("HSET", "hash:128", "f5", "again")
                connection.ask("SADD", "set:128", 5)
            same(redis, keyway, encodings)
            for connection in (redis, keyway):
                connection.ask("FLUSHALL")
                fill(connection.ask)
            same(redis, keyway, encodings)
            same(redis, keyway, scans)
    finally:
        redis_process.end()
        shutil.rmtree(folder)


def limits_of_small_objects_are_those_of_redis(start):
    compare(start, [], is_file=False)
    compare(start, SMALL, is_file=False)
    compare(start, LARGE, is_file=True)


def limits_that_are_none_are_refused_as_redis_does(start):
    folder = tempfile.mkdtemp(prefix="keyway-scene-")
    redis_process = __main__.start_redis(folder)
    try:
        redis, keyway = Connection(redis_process.port), Connection(start().port)
        for words in (("hash-max-listpack-entries", "-1"), ("hash-max-ziplist-entries", "x"),
                      ("hash-max-listpack-value", "x"), ("set-max-intset-entries", ""),
                      ("zset-max-listpack-entries", "9223372036854775808"),
                      ("list-max-listpack-size", "-2147483649"), ("list-max-ziplist-size", "1.5"),
                      ("set-max-listpack-entries", "1"),
                      ("hash-max-listpack-entries", "9223372036854775807"),
                      ("hash-max-listpack-entries", "7")):
            replies = []
            for connection in (redis, keyway):
                connection.send(("CONFIG", "SET", *words), ("CONFIG", "GET", words[0]))
                replies.append([connection.read(), value_of(connection.read())])
            assert replies[0] == replies[1], (words, replies)
    finally:
        redis_process.end()
        shutil.rmtree(folder)


SCENES = [limits_of_small_objects_are_those_of_redis,
          limits_that_are_none_are_refused_as_redis_does]
