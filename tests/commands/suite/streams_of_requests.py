"""One random stream of requests, pipelined, to both sides: keys of many slots, transactions, errors.

What overtakes something else, what is split wrong, what shifts the replies, shows as a difference.
"""
import random

SEED = 20260917
ROUNDS = 60
DEPTH = 60


def compare(tests, server, keyway, version):
    server.flush()
    keyway.flush()
    rng = random.Random(SEED)
    theirs, ours = server.client(version), keyway.client(version)
    wrong = None
    for _ in range(ROUNDS):
        requests = []
        while len(requests) < DEPTH:
            requests += draw(rng)
        requests = [[word if isinstance(word, bytes) else str(word).encode() for word in words]
                    for words in requests]
        pairs = zip(requests, theirs.pipeline(requests), ours.pipeline(requests))
        wrong = next((difference(words, their, our) for words, their, our in pairs
                      if their.raw != our.raw), None)
        if wrong:
            break
    theirs.close()
    ours.close()
    tests.check("a random stream RESP%s (seed %d)" % (version, SEED), wrong)


def difference(words, their, our):
    return "%r\n      redis  %s\n      keyway %s" % (words, their, our)


def draw(rng):
    """One to some requests that belong together."""
    kinds = ["plain"] * 6 + ["wrong"] + ["split", "multi"] * 2
    return DRAWS[rng.choice(kinds)](rng)


def plain(rng):
    key = rng.choice(["s%d", "{t}s%d"]) % rng.randrange(12)
    other, value = "x%s%d" % (rng.choice("lhz"), rng.randrange(6)), rng.randrange(100)
    return [rng.choice([
        ("SET", key, value), ("GET", key), ("APPEND", key, value), ("INCR", key), ("STRLEN", key),
        ("DEL", key), ("GETSET", key, value), ("RPUSH", "xl%d" % rng.randrange(6), value, value),
        ("LPOP", other), ("LRANGE", other, 0, -1), ("HSET", "xh%d" % rng.randrange(6), value, value),
        ("HGETALL", other), ("ZADD", "xz%d" % rng.randrange(6), value, value % 7),
        ("ZRANGE", other, 0, -1, "WITHSCORES"), ("TYPE", other), ("PING",), ("ECHO", value),
        ("EVAL", "return {KEYS[1],ARGV[1],redis.call('TYPE',KEYS[1])}", 1, other, value),
        ("LMOVE", "{t}l1", "{t}l2", "LEFT", "RIGHT"), ("RPUSH", "{t}l1", value),
        ("SINTERSTORE", "{t}d", "{t}a", "{t}b"), ("SADD", "{t}a", value), ("SADD", "{t}b", value),
    ])]


def wrong(rng):
    return [rng.choice([("GET",), ("NONSENSE", "a", "b"), ("SET", "k"), ("HINCRBY", "xh1", "f", "x"),
                        ("CLIENT", "NONSENSE"), ("EVAL", "return 1", "x"), ("OBJECT", "ENCODING")])]


def split(rng):
    keys = [rng.choice(["s%d", "{t}s%d"]) % rng.randrange(12) for _ in range(rng.randint(1, 9))]
    pairs = [word for key in keys for word in (key, rng.randrange(100))]
    mixed = keys + ["xl%d" % rng.randrange(6), "none"]
    rng.shuffle(mixed)
    return [rng.choice([("MGET", *mixed), ("MGET", *mixed), ("MSET", *pairs), ("MSET", *pairs),
                        ("DEL", *keys[:3]), ("UNLINK", *keys[:2]), ("EXISTS", *mixed),
                        ("TOUCH", *mixed), ("DBSIZE",)])]


def multi(rng):
    tagged = ["{t}s%d" % rng.randrange(12) for _ in range(4)]
    inside = [rng.choice([
        ("SET", tagged[0], rng.randrange(100)), ("GET", tagged[1]), ("INCR", tagged[2]),
        ("MGET", *tagged), ("LPUSH", tagged[3], "x"), ("PING",), ("NONSENSE",) if rng.random() < 0.1
        else ("ECHO", "inside"), ("DEL", tagged[1], tagged[2])]) for _ in range(rng.randrange(6))]
    return [("MULTI",), *inside, rng.choice([("EXEC",), ("EXEC",), ("EXEC",), ("DISCARD",)])]


DRAWS = {"plain": plain, "wrong": wrong, "split": split, "multi": multi}
