"""Keys of any kind."""

from resp import EXACT, NEAR, SHAPE, UNORDERED


def expire_time(draw, word):
    time = draw.seconds()
    if not isinstance(time, int):
        return time
    return {"EXPIRE": time, "PEXPIRE": time * 1000, "EXPIREAT": 4000000000 + time,
            "PEXPIREAT": 4000000000000 + time}[word]


def expire(draw):
    word = draw.choice(["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"])
    return [word, draw.key(), expire_time(draw, word)] + draw.options("NX", "XX", "GT", "LT")[:2]


COMMANDS = [
    (4, EXACT, lambda d: ["DEL"] + d.keys(3)),
    (1, EXACT, lambda d: ["UNLINK"] + d.keys(2)),
    (3, EXACT, lambda d: ["EXISTS"] + d.keys()),
    (1, EXACT, lambda d: ["TOUCH"] + d.keys()),
    (3, EXACT, lambda d: ["TYPE", d.key()]),
    (8, EXACT, expire),
    (4, NEAR, lambda d: [d.choice(["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]), d.key()]),
    (2, EXACT, lambda d: ["PERSIST", d.key()]),
    (4, EXACT, lambda d: ["RENAME", d.key(), d.key()]),
    (3, EXACT, lambda d: ["RENAMENX", d.key(), d.key()]),
    (5, EXACT, lambda d: ["COPY", d.key(), d.key()] + d.options("REPLACE")),
    (4, EXACT, lambda d: ["OBJECT", "ENCODING", d.key()]),
    (1, EXACT, lambda d: ["OBJECT", d.choice(["FREQ", "NOPE"]), d.key()]),
    (1, SHAPE, lambda d: ["OBJECT", d.choice(["IDLETIME", "REFCOUNT"]), d.key()]),
    (1, SHAPE, lambda d: ["MEMORY", "USAGE", d.key()]),
    (1, UNORDERED, lambda d: ["KEYS", d.choice(["*", "k1*", "k[0-5]", "nope", "k?"])]),
    (1, SHAPE, lambda d: ["RANDOMKEY"]),
    (1, SHAPE, lambda d: ["SCAN", d.choice(["0", "abc", "0x"])] +
     d.choice([[], ["COUNT", "5"], ["MATCH", "k*"], ["TYPE", "string"], ["COUNT", "0"], ["NOPE"]])),
    (1, EXACT, lambda d: ["DBSIZE"]),
    (1, EXACT, lambda d: ["MOVE", d.key(), "0"]),
    (1, EXACT, lambda d: ["SELECT", d.choice(["0", "0", "abc"])]),
    (1, EXACT, lambda d: ["FLUSHALL"] + d.choice([[], [], ["ASYNC"], ["SYNC"], ["NOPE"]])
     if d.chance(0.1) else ["ECHO", "x"]),
]
