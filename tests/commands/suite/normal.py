"""What is left of a reply when that which must differ is taken out. The row says why it must."""
import re

NEAR_PART = 0.25                        # of the larger number
NEAR_LEAST = 3


def same(normaliser, theirs, ours):
    """Is OURS as good as THEIRS?"""
    if normaliser is None:
        return theirs.raw == ours.raw
    if normaliser == "near":
        return is_near(theirs, ours)
    return NORMAL[normaliser](theirs) == NORMAL[normaliser](ours)


def is_near(theirs, ours):
    if theirs.kind != ours.kind or theirs.kind != b":":
        return theirs.raw == ours.raw
    left, right = int(theirs.value), int(ours.value)
    is_odd = left < 0 or right < 0      # -1 and -2 mean something
    return left == right if is_odd else abs(left - right) <= max(
        NEAR_LEAST, NEAR_PART * max(left, right))


def kind(reply):
    """Only what kind of reply it is."""
    return reply.kind


def types(reply):
    """The kinds, all the way down, without the values. An error keeps its text."""
    if reply.is_error:
        return reply.raw
    if reply.has_elements:
        return [reply.kind, [types(one) for one in reply.value]]
    return [reply.kind, reply.value is None]


def in_any_order(reply):
    if not reply.has_elements:
        return reply.raw
    return [reply.kind, sorted(one.raw for one in reply.value)]


def as_map(reply):
    """Keys as they are, of values the kinds."""
    if not reply.has_elements:
        return reply.raw
    return [reply.kind, [one.raw for one in reply.value[::2]],
            [types(one) for one in reply.value[1::2]]]


def names(reply):
    """A text of name=value words: the names of its first line."""
    if reply.value is None or reply.has_elements or reply.is_error:
        return reply.raw
    first = reply.value.split(b"\n")[0]
    return [reply.kind, re.findall(rb"([\w-]+)=", first)]


def help_text(reply):
    """A HELP: its first line, and that all lines are statuses."""
    if not reply.has_elements:
        return reply.raw
    return [reply.kind, reply.value[0].raw, {one.kind for one in reply.value}]


NORMAL = {"kind": kind, "types": types, "sorted": in_any_order, "map": as_map, "names": names,
          "help": help_text}
