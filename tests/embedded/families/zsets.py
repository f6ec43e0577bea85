"""Sorted sets. What would block is asked for in scene_lists.py, and in transactions."""

from resp import EXACT, SCANNED, SHAPE, UNORDERED


def score(draw):
    if draw.chance(0.1):
        return draw.choice(["-0", "1e17", "123456789012345678", "1e-7", "32768", "-32769", "2147483648",
                            "5e-324", "1e300", str(draw.random.random() * 1000)])
    return draw.score()


def bound(draw):
    return draw.choice(["", "", "("]) + str(draw.choice([score(draw), score(draw), "-inf", "+inf"]))


def lex(draw):
    if draw.chance(0.03):
        return draw.choice(["m1", "", "+x", "--", "{m"])
    return draw.choice(["-", "+", "[", "(", "[" + draw.member(), "(" + draw.member()])


def lex_key(draw):
    """Of sets in which all have the same score: else no order of members is defined."""
    return draw.choice(["klex0", "klex1", "klex2"])


def limit(draw):
    return draw.choice([[], [], ["LIMIT", 0, 5], ["LIMIT", 2, -1], ["limit", draw.number(), draw.number()],
                        ["LIMIT", 1], ["LIMIT", "x", 1]])


def scores_too(draw):
    return draw.choice([[], ["WITHSCORES"], ["withscores"]]) if draw.chance(0.97) else ["SCORES"]


def pairs(draw, at_most):
    return [word for _ in range(draw.random.randint(1, at_most)) for word in (score(draw), draw.member())]


def add(draw):
    options = draw.choice([[], [], [], ["NX"], ["XX"], ["GT"], ["LT"], ["CH"], ["XX", "CH"], ["GT", "CH"],
                           ["XX", "LT"], ["INCR"], ["INCR", "NX"], ["XX", "INCR"], ["gt", "INCR"]])
    if draw.chance(0.03):
        options = draw.choice([["NX", "XX"], ["GT", "LT"], ["NX", "GT"], ["NX", "LT"], ["FOO"]])
    if draw.chance(0.03):
        first = draw.random.randrange(300)
        return ["ZADD", draw.key()] + [word for n in range(first, first + draw.choice([60, 130]))
                                       for word in (n % 7, "m%d" % n)]
    return ["ZADD", draw.key()] + options + pairs(draw, 1 if "INCR" in options else 5)


def zrange(draw, words):
    if draw.chance(0.5):
        options = [draw.number(), draw.number()] + draw.choice([[], ["REV"]])
    else:
        options = [bound(draw), bound(draw), "BYSCORE"] + draw.choice([[], ["REV"]]) + limit(draw)
    if draw.chance(0.02):
        options.append(draw.choice(["REV", "BYLEX", "LIMIT", "FOO"]))
    return words + options


def pop_many(draw):
    keys = draw.keys(3)
    count = len(keys) if draw.chance(0.95) else draw.choice([0, -1, "x", 9])
    return ["ZMPOP", count] + keys + [draw.choice(["MIN", "MAX", "min", "MID"])] + draw.choice(
        [[], [], ["COUNT", 3], ["count", 1000], ["COUNT", draw.number()], ["COUNT"],
         ["COUNT", 1, "COUNT", 2], ["MORE"]])


def algebra(draw):
    word = draw.choice(["ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"])
    keys = draw.keys()
    count = len(keys) if draw.chance(0.95) else draw.choice([0, -1, "x", 9])
    options = []
    if draw.chance(0.4):
        options += ["WEIGHTS"] + [draw.choice([1, 2, -1, 0, 0.5, "inf", score(draw)]) for _ in keys]
    if draw.chance(0.4):
        options += ["AGGREGATE", draw.choice(["SUM", "MIN", "MAX", "min", "AVG"])]
    if word.startswith("ZDIFF") and draw.chance(0.95):
        options = []
    if word == "ZINTERCARD" and draw.chance(0.95):
        options = draw.choice([[], ["LIMIT", 2], ["LIMIT", 0], ["LIMIT", -1], ["LIMIT"], ["LIMIT", "x"]])
    if draw.chance(0.05 if word.endswith("STORE") else 0.6):
        options.append("WITHSCORES")
    target = [draw.key()] if word.endswith("STORE") else []
    return [word] + target + [count] + keys + options


