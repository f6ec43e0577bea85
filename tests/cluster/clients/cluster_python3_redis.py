"""python3-redis' RedisCluster: connect, types, pipelines over many slots, disconnect."""
import sys

from redis.cluster import RedisCluster

r = RedisCluster(host="127.0.0.1", port=int(sys.argv[1]))
assert r.ping(target_nodes="all") is True
nodes = r.get_nodes()
assert [node.port for node in nodes] == [int(sys.argv[1])], nodes

assert r.set("k", "v") is True and r.get("k") == b"v" and r.get("missing") is None
assert r.incr("n") == 1 and r.append("k", "w") == 2 and r.strlen("k") == 2
assert r.rpush("l", "a", "b", "c") == 3 and r.lrange("l", 0, -1) == [b"a", b"b", b"c"]
assert r.hset("h", mapping={"f": 1, "g": 2}) == 2 and r.hgetall("h") == {b"f": b"1", b"g": b"2"}
assert r.zadd("z", {"a": 1, "b": 2}) == 2
assert r.mset({"{t}1": 1, "{t}2": 2}) is True and r.mget("{t}1", "{t}2") == [b"1", b"2"]
assert r.eval("return {KEYS[1], ARGV[1]}", 1, "k", "a") == [b"k", b"a"]
assert r.cluster_keyslot("foo") == 12182
assert r.cluster_info()["cluster_state"] == "ok"
assert isinstance(r.cluster_countkeysinslot(12182), int)

pipe = r.pipeline()
for number in range(1000):
    pipe.set("p%d" % number, number)
    pipe.get("p%d" % number)
assert pipe.execute() == [part for n in range(1000) for part in (True, b"%d" % n)]

blocked = r.blpop("l", timeout=1)
assert blocked == (b"l", b"a"), blocked

try:
    r.lpush("h", "wrong type")
    raise AssertionError("no error")
except Exception as error:
    assert "WRONGTYPE" in str(error), error
r.close()
print("ok")
