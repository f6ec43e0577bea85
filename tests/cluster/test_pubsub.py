"""Channels through keyway: order, loss, counts, failover, slot moves, events of keys."""
import itertools
import random
import signal
import time

import redis

from language.slots import slot_of
from support.client import Client
from support.testing import FRESH, test
from support.topology import Mover, owner_of, tags_served_by
from support.wait import until

MESSAGES = 3000


def subscribe(t, *words, resp3=False):
    """A client that has sent WORDS, a command of the family, and read all its confirmations."""
    client = t.client()
    if resp3:
        client.call("HELLO", "3")
    client.send(*words)
    for _ in words[1:]:
        client.read()
    return client


def quiet(client, wait_s=0.3):
    """True when CLIENT gets nothing for a while."""
    client.sock.settimeout(wait_s)
    try:
        return client.sock.recv(1) == b""
    except TimeoutError:
        return True
    finally:
        client.sock.settimeout(10)


@test(arguments=["--threads", "2"])
def messages_of_each_publisher_come_in_order_and_none_is_lost(t):
    """Publishers through keyway and at the nodes, subscribers of both versions on two threads."""
    names = ["order:%d" % n for n in range(6)]
    subscribers = [subscribe(t, "SUBSCRIBE", *names, resp3=n % 2 == 1) for n in range(6)]
    publishers = [t.client() for _ in range(3)] + [
        t.direct(node["port"]) for node, _ in t.masters()]

    for at in range(0, MESSAGES, 100):
        for number, publisher in enumerate(publishers):
            publisher.pipeline([("PUBLISH", names[number], n) for n in range(at, at + 100)])

    for subscriber in subscribers:
        seen = {name: [] for name in names}
        for _ in range(MESSAGES * len(publishers)):
            word, channel, number = subscriber.read()
            assert word == b"message"
            seen[channel.decode()].append(int(number))
        for name in names:
            assert seen[name] == list(range(MESSAGES)), name
        assert quiet(subscriber, 0.05)


def publish_everywhere(publishers, names, start, count):
    """COUNT numbered messages of each publisher, in pipelines, over NAMES in a random order."""
    draw = random.Random(start)
    for at in range(start, start + count, 100):
        for number, publisher in enumerate(publishers):
            publisher.pipeline([("PUBLISH", draw.choice(names), "%d:%d" % (number, n))
                                for n in range(at, at + 100)])


def hear_in_order(subscriber, publishers_count, start, count, word):
    """Each publisher's messages come one after the other, whatever the channel."""
    following = [start] * publishers_count
    for _ in range(publishers_count * count):
        message = subscriber.read()
        assert message[0] == word, message
        number, n = map(int, message[-1].split(b":"))
        assert n == following[number], (number, n, following[number])
        following[number] += 1
    assert following == [start + count] * publishers_count


@test(cluster=FRESH, arguments=["--threads", "2", "--pubsub-in-order", "yes"])
def messages_to_many_channels_come_in_the_order_of_their_publisher(t):
    publishers = [t.client() for _ in range(4)]
    heard = 0
    for count in (2, 7, 50):
        names = ["wide:%d:%d" % (count, n) for n in range(count)]
        subscribers = [(subscribe(t, "SUBSCRIBE", *names, resp3=n % 2 == 1), b"message")
                       for n in range(3)]
        subscribers += [(subscribe(t, "PSUBSCRIBE", "wide:%d:*" % count), b"pmessage")
                        for _ in range(2)]
        publish_everywhere(publishers, names, heard, 1000)
        for subscriber, word in subscribers:
            hear_in_order(subscriber, len(publishers), heard, 1000, word)
        assert t.client().call("PUBLISH", names[0], "x") == 5
        heard += 1000

    subscribers = [subscribe(t, "SUBSCRIBE", *names), subscribe(t, "PSUBSCRIBE", "wide:50:*")]
    t.cluster.kill(owner_of(t.cluster, 0)["port"], signal.SIGKILL)
    served = next(key for key in map(str, itertools.count()) if slot_of(key) == 0)
    until(lambda: t.client().call("SET", served, "v") == b"OK", 30 * t.patience,
          "the owner of slot 0 has a successor")
    for subscriber in subscribers:
        until(lambda: hears_all(subscriber, publishers[0], names), 30 * t.patience, "all is heard")
    publishers[0].call("PUBLISH", names[0], "begin")
    for subscriber in subscribers:
        while subscriber.read()[-1] != b"begin":
            pass     # what is left of the probes
    publish_everywhere(publishers, names, heard, 1000)
    hear_in_order(subscribers[0], len(publishers), heard, 1000, b"message")
    hear_in_order(subscribers[1], len(publishers), heard, 1000, b"pmessage")