def random_members(draw):
    return ["ZRANDMEMBER", draw.key()] + draw.choice(
        [[], [3], [-5], [0], [1000], [2, "WITHSCORES"], [-4, "withscores"], ["x"], [2, "no"],
         [2, "WITHSCORES", "more"], ["-9223372036854775808"], ["9223372036854775807", "WITHSCORES"]])


def scan(draw):
    return ["ZSCAN", draw.key(), draw.choice(["x", "-1x"])] if draw.chance(0.1) else \
        ["ZSCAN", draw.key(), 0, "COUNT", draw.choice(["0", "x", "-5"])]


def lex_range(draw):
    word = draw.choice(["ZRANGEBYLEX", "ZREVRANGEBYLEX", "ZRANGE"])
    options = ["BYLEX"] + draw.choice([[], ["REV"]]) if word == "ZRANGE" else []
    return [word, lex_key(draw), lex(draw), lex(draw)] + options + limit(draw) + \
        (["WITHSCORES"] if draw.chance(0.1) else [])


COMMANDS = [
    (20, EXACT, add),
    (6, EXACT, lambda d: ["ZINCRBY", d.key(), score(d), d.member()]),
    (6, EXACT, lambda d: ["ZREM", d.key()] + d.members()),
    (1, EXACT, lambda d: ["ZREMRANGEBYRANK", d.key(), d.number(), d.number()]),
    (1, EXACT, lambda d: ["ZREMRANGEBYSCORE", d.key(), bound(d), bound(d)]),
    (4, EXACT, lambda d: [d.choice(["ZPOPMIN", "ZPOPMAX"]), d.key()] +
     d.choice([[], [], [2], [0], [d.number()], [1, 1]])),
    (3, EXACT, pop_many),
    (10, EXACT, lambda d: zrange(d, ["ZRANGE", d.key()]) + scores_too(d)),
    (3, EXACT, lambda d: zrange(d, ["ZRANGESTORE", d.key(), d.key()])),
    (3, EXACT, lambda d: ["ZREVRANGE", d.key(), d.number(), d.number()] + scores_too(d)),
    (6, EXACT, lambda d: [d.choice(["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]), d.key(), bound(d), bound(d)] +
     scores_too(d) + limit(d)),
    (12, EXACT, algebra),
    (2, EXACT, lambda d: ["ZCARD", d.key()]),
    (3, EXACT, lambda d: ["ZSCORE", d.key(), d.member()]),
    (2, EXACT, lambda d: ["ZMSCORE", d.key()] + d.members()),
    (4, EXACT, lambda d: [d.choice(["ZRANK", "ZREVRANK"]), d.key(), d.member()]),
    (3, EXACT, lambda d: ["ZCOUNT", d.key(), bound(d), bound(d)]),
    (2, SHAPE, random_members),
    (2, EXACT, scan),
    (2, SCANNED, lambda d: ["ZSCAN", d.key(), 0, "COUNT", 10000] + d.choice([[], ["MATCH", "m1*"]])),
    (1, UNORDERED, lambda d: ["ZRANDMEMBER", d.key(), 1000]),
    (8, EXACT, lambda d: ["ZADD", lex_key(d)] + [w for m in d.members(20) for w in (0, m)]),
    (2, EXACT, lambda d: ["ZREM", lex_key(d)] + d.members(20)),
    (1, EXACT, lambda d: ["ZREMRANGEBYLEX", lex_key(d), lex(d), lex(d)]),
    (2, EXACT, lambda d: ["ZLEXCOUNT", lex_key(d), lex(d), lex(d)]),
    (6, EXACT, lex_range),
    (1, EXACT, lambda d: ["ZRANGESTORE", lex_key(d), lex_key(d), lex(d), lex(d), "BYLEX"]),
    (1, EXACT, lambda d: [d.choice(["ZADD", "ZRANGE", "ZRANK", "ZUNION", "ZPOPMIN", "ZMPOP", "BZPOPMIN"])]),
]
