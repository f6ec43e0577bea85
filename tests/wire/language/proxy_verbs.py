"""Declarations (nodes, clients, slots) and what a script can say of the proxy itself."""
import re
import shlex
import signal
import time

from .client_verbs import DEFAULT_WAIT_S
from .keyway import KeywayFailure
from .verbs import verb
from .world import Failed
from . import topology

PROXY_VERBS = {}


def declare_node(line):
    """`node NAME [slots RANGES] [replica-of NAME] [on HOST] [endpoint TEXT] [ip TEXT]
    [hostname TEXT] [requires USER PASS] [down]`"""
    words = line.text.split()
    name, options, after = words[0], {}, {}
    ranges, is_down = "none", False
    at = 1
    while at < len(words):
        word = words[at]
        if word == "down":
            is_down = True
            at += 1
        elif word == "requires":
            options["credentials"] = words[at + 1:at + 3]
            at += 3
        elif word == "slots":
            ranges = words[at + 1]
            at += 2
        elif word in ("replica-of", "on", "hostname"):
            options[{"replica-of": "replica_of", "on": "host"}.get(word, word)] = words[at + 1]
            at += 2
        elif word in ("endpoint", "ip"):
            text = "" if words[at + 1] == '""' else words[at + 1]
            after["announced_" + word] = None if text == "nil" else text
            at += 2
        else:
            raise Failed("a node has no option %r" % word)
    line.world.add_node(name, ranges, is_down=is_down, **options)
    for field, value in after.items():
        setattr(line.world.nodes[name], field, value)


def declare_client(line):
    """`client NAME ... [through UNIX_SOCKET_PATH]`: each connects now."""
    names, _, path = line.text.partition(" through ")
    for name in names.split():
        line.world.add_client(name, path or None)


def move_slots(line):
    """`topology [epoch N] A 0-100 B 101-16383`: what the nodes say from now on.

    The epoch is a newer one each time, unless the script wants a picture of the past.
    """
    epoch = line.take_option(r"epoch (\d+)")
    words = line.text.split()
    with line.world.backstage.changed:
        line.world.epoch = int(epoch[0]) if epoch else line.world.epoch + 1
        for name, ranges in zip(words[::2], words[1::2]):
            line.world.nodes[name].ranges = topology.parse_ranges(ranges)


@verb(PROXY_VERBS, "starts")
def starts(line):
    """`proxy starts [without waiting] [--directive value ...]`"""
    is_hasty = line.take_option("without waiting")
    line.world.start_proxy(shlex.split(line.text), is_waited_for=not is_hasty)


def promote(line):
    """`promote R instead of M`: a failover; R serves what M served, M is forgotten."""
    replica, _, _, master = line.text.split()
    nodes = line.world.nodes
    with line.world.backstage.changed:
        line.world.epoch += 1
        nodes[replica].ranges, nodes[master].ranges = nodes[master].ranges, []
        nodes[replica].replica_of = None


@verb(PROXY_VERBS, "is alive")
def is_alive(line):
    line.world.proxy.ping()


@verb(PROXY_VERBS, "has room for a client again")
def has_room_again(line):
    """After maxclients: sees soon that somebody left, and answers a fresh connection."""
    deadline = time.monotonic() + DEFAULT_WAIT_S * line.world.patience
    while True:
        try:
            line.world.proxy.ping()
            return
        except KeywayFailure:
            if time.monotonic() > deadline:
                raise


@verb(PROXY_VERBS, "is told to end")
def is_told_to_end(line):
    """SIGTERM; what follows can look at how it ends."""
    line.world.proxy.process.send_signal(signal.SIGTERM)


@verb(PROXY_VERBS, "has ended")
def has_ended(line):
    """With status 0, now or within the shutdown-timeout and some patience."""
    line.world.proxy.wait_for_end()
    line.world.proxy = None


@verb(PROXY_VERBS, "has at most")
def has_at_most(line):
    """`has at most N descriptors` open."""
    limit = int(line.take_option(r"(\d+) descriptors")[0])
    if line.world.proxy.descriptors() > limit:
        raise Failed("%d descriptors are open" % line.world.proxy.descriptors())


@verb(PROXY_VERBS, "logs")
def logs(line):
    """Its log matches this regular expression, now or soon."""
    proxy = line.world.proxy
    found = lambda: re.search(line.text, proxy.log_text()) is not None
    line.world.backstage.wait_until(found, DEFAULT_WAIT_S)
    if not found():
        raise Failed("not in the log:\n" + proxy.log_tail())


@verb(PROXY_VERBS, "remembers its memory")
def remembers_its_memory(line):
    line.world.remembered_rss = line.world.proxy.rss_bytes()


@verb(PROXY_VERBS, "grew less than")
def grew_less_than(line):
    """`grew less than N MiB` since it was remembered."""
    limit = int(line.take_option(r"(\d+) MiB")[0]) * 1024 * 1024
    grown = line.world.proxy.rss_bytes() - line.world.remembered_rss
    if grown >= limit and line.world.counts_memory:
        raise Failed("grew by %.1f MiB" % (grown / 1024 / 1024))
