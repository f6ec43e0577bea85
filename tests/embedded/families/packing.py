"""How far objects are small: CONFIG SET in between all else, and what OBJECT ENCODING says then."""

from resp import EXACT, UNORDERED

COUNTS = {"hash-max-listpack-entries": "512", "hash-max-ziplist-entries": "512",
          "set-max-intset-entries": "512", "zset-max-listpack-entries": "128",
          "zset-max-ziplist-entries": "128"}
SIZES = ["hash-max-listpack-value", "hash-max-ziplist-value", "zset-max-listpack-value",
         "zset-max-ziplist-value"]
SIGNED = ["list-max-listpack-size", "list-max-ziplist-size"]


def limit(draw):
    """An option and a value for it."""
    kind = draw.random.randrange(5)
    if kind == 0:
        return [draw.choice(SIZES),
                draw.choice(["64", "64", "2", "3", "20", "63", "70", "1kb", "0"])]
    if kind == 1:
        return [draw.choice(SIGNED), draw.choice(["-2", "-5", "5", "128", "abc", "2147483648"])]
    name = draw.choice(sorted(COUNTS))
    value = COUNTS[name]
    if draw.chance(0.6):
        value = draw.choice(["0", "1", "2", "5", "8", "13", "1000"])
    return [name, draw.choice(["-1", "abc", "", "1.5"]) if draw.chance(0.05) else value]


def limits(draw):
    """One after the other they are as they were, so that sizes of all kinds meet all limits."""
    if draw.chance(0.5):
        return ["CONFIG", "SET"] + limit(draw)
    name = draw.choice(sorted(COUNTS) + SIZES)
    return ["CONFIG", "SET", name, COUNTS.get(name, "64")]


COMMANDS = [
    (2, EXACT, limits),
    (0.2, UNORDERED, lambda d: ["CONFIG", "GET", d.choice([
        "hash-max-*", "*listpack*", "set-max-intset*", "list-max-*", "zset-max-listpack-value"])]),
    (6, EXACT, lambda d: ["OBJECT", "ENCODING", d.key()]),
]
