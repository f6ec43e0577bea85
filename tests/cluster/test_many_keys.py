"""Requests whose keys live on several nodes, and those for all shards: as one redis answers them."""
import random
import threading
import time

from language.machine import slowness
from language.slots import slot_of
from support.client import ErrorReply
from support.single import single_redis
from support.testing import FRESH, SHARED, test
from support.topology import masters_of, move_around, rounds, tags_served_by

SEED = 7
ROUNDS = 1500
MANY = 100_000


def random_command(rng):
    """A command over up to 24 of 40 keys, some of them twice, some of the wrong type."""
    def keys(least=1):
        return ["k%d" % rng.randrange(40) for _ in range(rng.randint(least, 24))]

    def pairs():
        return [word for key in keys() for word in (key, "v%d" % rng.randrange(1000))]
    kind = rng.randrange(12)
    if kind < 3:
        return ["MSET"] + pairs()
    if kind < 6:
        return ["MGET"] + keys()
    if kind == 6:
        return ["EXISTS"] + keys()
    if kind == 7:
        return ["TOUCH"] + keys()
    if kind == 8:
        return [rng.choice(["DEL", "UNLINK"])] + keys()[:6]
    if kind == 9:
        return ["RPUSH", "k%d" % rng.randrange(40), "x"]
    if kind == 10:
        return rng.choice([["DBSIZE"], ["MSET", "k1", "a", "k2"], ["MGET"], ["DEL"]])
    return ["SET", "k%d" % rng.randrange(40), "s%d" % rng.randrange(1000)]


def compare(t, proto):
    rng = random.Random(SEED + proto)
    with single_redis() as port:
        plain, proxied = t.direct(port), t.client()
        for client in (plain, proxied):
            assert not isinstance(client.call("HELLO", proto), ErrorReply)
        for start in range(0, ROUNDS, 50):
            commands = [random_command(rng) for _ in range(rng.randint(1, 50))]
            expected, got = plain.pipeline(commands), proxied.pipeline(commands)
            for words, mine, theirs in zip(commands, got, expected):
                assert mine == theirs, "%r: %r, redis says %r" % (words, mine, theirs)
        assert sorted(proxied.call("KEYS", "*")) == sorted(plain.call("KEYS", "*"))
        assert sorted(proxied.call("KEYS", "k1?")) == sorted(plain.call("KEYS", "k1?"))
        assert proxied.call("FLUSHALL") == b"OK" and proxied.call("DBSIZE") == 0


@test(cluster=SHARED)
def random_requests_with_many_keys_answer_as_one_redis_in_resp2(t):
    compare(t, 2)


@test(cluster=SHARED)
def random_requests_with_many_keys_answer_as_one_redis_in_resp3(t):
    compare(t, 3)


@test(cluster=SHARED)
def a_hundred_thousand_keys_in_one_request(t):
    client = t.client(60)
    keys = ["many:%d" % n for n in range(MANY)]
    pairs = [word for key in keys for word in (key, key)]

    timed(client, b"OK", "MSET", *pairs)
    assert client.call("DBSIZE") == MANY
    timed(client, [key.encode() for key in keys], "MGET", *keys)
    timed(client, MANY, "EXISTS", *keys)
    timed(client, MANY, "DEL", *keys)
    assert client.call("DBSIZE") == 0
    timed(client, [None] * MANY, "MGET", *keys)


def timed(client, expected, *words):
    began = time.monotonic()
    reply = client.call(*words)
    took_s = time.monotonic() - began
    assert reply == expected, "%s answers %.200r" % (words[0], reply)
    assert took_s < 8 * slowness(), "%s took %.1f s" % (words[0], took_s)
    print("     (%s of %d words: %.2f s)" % (words[0], len(words), took_s))


