"""Cluster-aware clients at a keyway that they take for a cluster: the libraries, redis-cli -c."""
import os
import re
import subprocess
import sys

from language.keyway import free_port
from support.testing import test
from support.programs import CLIENTS, run_node_script, run_script

CLUSTER = ("--personality", "cluster")


@test(arguments=CLUSTER)
def python3_redis_finds_a_cluster(t):
    run_script(t, sys.executable, os.path.join(CLIENTS, "cluster_python3_redis.py"))


@test(arguments=CLUSTER)
def ioredis_finds_a_cluster(t):
    run_node_script(t, "cluster_ioredis.mjs")


@test(arguments=CLUSTER)
def node_redis_finds_a_cluster(t):
    run_node_script(t, "cluster_redis.mjs")


@test(arguments=CLUSTER)
def valkey_glide_finds_a_cluster(t):
    run_node_script(t, "cluster_valkey-glide.mjs")


@test(arguments=CLUSTER)
def redis_cli_follows_no_redirection(t):
    commands = "".join("SET k%d %d\nGET k%d\n" % (n, n, n) for n in range(100))
    ended = subprocess.run(["redis-cli", "-c", "-p", str(t.keyway.port)], input=commands,
                           capture_output=True, text=True, timeout=60 * t.patience)
    assert ended.stdout == "".join("OK\n%d\n" % n for n in range(100)), ended.stdout


@test(arguments=CLUSTER)
def redis_cli_checks_the_cluster(t):
    ended = subprocess.run(["redis-cli", "--cluster", "check", "127.0.0.1:%d" % t.keyway.port],
                           capture_output=True, text=True, timeout=60 * t.patience)
    assert "[OK] All 16384 slots covered." in ended.stdout, ended.stdout + ended.stderr


def start_two_keyways(t):
    """Their cluster-ports."""
    ports = [free_port(), free_port()]
    keyways = ["--cluster-keyways"] + ["127.0.0.1:%d" % port for port in ports]
    for port in ports:
        t.start_keyway(["--cluster-port", str(port)] + keyways)
    return ports


@test(keyway=False)
def two_keyways_share_the_slots(t):
    """Each shows the same picture at its cluster-port, and a client spreads its load over both."""
    from redis.cluster import RedisCluster
    ports = start_two_keyways(t)
    cluster = RedisCluster(host="127.0.0.1", port=ports[0])
    assert sorted(node.port for node in cluster.get_primaries()) == sorted(ports)
    for n in range(200):
        assert cluster.set("k%d" % n, n)
        assert cluster.get("k%d" % n) == b"%d" % n
    for port in ports:
        counts = subprocess.run(["redis-cli", "-p", str(port), "INFO", "keyway"], text=True,
                                capture_output=True, timeout=60).stdout
        assert int(re.search(r"\nrequests:(\d+)", counts)[1]) > 100, counts
    assert t.client().call("CLUSTER", "SLOTS").code == "ERR", "the ordinary port is standalone"
    cluster.close()


@test(keyway=False)
def redis_benchmark_finds_a_cluster(t):
    """It refuses clusters with a single node, so it gets a set of two."""
    ports = start_two_keyways(t)
    ended = subprocess.run(["redis-benchmark", "--cluster", "-p", str(ports[0]), "-n", "2000",
                            "-c", "10", "-P", "4", "-r", "1000", "-t", "set,get,incr", "-q"],
                           capture_output=True, text=True, timeout=120 * t.patience)
    assert ended.returncode == 0 and "Cluster has 2 master nodes" in ended.stdout, \
        ended.stdout + ended.stderr
    assert len(re.findall(r"requests per second", ended.stdout)) >= 3, ended.stdout


@test(arguments=CLUSTER)
def cluster_replies_have_the_shapes_of_redis(t):
    """Names, types and nesting of what a real node says; addresses, ids and figures are its own."""
    node = t.masters()[0][0]
    ours, theirs = t.client(), t.direct(node["port"])
    for version in (2, 3):
        ours.call("HELLO", version)
        theirs.call("HELLO", version)
        for words in (("SLOTS",), ("SHARDS",), ("NODES",), ("MYID",), ("KEYSLOT", "foo"),
                      ("REPLICAS", "nobody"), ("COUNT-FAILURE-REPORTS", "nobody"), ("INFO",),
                      ("COUNTKEYSINSLOT", "x"), ("COUNTKEYSINSLOT", "16384"),
                      ("GETKEYSINSLOT", "1", "-1"), ("KEYSLOT",), ("NONSENSE",)):
            replies = [client.call("CLUSTER", *words) for client in (ours, theirs)]
            if words == ("SLOTS",):      # replicas of a node appear behind its master
                replies = [[owners[:3] for owners in reply] for reply in replies]
            shapes = [shape(reply) for reply in replies]
            assert shapes[0] == shapes[1], (version, words, shapes)
        for words in (("ASKING",), ("READONLY",), ("READWRITE",), ("SELECT", "1"), ("SELECT", "x"),
                      ("SELECT", "0")):
            assert ours.call(*words) == theirs.call(*words), (version, words)


def shape(reply):
    if isinstance(reply, dict):
        return {key: shape(value) for key, value in reply.items()}
    if isinstance(reply, list):         # the first owner stands for all; pairs of RESP2 keep names
        return [shape(part) for part in reply[:1]] if reply and isinstance(reply[0], (list, dict)) \
            else [shape(part) for part in reply]
    if isinstance(reply, bytes) and b"cluster_state" in reply:
        names = [line.split(b":")[0] for line in reply.split(b"\r\n")]
        return [name for name in names if b"messages_" not in name]
    if isinstance(reply, bytes) and b"myself" in reply:
        line = [line for line in reply.split(b"\n") if b"myself" in line][0]
        return re.sub(rb"[0-9a-f]{40}|\d+", b"N", re.sub(rb"(( \d+(-\d+)?)+)$", b" N", line))
    if isinstance(reply, bytes):
        return "text"
    return "number" if isinstance(reply, int) else reply