def hears_all(subscriber, publisher, names):
    """Does SUBSCRIBER get a message of each of NAMES now?"""
    text = b"probe %d" % random.getrandbits(60)
    publisher.pipeline([("PUBLISH", name, text) for name in names])
    seen = set()
    subscriber.sock.settimeout(1)
    try:
        while len(seen) < len(names):
            message = subscriber.read()
            if message[-1] == text:
                seen.add(message[-2])
    except TimeoutError:
        subscriber.file = subscriber.sock.makefile("rb", 65536)
    finally:
        subscriber.sock.settimeout(10)
    return len(seen) == len(names)


@test(arguments=["--threads", "2"])
def a_message_published_after_the_confirmation_always_arrives(t):
    node_clients = [t.direct(node["port"]) for node, _ in t.masters()]

    for n in range(150):
        with Client(t.keyway.port) as client:
            client.send("SUBSCRIBE", "fresh:%d" % n)
            client.read()
            node_clients[n % 3].call("PUBLISH", "fresh:%d" % n, "m")
            assert client.read() == [b"message", b"fresh:%d" % n, b"m"]


@test(arguments=["--threads", "3"])
def publish_counts_the_clients_of_all_threads(t):
    publisher = t.client()
    channel = "count:{c}"
    direct = t.direct(owner_of(t.cluster, 7365)["port"])
    direct.send("SUBSCRIBE", channel)
    direct.read()

    assert publisher.call("PUBLISH", channel, "m") == 1
    clients = [subscribe(t, "SUBSCRIBE", channel) for _ in range(7)]
    assert publisher.call("PUBLISH", channel, "m") == 8
    patterns = [subscribe(t, "PSUBSCRIBE", "count:*") for _ in range(4)]
    assert publisher.call("PUBLISH", channel, "m") == 12
    everything = subscribe(t, "PSUBSCRIBE", "*")
    assert publisher.call("PUBLISH", channel, "m") == 13
    shard = [subscribe(t, "SSUBSCRIBE", channel) for _ in range(3)]
    assert publisher.call("SPUBLISH", channel, "s") == 3
    for client in clients + patterns + [everything] + shard:
        client.close()
    until(lambda: publisher.call("PUBLISH", channel, "m") == 1, 5, "the clients are gone")
    assert publisher.call("SPUBLISH", channel, "s") == 0


@test()
def a_client_subscribed_to_a_channel_and_to_patterns_gets_each(t):
    client = subscribe(t, "SUBSCRIBE", "both")
    client.send("PSUBSCRIBE", "b*", "*oth")
    client.read(), client.read()

    t.client().call("PUBLISH", "both", "m")
    got = [client.read() for _ in range(3)]

    assert [b"message", b"both", b"m"] in got
    assert [b"pmessage", b"b*", b"both", b"m"] in got
    assert [b"pmessage", b"*oth", b"both", b"m"] in got
    assert quiet(client)


