"""The near cache before real servers: the same bytes, and never a value that was overtaken."""
import os
import random
import signal
import threading

from support.client import Client, encode
from support.testing import test
from support.wait import until

# A lease far longer than a loaded machine pauses, where silence is not what the test is about.
ON = ["--threads", "2", "--near-cache", "yes", "--near-cache-admit-reads", "1",
      "--near-cache-lease-ms", "10000"]

END = b"$8\r\nnear-end\r\n"


def raw(client, *words):
    """The bytes of one reply."""
    client.sock.sendall(encode(words) + encode(["ECHO", "near-end"]))
    got = b""
    while not got.endswith(END):
        got += client.file.read1(65536)
    return got[:-len(END)]


def figures(client):
    text = client.call("INFO", "nearcache").decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def hits(client):
    return int(figures(client)["near_cache_hits"])


def all_nodes_track(t, count=3):
    until(lambda: int(figures(t.client())["near_cache_nodes_tracked"]) == count,
          10 * t.patience, "every node is tracked")


def owner(t, key):
    """A client of the server that has KEY."""
    with Client(t.cluster.ports[0]) as any_one:
        slot = any_one.call("CLUSTER", "KEYSLOT", key)
    for node, ranges in t.masters():
        if any(first <= slot <= last for first, last in ranges):
            return t.direct(node["port"])
    raise AssertionError("nobody owns %r" % key)


def read_until_kept(client, t, *words):
    """The reply of WORDS that came from memory."""
    reply = []

    def is_hit():
        before = hits(client)
        reply[:] = [client.call(*words)]
        return hits(client) > before
    until(is_hit, 10 * t.patience, "%r is answered from memory" % (words,))
    return reply[0]


READS = [
    ("GET", "near:s"), ("GET", "near:none"), ("STRLEN", "near:s"), ("STRLEN", "near:none"),
    ("GETRANGE", "near:s", "1", "3"), ("GETRANGE", "near:none", "0", "-1"),
    ("SUBSTR", "near:s", "0", "1"),
    ("GETBIT", "near:s", "5"), ("BITCOUNT", "near:s"), ("BITCOUNT", "near:s", "0", "1"),
    ("BITPOS", "near:s", "1"), ("TYPE", "near:s"), ("TYPE", "near:none"), ("TYPE", "near:z"),
    ("HGET", "near:h", "a"), ("HGET", "near:h", "none"), ("HGET", "near:none", "a"),
    ("HMGET", "near:h", "a", "none", "b"), ("HGETALL", "near:h"), ("HGETALL", "near:none"),
    ("HLEN", "near:h"), ("HEXISTS", "near:h", "a"), ("HKEYS", "near:h"), ("HVALS", "near:h"),
    ("HSTRLEN", "near:h", "b"),
    ("SMEMBERS", "near:set"), ("SMEMBERS", "near:none"), ("SISMEMBER", "near:set", "2"),
    ("SMISMEMBER", "near:set", "2", "9"), ("SCARD", "near:set"),
    ("ZRANGE", "near:z", "0", "-1"), ("ZRANGE", "near:z", "0", "-1", "WITHSCORES"),
    ("ZRANGE", "near:none", "0", "-1", "WITHSCORES"), ("ZREVRANGE", "near:z", "0", "0"),
    ("ZRANGEBYSCORE", "near:z", "-inf", "3", "WITHSCORES"), ("ZSCORE", "near:z", "pi"),
    ("ZSCORE", "near:z", "none"), ("ZMSCORE", "near:z", "pi", "none", "big"), ("ZCARD", "near:z"),
    ("ZCOUNT", "near:z", "0", "9"), ("ZRANK", "near:z", "pi"), ("ZRANK", "near:z", "none"),
    ("ZREVRANK", "near:z", "pi"), ("ZLEXCOUNT", "near:z", "-", "+"),
    ("LRANGE", "near:l", "0", "-1"), ("LRANGE", "near:none", "0", "-1"), ("LINDEX", "near:l", "1"),
    ("LINDEX", "near:l", "9"), ("LLEN", "near:l"), ("LPOS", "near:l", "two"),
    ("LPOS", "near:l", "none"), ("LPOS", "near:l", "two", "COUNT", "0"),
]


