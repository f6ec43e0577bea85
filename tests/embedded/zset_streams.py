"""Random commands on sorted sets, for comparing keyway's embedded store with a redis-server.

Each stream is a generator of argument lists, made from a random.Random. ORDER says how the replies
of a command are to be compared: as they are (commands that are not in it), by their form alone
("form": chance decides), or as the pairs of a scan ("scan pairs").
"""

ZSETS = [f"zset:{n}" for n in range(5)]
SETS = [f"members:{n}" for n in range(2)]
LEXICAL = [f"lex:{n}" for n in range(2)]  # all their scores are the same
STRING = "plain"

ORDER = {"ZRANDMEMBER": "form", "ZSCAN": "scan pairs"}


def member(rnd, wide):
    kind = rnd.random()
    if kind < 0.8:
        return f"m{rnd.randrange(400 if wide else 12)}"
    if kind < 0.9:
        return str(rnd.choice([0, 1, -1, 32768, 2**63 - 1, rnd.randrange(-20, 20)]))
    if kind < 0.95:
        return rnd.choice(["", "01", "\r\n", "\0", "\xff", "a\0b", "a"])
    return rnd.choice("ab") * rnd.choice([1, 63, 64] + ([65, 200] if wide else []))


def score(rnd):
    kind = rnd.random()
    if kind < 0.6:
        return str(rnd.randrange(-20, 20))
    if kind < 0.8:
        return rnd.choice(["1.5", "-3.25", "0.1", "3.3", "1e3", "1e17", "123456789012345678", "-0",
                           "0.0001", "1e-7", "1e21", "32768", "-32769", "2147483648", "1e300",
                           "5e-324", "1e400", "0x10", str(rnd.random() * 1000)])
    if kind < 0.93:
        return rnd.choice(["inf", "-inf", "+inf", "1", "2", "3"])
    if kind < 0.98:
        return str(rnd.randrange(2**60))
    return rnd.choice(["x", "", "nan", " 1", "1 ", "1,5", "--1"])


def bound(rnd):
    return rnd.choice(["", "", "("]) + rnd.choice([score(rnd), score(rnd), "-inf", "+inf"])


def lex(rnd):
    if rnd.random() < 0.03:
        return rnd.choice(["m1", "", "+x", "--", "{m"])
    return rnd.choice(["-", "+", "[", "(", f"[m{rnd.randrange(400)}", f"(m{rnd.randrange(400)}",
                       f"[m{rnd.randrange(9)}", "[" + member(rnd, True), "(" + member(rnd, True)])


def number(rnd):
    return rnd.choice(["0", "1", "-1", "2", "-2", "5", "10", "-7", "1000", "9223372036854775807",
                       "-9223372036854775808", "x", "", "1.5", str(rnd.randrange(-30, 30))])


def index(rnd):
    return str(rnd.randrange(-30, 30)) if rnd.random() < 0.9 else number(rnd)


def key_of(rnd):
    return rnd.choice(ZSETS) if rnd.random() < 0.98 else STRING


def limit(rnd):
    return rnd.choice([[], [], ["LIMIT", "0", "5"], ["LIMIT", "2", "-1"], ["limit", index(rnd), index(rnd)],
                       ["LIMIT", "1"], ["LIMIT", "x", "1"]])


def with_scores(rnd):
    return rnd.choice([[], ["WITHSCORES"], ["withscores"]]) if rnd.random() < 0.97 else ["SCORES"]


def add(rnd, wide):
    options = rnd.choice([[], [], [], ["NX"], ["XX"], ["GT"], ["LT"], ["CH"], ["XX", "CH"], ["GT", "CH"],
                          ["XX", "LT"], ["INCR"], ["INCR", "NX"], ["XX", "INCR"], ["GT", "INCR"],
                          ["LT", "INCR"], ["nx", "ch"]])
    if rnd.random() < 0.03:
        options = rnd.choice([["NX", "XX"], ["GT", "LT"], ["NX", "GT"], ["NX", "LT"], ["FOO"]])
    count = rnd.choice([1, 1, 2, 5] + ([60] if wide else []))
    if "INCR" in options and rnd.random() < 0.9:
        count = 1
    pairs = [text for _ in range(count) for text in (score(rnd), member(rnd, wide))]
    if rnd.random() < 0.02:
        pairs.append("1")
    return ["ZADD", key_of(rnd), *options, *pairs]