@test(cluster=FRESH, config={"notify-keyspace-events": "KEA"}, arguments=["--threads", "2"])
def events_of_keys_of_all_masters_come_exactly_once(t):
    tags = [tag for node, _ in t.masters() for tag in tags_served_by(node, 20)]
    channel = "__keyevent@0__:set"
    clients = [subscribe(t, "SUBSCRIBE", channel), subscribe(t, "PSUBSCRIBE", "__keyevent@*:set"),
               subscribe(t, "PSUBSCRIBE", "*")]
    writer = t.client()

    for tag in tags:
        assert writer.call("SET", "{%s}" % tag, "v") == b"OK"
    writer.call("PUBLISH", "ordinary", "m")

    wanted = sorted(("{%s}" % tag).encode() for tag in tags)
    assert sorted(clients[0].read()[2] for _ in tags) == wanted
    assert sorted(clients[1].read()[3] for _ in tags) == wanted
    seen = [clients[2].read() for _ in range(2 * len(tags) + 1)]
    assert sorted(m[3] for m in seen if m[2] == channel.encode()) == wanted
    assert sum(m[2] == b"ordinary" for m in seen) == 1
    for client in clients:
        assert quiet(client)


@test(cluster=FRESH, arguments=["--threads", "2"])
def the_home_of_channels_dies_and_they_are_subscribed_to_elsewhere(t):
    victim, other, _ = [node for node, _ in t.masters()]
    (tag,) = tags_served_by(victim, 1)
    names = ["{%s}:%d" % (tag, n) for n in range(10)]
    clients = [subscribe(t, "SUBSCRIBE", *names) for _ in range(4)]
    publisher = t.direct(other["port"])

    t.cluster.kill(victim["port"], signal.SIGKILL)
    began = time.monotonic()
    for client in clients:
        client.sock.settimeout(0.05)
    heard = [set() for _ in clients]
    while time.monotonic() - began < 10 and not all(len(one) == 10 for one in heard):
        for name in names:
            publisher.call("PUBLISH", name, "again")
        for client, one in zip(clients, heard):
            try:
                while True:
                    one.add(client.read()[1])
            except TimeoutError:
                client.file = client.sock.makefile("rb", 65536)
    took_s = time.monotonic() - began
    assert all(len(one) == 10 for one in heard), heard
    assert took_s < 2 * t.patience, "resubscribed after %.1f s" % took_s
    print("     (messages again %.2f s after kill -9)" % took_s)


@test(cluster=FRESH, arguments=["--threads", "2"])
def shard_channels_follow_their_slot(t):
    source, target, _ = [node for node, _ in t.masters()]
    (tag,) = tags_served_by(source, 1)
    channel = "{%s}" % tag
    clients = [subscribe(t, "SSUBSCRIBE", channel, resp3=n == 1) for n in range(3)]
    publisher = t.client()
    slot = publisher.call("CLUSTER", "KEYSLOT", channel)
    if not isinstance(slot, int):
        slot = t.direct(source["port"]).call("CLUSTER", "KEYSLOT", channel)

    assert publisher.call("SPUBLISH", channel, "before") == 3
    Mover(t.cluster, t.direct).move(slot, source, target)
    until(lambda: publisher.call("SPUBLISH", channel, "after") == 3, 5 * t.patience,
          "subscribed at the new owner")
    words = [[] for _ in clients]

    def all_hear():                  # each thread has its own feed
        publisher.call("SPUBLISH", channel, "last")
        for client, own in zip(clients, words):
            own += heard_so_far(client)
        return all(own[-1:] and own[-1][2] == b"last" for own in words)
    until(all_hear, 10, "everybody hears of the new owner")
    for own in words:
        assert own[0] == [b"smessage", channel.encode(), b"before"]


@test(arguments=["--client-output-buffer-limit", "pubsub 1mb 512kb 60"])
def trap_7_a_slow_subscriber_is_closed_and_the_others_lose_nothing(t):
    slow, good = subscribe(t, "SUBSCRIBE", "bulk"), subscribe(t, "SUBSCRIBE", "bulk")
    publisher, text = t.client(), "x" * 20000

    for _ in range(60):
        publisher.pipeline([("PUBLISH", "bulk", text)] * 10)
        for _ in range(10):
            assert good.read()[2] == text.encode()

    until(lambda: publisher.call("PUBLISH", "bulk", "end") == 1, 5, "the slow one is closed")
    assert good.read()[2] == b"end"
    assert "client-output-buffer-limit" in t.keyway.log_tail(30)
    slow.close()