def store_one_of_each(client):
    client.pipeline([
        ("SET", "near:s", "a value\r\nof two lines"),
        ("HSET", "near:h", "a", "1", "b", "x" * 300, "", "empty"),
        ("SADD", "near:set", "1", "2", "3"),
        ("ZADD", "near:z", "3.1415926535897931", "pi", "1e21", "big", "-inf", "least", "2", "two"),
        ("RPUSH", "near:l", "one", "two", "", "two"),
    ])


@test(arguments=ON)
def every_reply_from_memory_is_the_servers_own(t):
    all_nodes_track(t)
    store_one_of_each(t.client())
    for proto in ("2", "3"):
        client, figures_of = t.client(), t.client()
        client.call("HELLO", proto)
        for words in READS:
            server = owner(t, words[1])
            server.call("HELLO", proto)
            expected = raw(server, *words)

            def is_hit(words=words, expected=expected):
                before = hits(figures_of)
                got = raw(client, *words)
                assert got == expected, (proto, words, got, expected)
                return hits(figures_of) > before
            until(is_hit, 10 * t.patience, "%s is answered from memory" % (words,))


def kin_of_get(key, chance):
    """Reads that the reply of GET answers, and some that only look so."""
    places = ["0", "-1", "1", "5", "-5", "6", "-6", "7", "-7", "100", "-100",
              "9223372036854775807", "-9223372036854775808"]
    reads = [("STRLEN", key), ("EXISTS", key), ("EXISTS", key, key, key), ("TYPE", key)]
    for _ in range(60):
        name = chance.choice(["GETRANGE", "SUBSTR"])
        reads.append((name, key, chance.choice(places), chance.choice(places)))
    return reads, [("GETRANGE", key, "01", "2"), ("GETRANGE", key, "0", "+1"),
                   ("GETRANGE", key, "-0", "1"), ("SUBSTR", key, "", "1"),
                   ("GETRANGE", key, "0", "9223372036854775808")]


@test(arguments=ON)
def what_get_has_brought_answers_its_kin(t):
    """Byte for byte as the server, without a fetch: also that there is no such key."""
    all_nodes_track(t)
    chance = random.Random(1)
    figures_of = t.client()
    values = {"{near}six": "6 by\r\n", "{near}empty": "", "{near}big": "x" * 3000 + "y" * 2000}
    t.client().pipeline([("SET", key, value) for key, value in values.items()])
    for proto in ("2", "3"):
        client = t.client()
        client.call("HELLO", proto)
        for key in list(values) + ["{near}none"]:
            server = owner(t, key)
            server.call("HELLO", proto)
            reads, refused = kin_of_get(key, chance)
            read_until_kept(client, t, "GET", key)
            before = figures(figures_of)
            for words in reads:
                got, expected = raw(client, *words), raw(server, *words)
                assert got == expected, (proto, words, got, expected)
            after = figures(figures_of)
            assert after["near_cache_fills"] == before["near_cache_fills"], key
            assert int(after["near_cache_hits"]) >= int(before["near_cache_hits"]) + len(reads)
            for words in refused:
                assert raw(client, *words) == raw(server, *words), words
    for key in values:
        read_until_kept(client, t, "GET", key)
    assert client.call("EXISTS", *values, "{near}none") == 3
    client.call("SET", "{near}six", "seven77")
    assert client.call("STRLEN", "{near}six") == 7
    client.call("DEL", "{near}six")
    assert client.call("EXISTS", *values) == 2
    client.call("RPUSH", "{near}six", "x")
    assert client.call("TYPE", "{near}six") == b"list"
    assert client.call("GETRANGE", "{near}six", "0", "1").code == "WRONGTYPE"
    client.call("DEL", "{near}six")


@test(arguments=ON)
def errors_and_big_values_are_not_kept(t):
    all_nodes_track(t)
    client = t.client()
    client.call("SET", "near:big", "x" * 200000)
    client.call("RPUSH", "near:list", "x")
    before = hits(client)
    for _ in range(20):
        assert len(client.call("GET", "near:big")) == 200000
        assert client.call("GET", "near:list").code == "WRONGTYPE"
    assert hits(client) == before
    client.call("DEL", "near:list")