def zrange(rnd):
    kind = rnd.choice(["rank", "score"])
    first, second = (index(rnd), index(rnd)) if kind == "rank" else (bound(rnd), bound(rnd))
    options = [] if kind == "rank" else ["BYSCORE"] + limit(rnd)
    if rnd.random() < 0.5:
        options.append("REV")
    if rnd.random() < 0.02:
        options.append(rnd.choice(["REV", "BYLEX", "BYSCORE", "LIMIT", "FOO"]))
    rnd.shuffle(options) if "LIMIT" not in options and "limit" not in options else None
    return first, second, options


def ranges(rnd):
    choice = rnd.randrange(7)
    if choice < 3:
        first, second, options = zrange(rnd)
        return ["ZRANGE", key_of(rnd), first, second, *options, *with_scores(rnd)]
    if choice == 3:
        return ["ZREVRANGE", key_of(rnd), index(rnd), index(rnd), *with_scores(rnd)]
    if choice == 4:
        first, second, options = zrange(rnd)
        return ["ZRANGESTORE", key_of(rnd), key_of(rnd), first, second, *options]
    return [rnd.choice(["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]), key_of(rnd), bound(rnd), bound(rnd),
            *with_scores(rnd), *limit(rnd)]


def removals(rnd, wide):
    choice = rnd.randrange(10)
    if choice < 4:
        return ["ZREM", key_of(rnd), *[member(rnd, wide) for _ in range(rnd.randrange(1, 6))]]
    if choice == 4:
        return ["ZREMRANGEBYRANK", key_of(rnd), index(rnd), index(rnd)]
    if choice == 5:
        return ["ZREMRANGEBYSCORE", key_of(rnd), bound(rnd), bound(rnd)]
    if choice < 8:
        return [rnd.choice(["ZPOPMIN", "ZPOPMAX"]), key_of(rnd),
                *rnd.choice([[], [], ["2"], ["0"], [number(rnd)], ["1", "1"]])]
    if choice == 8:
        return many(rnd, "ZMPOP", [])
    return rnd.choice([["DEL", key_of(rnd)], ["SET", STRING, "x"], ["DEL", rnd.choice(SETS)]])


def many(rnd, name, before):
    keys = [key_of(rnd) for _ in range(rnd.randrange(1, 4))]
    count = str(len(keys)) if rnd.random() < 0.95 else rnd.choice(["0", "-1", "x", "9", "2"])
    options = rnd.choice([[], [], ["COUNT", "3"], ["count", "1000"], ["COUNT", number(rnd)], ["COUNT"],
                          ["COUNT", "1", "COUNT", "2"], ["MORE"]])
    return [name, *before, count, *keys, rnd.choice(["MIN", "MAX", "min", "MAX", "MID"]), *options]


def algebra(rnd, wide):
    name = rnd.choice(["ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"])
    keys = [rnd.choice(ZSETS + SETS) if rnd.random() < 0.98 else STRING for _ in range(rnd.randrange(1, 5))]
    count = str(len(keys)) if rnd.random() < 0.95 else rnd.choice(["0", "-1", "x", "9"])
    options = []
    if rnd.random() < 0.4:
        options += ["WEIGHTS", *[rnd.choice(["1", "2", "-1", "0", "0.5", "inf", score(rnd)]) for _ in keys]]
    if rnd.random() < 0.4:
        options += ["AGGREGATE", rnd.choice(["SUM", "MIN", "MAX", "min", "AVG"])]
    if name == "ZINTERCARD" and rnd.random() < 0.95:
        options = rnd.choice([[], ["LIMIT", "2"], ["LIMIT", "0"], ["LIMIT", "-1"], ["LIMIT"], ["LIMIT", "x"]])
    if name.startswith("ZDIFF") and rnd.random() < 0.95:
        options = []
    if rnd.random() < (0.05 if name.endswith("STORE") else 0.6):
        options.append("WITHSCORES")
    target = [key_of(rnd)] if name.endswith("STORE") else []
    del wide
    return [name, *target, count, *keys, *options]


def looks(rnd, wide):
    key = key_of(rnd)
    return rnd.choice([
        ["ZCARD", key], ["ZSCORE", key, member(rnd, wide)], ["ZCOUNT", key, bound(rnd), bound(rnd)],
        ["ZMSCORE", key, member(rnd, wide), member(rnd, wide)],
        ["ZRANK", key, member(rnd, wide)], ["ZREVRANK", key, member(rnd, wide)],
        ["TYPE", key], ["OBJECT", "ENCODING", key],
        ["ZRANDMEMBER", key, *rnd.choice([
            [], ["3"], ["-5"], ["0"], ["1000"], ["2", "WITHSCORES"], ["-4", "withscores"], ["x"],
            ["1000", "WITHSCORES"], ["2", "no"], ["2", "WITHSCORES", "more"],
            ["-9223372036854775808"], ["9223372036854775807", "WITHSCORES"]])],
        ["ZSCAN", key, rnd.choice(["0", "0", "0", "x", "-1x"]), *rnd.choice([
            ["COUNT", "10000"], ["COUNT", "10000", "MATCH", "m1*"], ["COUNT", "0"], ["COUNT", "x"], ["COUNT"],
            ["FOO", "1"]])],
        [rnd.choice(["ZADD", "ZRANGE", "ZRANK", "ZUNION", "ZPOPMIN", "ZMPOP", "BZPOPMIN", "ZSCAN"])]])


def changes(rnd, wide):
    choice = rnd.randrange(100)
    if choice < 50:
        return add(rnd, wide)
    if choice < 60:
        return ["ZINCRBY", key_of(rnd), score(rnd), member(rnd, wide)]
    if choice < 64:
        return ["SADD", rnd.choice(SETS), *[member(rnd, wide) for _ in range(rnd.randrange(1, 9))]]
    if choice < 66:
        return ["SADD", rnd.choice(SETS), str(rnd.randrange(9)), str(rnd.randrange(9))]
    return removals(rnd, wide)


def zset_commands(rnd, wide=True):
    while True:
        choice = rnd.randrange(100)
        if choice < 55:
            yield changes(rnd, wide)
        elif choice < 70:
            yield ranges(rnd)
        elif choice < 85:
            yield algebra(rnd, wide)
        else:
            yield looks(rnd, wide)


def small_zset_commands(rnd):
    """Few members: the sets stay flat."""
    return zset_commands(rnd, wide=False)


def lex_commands(rnd):
    """Ranges of members, in sets whose scores are the same."""
    while True:
        key = rnd.choice(LEXICAL) if rnd.random() < 0.98 else STRING
        choice = rnd.randrange(10)
        if choice < 4:
            wide = key == LEXICAL[0]
            yield ["ZADD", key, *[text for _ in range(rnd.choice([1, 5, 40]))
                                  for text in ("0", member(rnd, wide))]]
        elif choice == 4:
            yield ["ZREM", key, *[member(rnd, True) for _ in range(20)]]
        elif choice == 5:
            yield ["ZLEXCOUNT", key, lex(rnd), lex(rnd)]
        elif choice == 6:
            yield ["ZREMRANGEBYLEX", key, lex(rnd), f"[m{rnd.randrange(400)}"]
        elif choice == 7:
            yield [rnd.choice(["ZRANGEBYLEX", "ZREVRANGEBYLEX"]), key, lex(rnd), lex(rnd), *limit(rnd)]
        elif choice == 8:
            yield ["ZRANGE", key, lex(rnd), lex(rnd), "BYLEX", *rnd.choice([[], ["REV"]]), *limit(rnd),
                   *rnd.choice([[], [], [], ["WITHSCORES"]])]
        else:
            yield rnd.choice([["ZRANGESTORE", rnd.choice(LEXICAL), key, lex(rnd), lex(rnd), "BYLEX"],
                              ["OBJECT", "ENCODING", key], ["SET", STRING, "x"], ["ZCARD", key]])


def waiting_zset_commands(rnd):
    """What blocks, where it does not: in a transaction."""
    while True:
        yield ["MULTI"]
        for _ in range(rnd.randrange(1, 6)):
            timeout = rnd.choice(["0", "1", "0.5"]) if rnd.random() < 0.9 else rnd.choice(["x", "-1", "inf", ""])
            yield rnd.choice([
                [rnd.choice(["BZPOPMIN", "BZPOPMAX"]), key_of(rnd), key_of(rnd), timeout],
                many(rnd, "BZMPOP", [timeout]), changes(rnd, False)])
        yield ["EXEC"]


STREAMS = {"zsets": zset_commands, "small_zsets": small_zset_commands, "lex": lex_commands,
           "waiting_zsets": waiting_zset_commands}
