"""Strings: SET and its options, counters, ranges."""

from resp import EXACT

TIMES = ["EX", "PX", "EXAT", "PXAT"]


def time_option(draw):
    word = draw.choice(TIMES)
    time = draw.seconds()
    if isinstance(time, int):
        time = {"EX": time, "PX": time * 1000, "EXAT": 4000000000 + time,
                "PXAT": 4000000000000 + time}[word]
    return [word, time]


def milliseconds(draw):
    time = draw.seconds()
    return time * 1000 if isinstance(time, int) else time


def set_options(draw, *words):
    options = draw.options(*words)
    if draw.chance(0.25):
        options += time_option(draw)
    if draw.chance(0.02):
        options += time_option(draw)
    if draw.chance(0.1):
        options += ["KEEPTTL"]
    return options


def getex_options(draw):
    return draw.choice([[], ["PERSIST"], time_option(draw), time_option(draw) + ["PERSIST"], ["NX"],
                        ["PXAT", "1"], ["EXAT", "1000"], ["EX"]])


def pairs(draw):
    words = []
    for key in draw.keys():
        words += [key, draw.value()]
    if draw.chance(0.04):
        words.append(draw.key())
    return words


def lcs_options(draw):
    return draw.options("LEN", "IDX", "WITHMATCHLEN") + \
        (["MINMATCHLEN", draw.number()] if draw.chance(0.3) else [])


COMMANDS = [
    (12, EXACT, lambda d: ["SET", d.key(), d.value()] + set_options(d, "NX", "XX", "GET")),
    (6, EXACT, lambda d: ["SET", d.key(), d.value()]),
    (8, EXACT, lambda d: ["GET", d.key()]),
    (2, EXACT, lambda d: ["SETNX", d.key(), d.value()]),
    (2, EXACT, lambda d: ["SETEX", d.key(), d.seconds(), d.value()]),
    (2, EXACT, lambda d: ["PSETEX", d.key(), milliseconds(d), d.value()]),
    (2, EXACT, lambda d: ["GETSET", d.key(), d.value()]),
    (1, EXACT, lambda d: ["GETDEL", d.key()]),
    (3, EXACT, lambda d: ["GETEX", d.key()] + getex_options(d)),
    (3, EXACT, lambda d: ["MGET"] + d.keys()),
    (3, EXACT, lambda d: ["MSET"] + pairs(d)),
    (2, EXACT, lambda d: ["MSETNX"] + pairs(d)),
    (4, EXACT, lambda d: ["APPEND", d.key(), d.value()]),
    (3, EXACT, lambda d: ["STRLEN", d.key()]),
    (3, EXACT, lambda d: ["GETRANGE", d.key(), d.number(), d.number()]),
    (1, EXACT, lambda d: ["SUBSTR", d.key(), d.number(), d.number()]),
    (3, EXACT, lambda d: ["SETRANGE", d.key(), d.choice([d.number(), 0, 3, 100, 536870912]),
                          d.choice(["", "abc", "\0"])]),
    (4, EXACT, lambda d: [d.choice(["INCR", "DECR"]), d.key()]),
    (4, EXACT, lambda d: [d.choice(["INCRBY", "DECRBY"]), d.key(), d.number()]),
    (4, EXACT, lambda d: ["INCRBYFLOAT", d.key(), d.choice([d.score(), "0.1", "-1.5e2", "3"])]),
    (2, EXACT, lambda d: ["LCS", d.key(), d.key()] + lcs_options(d)),
    (1, EXACT, lambda d: [d.choice(["GET", "SET", "MSET", "INCR", "GETRANGE", "SETEX"])] +
     [d.key() for _ in range(d.random.randrange(5))]),
]
