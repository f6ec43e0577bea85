"""Random commands on hashes and sets, for comparing keyway's embedded store with a redis-server.

Each stream is a generator of argument lists, made from a random.Random. ORDER says how the replies
of a command are to be compared: as they are (commands that are not in it), as elements in any
order ("any"), as pairs in any order ("pairs"), or by their form alone ("form": chance decides).
A stream that lets chance decide what is removed removes the key behind it.
"""

HASHES = [f"hash:{n}" for n in range(4)]
SETS = [f"set:{n}" for n in range(5)]
STRING = "plain"

ORDER = {
    "HGETALL": "pairs", "HKEYS": "any", "HVALS": "any", "HRANDFIELD": "form", "HSCAN": "scan pairs",
    "SMEMBERS": "any", "SINTER": "any", "SUNION": "any", "SDIFF": "any", "SPOP": "form",
    "SRANDMEMBER": "form", "SSCAN": "scan any",
}


def word(rnd, small):
    """A field or member: mostly of few, sometimes long, sometimes any bytes."""
    kind = rnd.random()
    if kind < 0.7:
        return f"f{rnd.randrange(12 if small else 300)}"
    if kind < 0.9:
        return str(rnd.choice([0, 1, -1, 7, 32767, 32768, -32769, 2**31, 2**63 - 1, -2**63,
                               rnd.randrange(-50, 50)]))
    if kind < 0.95:
        return rnd.choice(["", " 1", "01", "-0", "+1", "1.5", "9223372036854775808", "nan", "\r\n"])
    return rnd.choice("ab") * rnd.choice([1, 63, 64] if small else [1, 63, 64, 65, 200])


def value(rnd, small=False):
    kind = rnd.random()
    if kind < 0.4:
        return str(rnd.randrange(-1000, 1000))
    if kind < 0.6:
        return rnd.choice(["1.5", "-3.25", "1e3", "inf", "0x10", "3.0", "abc", "", "5.0e-2"])
    if kind < 0.63:
        return "v" * rnd.choice([64] if small else [64, 65, 1000])
    return f"v{rnd.randrange(1000)}"


def number(rnd):
    return rnd.choice(["0", "1", "-1", "5", "10", "-7", "9223372036854775807",
                       "-9223372036854775808", "x", "", "1.5", " 2"])


def some(rnd, make, most):
    return [make() for _ in range(rnd.randrange(1, most + 1))]


def hash_commands(rnd, small=False):
    """One stream of hash commands; with SMALL, replies come in the order of insertion."""
    while True:
        key = rnd.choice(HASHES) if rnd.random() < 0.97 else STRING
        field = word(rnd, small)
        choice = rnd.randrange(100)
        if choice < 22:
            pairs = [text for _ in range(rnd.randrange(1, 5)) for text in (word(rnd, small), value(rnd, small))]
            if rnd.random() < 0.03:
                pairs.append("odd")
            yield [rnd.choice(["HSET", "HSET", "HMSET"]), key, *pairs]
        elif choice < 26:
            yield ["HSETNX", key, field, value(rnd, small)]
        elif choice < 34:
            yield ["HGET", key, field]
        elif choice < 38:
            yield ["HMGET", key, *some(rnd, lambda: word(rnd, small), 5)]
        elif choice < 42:
            yield [rnd.choice(["HGETALL", "HKEYS", "HVALS"]), key]
        elif choice < 48:
            yield [rnd.choice(["HLEN", "TYPE", "EXISTS"]), key]
        elif choice < 52:
            yield [rnd.choice(["HEXISTS", "HSTRLEN"]), key, field]
        elif choice < 64:
            yield ["HDEL", key, *some(rnd, lambda: word(rnd, small), 6)]
        elif choice < 74:
            yield ["HINCRBY", key, field, number(rnd)]
        elif choice < 82:
            yield ["HINCRBYFLOAT", key, field, rnd.choice([number(rnd), value(rnd, small), "0.1", "-2.5e2"])]
        elif choice < 86:
            yield ["HRANDFIELD", key, *rnd.choice([
                [], ["3"], ["-5"], ["0"], ["1000"], ["2", "WITHVALUES"], ["-4", "withvalues"],
                ["1000", "WITHVALUES"], ["x"], ["2", "no"], ["2", "WITHVALUES", "more"],
                ["-9223372036854775808"], ["9223372036854775807", "WITHVALUES"]])]
        elif choice < 90:
            yield ["HSCAN", key, rnd.choice(["0", "0", "0", "x", "-1x"]), *rnd.choice([
                ["COUNT", "10000"], ["COUNT", "10000", "MATCH", "f1*"], ["MATCH", "*[0-9]", "COUNT", "5000"],
                ["COUNT", "0"], ["COUNT", "x"], ["COUNT"], ["LIMIT", "1"], ["COUNT", "-5"]])]
        elif choice < 92:
            yield ["OBJECT", "ENCODING", key]
        elif choice < 93:
            yield ["DEL", key]
        elif choice < 94:
            yield ["SET", STRING, "x"]
        elif choice < 96:
            yield ["HDEL", key, *[f"f{n}" for n in range(300)]]
        else:
            yield [rnd.choice(["HSET", "HGET", "HDEL", "HINCRBY", "HGETALL", "HRANDFIELD", "HLEN"])]


