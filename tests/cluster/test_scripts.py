"""Scripts and functions that were loaded through keyway are there wherever a key goes."""
from language.slots import slot_of
from support.client import ErrorReply
from support.testing import FRESH, Skip, test
from support.topology import Mover, owner_of, replica_of_now
from support.wait import until

TAG = "moving"
SCRIPT = "return redis.call('APPEND', KEYS[1], ARGV[1])"
LIBRARY = ("#!lua name=counting\n"
           "redis.register_function('count', function(k) return redis.call('INCR', k[1]) end)")


def load(client):
    raise Skip("waits for gather")
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
    Mover(t.cluster, t.direct).move(slot, owner_of(t.cluster, slot), joined)

    assert client.call("EVALSHA", sha, 1, "{%s}s" % TAG, "b") == 2
    assert client.call("FCALL", "count", 1, "{%s}n" % TAG) == 2
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


@test()
def a_script_that_nobody_loaded_is_noscript(t):
    reply = t.client().call("EVALSHA", "0" * 40, 1, "k")
    assert reply.text == "NOSCRIPT No matching script. Please use EVAL.", reply
