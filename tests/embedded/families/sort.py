"""SORT and SORT_RO of lists, sets and sorted sets, by and with what other keys have."""

from resp import EXACT, NUMBERS, SHAPE


def source(draw):
    """Numbers and words, in what can be sorted and in what can't."""
    name = draw.choice(["k0", "k1", "k2", "k3", "k4", "k5"])
    words = [draw.choice([draw.random.randint(0, 23), draw.random.randint(0, 23), draw.member(),
                          "1.5", "-3e2", "0x10", "", " 7", "inf", "nan"])
             if draw.chance(0.3) else draw.random.randint(0, 23)
             for _ in range(draw.random.randint(1, 12))]
    kind = draw.random.randrange(4)
    if kind == 0:
        return ["RPUSH", name] + words
    if kind == 1:
        return ["SADD", name] + words
    if kind == 2:
        return ["ZADD", name] + [word for member in words
                                 for word in (draw.random.randint(-9, 9), member)]
    return ["SET", "k%s" % draw.random.randrange(24), draw.random.randint(-50, 50)]


def pattern(draw):
    return draw.choice(["k*", "k*", "k*->m1", "k*->", "*", "k1*", "#", "nokey*", "k*->m1->m2", "k**",
                        "k*->nofield", "", "->", "*->f", "k1", "K*", "k*\x00->m1"])


def options(draw, words):
    """In any order; of BY with ALPHA ties have any order, so those are in `tied`."""
    chosen = []
    for word in words:
        if draw.chance(0.35):
            chosen.append({"BY": ["BY", pattern(draw)], "by": ["by", "nosort"],
                           "LIMIT": ["LIMIT", draw.count(), draw.count()],
                           "GET": ["GET", pattern(draw)]}.get(word, [word]))
    draw.random.shuffle(chosen)
    if draw.chance(0.03):
        chosen.append([draw.choice(["NOPE", "LIMIT", "GET", "STORE", "BY", ""])])
    return [word for words in chosen for word in words]


def key(draw):
    return draw.choice(["k0", "k1", "k2", "k3", "k4", "k5", draw.key()])


def word(draw):
    return draw.choice(["SORT", "SORT_RO", "sort"])


def sort(draw):
    return [word(draw), key(draw)] + options(draw, ["LIMIT", "GET", "GET", "DESC", "ASC", "ALPHA"])


def sort_by(draw):
    """What names no key leaves the order of a set to each: such a command has no LIMIT."""
    words = options(draw, ["BY", "BY", "LIMIT", "GET", "DESC", "ASC"])
    by = [words[i + 1] for i, word in enumerate(words[:-1]) if word == "BY"]
    if "LIMIT" in words and any("*" not in pattern for pattern in by):
        return ["SORT", key(draw), "LIMIT", "x", "1", "BY", "y"]
    return [word(draw), key(draw)] + words


def sort_store(draw):
    """Not by numbers, for NUMBERS' sake: scene_sort.py does."""
    words = ["SORT", key(draw), "ALPHA"] + options(draw, ["LIMIT", "GET", "GET", "DESC"])
    return words + ["STORE", draw.key()] + (["STORE", draw.key()] if draw.chance(0.05) else [])


# What has no order comes as it lies in the set; equal weights of ALPHA as the algorithm has it.
COMMANDS = [
    (6, EXACT, source),
    (5, NUMBERS, sort),
    (4, EXACT, sort_store),
    (4, NUMBERS, sort_by),
    (1, SHAPE, lambda d: [word(d), key(d), "BY", pattern(d), "ALPHA"] + options(d, ["DESC", "GET"])),
    (1, SHAPE, lambda d: ["SORT", key(d), "BY", "nosort", "ALPHA"] + options(d, ["DESC", "LIMIT"])),
    (1, EXACT, lambda d: ["SORT", key(d), "BY", "nosort", "GET", "#", "STORE", d.key()]),
    (1, EXACT, lambda d: [d.choice(["SORT", "SORT_RO"])]),
    (1, EXACT, lambda d: ["SORT_RO", key(d), "STORE", d.key()]),
]
