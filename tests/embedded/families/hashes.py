"""Hashes. Small ones answer in the order of their fields, but a hash's size is nobody's here."""

from resp import EXACT, SCANNED, SHAPE, UNORDERED


def pairs(draw):
    words = []
    for member in draw.members():
        words += [member, draw.value()]
    if draw.chance(0.03):
        words.append(draw.member())
    return words


def many_pairs(draw):
    """Beyond what a small hash may hold, now and then."""
    first = draw.random.randrange(100)
    return [word for n in range(first, first + draw.choice([20, 130, 300])) for word in (f"n{n}", n)]


def step(draw):
    return draw.choice([draw.number(), draw.score(), "0.1", "-2.5e2", "1e17", "1e-5"])


def pick_options(draw):
    return draw.choice([[], ["3"], ["-5"], ["0"], ["1000"], ["2", "WITHVALUES"],
                        ["-4", "withvalues"], ["1000", "WITHVALUES"], ["x"], ["2", "no"],
                        ["2", "WITHVALUES", "more"], ["-9223372036854775808"],
                        ["9223372036854775807", "WITHVALUES"], ["9223372036854775807"]])


def scan_options(draw):
    """Always all of it: where a cursor stands is each one's own business."""
    return draw.choice([["COUNT", "10000"], ["COUNT", "10000", "MATCH", "m1*"],
                        ["MATCH", "*[0-9]", "COUNT", "5000"], ["COUNT", "0"], ["COUNT", "x"],
                        ["COUNT"], ["LIMIT", "1"], ["COUNT", "-5"]])


COMMANDS = [
    (14, EXACT, lambda d: ["HSET", d.key()] + pairs(d)),
    (3, EXACT, lambda d: ["HMSET", d.key()] + pairs(d)),
    (1, EXACT, lambda d: ["HSET", d.key()] + many_pairs(d)),
    (3, EXACT, lambda d: ["HSETNX", d.key(), d.member(), d.value()]),
    (7, EXACT, lambda d: ["HGET", d.key(), d.member()]),
    (3, EXACT, lambda d: ["HMGET", d.key()] + d.members()),
    (3, UNORDERED, lambda d: ["HGETALL", d.key()]),
    (3, UNORDERED, lambda d: [d.choice(["HKEYS", "HVALS"]), d.key()]),
    (4, EXACT, lambda d: ["HLEN", d.key()]),
    (3, EXACT, lambda d: [d.choice(["HEXISTS", "HSTRLEN"]), d.key(), d.member()]),
    (8, EXACT, lambda d: ["HDEL", d.key()] + d.members(8)),
    (1, EXACT, lambda d: ["HDEL", d.key()] + [f"n{n}" for n in range(400)]),
    (5, EXACT, lambda d: ["HINCRBY", d.key(), d.member(), d.number()]),
    (5, EXACT, lambda d: ["HINCRBYFLOAT", d.key(), d.member(), step(d)]),
    (3, SHAPE, lambda d: ["HRANDFIELD", d.key()] + pick_options(d)),
    (3, UNORDERED, lambda d: ["HRANDFIELD", d.key(), "100000"] + d.options("WITHVALUES")),
    (3, SCANNED, lambda d: ["HSCAN", d.key(), d.choice(["0", "0", "0", "x", "-1x", ""])] +
     scan_options(d)),
]
