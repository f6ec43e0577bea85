"""Random commands on lists, for comparing keyway's embedded store with a redis-server.

Each stream is a generator of argument lists, made from a random.Random. Every reply is the same,
byte for byte: what would block runs between MULTI and EXEC, where it does not.
"""

LISTS = [f"list:{n}" for n in range(4)]
STRING = "plain"
ORDER = {}
ENDS = ["LEFT", "RIGHT", "left", "RIGHT"]


def element(rnd):
    kind = rnd.random()
    if kind < 0.5:
        return f"e{rnd.randrange(8)}"
    if kind < 0.8:
        return str(rnd.choice([0, 1, -1, 127, 128, 4095, 4096, -4096, -4097, 32767, -32769, 8388607,
                               2**31, -2**31 - 1, 2**63 - 1, -2**63, rnd.randrange(-9999, 9999)]))
    if kind < 0.9:
        return rnd.choice(["", " 1", "01", "-0", "+1", "1.5", "9223372036854775808", "\r\n", "\0"])
    return rnd.choice("ab") * rnd.choice([1, 63, 64, 65, 200, 1000, 4000, 5000])


def number(rnd):
    return rnd.choice(["0", "1", "-1", "2", "-2", "3", "5", "-7", "100", "9223372036854775807",
                       "-9223372036854775808", "x", "", "1.5", " 2", str(rnd.randrange(-99, 99))])


def some(rnd, most):
    return [element(rnd) for _ in range(rnd.randrange(1, most + 1))]


def end(rnd):
    return rnd.choice(ENDS) if rnd.random() < 0.98 else rnd.choice(["UP", "", "LEFTY"])


def timeout(rnd):
    return rnd.choice(["0", "1", "0.5", "1e2"]) if rnd.random() < 0.85 else rnd.choice(
        ["x", "", " 1", "1 ", "-1", "-0.1", "inf", "-inf", "nan", "1e30", "0x"])


def keys_of(rnd):
    return [key_of(rnd) for _ in range(rnd.randrange(1, 4))]


def key_of(rnd):
    return rnd.choice(LISTS) if rnd.random() < 0.98 else STRING


def many(rnd, name, before):
    """LMPOP and BLMPOP."""
    keys = keys_of(rnd)
    count = str(len(keys)) if rnd.random() < 0.95 else rnd.choice(["0", "-1", "x", "9", "2"])
    options = rnd.choice([[], [], ["COUNT", "3"], ["count", "1000"], ["COUNT", number(rnd)],
                          ["COUNT"], ["COUNT", "1", "COUNT", "2"], ["MORE"]])
    return [name, *before, count, *keys, end(rnd), *options]


def changes(rnd):
    key = key_of(rnd)
    choice = rnd.randrange(100)
    if choice < 25:
        return [rnd.choice(["LPUSH", "RPUSH"]), key, *some(rnd, 6)]
    if choice < 29:
        return [rnd.choice(["LPUSH", "RPUSH"]), key, *some(rnd, 300)]
    if choice < 34:
        return [rnd.choice(["LPUSHX", "RPUSHX"]), key, *some(rnd, 3)]
    if choice < 50:
        return [rnd.choice(["LPOP", "RPOP"]), key,
                *rnd.choice([[], [], ["2"], ["50"], [number(rnd)], ["1", "1"]])]
    if choice < 60:
        where = rnd.choice(["BEFORE", "AFTER", "after", "BEFORE", "AFTER", "IN"])
        return ["LINSERT", key, where, element(rnd), element(rnd)]
    if choice < 70:
        return ["LSET", key, number(rnd), element(rnd)]
    if choice < 78:
        return ["LREM", key, number(rnd), element(rnd)]
    if choice < 81:
        return ["LTRIM", key, number(rnd), number(rnd)]
    if choice < 82:
        return ["LTRIM", key, "0", "500"]
    if choice < 90:
        return ["LMOVE", key, key_of(rnd), end(rnd), end(rnd)]
    if choice < 93:
        return ["RPOPLPUSH", key, key_of(rnd)]
    if choice < 98:
        return many(rnd, "LMPOP", [])
    return rnd.choice([["DEL", key], ["SET", STRING, "x"]])


def looks(rnd):
    key = key_of(rnd)
    choice = rnd.randrange(100)
    if choice < 20:
        return ["LLEN", key]
    if choice < 40:
        return ["LINDEX", key, number(rnd)]
    if choice < 70:
        return ["LRANGE", key, number(rnd), number(rnd)]
    if choice < 90:
        options = [text for _ in range(rnd.randrange(4)) for text in
                   [rnd.choice(["RANK", "COUNT", "MAXLEN", "count", "FIRST"] if rnd.random() < 0.05
                               else ["RANK", "COUNT", "MAXLEN"]), number(rnd)]]
        return ["LPOS", key, element(rnd), *options, *(["RANK"] if rnd.random() < 0.02 else [])]
    if choice < 96:
        return rnd.choice([["TYPE", key], ["EXISTS", key], ["OBJECT", "ENCODING", key]])
    return [rnd.choice(["LPUSH", "LPOP", "LRANGE", "LMOVE", "LMPOP", "BLPOP", "LPOS", "LSET"])]


def list_commands(rnd):
    while True:
        yield changes(rnd) if rnd.random() < 0.6 else looks(rnd)


def waiting(rnd):
    choice = rnd.randrange(5)
    if choice == 0:
        return [rnd.choice(["BLPOP", "BRPOP"]), *keys_of(rnd), timeout(rnd)]
    if choice == 1:
        return many(rnd, "BLMPOP", [timeout(rnd)])
    if choice == 2:
        return ["BLMOVE", key_of(rnd), key_of(rnd), end(rnd), end(rnd), timeout(rnd)]
    if choice == 3:
        return ["BRPOPLPUSH", key_of(rnd), key_of(rnd), timeout(rnd)]
    return changes(rnd)


def waiting_list_commands(rnd):
    """What blocks, where it does not: in a transaction."""
    while True:
        yield ["MULTI"]
        for _ in range(rnd.randrange(1, 6)):
            yield waiting(rnd)
        yield ["EXEC"]
        yield changes(rnd)


STREAMS = {"lists": list_commands, "waiting_lists": waiting_list_commands}
