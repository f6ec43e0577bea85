"""Masters change under load, because they were asked to or because they died (Q4, Q5)."""
import signal
import time

from support.client import Client
from support.load import Load
from support.testing import FRESH, Skip, test
from support.topology import replica_of, tags_served_by
from support.wait import until

PARTIAL_COVERAGE = {"cluster-require-full-coverage": "no"}


@test(cluster=FRESH, arguments=["--threads", "2"])
def asked_for_failovers_cause_no_error(t):
    """CLUSTER FAILOVER of every master, one after the other, and back."""
    masters = [node for node, _ in t.masters()]
    tags = [tag for node in masters for tag in tags_served_by(node, 3)]
    pairs = [(master, replica_of(t.cluster, master)) for master in masters]

    with Load(t.keyway.port, tags, clients=10, processes=2) as load:
        wait_for_replies(load, 500)
        voted_at = []
        for master, replica in pairs:
            hand_over(t, master, replica)
            voted_at.append(time.monotonic())
        for (master, replica), voted in zip(pairs, voted_at):
            # Masters vote for a replica of the same master only once in two cluster-node-timeouts.
            time.sleep(max(0, voted + 2 * t.node_timeout_s + 0.5 - time.monotonic()))
            hand_over(t, replica, master)
        wait_for_replies(load, 500)
        outcome = load.stop()

    outcome.assert_flawless()
    assert outcome.slowest_s < 1.5 * t.patience, "a stall of %.1f s" % outcome.slowest_s
    print("     (%d replies checked, slowest pipeline %.0f ms)" % (
        outcome.replies, outcome.slowest_s * 1000))


def hand_over(t, old, new):
    """NEW becomes master of what OLD serves; returns when OLD follows it and is in sync."""
    def follows():
        fields = t.cluster.call(old["port"], "INFO", "replication")
        return b"role:slave" in fields and b"master_link_status:up" in fields

    assert t.cluster.call(new["port"], "CLUSTER", "FAILOVER") == b"OK"
    until(lambda: b"role:master" in t.cluster.call(new["port"], "INFO", "replication"), 15,
          "the replica is promoted")
    until(follows, 15, "the old master follows the new one")


@test(cluster=FRESH, config=PARTIAL_COVERAGE, arguments=["--threads", "2"])
def a_killed_master_costs_only_its_own_slots_and_heals(t):
    """kill -9 under load: replies always fit their requests; other slots see nothing at all."""
    victim, *others = [node for node, _ in t.masters()]
    replica = replica_of(t.cluster, victim)
    victim_tags = tags_served_by(victim, 4)
    other_tags = [tag for node in others for tag in tags_served_by(node, 3)]

    with Load(t.keyway.port, victim_tags, clients=6, is_strict=False) as hurt, \
            Load(t.keyway.port, other_tags, clients=6) as healthy:
        wait_for_replies(hurt, 500)
        wait_for_replies(healthy, 500)
        t.cluster.kill(victim["port"], signal.SIGKILL)
        until(lambda: serves(t, replica), 20 + 5 * t.node_timeout_s, "the replica is promoted")
        promoted_at = time.monotonic()
        wait_for_replies(hurt, 2000)
        time.sleep(2)                   # the load runs on: late errors would come now
        hurt_outcome, healthy_outcome = hurt.stop(), healthy.stop()

    # A master that got no processor time for so long was replaced, too: writes that it had
    # acknowledged are lost, whoever stands in front of it.
    masters = [node["port"] for node, _ in t.masters()]
    if sorted(masters) != sorted([replica["port"]] + [node["port"] for node in others]):
        raise Skip("the machine is so busy that the servers promoted more than one replica")
    healthy_outcome.assert_flawless()
    hurt_outcome.assert_fitting()
    assert hurt_outcome.error_count > 0, "the master died and nobody noticed"
    last_error_s = max(when for when, _ in hurt_outcome.error_times) - promoted_at
    assert last_error_s < 1.5 * t.patience, "errors until %.1f s after promotion" % last_error_s
    assert hurt_outcome.slowest_s < 5 * t.patience, "a reply took %.1f s" % hurt_outcome.slowest_s
    assert healthy_outcome.slowest_s < 1 * t.patience, \
        "healthy slots waited for %.1f s" % healthy_outcome.slowest_s
    print("     (last error %.2f s after promotion, slowest %.2f s, healthy slots %.2f s; %r)" % (
        last_error_s, hurt_outcome.slowest_s, healthy_outcome.slowest_s,
        dict(hurt_outcome.errors.most_common(3))))


@test(cluster=FRESH, config=PARTIAL_COVERAGE)
def a_read_of_a_dead_nodes_key_is_an_error_and_never_nil(t):
    victim, *_ = [node for node, _ in t.masters()]
    (tag,) = tags_served_by(victim, 1)
    keys = ["{%s}:%d" % (tag, n) for n in range(3)]
    client = t.client()
    for key in keys:
        assert client.call("SET", key, "v") == b"OK"

    t.cluster.kill(replica_of(t.cluster, victim)["port"])
    t.cluster.kill(victim["port"])
    replies = [client.call("MGET", *keys) for _ in range(5)] + [client.call("GET", keys[0])]

    for reply in replies:
        assert hasattr(reply, "text"), "expected an error, got %r" % (reply,)


def serves(t, node):
    """Does NODE say that it is a master and the cluster is whole?"""
    with Client(node["port"]) as client:
        return b"role:master" in client.call("INFO", "replication") and \
            b"cluster_slots_fail:0" in client.call("CLUSTER", "INFO")


def wait_for_replies(load, count):
    """COUNT more replies."""
    goal = load.replies_so_far() + count
    until(lambda: load.replies_so_far() >= goal, 30, "%d more replies" % count)
