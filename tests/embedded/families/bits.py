"""Bits of strings."""

from resp import EXACT


def offset(draw):
    return draw.choice([draw.number(), 0, 7, 8, 63, 64, 200, 1000, "4294967296"]) \
        if draw.chance(0.1) else draw.random.randrange(100)


def field_type(draw):
    if draw.chance(0.05):
        return draw.choice(["u64", "i65", "x8", "u0", "i", "8", "I8", "u-1"])
    return draw.choice("ui") + str(draw.choice([1, 2, 3, 4, 5, 8, 13, 16, 31, 32, 33, 63]))


def field_offset(draw):
    if draw.chance(0.05):
        return draw.choice(["-1", "abc", "#-1", "#", "99999999999"])
    return ("#" if draw.chance(0.3) else "") + str(draw.random.randrange(12))


def field_value(draw):
    if draw.chance(0.2):
        return draw.choice([2 ** 63 - 1, -2 ** 63, 255, 256, -129, 1 << 40, "abc"])
    return draw.random.randint(-300, 300)


def operations(draw, only_get):
    words = []
    for _ in range(draw.random.randint(0, 5)):
        verb = "GET" if only_get else draw.choice(["GET", "SET", "INCRBY", "INCRBY"])
        if draw.chance(0.3) and not only_get:
            words += ["OVERFLOW", draw.choice(["WRAP", "SAT", "FAIL", "sat", "NOPE"])
                      if draw.chance(0.1) else draw.choice(["WRAP", "SAT", "FAIL"])]
        words += [verb, field_type(draw), field_offset(draw)]
        if verb != "GET":
            words.append(field_value(draw))
    return words


def bit_range(draw):
    words = [draw.number() for _ in range(draw.choice([0, 1, 2, 2, 2]))]
    if len(words) == 2 and draw.chance(0.5):
        words.append(draw.choice(["BYTE", "BIT", "bit", "BIT", "NOPE"]))
    return words


COMMANDS = [
    (6, EXACT, lambda d: ["SETBIT", d.key(), offset(d) if d.chance(0.9) else d.number(),
                          d.choice([0, 1, 1, 1]) if d.chance(0.95) else d.choice([2, "x", -1])]),
    (4, EXACT, lambda d: ["GETBIT", d.key(), offset(d)]),
    (5, EXACT, lambda d: ["BITCOUNT", d.key()] + bit_range(d)),
    (5, EXACT, lambda d: ["BITPOS", d.key(), d.choice([0, 1, 0, 1, 2, "x"])] + bit_range(d)),
    (3, EXACT, lambda d: ["BITOP", d.choice(["AND", "OR", "XOR", "xor", "NOPE"]), d.key()] + d.keys()),
    (2, EXACT, lambda d: ["BITOP", "NOT", d.key(), d.key()] + (d.keys() if d.chance(0.1) else [])),
    (6, EXACT, lambda d: ["BITFIELD", d.key()] + operations(d, False)),
    (2, EXACT, lambda d: ["BITFIELD_RO", d.key()] + operations(d, d.chance(0.9))),
]
