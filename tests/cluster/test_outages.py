"""Nodes that are dead, hung, unreachable or not there yet (R3, R4, Q5, Q6)."""
import os
import signal
import subprocess
import sys
import time

from support.client import ErrorReply
from support.load import Load
from support.testing import FRESH, NONE, Skip, test
from support.topology import tags_served_by
from support.wait import until

from test_failover import PARTIAL_COVERAGE, wait_for_replies

HERE = os.path.dirname(os.path.abspath(__file__))


@test(cluster=FRESH, replicas=0, config=dict(PARTIAL_COVERAGE, **{"cluster-node-timeout": 15000}),
      arguments=["--health-interval-ms", "500"])
def a_hung_master_fails_fast_delays_nobody_and_heals(t):
    """SIGSTOP: the kernel still accepts and acknowledges, the server is silent."""
    victim, *others = [node for node, _ in t.masters()]
    (tag,) = tags_served_by(victim, 1)
    other_tags = [tag for node in others for tag in tags_served_by(node, 3)]
    client = t.client()
    assert client.call("SET", "{%s}" % tag, "v") == b"OK"

    with Load(t.keyway.port, other_tags, clients=6) as healthy:
        wait_for_replies(healthy, 500)
        t.cluster.kill(victim["port"], signal.SIGSTOP)
        try:
            times = [time_of(lambda: client.call("GET", "{%s}" % tag)) for _ in range(12)]
            wait_for_replies(healthy, 500)
        finally:
            t.cluster.kill(victim["port"], signal.SIGCONT)
        healed_s = until(lambda: client.call("GET", "{%s}" % tag) == b"v", 10 * t.patience,
                         "the node that woke up is used again")
        outcome = healthy.stop()

    outcome.assert_flawless()
    assert outcome.slowest_s < 1.0 * t.patience, "healthy slots waited %.1f s" % outcome.slowest_s
    assert all(isinstance(reply, ErrorReply) for _, reply in times), times
    assert times[0][0] < 3 * t.patience, "the first error took %.2f s" % times[0][0]
    assert times[-1][0] < 0.5 * t.patience, "still not failing fast: %.2f s" % times[-1][0]
    assert healed_s < 1.5 * t.patience, "healed only %.1f s after SIGCONT" % healed_s
    print("     (first error %.0f ms, later %.1f ms, healed in %.2f s: %s)" % (
        times[0][0] * 1000, times[-1][0] * 1000, healed_s, times[-1][1].text))


def time_of(action):
    started = time.monotonic()
    result = action()
    return time.monotonic() - started, result


@test(cluster=FRESH, replicas=0)
def all_nodes_gone_and_back_heals_without_a_restart(t):
    client = t.client()
    keys = ["k%d" % n for n in range(30)]

    for port in t.cluster.ports:
        t.cluster.kill(port)
    assert client.call("PING") == b"PONG"
    gone = client.pipeline([("SET", key, "v") for key in keys])
    assert all(isinstance(reply, ErrorReply) for reply in gone), gone
    for port in t.cluster.ports:
        t.cluster.restart(port)
    t.cluster.wait_ready()
    healed_s = until(lambda: client.pipeline([("SET", key, "v") for key in keys]) == [b"OK"] * 30,
                     10 * t.patience, "all slots answer again")

    assert healed_s < 1.5 * t.patience, "healed %.1f s after the cluster" % healed_s
    print("     (healed %.2f s after the cluster)" % healed_s)


@test(cluster=FRESH, replicas=0, keyway=False)
def started_before_its_cluster_it_waits_degraded_and_heals(t):
    for port in t.cluster.ports:
        t.cluster.kill(port)
    t.start_keyway(is_waited_for=False)
    t.keyway.wait_until_it_answers()
    client = t.client()

    assert client.call("PING") == b"PONG"
    reply = client.call("GET", "k")
    assert isinstance(reply, ErrorReply) and reply.code == "CLUSTERDOWN", reply
    for port in t.cluster.ports:
        t.cluster.restart(port)
    t.cluster.wait_ready()
    healed_s = until(lambda: client.call("SET", "k", "v") == b"OK", 10 * t.patience, "it heals")

    assert healed_s < 1.5 * t.patience, "healed %.1f s after the cluster" % healed_s


@test(cluster=FRESH, keyway=False)
def one_seed_that_answers_is_enough_to_start(t):
    dead = t.cluster.nodes[-1]["port"]
    alive = t.cluster.ports[0]
    t.cluster.kill(dead)

    t.start_keyway(seeds=["127.0.0.1:%d" % dead, "127.0.0.1:1", "127.0.0.1:%d" % alive])

    assert t.client().call("SET", "k", "v") == b"OK"


@test(cluster=NONE, keyway=False)
def a_blackholed_node_fails_fast_delays_nobody_and_heals(t):
    """A host that vanishes without a word: no reset, no refusal, packets just disappear.

    The scene is played in a network namespace of its own, so that nothing on
    this machine notices; it needs root.
    """
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "true"]).returncode != 0:
        raise Skip("network namespaces need root")
    scene = os.path.join(HERE, "support", "blackhole_scene.py")
    words = ["unshare", "-n", sys.executable, scene, t.binary, t.folder, str(t.patience)]
    result = subprocess.run(words, capture_output=True, text=True, timeout=120 * t.patience)
    assert result.returncode == 0, result.stdout + result.stderr
    print("     (%s)" % result.stdout.strip().splitlines()[-1])