@test(arguments=["--threads", "2"])
def redis_py_subscribes_and_hears(t):
    for protocol in (2, 3):
        try:
            client = redis.Redis(port=t.keyway.port, protocol=protocol)
        except TypeError:
            client = redis.Redis(port=t.keyway.port)
        pubsub = client.pubsub()
        pubsub.subscribe("py:1", "py:2")
        pubsub.psubscribe("py:*")
        for _ in range(3):
            assert pubsub.get_message(timeout=5)["type"] in ("subscribe", "psubscribe")
        assert client.publish("py:1", "hello") == 2
        got = sorted(pubsub.get_message(timeout=5)["type"] for _ in range(2))
        assert got == ["message", "pmessage"]
        pubsub.unsubscribe()
        pubsub.punsubscribe()
        for _ in range(3):
            assert pubsub.get_message(timeout=5)["type"] in ("unsubscribe", "punsubscribe")
        assert client.get("nothing") is None
        pubsub.close()
        client.close()


@test(cluster=FRESH, arguments=["--threads", "2"])
def subscriptions_that_come_and_go_while_feeds_are_killed_end_up_right(t):
    chance = random.Random(11)
    words = (("SUBSCRIBE", "UNSUBSCRIBE", "name"), ("PSUBSCRIBE", "PUNSUBSCRIBE", "name:1*"),
             ("SSUBSCRIBE", "SUNSUBSCRIBE", "shard"))
    clients = [t.client() for _ in range(20)]
    wanted = [set() for _ in clients]
    for client in clients:
        client.call("HELLO", "3")
    nodes = [t.direct(node["port"]) for node, _ in t.masters()]

    for step in range(1500):
        number = chance.randrange(len(clients))
        add, remove, name = chance.choice(words)
        name = name if "*" in name else "%s:%d" % (name, chance.randrange(30))
        word = add if chance.random() < 0.6 else remove
        clients[number].send(word, name)
        push = clients[number].read()
        while isinstance(push, list) and push[0].endswith(b"message"):
            push = clients[number].read()
        assert isinstance(push, list) and push[:2] == [
            word.lower().encode(), name.encode()], (step, word, name, push)
        (wanted[number].add if word == add else wanted[number].discard)((add, name))
        if step % 50 == 0:
            chance.choice(nodes).call("CLIENT", "KILL", "TYPE", "pubsub")
        if step % 7 == 0:
            nodes[0].call("PUBLISH", "name:%d" % chance.randrange(30), "noise")
    numbers = itertools.count()
    until(lambda: a_round_is_heard(t, clients, wanted, b"final %d" % next(numbers)), 30,
          "all messages of a round")


def a_round_is_heard(t, clients, wanted, text):
    """What comes is right. False when some did not: the last feeds are still being made again."""
    publisher = t.client()
    for n in range(30):
        publisher.call("PUBLISH", "name:%d" % n, text)
        publisher.call("SPUBLISH", "shard:%d" % n, text)
    for client, subscriptions in zip(clients, wanted):
        expected = sorted(
            [("message", name) for word, name in subscriptions if word == "SUBSCRIBE"] +
            [("smessage", name) for word, name in subscriptions if word == "SSUBSCRIBE"] +
            [("pmessage", "name:%d" % n) for word, name in subscriptions if word == "PSUBSCRIBE"
             for n in range(30) if ("name:%d" % n).startswith("name:1")])
        got = []

        def is_all(client=client, got=got, expected=expected):
            got += [(push[0].decode(), push[-2].decode()) for push in heard_so_far(client)
                    if push[-1] == text]
            return len(got) >= len(expected)
        try:
            until(is_all, 5, "all messages")
        except AssertionError:
            assert set(got) < set(expected), (got, expected)
            return False
        assert sorted(got) == expected
    return True


def heard_so_far(client):
    """The pushes in front of the answer to a PING."""
    client.send("PING")
    pushes = []
    while True:
        value = client.read()
        if value in (b"PONG", [b"pong", b""]):
            return pushes
        pushes.append(value)
