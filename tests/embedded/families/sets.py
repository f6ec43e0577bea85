"""Sets. What SPOP takes is chance, so here it takes all or nothing."""

from resp import EXACT, SCANNED, SHAPE, UNORDERED


def members(draw):
    if draw.chance(0.6):
        return draw.members(8)
    if draw.chance(0.7):
        factor = draw.choice([1, 1, 1000, 2 ** 20, 2 ** 40])
        return [factor * draw.random.randint(-40, 40) for _ in range(draw.random.randint(1, 10))]
    return [draw.value() for _ in range(3)]


def run_of_numbers(draw):
    """Around where a set of numbers becomes a table."""
    first = draw.random.randint(-100, 300)
    return list(range(first, first + draw.choice([5, 100, 520])))


def card_options(draw):
    keys = draw.keys()
    return [draw.choice([len(keys)] * 5 + ["0", "x", "9", "-1"])] + keys + draw.choice(
        [[], [], ["LIMIT", "2"], ["LIMIT", "0"], ["LIMIT", "-1"], ["LIMIT"], ["limit", "x"],
         ["MORE", "1"]])


COMMANDS = [
    (14, EXACT, lambda d: ["SADD", d.key()] + members(d)),
    (2, EXACT, lambda d: ["SADD", d.key()] + run_of_numbers(d)),
    (8, EXACT, lambda d: ["SREM", d.key()] + members(d)),
    (2, EXACT, lambda d: ["SREM", d.key()] + run_of_numbers(d)),
    (3, EXACT, lambda d: ["SISMEMBER", d.key(), d.member()]),
    (3, EXACT, lambda d: ["SMISMEMBER", d.key()] + d.members()),
    (4, EXACT, lambda d: ["SCARD", d.key()]),
    (4, UNORDERED, lambda d: ["SMEMBERS", d.key()]),
    (5, EXACT, lambda d: ["SMOVE", d.key(), d.key(), d.member()]),
    (6, UNORDERED, lambda d: [d.choice(["SINTER", "SUNION", "SDIFF"])] + d.keys()),
    (5, EXACT, lambda d: [d.choice(["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]), d.key()] +
     d.keys()),
    (3, EXACT, lambda d: ["SINTERCARD"] + card_options(d)),
    (2, UNORDERED, lambda d: ["SPOP", d.key(), d.choice(["100000", "0", "-1", "x", "1.5"])]),
    (3, SHAPE, lambda d: ["SRANDMEMBER", d.key()] + d.choice(
        [[], ["3"], ["-5"], ["0"], ["x"], ["2", "3"], ["-9223372036854775808"]])),
    (2, UNORDERED, lambda d: ["SRANDMEMBER", d.key(), "100000"]),
    (3, SCANNED, lambda d: ["SSCAN", d.key(), d.choice(["0", "0", "0", "x"])] + d.choice(
        [["COUNT", "10000"], ["COUNT", "10000", "MATCH", "m*"], ["COUNT", "0"], ["NOVALUES"]])),
]
