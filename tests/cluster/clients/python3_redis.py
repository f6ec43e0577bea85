"""python3-redis with its default options: connect, types, pipelines, disconnect."""
import sys

import redis

r = redis.Redis(host="127.0.0.1", port=int(sys.argv[1]))
assert r.ping() is True

assert r.set("k", "v") is True and r.get("k") == b"v" and r.get("missing") is None
assert r.incr("n") == 1 and r.append("k", "w") == 2 and r.strlen("k") == 2
assert r.delete("k") == 1 and r.exists("k") == 0
assert r.rpush("l", "a", "b", "c") == 3 and r.lrange("l", 0, -1) == [b"a", b"b", b"c"]
assert r.hset("h", mapping={"f": 1, "g": 2}) == 2 and r.hgetall("h") == {b"f": b"1", b"g": b"2"}
assert r.sadd("s", "x", "y") == 2 and r.smembers("s") == {b"x", b"y"}
assert r.zadd("z", {"a": 1, "b": 2}) == 2 and r.zrange("z", 0, -1, withscores=True) == [
    (b"a", 1.0), (b"b", 2.0)]
assert r.xadd("x", {"f": "v"}, id="1-1") == b"1-1" and r.xrange("x") == [(b"1-1", {b"f": b"v"})]
assert r.mset({"{t}1": 1, "{t}2": 2}) is True and r.mget("{t}1", "{t}2") == [b"1", b"2"]
assert r.set("e", "v", px=50000, nx=True) is True and 0 < r.pttl("e") <= 50000
assert r.eval("return {KEYS[1], ARGV[1]}", 1, "k", "a") == [b"k", b"a"]

pipe = r.pipeline(transaction=False)
for number in range(1000):
    pipe.set("p%d" % number, number)
    pipe.get("p%d" % number)
assert pipe.execute() == [part for n in range(1000) for part in (True, b"%d" % n)]

try:
    r.lpush("h", "wrong type")
    raise AssertionError("no error")
except redis.ResponseError as error:
    assert str(error).startswith("WRONGTYPE"), error
r.close()
print("ok")