@test(cluster=SHARED)
def values_of_any_size_come_back_in_their_places(t):
    client = t.client(30)
    rng = random.Random(SEED)
    sizes = [0, 1, 70, 88, 89, 200, 8191, 8192, 8193, 16384, 70000, 300000, 2_000_000]
    values = {"size:%d:%d" % (n, size): bytes([97 + n]) * size
              for n in range(3) for size in sizes}
    keys = list(values)
    assert client.call("MSET", *[w for key in keys for w in (key, values[key])]) == b"OK"
    for _ in range(5):
        rng.shuffle(keys)
        asked = keys + ["size:none", keys[0]]
        got = client.call("MGET", *asked)
        assert got == [values.get(key) for key in asked]


@test(cluster=SHARED)
def msetnx_over_several_slots_is_crossslot(t):
    reply = t.client().call("MSETNX", "a", "1", "b", "2")
    assert reply == ErrorReply("CROSSSLOT Keys in request don't hash to the same slot")


@test(cluster=SHARED)
def randomkey_is_fair_between_shards_of_different_sizes(t):
    client = t.client()
    assert client.call("RANDOMKEY") is None
    tags = {}
    n = 0
    while len(tags) < 3:
        slot = slot_of("r%d" % n)
        owner = next(node["id"] for node, ranges in masters_of(t.cluster)
                     if any(low <= slot <= high for low, high in ranges))
        tags.setdefault(owner, "r%d" % n)
        n += 1
    weights = dict(zip(tags.values(), (60, 30, 10)))
    for tag, count in weights.items():
        client.pipeline([("SET", "{%s}%d" % (tag, i), "v") for i in range(count)])
    seen = dict.fromkeys(weights, 0)
    for key in client.pipeline([("RANDOMKEY",)] * 3000):
        seen[key.decode().split("}")[0][1:]] += 1
    for tag, weight in weights.items():
        assert abs(seen[tag] - weight * 30) < 250, "%r for weights %r" % (seen, weights)


@test(cluster=SHARED)
def commands_for_all_shards_answer_as_one_redis(t):
    for proto in (2, 3):
        with single_redis() as port:
            plain, proxied = t.direct(port), t.client()
            for client in (plain, proxied):
                client.call("HELLO", proto)
                client.call("SCRIPT", "FLUSH")
                client.call("FUNCTION", "FLUSH")
            sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
            library = "#!lua name=lib\nredis.register_function('f', function() return 7 end)"
            commands = [
                ("DBSIZE",), ("SCRIPT", "LOAD", "return 1"), ("SCRIPT", "EXISTS", sha, "x" * 40),
                ("SCRIPT", "LOAD", "nonsense("), ("EVALSHA", sha, "0"), ("SCRIPT", "KILL"),
                ("SCRIPT", "FLUSH", "SYNC"), ("SCRIPT", "FLUSH", "nonsense"),
                ("SCRIPT", "EXISTS", sha), ("FUNCTION", "LOAD", library),
                ("FUNCTION", "LOAD", library), ("FUNCTION", "LOAD", "REPLACE", library),
                ("FCALL", "f", "0"), ("FUNCTION", "LIST"), ("FUNCTION", "STATS"),
                ("FUNCTION", "KILL"), ("FUNCTION", "DELETE", "lib"), ("FUNCTION", "DELETE", "lib"),
                ("FUNCTION", "LIST"), ("MEMORY", "PURGE"), ("FLUSHDB", "ASYNC"),
                ("FLUSHALL", "nonsense"), ("KEYS", "*"), ("KEYS", "{a}*"), ("RANDOMKEY",),
                ("FUNCTION", "RESTORE", "nonsense"), ("FUNCTION", "LOAD", "nonsense"),
            ]
            for words in commands:
                mine, theirs = proxied.call(*words), plain.call(*words)
                assert mine == theirs, "%r: %r, redis says %r" % (words, mine, theirs)
            assert abs(proxied.call("LASTSAVE") - plain.call("LASTSAVE")) < 600
            stats = proxied.call("MEMORY", "STATS")
            names = stats[::2] if proto == 2 else list(stats)
            assert b"total.allocated" in names and b"keys.count" in names, names
            assert proxied.call("MEMORY", "DOCTOR").count(b"# 127.0.0.1:") == 3
            dump = proxied.call("FUNCTION", "DUMP")
            assert proxied.call("FUNCTION", "RESTORE", dump, "FLUSH") == b"OK"


