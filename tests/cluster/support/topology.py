"""Looking at a cluster, and moving its slots as redis-cli --cluster reshard would."""
import time

from language.slots import slot_of

NODES_PATIENCE_S = 20


def masters_of(cluster):
    """[(node, [(first, last), ...])] of the masters that serve slots, as a live node says."""
    for asked in cluster.nodes:
        try:
            lines = cluster.call(asked["port"], "CLUSTER", "NODES", timeout_s=5).decode().splitlines()
        except OSError:
            continue
        found = []
        for line in lines:
            words = line.split()
            flags = words[2].split(",")
            ranges = [_range(word) for word in words[8:] if not word.startswith("[")]
            if "master" in flags and "fail" not in flags and ranges:
                node = next(n for n in cluster.nodes if n["id"] == words[0])
                found.append((node, ranges))
        return found
    raise RuntimeError("no node of the cluster answers")


def _range(text):
    low, _, high = text.partition("-")
    return int(low), int(high or low)


def owner_of(cluster, slot):
    """The node dict that serves SLOT now."""
    for node, ranges in masters_of(cluster):
        if any(low <= slot <= high for low, high in ranges):
            return node
    raise LookupError("nobody serves slot %d" % slot)


def replica_of(cluster, master):
    return next(node for node in cluster.nodes if node["master"] == master["id"])


def replica_of_now(cluster, master):
    """A replica of MASTER as the cluster says now, whatever it was at the start; or None."""
    lines = cluster.call(master["port"], "CLUSTER", "NODES").decode().splitlines()
    for line in lines:
        words = line.split()
        if words[3] == master["id"] and "fail" not in words[2].split(","):
            return next(node for node in cluster.nodes if node["id"] == words[0])
    return None


def tags_served_by(node, count, prefix="t"):
    """COUNT hash tags whose slots lie in the range NODE was given at the start."""
    low, high = node["slots"]
    tags, number = [], 0
    while len(tags) < count:
        tag = "%s%d" % (prefix, number)
        if low <= slot_of(tag) <= high:
            tags.append(tag)
        number += 1
    return tags


class Mover:
    """Moves single slots between masters while clients use them."""

    def __init__(self, cluster, connect):
        """CONNECT makes a client of a port; connections are kept, a move must be quick."""
        self.cluster = cluster
        self.clients = {node["port"]: connect(node["port"]) for node in cluster.nodes
                        if node["role"] == "master"}
        self.moves = 0

    def move(self, slot, source, target, batch=2, pause_s=0.0):
        """SLOT from SOURCE to TARGET, a few keys at a time, so that ASK and TRYAGAIN happen."""
        old, new = self.clients[source["port"]], self.clients[target["port"]]
        _ok(new.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source["id"]))
        _ok(old.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target["id"]))
        while True:
            keys = old.call("CLUSTER", "GETKEYSINSLOT", slot, batch)
            if not keys:
                break
            self._migrate(old, target, keys)
            time.sleep(pause_s)       # holds the slot half moved: that is what is tested
        _ok(new.call("CLUSTER", "SETSLOT", slot, "NODE", target["id"]))
        _ok(old.call("CLUSTER", "SETSLOT", slot, "NODE", target["id"]))
        for port, client in self.clients.items():
            if port not in (source["port"], target["port"]):
                _ok(client.call("CLUSTER", "SETSLOT", slot, "NODE", target["id"]))
        self.moves += 1

    def _migrate(self, old, target, keys):
        """A node that was starved for seconds takes the cluster for down, and soon sees it is not."""
        give_up = time.monotonic() + NODES_PATIENCE_S
        while True:
            reply = old.call("MIGRATE", "127.0.0.1", target["port"], "", 0, 5000, "REPLACE",
                             "KEYS", *keys)
            if "CLUSTERDOWN" not in repr(reply) or time.monotonic() > give_up:
                return _ok(reply)
            time.sleep(0.1)


def rounds(count):
    """An is_over for move_around(): after so many rounds, however long they take."""
    left = iter(range(count))
    return lambda: next(left, None) is None


def move_around(cluster, connect, tags, is_over, pause_s=0.002):
    """Each tag's slot to the next master, round after round, until IS_OVER(), which is asked before
    each round; returns the moves.
    """
    mover = Mover(cluster, connect)
    ring = [node for node, _ in masters_of(cluster)]
    places = {tag: owner_of(cluster, slot_of(tag)) for tag in tags}
    while not is_over():
        for tag in tags:
            source = places[tag]
            target = ring[(ring.index(source) + 1) % len(ring)]
            mover.move(slot_of(tag), source, target, pause_s=pause_s)
            places[tag] = target
            # Faster than gossip, the nodes would argue whose claim to the slot is the newer one.
            time.sleep(0.03)
    return mover.moves


def _ok(reply):
    assert reply in (b"OK", b"NOKEY"), reply
