"""CLIENT TRACKING through keyway: no value that a client keeps stays stale."""
import random
import signal
import threading
import time

from support.client import Client
from support.programs import run_node_script
from support.testing import FRESH, test
from support.topology import Mover, tags_served_by
from support.wait import until

KEYS = 60


class Cache:
    """A client with a cache of its own, kept by what keyway tells it, in the order it tells it."""

    def __init__(self, port, *options):
        self.client = Client(port)
        self.client.call("HELLO", "3")
        self.values = {}
        self.pushes = 0
        assert self.client.call("CLIENT", "TRACKING", "ON", *options) == b"OK"

    def reply(self):
        """The next reply; pushes before it are heeded."""
        while self.client.file.peek(1)[:1] == b">":
            self.heed(self.client.read())
        return self.client.read()

    def heed(self, push):
        assert push[0] == b"invalidate", push
        self.pushes += 1
        if push[1] is None:
            self.values.clear()
        else:
            for key in push[1]:
                self.values.pop(key.decode(), None)

    def fill(self, keys):
        """Read what is missing, all of it in one pipeline."""
        self.client.send("CLIENT", "ID")
        self.reply()                     # what was told by now is heeded
        missing = [key for key in keys if key not in self.values]
        self.client.send_all([("GET", key) for key in missing])
        for key in missing:
            value = self.reply()
            if not hasattr(value, "text"):
                self.values[key] = value

    def drain(self, wait_s):
        until_s = time.monotonic() + wait_s
        while time.monotonic() < until_s:
            self.client.send("CLIENT", "ID")
            self.reply()
            time.sleep(0.01)


def write_until(port, keys, is_over, seed):
    chance = random.Random(seed)
    with Client(port) as client:
        number = 0
        while not is_over.is_set():
            number += 1
            client.pipeline([("SET", chance.choice(keys), "%d:%d" % (seed, number))
                             for _ in range(5)])


def stale_values(t, caches, keys):
    reader = t.client()
    truth = {key: reader.call("GET", key) for key in keys}
    return [(key, value, truth[key]) for cache in caches for key, value in cache.values.items()
            if value != truth[key]]


@test(arguments=["--threads", "2"])
def no_value_stays_stale_under_concurrent_writers(t):
    keys = ["track:%d" % n for n in range(KEYS)]
    is_over = threading.Event()
    writers = [threading.Thread(target=write_until, args=(t.keyway.port, keys, is_over, n))
               for n in range(3)]
    caches = [Cache(t.keyway.port), Cache(t.keyway.port, "BCAST", "PREFIX", "track:"),
              Cache(t.keyway.port, "NOLOOP"), Cache(t.keyway.port)]
    for writer in writers:
        writer.start()

    for _ in range(4):
        until_s = time.monotonic() + 0.6
        while time.monotonic() < until_s:
            for cache in caches:
                cache.fill(keys)
    is_over.set()
    for writer in writers:
        writer.join()
    for cache in caches:
        cache.fill(keys)
        cache.drain(0.3)

    assert stale_values(t, caches, keys) == []
    assert all(cache.pushes > 20 for cache in caches), [cache.pushes for cache in caches]
    assert any(len(cache.values) > 0 for cache in caches)
    print("     (%s invalidations)" % [cache.pushes for cache in caches])


@test(cluster=FRESH, arguments=["--threads", "2"])
def no_value_stays_stale_when_slots_move_and_masters_die(t):
    masters = [node for node, _ in t.masters()]
    tags = [tag for node in masters for tag in tags_served_by(node, 4)]
    keys = ["{%s}:%d" % (tag, n) for tag in tags for n in range(3)]
    cache, writer = Cache(t.keyway.port), t.client()
    for key in keys:
        writer.call("SET", key, "before")
    cache.fill(keys)
    (tag,) = tags_served_by(masters[0], 1)
    slot = t.direct(masters[0]["port"]).call("CLUSTER", "KEYSLOT", "{%s}" % tag)

    Mover(t.cluster, t.direct).move(slot, masters[0], masters[1])
    for key in keys:
        writer.call("SET", key, "moved")
    cache.drain(1.0)
    assert stale_values(t, [cache], keys) == []

    cache.fill(keys)
    t.cluster.kill(masters[2]["port"], signal.SIGKILL)
    until(lambda: all(writer.call("SET", key, "after") == b"OK" for key in keys), 20,
          "the replica is promoted")
    cache.drain(1.5)
    assert stale_values(t, [cache], keys) == []
    cache.fill(keys)
    for key in keys:
        writer.call("SET", key, "later")
    cache.drain(0.5)
    assert cache.values == {}


@test(arguments=["--threads", "3"])
def resp2_clients_redirect_to_one_of_another_thread(t):
    subscribers = []
    for _ in range(6):
        client = t.client()
        identity = client.call("CLIENT", "ID")
        client.call("SUBSCRIBE", "__redis__:invalidate")
        subscribers.append((client, identity))
    readers = [t.client() for _ in subscribers]
    for reader, (_, identity) in zip(readers, subscribers):
        assert reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", identity) == b"OK"
        assert reader.call("GET", "redirected") is None

    t.client().call("SET", "redirected", "v")

    for client, _ in subscribers:
        assert client.read() == [b"message", b"__redis__:invalidate", [b"redirected"]]
    subscribers[0][0].close()
    assert readers[0].call("GET", "redirected") == b"v"
    t.client().call("SET", "redirected", "w")
    until(lambda: b"broken_redirect" in readers[0].call("CLIENT", "TRACKINGINFO")[1], 5,
          "the redirection is known to be broken")


@test()
def a_flush_of_the_keyspace_is_told(t):
    cache = Cache(t.keyway.port)
    t.client().call("SET", "flushed", "v")
    cache.fill(["flushed"])
    assert cache.values == {"flushed": b"v"}

    for node, _ in t.masters():
        t.direct(node["port"]).call("FLUSHALL")

    until(lambda: cache.drain(0.01) or cache.values == {}, 5, "the null is told")


@test()
def node_redis_with_its_client_side_cache(t):
    run_node_script(t, "redis_tracking.mjs")
