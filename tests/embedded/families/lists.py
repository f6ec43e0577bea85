"""Lists. What would block is asked for in scene_lists.py, and in transactions."""

from resp import EXACT


def element(draw):
    kind = draw.random.randrange(10)
    if kind < 5:
        return draw.member()
    if kind < 8:
        return draw.choice([0, 1, -1, 127, 128, 4095, 4096, -4096, -4097, 32767, -32769, 8388607, 2**31,
                            -2**31 - 1, 2**63 - 1, -2**63])
    if kind == 8:
        return draw.value()
    return draw.choice("ab") * draw.choice([1, 63, 64, 65, 200, 1000, 4000, 4060, 5000])


def elements(draw, at_most=5):
    return [element(draw) for _ in range(draw.random.randint(1, at_most))]


def end(draw):
    return draw.choice(["LEFT", "RIGHT", "left"]) if draw.chance(0.98) else draw.choice(["UP", ""])


def push(draw):
    word = draw.choice(["LPUSH", "RPUSH", "LPUSH", "RPUSH", "LPUSHX", "RPUSHX"])
    return [word, draw.key()] + elements(draw, 200 if draw.chance(0.1) else 5)


def pop(draw):
    counts = [[], [], [], [draw.number()], [100], [1, 1]]
    return [draw.choice(["LPOP", "RPOP"]), draw.key()] + draw.choice(counts)


def pop_many(draw):
    keys = draw.keys(3)
    count = len(keys) if draw.chance(0.95) else draw.choice([0, -1, "x", 9])
    return ["LMPOP", count] + keys + [end(draw)] + draw.choice(
        [[], [], ["COUNT", 3], ["count", 1000], ["COUNT", draw.number()], ["COUNT"],
         ["COUNT", 1, "COUNT", 2], ["MORE"]])


def insert(draw):
    where = draw.choice(["BEFORE", "AFTER", "before"]) if draw.chance(0.98) else "IN"
    return ["LINSERT", draw.key(), where, element(draw), element(draw)]


def position(draw):
    options = [word for _ in range(draw.random.randrange(4))
               for word in (draw.choice(["RANK", "COUNT", "MAXLEN", "rank"]), draw.number())]
    return ["LPOS", draw.key(), element(draw)] + options + (["RANK"] if draw.chance(0.02) else [])


COMMANDS = [
    (20, EXACT, push),
    (8, EXACT, pop),
    (4, EXACT, pop_many),
    (8, EXACT, insert),
    (6, EXACT, lambda d: ["LSET", d.key(), d.number(), element(d)]),
    (6, EXACT, lambda d: ["LREM", d.key(), d.number(), element(d)]),
    (2, EXACT, lambda d: ["LTRIM", d.key(), d.number(), d.number()]),
    (2, EXACT, lambda d: ["LTRIM", d.key(), 0, 500]),
    (6, EXACT, lambda d: ["LMOVE", d.key(), d.key(), end(d), end(d)]),
    (2, EXACT, lambda d: ["RPOPLPUSH", d.key(), d.key()]),
    (4, EXACT, lambda d: ["LLEN", d.key()]),
    (5, EXACT, lambda d: ["LINDEX", d.key(), d.number()]),
    (8, EXACT, lambda d: ["LRANGE", d.key(), d.number(), d.number()]),
    (8, EXACT, position),
    (1, EXACT, lambda d: [d.choice(["LPUSH", "LPOP", "LRANGE", "LMOVE", "LMPOP", "BLPOP", "LPOS"])]),
]
