"""What every row is tried with, whatever its steps: wrong counts, no keys, keys of every type, keys of
several slots, MULTI.

The commands of a row's own steps are asked again, on both sides, under each of these conditions.
"""
from . import normal
from .table import CROSSSLOT

KEY = b"{t}key"
MAKE = {
    "string": lambda key: [b"SET", key, b"10"],
    "list": lambda key: [b"RPUSH", key, b"1", b"2"],
    "hash": lambda key: [b"HSET", key, b"f", b"1"],
    "set": lambda key: [b"SADD", key, b"1", b"2"],
    "zset": lambda key: [b"ZADD", key, b"1", b"m"],
    "stream": lambda key: [b"XADD", key, b"1-1", b"f", b"v"],
}


def arity_requests(name, arity):
    """Requests for the command NAME with too few and with too many words."""
    words = name.upper().encode().split(b"|")
    counts = [abs(arity) - 1] if abs(arity) > len(words) else []
    if abs(arity) - 1 > len(words):
        counts.append(len(words))
    if arity > 0:
        counts += [arity + 1]
    return [words + [KEY] * (count - len(words)) for count in sorted(set(counts))]


def check_arity(name, arity, server, keyway, version):
    """Both sides refuse each wrong count in the same words."""
    requests = arity_requests(name, arity)
    theirs, ours = server.client(version), keyway.client(version)
    try:
        for words in requests:
            their, our = theirs.ask(words), ours.ask(words)
            if their.raw != our.raw:
                return difference(words, "a wrong count", their, our)
    finally:
        theirs.close()
        ours.close()
    return None


def check_types(row, server, keyway, version, keys_of):
    """Each own step on keys that are missing, and on keys of each type."""
    theirs, ours = server.client(version), keyway.client(version)
    try:
        for step in row.own_steps():
            keys = keys_of(step.words)
            if not keys or step.answer is not None or step.normaliser == "scan":
                continue
            for kind in [None, *MAKE]:
                made = [MAKE[kind](key) for key in sorted(set(keys))] if kind else []
                server.flush()
                keyway.flush()
                their = theirs.pipeline(made + [step.words])[-1]
                our = ours.pipeline(made + [step.words])[-1]
                if not normal.same(step.normaliser, their, our):
                    what = "keys that are each a %s" % kind if kind else "no keys"
                    return difference(step.words, what, their, our)
    finally:
        theirs.close()
        ours.close()
    return None


def check_slots(row, keyway, version, keys_of):
    """Each own step with keys of several slots: what a cluster's node says, and nothing is done."""
    client = keyway.client(version)
    try:
        for step in row.own_steps():
            keys = sorted(set(keys_of(step.words)))
            if len(keys) < 2 or step.answer is not None:
                continue
            words = [b"{slot%d}" % keys.index(word) + word if at > 0 and word in keys else word
                     for at, word in enumerate(step.words)]
            reply = client.ask(words)
            if reply.raw != CROSSSLOT:
                return "%s, with keys of several slots\n      keyway   %s\n      expected %s" % (
                    shown(words), reply, CROSSSLOT.decode().strip())
    finally:
        client.close()
    return None


def check_multi(row, server, keyway, version, keys_of):
    """Each own step between MULTI and EXEC: the reply when it is queued, and its result.

    Its keys get one hash tag: a transaction has the keys of one slot.
    """
    for step in row.own_steps():
        keys = keys_of(step.words)
        if step.answer is not None or step.normaliser is not None:
            continue
        words = [b"{t}" + word if at > 0 and word in keys and b"{t}" not in word else word
                 for at, word in enumerate(step.words)]
        server.flush()
        keyway.flush()
        theirs, ours = server.client(version), keyway.client(version)
        requests = [[b"MULTI"], words, [b"EXEC"]]
        their, our = theirs.pipeline(requests), ours.pipeline(requests)
        theirs.close()
        ours.close()
        for one, other in zip(their, our):
            if one.raw != other.raw:
                return difference(words, "inside MULTI", one, other)
    return None


def difference(words, what, their, our):
    return "%s, with %s\n      redis  %s\n      keyway %s" % (
        shown(words), what, their, our)


def shown(words):
    return b" ".join(words).decode("latin-1").encode("unicode_escape").decode()