@test(arguments=ON + ["--near-cache-max-item-bytes", "200kb", "--cache-max-memory", "4mb"])
def large_values_stay_whole_while_a_slow_client_reads_them(t):
    """They leave by reference: whatever becomes of the entries meanwhile."""
    all_nodes_track(t)
    other = t.client()
    keys = ["near:large:%d" % n for n in range(30)]

    def value(key, version):
        return (b"%s %d " % (key.encode(), version)) * (100000 // (len(key) + 3))

    def write_again(version):
        other.call("SET", keys[0], value(keys[0], version))

    def evict(_version):
        for key in keys:
            other.pipeline([("GET", key)] * 5)

    def switch(_version):
        assert other.call("CONFIG", "SET", "near-cache", "no") == b"OK"
        assert other.call("CONFIG", "SET", "near-cache", "yes") == b"OK"

    for key in keys:
        other.call("SET", key, value(key, 0))
    meanwhiles = [write_again, evict, switch, lambda _version: other.call("PROXY", "CACHE", "FLUSH")]
    for version, meanwhile in enumerate(meanwhiles):
        old = other.call("GET", keys[0])
        read_until_kept(other, t, "GET", keys[0])
        reader = t.client()
        reader.call("PING")
        before = hits(other)
        reader.sock.sendall(encode(("GET", keys[0])) * 10)
        until(lambda b=before: hits(other) > b, 10 * t.patience, "they are being answered")
        meanwhile(version + 1)
        new = other.call("GET", keys[0])
        got = [reader.read() for _ in range(10)]
        assert got == sorted(got, key=lambda v, n=new: v == n), "the new one, then the old one"
        assert set(got) <= {old, new}, [len(one) for one in got]
        reader.close()


# What a client may do to the string near:own, and its value then.
WRITES = [
    (("SET", "{near}own", "1"), b"1"), (("APPEND", "{near}own", "2"), b"12"),
    (("INCR", "{near}own"), b"13"), (("GETSET", "{near}own", "x"), b"x"),
    (("DEL", "{near}own"), None), (("SETEX", "{near}own", "100", "y"), b"y"),
    (("MSET", "{near}own", "m", "{near}other", "m"), b"m"), (("UNLINK", "{near}own"), None),
    (("MSET", "{near}own", "n", "far", "n"), b"n"), (("GETDEL", "{near}own"), None),
    (("EVAL", "return redis.call('SET', KEYS[1], 'e')", "1", "{near}own"), b"e"),
    (("EVAL", "return redis.call('SET', '{near}own', ARGV[1])", "1", "{near}other", "u"), b"u"),
    (("RENAME", "{near}own", "{near}other"), None), (("COPY", "{near}other", "{near}own"), b"u"),
    (("BITOP", "NOT", "{near}own", "{near}none"), None), (("SET", "{near}own", "z"), b"z"),
    (("SORT", "{near}none", "STORE", "{near}own"), None), (("SET", "{near}own", "f"), b"f"),
    (("FLUSHALL",), None), (("SETRANGE", "{near}own", "0", "r"), b"r"),
    (("PEXPIREAT", "{near}own", "1"), None),
]


@test(arguments=ON)
def a_client_reads_its_own_writes(t):
    """Each write, alone and in one packet with its read, in MULTI, and seen by another client."""
    all_nodes_track(t)
    one, other = t.client(), t.client()
    one.call("DEL", "{near}own")
    for words, expected in WRITES:
        value = read_until_kept(one, t, "GET", "{near}own")
        assert one.call("GET", "{near}own") == value
        one.call(*words)
        for client in (one, other, t.client()):
            assert client.call("GET", "{near}own") == expected, words
        assert one.call("MGET", "{near}own") == [expected], words
    for number in range(200):
        one.call("GET", "{near}own")
        replies = one.pipeline([("SET", "{near}own", number), ("GET", "{near}own"),
                                ("MULTI",), ("INCR", "{near}own"), ("EXEC",), ("GET", "{near}own")])
        assert replies[1] == b"%d" % number, replies
        assert replies[5] == b"%d" % (number + 1), replies
        assert other.call("GET", "{near}own") == b"%d" % (number + 1)


@test(arguments=ON)
def what_blocks_is_seen_when_it_ends(t):
    all_nodes_track(t)
    client = t.client()
    client.call("DEL", "near:queue")
    for number in range(20):
        client.call("RPUSH", "near:queue", number)
        assert read_until_kept(client, t, "LLEN", "near:queue") == 1
        assert client.call("BLPOP", "near:queue", "0") == [b"near:queue", b"%d" % number]
        assert client.call("LLEN", "near:queue") == 0


@test(arguments=ON)
def a_write_made_elsewhere_is_seen(t):
    all_nodes_track(t)
    client = t.client()
    for number in range(30):
        key = "near:else:%d" % (number % 3)
        read_until_kept(client, t, "GET", key)
        owner(t, key).call("SET", key, number)
        until(lambda: client.call("GET", key) == b"%d" % number, 5 * t.patience, "the write is seen")
        assert read_until_kept(client, t, "GET", key) == b"%d" % number
    for node, _ranges in t.masters():
        t.direct(node["port"]).call("FLUSHALL")
    until(lambda: client.call("GET", "near:else:1") is None, 5 * t.patience, "FLUSHALL is seen")


@test(arguments=ON)
def what_is_over_at_the_server_is_over_here(t):
    all_nodes_track(t)
    client = t.client()
    server = owner(t, "near:over")
    server.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")  # the server forgets, and does not tell
    try:
        lives_ms = [300] * 5
        for life_ms in lives_ms:
            client.call("SET", "near:over", "v", "PX", life_ms)
            over_ms = server.call("PEXPIRETIME", "near:over")
            value = b"v"
            before = hits(client)
            while value is not None:
                seconds, microseconds = server.call("TIME")
                value = client.call("GET", "near:over")
                now_ms = int(seconds) * 1000 + int(microseconds) // 1000
                assert value is None or now_ms <= over_ms, (now_ms, over_ms)
            if hits(client) == before:  # all of us were too slow: once more, with more time
                assert life_ms < 30000, "nothing was answered from memory"
                lives_ms.append(2 * life_ms)
    finally:
        server.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")


@test(arguments=ON)
def a_connection_that_is_killed_takes_its_values_with_it(t):
    all_nodes_track(t)
    client = t.client()
    for number in range(5):
        client.call("SET", "near:kill", "old")
        read_until_kept(client, t, "GET", "near:kill")
        server = owner(t, "near:kill")
        tracking = [line.split()[0].split("=")[1] for line in
                    server.call("CLIENT", "LIST").decode().splitlines() if "flags=t" in line]
        assert len(tracking) == 1, tracking
        server.pipeline([("CLIENT", "KILL", "ID", tracking[0]), ("SET", "near:kill", number)])
        until(lambda: client.call("GET", "near:kill") == b"%d" % number, 5 * t.patience,
              "what was written behind its back is seen")
        all_nodes_track(t)


@test(arguments=ON)
def mget_is_answered_by_what_get_has_brought(t):
    all_nodes_track(t)
    client = t.client()
    keys = ["near:m:%d" % n for n in range(5)]
    client.pipeline([("SET", key, key) for key in keys[:4]])
    expected = [key.encode() for key in keys[:4]] + [None]
    assert read_until_kept(client, t, "MGET", *keys) == expected
    for key, value in zip(keys, expected):
        assert read_until_kept(client, t, "GET", key) == value
    client.call("MSET", *sum(([key, "new"] for key in keys), []))
    assert client.call("MGET", *keys) == [b"new"] * 5


@test(arguments=["--threads", "2", "--near-cache", "yes", "--near-cache-admit-reads", "1"])
def nothing_is_older_than_the_lease_when_a_node_hangs(t):
    all_nodes_track(t)
    client = t.client()
    client.call("SET", "near:lease", "v")
    read_until_kept(client, t, "GET", "near:lease")
    node = owner(t, "near:lease")
    pid = int(dict(line.split(":", 1) for line in node.call("INFO", "server").decode().splitlines()
                   if ":" in line)["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        # The node is silent: soon no answer is right, and for ever if memory were asked.
        until(lambda: hasattr(client.call("GET", "near:lease"), "code"), 10 * t.patience,
              "the lease is over")
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: client.call("GET", "near:lease") == b"v", 10 * t.patience, "it is back")
    all_nodes_track(t)


class Watched:
    """The greatest value of each counter that anybody has seen."""

    def __init__(self, keys):
        self.seen = {key: 0 for key in keys}
        self.worse = []
        self.is_over = threading.Event()

    def note(self, key, value, before, how):
        if value < before:
            self.worse.append((how, key, value, before))
        if value > self.seen[key]:
            self.seen[key] = value


def use(port, watched, keys, seed, rounds):
    chance = random.Random(seed)
    with Client(port) as client:
        for _ in range(rounds):
            key = chance.choice(keys)
            before = watched.seen[key]
            dice = chance.random()
            if dice < 0.9:
                watched.note(key, int(client.call("GET", key) or 0), before, "GET")
            elif dice < 0.94:
                watched.note(key, client.call("INCR", key), before, "INCR")
            elif dice < 0.96:
                watched.note(key, int((client.call("MGET", key) or [0])[0] or 0), before, "MGET")
            elif dice < 0.98:
                script = "return redis.call('INCR', KEYS[1])"
                watched.note(key, client.call("EVAL", script, "1", key), before, "EVAL")
            else:
                replies = client.pipeline([("MULTI",), ("INCR", key), ("EXEC",), ("GET", key)])
                watched.note(key, int(replies[3]), before, "EXEC, GET")


def write_elsewhere(t, watched, keys):
    servers = {key: owner(t, key) for key in keys}
    while not watched.is_over.wait(0.001):
        for key, server in servers.items():
            server.call("INCR", key)


@test(arguments=ON)
def no_client_sees_a_counter_go_backwards(t):
    all_nodes_track(t)
    keys = ["near:count:%d" % n for n in range(4)]
    t.client().pipeline([("DEL", key) for key in keys])
    for has_writer in (False, True):
        watched = Watched(keys)
        before = hits(t.client())
        t.client().pipeline([("SET", key, "0") for key in keys])
        users = [threading.Thread(target=use, args=(t.keyway.port, watched, keys, seed, 4000))
                 for seed in range(4)]
        writer = threading.Thread(target=write_elsewhere, args=(t, watched, keys))
        for thread in users + [writer] * has_writer:
            thread.start()
        for thread in users:
            thread.join()
        watched.is_over.set()
        if has_writer:
            writer.join()
        assert not watched.worse, watched.worse[:5]
        assert hits(t.client()) > before + 1000


KEPT = ["near:kept:%d" % n for n in range(5000)]  # so many that pipelines are looked ahead into for cold keys
COLD = ["near:cold:%d" % n for n in range(20000)]


def pipelines_beside(port, expected, keys, seed, wrong):
    """Cold keys and a few that are kept, reads and writes. Each of KEYS is this client's alone."""
    chance = random.Random(seed)
    with Client(port) as client:
        for _ in range(300):
            commands, wanted = [], []
            for _ in range(chance.choice((2, 5, 17, 40, 100))):
                key = chance.choice(keys["kept"] if chance.random() < 0.15 else keys["cold"])
                dice = chance.random()
                if dice < 0.15:
                    expected[key] = b"%d" % chance.randrange(1000) * chance.choice((1, 1, 9))
                    commands.append(("SET", key, expected[key]))
                    wanted.append(b"OK")
                elif dice < 0.2:
                    commands.append(chance.choice((("ECHO", key), ("GET", key, "twice"))))
                    wanted.append(key.encode() if commands[-1][0] == "ECHO" else None)
                else:
                    commands.append(("GET", key))
                    wanted.append(expected.get(key))
            for command, got, want in zip(commands, client.pipeline(commands), wanted):
                if got != want and not (command[-1] == "twice" and "wrong number" in str(got)):
                    wrong.append((command, got, want))


@test(arguments=ON)
def pipelines_of_keys_that_are_mostly_cold_are_answered_right(t):
    all_nodes_track(t)
    client = t.client()
    expected = {key: key.encode() for key in KEPT}
    client.pipeline([("SET", key, key) for key in KEPT])

    def are_kept():
        client.pipeline([("GET", key) for key in KEPT])
        return int(figures(client)["near_cache_entries"]) >= len(KEPT)
    until(are_kept, 20 * t.patience, "all are kept")
    client.call("CONFIG", "SET", "near-cache-admit-reads", "1000000")
    before = hits(client)
    wrong, users = [], []
    for seed in range(4):
        keys = {"kept": KEPT[seed::4], "cold": COLD[seed::4]}
        users.append(threading.Thread(target=pipelines_beside,
                                      args=(t.keyway.port, expected, keys, seed, wrong)))
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert not wrong, wrong[:5]
    assert hits(client) > before + 2000  # else warm keys were taken for cold
