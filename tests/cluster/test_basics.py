"""Ordinary use: every data type, pipelines, RESP2 and RESP3 side by side."""
import redis

from support.client import ErrorReply
from support.testing import SHARED, test
from support.wait import until


@test()
def values_of_every_type_are_written_and_read(t):
    call = t.client().call

    assert call("SET", "s", b"\x00\r\n\xff") == b"OK"
    assert call("GET", "s") == b"\x00\r\n\xff"
    assert call("RPUSH", "l", "a", "b") == 2
    assert call("LRANGE", "l", 0, -1) == [b"a", b"b"]
    assert call("HSET", "h", "f", "v") == 1
    assert call("HGETALL", "h") == [b"f", b"v"]
    assert call("SADD", "set", "m") == 1
    assert call("ZADD", "z", 1.5, "m") == 1
    assert call("ZRANGE", "z", 0, -1, "WITHSCORES") == [b"m", b"1.5"]
    assert call("XADD", "x", "1-1", "f", "v") == b"1-1"
    assert call("SETBIT", "bits", 7, 1) == 0
    assert call("PFADD", "hll", "a") == 1
    assert call("GEOADD", "geo", 13.4, 52.5, "Berlin") == 1
    assert call("EVAL", "return redis.call('GET', KEYS[1])", 1, "s") == b"\x00\r\n\xff"
    assert call("EXPIRE", "s", 100) == 1
    assert call("TYPE", "l") == b"list"
    assert call("GET", "l") == ErrorReply(
        "WRONGTYPE Operation against a key holding the wrong kind of value")


@test()
def a_thousand_keys_over_all_masters_in_one_pipeline(t):
    client = t.client()
    keys = ["key:%d" % n for n in range(1000)]

    written = client.pipeline([("SET", key, "v" + key) for key in keys])
    read = client.pipeline([("GET", key) for key in keys])

    assert written == [b"OK"] * 1000
    assert read == [("v" + key).encode() for key in keys]


@test()
def requests_on_several_keys_of_one_slot(t):
    call = t.client().call

    assert call("MSET", "{t}1", "a", "{t}2", "b") == b"OK"
    assert call("MGET", "{t}1", "{t}2", "{t}3") == [b"a", b"b", None]
    assert call("DEL", "{t}1", "{t}2", "{t}3") == 2
    assert call("SINTERSTORE", "a", "b") == ErrorReply(
        "CROSSSLOT Keys in request don't hash to the same slot")


@test()
def resp3_clients_get_resp3_types(t):
    three, two = t.client(), t.client()
    hello = three.call("HELLO", "3")

    assert hello[b"proto"] == 3 and hello[b"mode"] == b"standalone"
    assert three.call("HSET", "h", "f", "v") == 1
    assert three.call("HGETALL", "h") == {b"f": b"v"}
    assert two.call("HGETALL", "h") == [b"f", b"v"]
    assert three.call("GET", "no-such-key") is None
    assert three.call("ZADD", "z", 1.5, "m") == 1
    assert three.call("ZSCORE", "z", "m") == 1.5


@test()
def redis_py_works_with_its_defaults(t):
    r = redis.Redis(port=t.keyway.port)

    assert r.ping()
    assert r.set("k", "v") and r.get("k") == b"v"
    assert r.incr("n") == 1 and r.incrby("n", 5) == 6
    assert r.hset("h", mapping={"a": 1, "b": 2}) == 2
    assert r.hgetall("h") == {b"a": b"1", b"b": b"2"}
    assert r.lpush("l", 1, 2, 3) == 3 and r.lrange("l", 0, -1) == [b"3", b"2", b"1"]
    assert r.zadd("z", {"m": 2.5}) == 1 and r.zscore("z", "m") == 2.5
    assert r.set("ttl", "v", ex=100) and 0 < r.ttl("ttl") <= 100
    assert r.eval("return ARGV[1]", 1, "k", "arg") == b"arg"
    assert r.info()["redis_version"]
    assert r.config_get("maxclients")
    assert r.client_setname("tester") and r.client_getname() == "tester"
    pipe = r.pipeline(transaction=False)
    for n in range(500):
        pipe.set("p%d" % n, n).get("p%d" % n)
    assert pipe.execute() == [part for n in range(500) for part in (True, b"%d" % n)]
    r.close()


@test(cluster=SHARED, arguments=["--threads", "4"])
def several_threads_serve_the_same_data(t):
    clients = [t.client() for _ in range(40)]
    for number, client in enumerate(clients):
        assert client.call("SET", "k%d" % number, number) == b"OK"
    for client in clients:
        assert client.pipeline([("GET", "k%d" % n) for n in range(40)]) == [
            b"%d" % n for n in range(40)]


@test(cluster=SHARED, arguments=["--health-interval-ms", "100"])
def info_keyspace_counts_the_keys_of_all_masters(t):
    """Within moments, as redis-py reads it."""
    client = t.client()
    for n in range(300):
        words = ("SET", "k%d" % n, "v") + (("EX", 1000) if n < 60 else ())
        assert client.call(*words) == b"OK"
    r = redis.Redis(port=t.keyway.port)

    until(lambda: r.info("keyspace").get("db0", {}).get("keys") == 300, 10, "all keys are counted")
    assert r.info("keyspace")["db0"]["expires"] == 60
    assert r.info()["db0"]["keys"] == r.dbsize()
    client.call("FLUSHALL")
    until(lambda: "db0" not in r.info("keyspace"), 10, "no key is counted")
    r.close()
