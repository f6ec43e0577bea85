"""What a fake node answers to CLUSTER SHARDS / SLOTS / NODES / INFO / MYID.

The answers have the shape that redis 7.0 gives. They are made from the nodes
as the script declared them, each time they are asked for, so a script can move
slots in the middle (`topology A 0-100 B 101-16383`).
"""
from . import resp


def parse_ranges(text):
    """'0-100,200,300-400' -> [(0, 100), (200, 200), (300, 400)]; 'none' -> []."""
    if text == "none":
        return []
    ranges = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        ranges.append((int(low), int(high or low)))
    return ranges


def _masters_with_replicas(nodes):
    masters = [node for node in nodes if node.replica_of is None]
    return [(m, [r for r in nodes if r.replica_of == m.name]) for m in masters]


def shards(nodes):
    reply = []
    for master, replicas in _masters_with_replicas(nodes):
        slots = [bound for low_high in master.ranges for bound in low_high]
        members = [_shard_member(master, "master")]
        members += [_shard_member(replica, "replica") for replica in replicas]
        reply.append(["slots", slots, "nodes", members])
    return resp.encode(reply)


def _shard_member(node, role):
    member = ["id", node.id, "port", node.port, "ip", node.announced_ip,
              "endpoint", node.announced_endpoint]
    if node.hostname:
        member += ["hostname", node.hostname]
    member += ["role", role, "replication-offset", 0, "health", "online"]
    return member


def slots(nodes):
    reply = []
    for master, replicas in _masters_with_replicas(nodes):
        for low, high in master.ranges:
            members = [[n.announced_endpoint, n.port, n.id, []] for n in [master] + replicas]
            reply.append([low, high] + members)
    return resp.encode(reply)


def nodes_text(nodes, myself, epoch):
    lines = []
    by_name = {node.name: node for node in nodes}
    for node in nodes:
        master = by_name.get(node.replica_of)
        flags = "slave" if master else "master"
        if node is myself:
            flags = "myself," + flags
        ranges = ["%d" % low if low == high else "%d-%d" % (low, high) for low, high in node.ranges]
        lines.append(" ".join(
            ["%s %s:%d@%d%s %s %s 0 0 %d connected" % (
                node.id, node.announced_ip, node.port, node.port + 10000,
                "," + node.hostname if node.hostname else "", flags,
                master.id if master else "-", epoch)]
            + ranges))
    return resp.bulk("\n".join(lines) + "\n")


def info_text(nodes, epoch):
    covered = sum(high - low + 1 for node in nodes for low, high in node.ranges)
    masters = sum(1 for node in nodes if node.ranges)
    return resp.bulk("\r\n".join([
        "cluster_enabled:1", "cluster_state:ok", "cluster_slots_assigned:%d" % covered,
        "cluster_slots_ok:%d" % covered, "cluster_slots_pfail:0", "cluster_slots_fail:0",
        "cluster_known_nodes:%d" % len(nodes), "cluster_size:%d" % masters,
        "cluster_current_epoch:%d" % epoch, "cluster_my_epoch:%d" % epoch, ""]))
