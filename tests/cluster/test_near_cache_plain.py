"""The near cache before a plain server: a write takes what it touches, and nothing else."""
from support.testing import NONE, test
from support.wait import until
from test_near_cache import ON, all_nodes_track, figures, hits, read_until_kept


def start(t):
    """A plain redis-server, and keyway before it."""
    port = t.start_server()
    t.start_keyway(seeds=["127.0.0.1:%d" % port], arguments=ON)
    all_nodes_track(t, 1)
    return port


# Requests that touch `own` and others, but not `kept`; each in one packet.
SEVERAL = [
    [("MSET", "own", "1", "far", "1")],
    [("DEL", "own", "far")],
    [("MSETNX", "own", "2", "far", "2")],
    [("MULTI",), ("SET", "own", "3"), ("INCR", "far"), ("EXEC",)],
    [("WATCH", "far"), ("MULTI",), ("SET", "own", "4"), ("EXEC",)],
    [("RENAME", "own", "far")],
    [("MSET",) + tuple(word for n in range(500) for word in ("many:%d" % n, "v")) + ("own", "5")],
    [("UNLINK",) + tuple("many:%d" % n for n in range(500)) + ("own",)],
    [("SINTERSTORE", "own", "none", "far2")],
    [("BITOP", "NOT", "own", "far")],
    [("PROXY", "NODE", "slot:0", "SET", "own", "6")],
    [("PROXY", "NODE", "slot:0", "MSET", "own", "7", "far", "7")],
]

# The same, but only the server knows what else they touch.
BEYOND = [
    [("EVAL", "return redis.call('SET', KEYS[1], 'e')", "1", "own")],
    [("EVAL", "return redis.call('SET', 'own', 'u')", "0")],
    [("EVAL", "return redis.call('DEL', 'own')", "1", "far")],
    [("MULTI",), ("EVAL", "return redis.call('SET', 'own', 'm')", "0"), ("EXEC",)],
    [("PROXY", "NODE", "slot:0", "EVAL", "return redis.call('SET', 'own', 'n')", "0")],
]


@test(cluster=NONE, keyway=False)
def a_write_takes_what_it_touches_and_nothing_else(t):
    port = start(t)
    one, other, direct = t.client(), t.client(), t.direct(port)
    one.call("SET", "kept", "v")
    read_until_kept(one, t, "GET", "kept")
    for requests in SEVERAL + BEYOND:
        one.pipeline([("DEL", "own"), ("SET", "far", "1")])
        read_until_kept(one, t, "GET", "own")
        one.pipeline(requests)
        expected = direct.call("GET", "own")
        for client in (other, one):
            assert client.call("GET", "own") == expected, requests
        read_until_kept(one, t, "GET", "own")
        fills = figures(one)["near_cache_fills"]
        assert read_until_kept(one, t, "GET", "kept") == b"v"
        assert figures(one)["near_cache_fills"] == fills, requests
        assert int(figures(one)["near_cache_flushes"]) == 0
    for requests in ([("FLUSHALL",)], [("PROXY", "NODE", "slot:0", "FLUSHALL")],
                     [("PROXY", "NODE", "slot:0", "SWAPDB", "0", "1")]):
        one.call("SET", "kept", "v")
        read_until_kept(one, t, "GET", "kept")
        one.pipeline(requests)
        assert other.call("GET", "kept") is None, requests


@test(cluster=NONE, keyway=False)
def databases_that_somebody_exchanges_are_seen_within_a_lease(t):
    """The server tells nobody; what is kept would be good for a minute."""
    port = start(t)
    one, direct = t.client(), t.direct(port)
    direct.pipeline([("SELECT", 1), ("SET", "kept", "b"), ("SELECT", 0), ("SET", "kept", "a")])
    for number in range(3):
        told = read_until_kept(one, t, "GET", "kept")
        assert told == direct.call("GET", "kept"), number
        flushes = figures(one)["near_cache_flushes"]
        if number % 3 == 1:
            assert direct.call("CONFIG", "RESETSTAT") == b"OK"
        if number % 3 == 2:
            assert direct.call("SWAPDB", 0, 2) == b"OK"
        else:
            assert direct.call("SWAPDB", 0, 1) == b"OK"
        until(lambda: figures(one)["near_cache_flushes"] > flushes, 20 * t.patience,
              "keyway hears of it")
        assert one.call("GET", "kept") == direct.call("GET", "kept"), number