def set_commands(rnd, small=False):
    while True:
        key = rnd.choice(SETS) if rnd.random() < 0.97 else STRING
        keys = [rnd.choice(SETS) if rnd.random() < 0.98 else STRING for _ in range(rnd.randrange(1, 5))]
        choice = rnd.randrange(100)
        if choice < 25:
            yield ["SADD", key, *some(rnd, lambda: word(rnd, small), 6)]
        elif choice < 30:
            first = rnd.randrange(-100, 600)
            yield ["SADD", key, *[str(n) for n in range(first, first + rnd.choice([5, 100, 520]))]]
        elif choice < 42:
            yield ["SREM", key, *some(rnd, lambda: word(rnd, small), 6)]
        elif choice < 46:
            yield ["SREM", key, *[str(n) for n in range(-100, 1200)]]
        elif choice < 50:
            yield [rnd.choice(["SISMEMBER", "SMISMEMBER"]), key, word(rnd, small)]
        elif choice < 53:
            yield ["SMISMEMBER", key, *some(rnd, lambda: word(rnd, small), 4)]
        elif choice < 60:
            yield [rnd.choice(["SMEMBERS", "SCARD", "TYPE"]), key]
        elif choice < 66:
            yield ["SMOVE", key, rnd.choice(SETS), word(rnd, small)]
        elif choice < 76:
            yield [rnd.choice(["SINTER", "SUNION", "SDIFF"]), *keys]
        elif choice < 84:
            yield [rnd.choice(["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]), key, *keys]
        elif choice < 88:
            yield ["SINTERCARD", rnd.choice([str(len(keys)), str(len(keys)), "0", "x", "9"]), *keys,
                   *rnd.choice([[], ["LIMIT", "2"], ["LIMIT", "0"], ["LIMIT", "-1"], ["LIMIT"],
                                ["limit", "x"], ["MORE", "1"]])]
        elif choice < 91:
            count = rnd.choice([[], ["0"], ["-1"], ["x"], ["3"], ["100000"], ["2", "3"]])
            yield ["SPOP", key, *count]
            yield ["DEL", key]
        elif choice < 94:
            yield ["SRANDMEMBER", key, *rnd.choice([[], ["3"], ["-5"], ["0"], ["1000"], ["x"], ["2", "3"],
                                                    ["-9223372036854775808"]])]
        elif choice < 96:
            yield ["SSCAN", key, rnd.choice(["0", "0", "0", "x"]), *rnd.choice([
                ["COUNT", "10000"], ["COUNT", "10000", "MATCH", "f*"], ["COUNT", "0"], ["NOVALUES"]])]
        elif choice < 97:
            yield ["OBJECT", "ENCODING", key]
        elif choice < 98:
            yield ["SET", STRING, "x"]
        else:
            yield [rnd.choice(["SADD", "SPOP", "SINTER", "SINTERSTORE", "SMOVE", "SRANDMEMBER"])]


def number_commands(rnd, small=False):
    """Sets that are numbers alone and few: replies are in order. Half of SINTER's are not: left out."""
    del small
    while True:
        key = rnd.choice(SETS)
        keys = [rnd.choice(SETS) for _ in range(rnd.randrange(1, 4))]
        numbers = some(rnd, lambda: str(rnd.choice([1, 40000, -40000, 2**40]) * rnd.randrange(100)), 9)
        yield rnd.choice([
            ["SADD", key, *numbers], ["SADD", key, *numbers], ["SREM", key, *numbers],
            ["SMEMBERS", key], ["SUNION", *keys], ["SDIFF", *keys], ["SINTER", *keys],
            ["SUNIONSTORE", key, *keys], ["SDIFFSTORE", key, *keys], ["SINTERSTORE", key, *keys],
            ["SRANDMEMBER", key, "1000"], ["OBJECT", "ENCODING", key], ["SCARD", key]])


STREAMS = {"hashes": hash_commands, "sets": set_commands, "numbers": number_commands}
