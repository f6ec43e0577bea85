"""What applications do with python3-redis: transactional pipelines (its default), WATCH, locks, publish and
subscribe, blocking pops, scans, scripts, keys of many slots."""
import sys
import threading

import redis

PORT = int(sys.argv[1])
r = redis.Redis(port=PORT)
other = redis.Redis(port=PORT)
keys = ["key:%d" % n for n in range(50)]

# Keys of many slots.
assert r.mset({key: n for n, key in enumerate(keys)}) is True
assert r.mget(keys) == [b"%d" % n for n in range(50)]
assert r.dbsize() == 50 and r.exists(*keys) == 50
assert sorted(r.scan_iter("key:*", count=7)) == sorted(key.encode() for key in keys)
assert r.delete(*keys) == 50 and r.randomkey() is None

# A pipeline is a transaction unless it is told otherwise.
with r.pipeline() as pipe:
    assert pipe.set("{m}a", 1).incr("{m}a").lpush("{m}l", "x").execute() == [True, 2, 1]
with r.pipeline() as pipe:
    pipe.set("{m}s", "text").lpush("{m}s", "x").get("{m}s")
    replies = pipe.execute(raise_on_error=False)
    assert isinstance(replies[1], redis.ResponseError) and replies[2] == b"text"
with r.pipeline() as pipe:                       # keys of two slots: refused whole, nothing is written
    pipe.set("a", 1).set("b", 2)
    try:
        pipe.execute()
        raise AssertionError("a transaction over two slots was accepted")
    except redis.ResponseError as error:
        assert "CROSSSLOT" in str(error) or "discarded" in str(error), error
assert r.get("a") is None and r.get("b") is None and r.ping()
with r.pipeline(transaction=False) as pipe:      # no transaction: any keys
    assert pipe.set("a", 1).set("b", 2).mget("a", "b").execute() == [True, True, [b"1", b"2"]]
with r.pipeline() as pipe:
    pipe.watch("{m}a")
    other.set("{m}a", "changed")
    pipe.multi()
    pipe.set("{m}a", "lost")
    try:
        pipe.execute()
        raise AssertionError("a watched key changed")
    except redis.WatchError:
        pass
assert r.get("{m}a") == b"changed"


def add_one(pipe):
    count = int(pipe.get("{m}n") or 0)
    pipe.multi()
    pipe.set("{m}n", count + 1)


threads = [threading.Thread(target=lambda: [
    redis.Redis(port=PORT).transaction(add_one, "{m}n") for _ in range(20)]) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert r.get("{m}n") == b"80"

# Locks: SET NX, and scripts to extend and to release.
lock = r.lock("resource", timeout=5)
assert lock.acquire() and not other.lock("resource", blocking_timeout=0.05).acquire()
assert lock.extend(5) and lock.reacquire()
lock.release()
assert other.lock("resource", timeout=5).acquire()

# Publish and subscribe.
heard = other.pubsub()
heard.subscribe("news", "sport")
heard.psubscribe("new*")
assert [heard.get_message(timeout=5)["type"] for _ in range(3)] == ["subscribe", "subscribe", "psubscribe"]
assert r.publish("news", "hello") == 2
assert {heard.get_message(timeout=5)["type"] for _ in range(2)} == {"message", "pmessage"}
assert sorted(r.pubsub_channels()) == [b"news", b"sport"] and r.pubsub_numsub("news") == [(b"news", 1)]
assert r.pubsub_numpat() == 1
heard.close()

# Blocking.
popped = []
thread = threading.Thread(target=lambda: popped.append(other.blpop(["{q}a", "{q}b"], 5)))
thread.start()
r.rpush("{q}b", "job")
thread.join()
assert popped == [(b"{q}b", b"job")] and other.brpop("{q}a", 0.05) is None

# Scripts.
bump = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
assert [bump(keys=[key], args=[3]) for key in keys[:9]] == [3] * 9
with r.pipeline(transaction=False) as pipe:
    for key in keys[:9]:
        bump(keys=[key], args=[1], client=pipe)
    assert pipe.execute() == [4] * 9
assert r.flushall() is True and r.dbsize() == 0
print("ok")
