"""Everything at once, for a while: what no single test thinks of."""
import contextlib
import random
import signal
import time

from local_cluster import ClusterError
from support.client import Client
from support.load import Load
from support.testing import FRESH, test
from support.topology import masters_of, replica_of_now, tags_served_by
from support.wait import until

CAME_TO_NOTHING = "came to nothing"


@test(cluster=FRESH, arguments=["--threads", "2"], config={"cluster-require-full-coverage": "no"})
def replies_fit_their_requests_through_any_mischief(t):
    """kill -9 and restart, SIGSTOP and SIGCONT, asked-for failovers, links killed by the server, in
    an order drawn by chance: no reply to the wrong request, no client closed, and all heals.
    """
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    print("     (seed %d)" % seed)
    tags = [tag for node, _ in t.masters() for tag in tags_served_by(node, 3)]
    descriptors = t.keyway.descriptors()

    with Load(t.keyway.port, tags, clients=10, processes=1, is_strict=False, seed=seed) as load:
        mischief = []
        for action in rng.sample(MISCHIEF, len(MISCHIEF)):
            if action(t, rng) is not CAME_TO_NOTHING:
                mischief.append(action.__name__)
            until(lambda: cluster_is_whole(t), 30, "the cluster is whole after %s" % action.__name__)
        until(lambda: all_slots_answer(t, tags), 3 * t.patience, "keyway has healed, too")
        outcome = load.stop()

    outcome.assert_fitting()
    assert "kill_a_master" in mischief, "no replica was ever promoted"
    assert outcome.slowest_s < 6 * t.patience, "a reply took %.1f s" % outcome.slowest_s
    until(lambda: t.keyway.descriptors() < descriptors + 20, 10, "descriptors are flat")
    print("     (%s; %d replies, %d errors, slowest %.2f s)" % (
        ", ".join("%d %s" % (mischief.count(name), name) for name in sorted(set(mischief))),
        outcome.replies, outcome.error_count, outcome.slowest_s))


def kill_a_master(t, rng):
    """Rarely the nodes don't agree on who follows it while it is away. That, and nothing else, is no
    failure here: it is theirs to settle, when it is back.
    """
    node, _ = rng.choice(masters_of(t.cluster))
    if replica_of_now(t.cluster, node) is None:
        return CAME_TO_NOTHING                       # nobody could take over
    t.cluster.kill(node["port"], signal.SIGKILL)
    try:
        until(lambda: any_master_is_new(t, node), 20, "a replica is promoted")
        return None
    except AssertionError:
        if len(views(t)) < 2:
            raise
        print("     the nodes don't agree:\n" + "\n".join(views(t)))
        return CAME_TO_NOTHING
    finally:
        t.cluster.restart(node["port"])


def views(t):
    """Who owns which slots, in as many ways as the live nodes tell it."""
    told = set()
    for node in t.cluster.nodes:
        with contextlib.suppress(OSError):
            lines = t.cluster.call(node["port"], "CLUSTER", "NODES").decode().splitlines()
            told.add("; ".join(sorted(" ".join([line.split()[0], *line.split()[8:]])
                                      for line in lines if len(line.split()) > 8)))
    return told


def any_master_is_new(t, dead):
    return all(node["id"] != dead["id"] for node, _ in masters_of(t.cluster)) \
        and len(masters_of(t.cluster)) == 3


def stop_a_master(t, rng):
    """Shorter than cluster-node-timeout: only keyway notices."""
    node, _ = rng.choice(masters_of(t.cluster))
    t.cluster.kill(node["port"], signal.SIGSTOP)
    time.sleep(rng.uniform(0.1, 1.0))
    t.cluster.kill(node["port"], signal.SIGCONT)


def fail_over(t, rng):
    """Asked for; it may be refused (just promoted) or come to nothing (votes are rationed)."""
    node, _ = rng.choice(masters_of(t.cluster))
    replica = replica_of_now(t.cluster, node)
    if replica is None:
        return CAME_TO_NOTHING
    with contextlib.suppress(ClusterError, AssertionError):
        t.cluster.call(replica["port"], "CLUSTER", "FAILOVER")
        until(lambda: replica_of_now(t.cluster, replica) is not None, 6, "they changed places")
        return None
    return CAME_TO_NOTHING


def kill_links(t, rng):
    for node, _ in masters_of(t.cluster):
        t.cluster.call(node["port"], "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    time.sleep(rng.uniform(0, 0.3))


def cluster_is_whole(t):
    """Three masters, three replicas in sync, all slots: ready for the next mischief."""
    try:
        t.cluster.wait_ready(0.3)
    except ClusterError:
        return False
    return True


def all_slots_answer(t, tags):
    with Client(t.keyway.port) as client:
        return all(client.call("SET", "{%s}healed" % tag, "v") == b"OK" for tag in tags)


MISCHIEF = 4 * [kill_a_master] + 8 * [stop_a_master] + 6 * [fail_over] + 8 * [kill_links]