@test(cluster=NONE, keyway=False)
def what_a_script_writes_is_seen_when_it_is_answered(t):
    start(t)
    one, other = t.client(), t.client()
    one.call("SET", "count", 0)
    for number in range(1, 300):
        before = hits(other)
        assert other.call("GET", "count") == b"%d" % (number - 1)
        if number % 10 == 0:
            read_until_kept(other, t, "GET", "count")
        assert one.call("EVAL", "return redis.call('INCR', 'count')", "0") == number
        for client in (other, one):
            assert client.call("GET", "count") == b"%d" % number, before


@test(cluster=NONE, keyway=False)
def reads_of_several_keys_are_heeded(t):
    """What one client is told by another command than GET, GET tells, too."""
    port = start(t)
    one, other, direct = t.client(), t.client(), t.direct(port)
    asks = [("SINTER", "s1", "s2"), ("EVAL_RO", "return redis.call('SMEMBERS', 's2')", "0"),
            ("MULTI", "SMEMBERS", "s2")]
    for number in range(60):
        ask = asks[number % len(asks)]
        one.pipeline([("DEL", "s1", "s2"), ("SADD", "s1", "a", "b")])
        assert read_until_kept(one, t, "SCARD", "s2") == 0
        direct.call("SADD", "s2", "a")
        if ask[0] == "MULTI":
            told = one.pipeline([("MULTI",), ask[1:], ("EXEC",)])[2][0]
        else:
            told = one.call(*ask)
        if told:
            assert other.call("SCARD", "s2") == 1, ask


@test(arguments=ON)
def what_an_operator_writes_at_one_node_is_seen(t):
    all_nodes_track(t)
    one, other = t.client(), t.client()
    for number in range(100):
        read_until_kept(one, t, "GET", "near:node")
        assert one.call("PROXY", "NODE", "key:near:node", "SET", "near:node", number) == b"OK"
        assert other.call("GET", "near:node") == b"%d" % number


@test(cluster=NONE, keyway=False)
def nobody_reads_from_memory_what_keyway_may_not_read(t):
    """All clients are one user to the nodes: keyway's. What it may not read is neither answered nor
    kept, and clients can't become another user, who might read what others have loaded."""
    port = t.start_server("--user", "kw", "on", ">secret", "~open:*", "~keyway:near:*", "+@all",
                          "--user", "alice", "on", ">pw", "~*", "+@all")
    t.direct(port).pipeline([("SET", "open:k", "v"), ("SET", "closed:k", "secret")])
    t.start_keyway(seeds=["127.0.0.1:%d" % port], is_waited_for=False, arguments=ON + [
        "--cluster-auth-user", "kw", "--cluster-auth-pass", "secret"])
    t.keyway.wait_until_it_answers()
    one, other = t.client(), t.client()
    until(lambda: one.call("GET", "open:k") == b"v", 10 * t.patience, "keyway knows its server")
    for client, words in ((one, ("AUTH", "alice", "pw")), (other, ("AUTH", "bob", "pw")),
                          (other, ("HELLO", "3", "AUTH", "alice", "pw"))):
        assert client.call(*words).code == "WRONGPASS", words
    assert read_until_kept(one, t, "GET", "open:k") == b"v"
    before = hits(one)
    for _ in range(20):
        for client in (one, other):
            for words in (("GET", "closed:k"), ("STRLEN", "closed:k"), ("EXISTS", "closed:k"),
                          ("MGET", "closed:k"), ("MGET", "open:k", "closed:k")):
                assert client.call(*words).code == "NOPERM", words
    assert hits(one) == before
