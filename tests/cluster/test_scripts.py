"""Scripts and functions that were loaded through keyway are there wherever a key goes."""
from language.slots import slot_of
from support.client import ErrorReply
from support.testing import FRESH, SHARED, test
from support.topology import Mover, masters_of, owner_of, replica_of_now
from support.wait import until

TAG = "moving"
SCRIPT = "return redis.call('APPEND', KEYS[1], ARGV[1])"
BODY = "return redis.call('INCR', KEYS[1])"
LIBRARY = ("#!lua name=counting\n"
           "redis.register_function('count', function(k) return redis.call('INCR', k[1]) end)")


def load(client):
    sha = client.call("SCRIPT", "LOAD", SCRIPT)
    assert len(sha) == 40, sha
    assert client.call("FUNCTION", "LOAD", LIBRARY) == b"counting"
    return sha


@test(cluster=FRESH, replicas=0)
def trap_14_a_script_and_a_function_are_there_on_a_shard_that_joined_later(t):
    client = t.client()
    sha = load(client)
    assert client.call("EVALSHA", sha, 1, "{%s}s" % TAG, "a") == 1
    assert client.call("FCALL", "count", 1, "{%s}n" % TAG) == 1

    joined = t.cluster.add_master()
    slot = slot_of(TAG)
    until(lambda: b"cluster_state:ok" in t.cluster.call(joined["port"], "CLUSTER", "INFO"),
          10 * t.patience, "the new master takes part")
    Mover(t.cluster, t.direct).move(slot, owner_of(t.cluster, slot), joined)

    for words, expected in ((("EVALSHA", sha, 1, "{%s}s" % TAG, "b"), 2),
                            (("FCALL", "count", 1, "{%s}n" % TAG), 2)):
        reply = client.call(*words)
        assert reply == expected, (words, reply)
    with t.client() as other:
        other.call("HELLO", 3)
        assert other.call("EVALSHA", sha, 1, "{%s}s" % TAG, "c") == 3
        assert other.call("FCALL", "count", 1, "{%s}n" % TAG) == 3
    assert t.cluster.call(joined["port"], "SCRIPT", "EXISTS", sha) == [1]


@test(cluster=FRESH)
def a_script_outlives_the_master_that_it_was_loaded_on(t):
    client = t.client()
    sha = load(client)
    assert client.call("EVALSHA", sha, 1, "{%s}s" % TAG, "a") == 1

    old = owner_of(t.cluster, slot_of(TAG))
    new = replica_of_now(t.cluster, old)
    t.cluster.call(new["port"], "CLUSTER", "FAILOVER")
    until(lambda: owner_of(t.cluster, slot_of(TAG)) is new, 10 * t.patience, "the replica is master")

    def works():
        reply = client.call("EVALSHA", sha, 1, "{%s}s" % TAG, "b")
        return not isinstance(reply, ErrorReply)
    until(works, 10 * t.patience, "EVALSHA at the new master")
    assert client.call("FCALL", "count", 1, "{%s}n" % TAG) == 1


def run_in_multi(client, *commands):
    """What EXEC answers; a list of replies, or its error."""
    return client.pipeline([("MULTI",), *commands, ("EXEC",)])[-1]


def scripts_in_multi(sha):
    return (("SET", "{%s}in" % TAG, "x"), ("EVALSHA", sha, "1", "{%s}in" % TAG, "yz"),
            ("FCALL", "count", "1", "{%s}inc" % TAG))


@test(cluster=FRESH, replicas=0)
def a_transaction_finds_its_scripts_on_a_shard_that_joined_later(t):
    client = t.client()
    sha = load(client)
    assert run_in_multi(client, *scripts_in_multi(sha)) == [b"OK", 3, 1]

    joined = t.cluster.add_master()
    slot = slot_of(TAG)
    until(lambda: b"cluster_state:ok" in t.cluster.call(joined["port"], "CLUSTER", "INFO"),
          10 * t.patience, "the new master takes part")
    Mover(t.cluster, t.direct).move(slot, owner_of(t.cluster, slot), joined)

    assert run_in_multi(client, *scripts_in_multi(sha)) == [b"OK", 3, 2]
    assert t.direct(joined["port"]).call("SCRIPT", "FLUSH") == b"OK"
    with t.client() as other:
        other.call("HELLO", 3)     # over another connection
        assert other.call("WATCH", "{%s}in" % TAG) == b"OK"
        assert run_in_multi(other, *scripts_in_multi(sha)) == [b"OK", 3, 3]


@test(cluster=FRESH)
def a_transaction_finds_its_scripts_when_its_master_failed_over(t):
    client = t.client()
    sha = load(client)
    assert run_in_multi(client, *scripts_in_multi(sha)) == [b"OK", 3, 1]

    old = owner_of(t.cluster, slot_of(TAG))
    new = replica_of_now(t.cluster, old)
    assert t.direct(new["port"]).call("SCRIPT", "EXISTS", sha) == [0]
    t.cluster.call(new["port"], "CLUSTER", "FAILOVER")
    until(lambda: owner_of(t.cluster, slot_of(TAG)) is new, 10 * t.patience, "the replica is master")

    replies = []

    def executed():
        replies.append(run_in_multi(client, *scripts_in_multi(sha)))
        return not isinstance(replies[-1], ErrorReply)
    until(executed, 10 * t.patience, "EXEC at the new master")
    assert replies[-1][:2] == [b"OK", 3] and isinstance(replies[-1][2], int), replies


