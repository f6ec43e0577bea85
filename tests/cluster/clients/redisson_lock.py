"""A lock as Redisson takes, renews and releases it: its scripts, its pub/sub wake-up, its probe.

Several holders compete for one lock; under it each reads a counter, waits, and writes it back. A
lost update or a wake-up that never comes shows. One holder works longer than its lease and renews.
"""
import sys
import threading
import time
import uuid

import redis

PORT = int(sys.argv[1])
HOLDERS, TURNS, LEASE_MS = 6, 12, 3000
NAME = "orders"
CHANNEL = "redisson_lock__channel:{orders}"

TAKE = """if ((redis.call('exists', KEYS[1]) == 0) or (redis.call('hexists', KEYS[1], ARGV[2]) == 1)) then
redis.call('hincrby', KEYS[1], ARGV[2], 1); redis.call('pexpire', KEYS[1], ARGV[1]); return nil; end;
return redis.call('pttl', KEYS[1]);"""
RENEW = """if (redis.call('hexists', KEYS[1], ARGV[2]) == 1) then
redis.call('pexpire', KEYS[1], ARGV[1]); return 1; end; return 0;"""
RELEASE = """local val = redis.call('get', KEYS[3]); if val ~= false then return tonumber(val); end;
if (redis.call('hexists', KEYS[1], ARGV[3]) == 0) then return nil; end;
local counter = redis.call('hincrby', KEYS[1], ARGV[3], -1);
if (counter > 0) then redis.call('pexpire', KEYS[1], ARGV[2]); redis.call('set', KEYS[3], 0, 'px', ARGV[5]); return 0;
else redis.call('del', KEYS[1]); redis.call(ARGV[4], KEYS[2], ARGV[1]); redis.call('set', KEYS[3], 1, 'px', ARGV[5]); return 1; end;"""


class Lock:
    """One holder's view of the lock."""

    def __init__(self):
        self.commands = redis.Redis(port=PORT)
        self.holder = "%s:1" % uuid.uuid4()
        self.channel = redis.Redis(port=PORT).pubsub()
        self.channel.subscribe(CHANNEL)
        assert self.channel.get_message(timeout=5)["type"] == "subscribe"
        self.waits = 0

    def take(self):
        while True:
            left_ms = self.commands.eval(TAKE, 1, NAME, LEASE_MS, self.holder)
            if left_ms is None:
                return
            self.waits += 1
            self.channel.get_message(timeout=max(left_ms, 1) / 1000)

    def renew(self):
        return self.commands.eval(RENEW, 1, NAME, LEASE_MS, self.holder)

    def release(self):
        latch = "redisson_unlock_latch:{orders}:%s" % uuid.uuid4()
        return self.commands.eval(RELEASE, 3, NAME, CHANNEL, latch, 0, LEASE_MS, self.holder, "publish", 13500)


def compete(failures, waits):
    try:
        lock = Lock()
        for _ in range(TURNS):
            lock.take()
            count = int(lock.commands.get("{orders}:count") or 0)
            time.sleep(0.001)           # a lock that does not hold would lose updates here
            lock.commands.set("{orders}:count", count + 1)
            assert lock.release() == 1
        waits.append(lock.waits)
    except Exception as error:          # shown by the main thread
        failures.append(repr(error))


def main():
    # What Redisson asks to find out that it is on a cluster: keys of two slots.
    try:
        redis.Redis(port=PORT).eval("return 1", 2, "test1", "test2")
        raise AssertionError("keys of two slots were accepted")
    except redis.ResponseError as error:
        assert str(error).startswith("CROSSSLOT"), error

    failures, waits = [], []
    threads = [threading.Thread(target=compete, args=(failures, waits)) for _ in range(HOLDERS)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert int(redis.Redis(port=PORT).get("{orders}:count")) == HOLDERS * TURNS
    # Wake-ups came by message: waiting for leases to end would have taken much longer.
    assert sum(waits) > 0 and time.monotonic() - started < LEASE_MS / 1000 * 4

    first, second = Lock(), Lock()
    first.take()
    for _ in range(4):
        time.sleep(0.05)
        assert first.renew() == 1
    assert second.renew() == 0 and second.release() is None
    assert first.release() == 1
    second.take()
    second.take()                        # reentrant
    assert second.release() == 0 and second.release() == 1
    print("ok")


main()