@test(cluster=SHARED, arguments=["--personality", "cluster"])
def slots_are_counted_where_they_are(t):
    client = t.client()
    assert client.call("CLUSTER", "COUNTKEYSINSLOT", "15495") == 0
    client.call("SET", "a", "1")
    assert client.call("CLUSTER", "COUNTKEYSINSLOT", "15495") == 1
    assert client.call("CLUSTER", "GETKEYSINSLOT", "15495", "10") == [b"a"]
    assert client.call("CLUSTER", "COUNTKEYSINSLOT", "16384") == ErrorReply("ERR Invalid slot")


@test(cluster=FRESH, masters=3, replicas=0)
def a_shard_that_is_down_is_named_and_nothing_is_partly_answered(t):
    client = t.client()
    keys = ["k%d" % n for n in range(30)]
    assert client.call("MSET", *[w for key in keys for w in (key, "v")]) == b"OK"
    lost = t.cluster.ports[0]
    t.cluster.kill(lost)
    deadline = time.monotonic() + 10
    while not isinstance(client.call("DBSIZE"), ErrorReply):
        assert time.monotonic() < deadline
    for words in (["DBSIZE"], ["KEYS", "*"], ["MGET"] + keys, ["EXISTS"] + keys, ["RANDOMKEY"]):
        reply = client.call(*words)
        assert isinstance(reply, ErrorReply) and (
            "127.0.0.1:%d" % lost in reply.text or "CLUSTERDOWN" in reply.text), (words, reply)
    reply = client.call("DEL", *keys)
    assert isinstance(reply, ErrorReply), reply


MOVE_ROUNDS = 25      # of six slots


@test(cluster=FRESH, replicas=0, arguments=["--threads", "1"])
def requests_over_many_slots_stay_exact_while_slots_move(t):
    """Pipelines of MSET, MGET, DEL and EXISTS over moving slots, checked against a model each."""
    masters = [node for node, _ in t.masters()]
    tags = [tag for node in masters for tag in tags_served_by(node, 2)]
    problems, counts, is_over = [], [], threading.Event()

    def play(number):
        rng, client, model = random.Random(number), t.client(30), {}
        keys = ["{%s}:%d:%d" % (tag, number, n) for tag in tags for n in range(6)]
        asked = 0
        while not is_over.is_set() and not problems:
            batch, expected = [], []
            for _ in range(rng.randint(1, 12)):
                chosen = [rng.choice(keys) for _ in range(rng.randint(2, 20))]
                kind = rng.randrange(4)
                if kind == 0:
                    values = [b"%d" % rng.randrange(10**6) for _ in chosen]
                    batch.append(["MSET"] + [w for pair in zip(chosen, values) for w in pair])
                    model.update(zip(chosen, values))
                    expected.append(b"OK")
                elif kind == 1:
                    batch.append(["MGET"] + chosen)
                    expected.append([model.get(key) for key in chosen])
                elif kind == 2:
                    batch.append(["EXISTS"] + chosen)
                    expected.append(sum(key in model for key in chosen))
                else:
                    batch.append(["DEL"] + chosen[:4])
                    expected.append(sum(model.pop(key, None) is not None for key in chosen[:4]))
            replies = client.pipeline(batch)
            asked += len(batch)
            for words, mine, right in zip(batch, replies, expected):
                if mine != right:
                    problems.append((words, mine, right))
        counts.append(asked)
    threads = [threading.Thread(target=play, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    moves = move_around(t.cluster, t.direct, tags, rounds(MOVE_ROUNDS))
    is_over.set()
    for thread in threads:
        thread.join(60)
    assert not problems, problems[:2]
    assert len(counts) == len(threads) and min(counts) > 100, counts
    print("     (%d requests, %d slots moved)" % (sum(counts), moves))