@test(cluster=SHARED, arguments=["--threads", "2"])
def scripts_flushed_at_a_node_come_back_to_transactions(t):
    client = t.client()
    sha = load(client)
    assert run_in_multi(client, *scripts_in_multi(sha))[:2] == [b"OK", 3]
    flush_behind_keyways_back(t, "SCRIPT")
    flush_behind_keyways_back(t, "FUNCTION")
    until(lambda: not any(isinstance(reply, ErrorReply)
                          for reply in run_in_multi(client, *scripts_in_multi(sha))),
          10 * t.patience, "all of the transaction succeeds")
    unknown = run_in_multi(client, ("EVALSHA", "f" * 40, "1", "k"), ("SET", "k", "v"))
    assert unknown == [ErrorReply("NOSCRIPT No matching script. Please use EVAL."), b"OK"], unknown

    assert client.call("SCRIPT", "FLUSH") == b"OK"
    assert client.call("FUNCTION", "FLUSH") == b"OK"
    replies = run_in_multi(client, *scripts_in_multi(sha))
    assert replies == [b"OK", ErrorReply("NOSCRIPT No matching script. Please use EVAL."),
                       ErrorReply("ERR Function not found")], replies


@test()
def a_script_that_nobody_loaded_is_noscript(t):
    reply = t.client().call("EVALSHA", "0" * 40, 1, "k")
    assert reply.text == "NOSCRIPT No matching script. Please use EVAL.", reply


def flush_behind_keyways_back(t, what):
    for node, _ in masters_of(t.cluster):
        assert t.direct(node["port"]).call(what, "FLUSH") == b"OK"


@test(cluster=SHARED, arguments=["--threads", "2"])
def a_script_that_was_loaded_runs_on_every_shard(t):
    sha = t.client().call("SCRIPT", "LOAD", BODY)
    for again in range(2):
        clients = [t.client() for _ in range(4)]     # of both workers
        for n, client in enumerate(clients):
            replies = client.pipeline([("EVALSHA", sha, "1", "s%d:%d:%d" % (again, n, i))
                                       for i in range(30)])
            assert replies == [1] * 30, replies
        flush_behind_keyways_back(t, "SCRIPT")
    assert t.client().call("SCRIPT", "FLUSH") == b"OK"
    reply = t.client().call("EVALSHA", sha, "1", "k")
    assert reply == ErrorReply("NOSCRIPT No matching script. Please use EVAL."), reply


@test(cluster=SHARED, arguments=["--threads", "1"])
def a_script_seen_in_an_eval_is_known(t):
    client = t.client()
    assert client.call("EVAL", BODY, "1", "a") == 1
    sha = t.direct(t.cluster.ports[0]).call("SCRIPT", "LOAD", BODY)
    flush_behind_keyways_back(t, "SCRIPT")
    for key in ("a", "b", "c", "d"):
        assert isinstance(client.call("EVALSHA", sha, "1", key), int)
    assert client.call("EVALSHA", sha.upper(), "1", "e") == 1
    assert client.call("EVALSHA", "f" * 40, "1", "e").code == "NOSCRIPT"


@test(cluster=SHARED, arguments=["--threads", "2"])
def a_library_that_was_loaded_is_there_on_every_shard(t):
    assert t.client().call("FUNCTION", "LOAD", "REPLACE", LIBRARY) == b"counting"
    for again in range(2):
        for n in range(4):
            replies = t.client().pipeline([("FCALL", "count", "1", "f%d:%d:%d" % (again, n, i))
                                           for i in range(30)])
            assert replies == [1] * 30, replies
        flush_behind_keyways_back(t, "FUNCTION")
    assert t.client().call("FCALL", "count", "1", "once more") == 1
    reply = t.client().call("FCALL", "other", "1", "k")
    assert reply == ErrorReply("ERR Function not found"), reply
    assert t.client().call("FUNCTION", "FLUSH") == b"OK"
    assert t.client().call("FCALL", "count", "1", "k").text == "ERR Function not found"


@test(cluster=SHARED)
def cross_slot_scripts_get_the_exact_text(t):
    client = t.client()
    probe = "return redis.call('get', KEYS[1])"
    crossslot = ErrorReply("CROSSSLOT Keys in request don't hash to the same slot")
    assert client.call("EVAL", probe, "2", "test1", "test2") == crossslot
    assert client.call("EVALSHA", "f" * 40, "2", "test1", "test2") == crossslot
    assert client.call("FCALL", "f", "2", "test1", "test2") == crossslot
    assert client.call("EVAL", "return 5", "0") == 5


@test(cluster=FRESH, replicas=0, arguments=["--threads", "1", "--node-timeout-ms", "20000"])
def a_busy_script_is_killed_through_keyway(t):
    """The node reads no more from the link that the script came on: SCRIPT KILL takes another."""
    for node, _ in masters_of(t.cluster):
        t.direct(node["port"]).call("CONFIG", "SET", "busy-reply-threshold", "100")
    client, killer = t.client(), t.client()
    assert killer.call("SCRIPT", "KILL") == ErrorReply("NOTBUSY No scripts in execution right now.")
    client.send("EVAL", "while true do end", "1", "k")
    killed = []

    def is_killed():
        killed.append(killer.call("SCRIPT", "KILL"))
        return killed[-1] == b"OK"
    until(is_killed, 10 * t.patience, "SCRIPT KILL answers OK")
    reply = client.read()
    assert "script killed" in reply.text.lower(), reply
    assert killer.call("GET", "k") is None
