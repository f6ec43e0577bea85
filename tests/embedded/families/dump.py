"""DUMP and RESTORE, in between all else. What is in a payload is compared in scene_dump.py."""

from payloads import OLD
from resp import EXACT, SHAPE


def restore(draw):
    time = draw.choice(["0", "0", "0", 5000000, 5000001, "-1", "x"])
    options = draw.options("REPLACE", "ABSTTL", "REPLACE")
    if draw.chance(0.05):
        time, options = "1", ["ABSTTL"] + options
    if draw.chance(0.1):
        options += draw.choice([["IDLETIME", "5"], ["FREQ", "5"], ["FREQ", "x"], ["IDLETIME", "-1"]])
    data = draw.choice(list(OLD.values())) if draw.chance(0.97) else draw.value()
    return ["RESTORE", draw.key(), time, data] + options


COMMANDS = [
    (3, EXACT, restore),
    (1, SHAPE, lambda d: ["DUMP", d.key()]),
]
