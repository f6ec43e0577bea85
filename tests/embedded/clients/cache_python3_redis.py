"""What applications use a cache for, with python3-redis: sessions, counters, queues, ranks, pipelines,
WATCH, publish and subscribe, sorted views, keys that move. No scripts: the embedded store has none."""
import sys
import threading
import time

import redis

PORT = int(sys.argv[1])
r = redis.Redis(port=PORT, decode_responses=True)
raw = redis.Redis(port=PORT)

# A page that is cached, and found in many ways.
assert r.set("page:1", "<html>", ex=100, nx=True) and r.set("page:1", "other", nx=True) is None
assert r.get("page:1") == "<html>" and 90 < r.ttl("page:1") <= 100
assert r.getex("page:1", persist=True) == "<html>" and r.ttl("page:1") == -1
assert r.mset({"page:%d" % n: n for n in range(2, 60)}) and len(set(r.scan_iter("page:*", count=7))) == 59
assert r.delete(*r.keys("page:*")) == 59

# Sessions: a hash each, with an end.
with r.pipeline() as pipe:
    pipe.hset("session:1", mapping={"user": "ann", "cart": "3"}).expire("session:1", 1800)
    pipe.hincrby("session:1", "cart", 2).hgetall("session:1")
    assert pipe.execute()[2:] == [5, {"user": "ann", "cart": "5"}]

# Rate limits.
limited = [r.incr("hits:ann") for _ in range(5)]
assert limited == [1, 2, 3, 4, 5] and r.expire("hits:ann", 60, nx=True) and not r.expire("hits:ann", 9, nx=True)

# A queue, with workers that wait, and what they are at.
done = []


def work():
    client = redis.Redis(port=PORT, decode_responses=True)
    while True:
        job = client.blmove("jobs", "at work", 5, "LEFT", "RIGHT")
        if job == "stop":
            return
        done.append(job)
        client.lrem("at work", 1, job)


workers = [threading.Thread(target=work) for _ in range(3)]
for worker in workers:
    worker.start()
for n in range(60):
    r.rpush("jobs", "job%d" % n)
for _ in workers:
    r.rpush("jobs", "stop")
for worker in workers:
    worker.join()
assert sorted(done) == sorted("job%d" % n for n in range(60))
assert r.lrange("at work", 0, -1) == ["stop"] * 3

# A leaderboard, and sets of tags.
r.zadd("board", {"ann": 10, "bob": 20, "cid": 15})
assert r.zincrby("board", 20, "ann") == 30 and r.zrevrange("board", 0, 1, withscores=True) == [("ann", 30), ("bob", 20)]
r.sadd("tag:a", 1, 2, 3)
r.sadd("tag:b", 2, 3, 4)
assert r.sinter("tag:a", "tag:b") == {"2", "3"} and r.sintercard(2, ["tag:a", "tag:b"]) == 2

# A view of a set, by what other keys say.
for n, age in ((1, 40), (2, 30), (3, 35)):
    r.hset("user:%d" % n, mapping={"name": "user %d" % n, "age": age})
assert r.sort("tag:a", by="user:*->age", get=["#", "user:*->name"], groups=True) == [
    ("2", "user 2"), ("3", "user 3"), ("1", "user 1")]
assert r.sort("tag:a", desc=True, start=0, num=2, store="sorted") == 2 and r.lrange("sorted", 0, -1) == ["3", "2"]

# WATCH: one of several that change a balance at once wins each time.
r.set("balance", 0)


def deposit(pipe):
    balance = int(pipe.get("balance"))
    pipe.multi()
    pipe.set("balance", balance + 1)


def deposit_often():
    client = redis.Redis(port=PORT)
    for _ in range(30):
        client.transaction(deposit, "balance")


payers = [threading.Thread(target=deposit_often) for _ in range(3)]
for payer in payers:
    payer.start()
for payer in payers:
    payer.join()
assert r.get("balance") == "90"

# Publish and subscribe, and keys that tell of their end.
r.config_set("notify-keyspace-events", "Exn")
heard = r.pubsub()
heard.subscribe("news")
heard.psubscribe("__keyevent@0__:*")
assert [heard.get_message(timeout=5)["type"] for _ in range(2)] == ["subscribe", "psubscribe"]
assert r.publish("news", "text") == 1 and heard.get_message(timeout=5)["data"] == "text"
r.set("short", 1, px=20)
assert heard.get_message(timeout=5)["channel"].endswith(":new")
assert heard.get_message(timeout=5)["channel"].endswith(":expired")
heard.close()

# A key that moves.
payload = raw.dump("board")
assert raw.restore("copy", 60000, payload) and r.zscore("copy", "ann") == 30 and r.pttl("copy") > 50000
assert raw.restore("copy", 0, payload, replace=True) and r.pttl("copy") == -1

# What dashboards ask.
assert r.info("memory")["used_memory"] > 0 and r.info("keyspace")["db0"]["keys"] == r.dbsize()
assert r.memory_stats()["keys.count"] == r.dbsize() and r.memory_purge() and r.module_list() == []
assert r.script_exists("a" * 40) == [False] and r.script_flush() and r.slowlog_get() is not None
assert r.client_list() and r.client_setname("me") and r.client_getname() == "me" and r.config_get("maxmemory-policy")
try:
    r.register_script("return 1")()
    raise AssertionError("there are scripts")
except redis.ResponseError as error:
    assert "needs a server: the embedded store has no scripts" in str(error), error
assert r.flushdb() and r.dbsize() == 0 and time.time() - r.time()[0] < 60
print("ok")
