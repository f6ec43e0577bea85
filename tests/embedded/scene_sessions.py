"""Several clients at once, the same dialogue with keyway and with redis-server: transactions, those
who block, subscriptions, tracking, events of keys.
"""

import shutil
import tempfile
import threading
import time

import __main__
from resp import Connection, value_of

# A line of a dialogue: ("a", "GET", "k") is sent by client a; ("a", 2) reads two replies of a, which
# must be the same bytes from both; ("a",) closes it; ("blocked", 1) waits until so many are blocked.
# ("a", ["SET", "k", "1"], ["GET", "k"]) sends several in one write, so they are of one turn of a loop.
# Clients whose names begin with 3 speak RESP3. "$a" stands for the id of client a.
TRANSACTIONS = [
    ("a", "MULTI"), ("a", "SET", "k", "1"), ("a", "INCR", "k"), ("a", "LPUSH", "k", "x"),
    ("a", "PING"), ("a", "ECHO", "e"), ("a", "EXEC"), ("a", 7),
    ("a", "GET", "k"), ("a", 1),
    ("a", "MULTI"), ("a", "NOSUCH"), ("a", "GET", "k"), ("a", "EXEC"), ("a", 4),
    ("a", "MULTI"), ("a", "GET"), ("a", "EXEC"), ("a", 3),
    ("a", "EXEC"), ("a", "DISCARD"), ("a", 2),
    ("a", "MULTI"), ("a", "MULTI"), ("a", "WATCH", "k"), ("a", "SET", "k", "5"), ("a", "DISCARD"),
    ("a", "GET", "k"), ("a", 6),
    ("a", "WATCH", "w", "w"), ("a", 1), ("b", "SET", "w", "1"), ("b", 1),
    ("a", "MULTI"), ("a", "SET", "w", "2"), ("a", "EXEC"), ("a", "GET", "w"), ("a", 4),
    ("a", "WATCH", "w"), ("a", "UNWATCH"), ("a", 2), ("b", "SET", "w", "3"), ("b", 1),
    ("a", "MULTI"), ("a", "GET", "w"), ("a", "EXEC"), ("a", 3),
    ("a", "WATCH", "w", "gone"), ("a", "GET", "gone"), ("a", 2), ("b", "FLUSHALL"), ("b", 1),
    ("a", "MULTI"), ("a", "EXEC"), ("a", 2),
    ("a", "WATCH", "none"), ("a", 1), ("b", "FLUSHALL"), ("b", 1),
    ("a", "MULTI"), ("a", "EXEC"), ("a", 2),
    ("a", "WATCH", "short"), ("a", 1), ("b", "SET", "short", "1", "PX", "1"), ("b", 1),
    ("a", "MULTI"), ("a", "GET", "x"), ("a", "EXEC"), ("a", "GETDEL", "gone"), ("a", 4),
    ("b", "FLUSHALL"), ("b", 1),
    ("3", "MULTI"), ("3", "HSET", "h", "f", "v"), ("3", "HGETALL", "h"), ("3", "EXEC"), ("3", 4),
    ("3", "WATCH", "h"), ("3", "HSET", "h", "f", "w"), ("3", "MULTI"), ("3", "EXEC"), ("3", 4),
    ("a", "MULTI"), ("a", "BLPOP", "empty", "0"), ("a", "BZPOPMIN", "empty", "0"),
    ("a", "BLMOVE", "empty", "x", "LEFT", "LEFT", "0"), ("a", "WAIT", "1", "0"), ("a", "EXEC"),
    ("a", 6),
    ("a", "MULTI"), ("a", "PUBLISH", "nobody", "m"), ("a", "PUBSUB", "NUMPAT"), ("a", "DBSIZE"),
    ("a", "EXEC"), ("a", 5),
    ("a", "MULTI"), ("a", "FLUSHALL"), ("a", "SET", "after", "1"), ("a", "KEYS", "*"),
    ("a", "EXEC"), ("a", 5),
    ("a", "MULTI"), ("a", "UNWATCH"), ("a", "RENAME", "after", "later"), ("a", "EXEC", "x"),
    ("a", "EXEC"), ("a", 5),
]

BLOCKED = [
    ("a", "BLPOP", "l1", "l2", "0"), ("blocked", 1), ("b", "RPUSH", "l2", "x", "y"), ("b", 1),
    ("a", 1), ("b", "LRANGE", "l2", "0", "-1"), ("b", 1),
    ("a", "BLPOP", "l2", "0"), ("a", 1),
    ("a", "BRPOP", "q", "0"), ("blocked", 1), ("c", "BLPOP", "q", "0"), ("blocked", 2),
    ("d", "BLPOP", "q", "0"), ("blocked", 3), ("b", "RPUSH", "q", "1", "2"), ("b", 1), ("a", 1),
    ("c", 1), ("blocked", 1), ("b", "LPUSH", "q", "3"), ("b", "LPOP", "q"), ("b", 2), ("d", 1),
    ("a", "BLMOVE", "src", "dst", "LEFT", "RIGHT", "0"), ("blocked", 1),
    ("c", "BLPOP", "dst", "0"), ("blocked", 2), ("b", "RPUSH", "src", "moved"), ("b", 1), ("a", 1),
    ("c", 1),
    ("a", "BLPOP", "t", "0.05"), ("a", 1), ("3", "BLPOP", "t", "0.05"), ("3", 1),
    ("a", "BLPOP", "t", "-1"), ("a", "BLPOP", "t", "abc"), ("a", 2),
    ("a", "BZPOPMIN", "z", "0"), ("blocked", 1), ("b", "ZADD", "z", "2", "two", "1", "one"),
    ("b", 1), ("a", 1), ("3", "BZPOPMAX", "z", "0"), ("3", 1),
    ("a", "BLMPOP", "0", "2", "m1", "m2", "LEFT", "COUNT", "2"), ("blocked", 1),
    ("b", "RPUSH", "m2", "1", "2", "3"), ("b", 1), ("a", 1),
    ("3", "BZMPOP", "0", "2", "y1", "y2", "MAX"), ("blocked", 1),
    ("b", "ZADD", "y2", "1", "a"), ("b", 1), ("3", 1),
    ("a", "BLPOP", "s", "0"), ("blocked", 1), ("b", "SET", "s", "text"), ("b", "DEL", "s"),
    ("b", "RPUSH", "s", "list"), ("b", 3), ("a", 1),
    ("a", "BLPOP", "s", "0"), ("blocked", 1), ("b", "MULTI"), ("b", "RPUSH", "s", "1"),
    ("b", "DEL", "s"), ("b", "EXEC"), ("b", 4), ("b", "RPUSH", "s", "2"), ("b", 1), ("a", 1),
    ("a", "BLPOP", "r", "0"), ("blocked", 1), ("b", "RPUSH", "r0", "1", "2"),
    ("b", "RENAME", "r0", "r"), ("b", 2), ("a", 1),
    ("a", "BLPOP", "u", "0"), ("a", "PING"), ("blocked", 1), ("b", "CLIENT", "UNBLOCK", "$a"),
    ("b", 1), ("a", 2),
    ("a", "BLPOP", "u", "0"), ("blocked", 1), ("b", "CLIENT", "UNBLOCK", "$a", "ERROR"), ("b", 1),
    ("a", 1),
    ("a", "BLMOVE", "u", "wrong", "LEFT", "LEFT", "0"), ("b", "SET", "wrong", "1"), ("b", 1),
    ("blocked", 1), ("b", "RPUSH", "u", "1"), ("b", 1), ("a", 1),
    ("e", "BLPOP", "left", "0"), ("blocked", 1), ("e",), ("blocked", 0), ("b", "RPUSH", "left", "1"),
    ("b", "LLEN", "left"), ("b", 2),
    ("a", "WAIT", "0", "0"), ("a", "WAIT", "1", "10"), ("a", 2),
]

CHANNELS = [
    ("s", "SUBSCRIBE", "c1", "c2"), ("s", 2), ("p", "PSUBSCRIBE", "c*", "x?"), ("p", 2),
    ("3", "SUBSCRIBE", "c1"), ("3", 1),
    ("a", "PUBLISH", "c1", "hello"), ("a", 1), ("s", 1), ("p", 1), ("3", 1),
    ("a", "PUBLISH", "xy", "there"), ("a", 1), ("p", 1), ("a", "PUBLISH", "none", "m"), ("a", 1),
    ("a", "PUBSUB", "NUMSUB", "c1", "c2", "c3"), ("a", "PUBSUB", "NUMPAT"), ("a", 2),
    ("a", "PUBSUB", "CHANNELS", "c1"), ("a", 1),
    ("s", "GET", "k"), ("s", "PING"), ("s", "PING", "x"), ("s", 3), ("3", "GET", "k"), ("3", 1),
    ("3", "PUBLISH", "c1", "own"), ("s", 1), ("p", 1), ("3", 2),
    ("s", "UNSUBSCRIBE", "c1"), ("s", "UNSUBSCRIBE"), ("s", 2), ("s", "GET", "k"), ("s", 1),
    ("p", "PUNSUBSCRIBE"), ("p", 2),
    ("s", "SSUBSCRIBE", "h1", "h2"), ("s", 2), ("a", "SPUBLISH", "h1", "shard"), ("a", 1), ("s", 1),
    ("a", "PUBSUB", "SHARDNUMSUB", "h1"), ("a", 1), ("s", "SUNSUBSCRIBE", "h2", "h1"), ("s", 2),
    ("a", "MULTI"), ("a", "PUBLISH", "c1", "inside"), ("a", "SET", "k", "1"), ("a", "EXEC"),
    ("a", 4), ("3", 1),
]

EVENTS = [
    ("a", "CONFIG", "SET", "notify-keyspace-events", "EKA"), ("a", 1),
    ("a", "CONFIG", "GET", "notify-keyspace-events"), ("a", 1),
    ("s", "PSUBSCRIBE", "__key*"), ("s", 1),
    ("a", "SET", "k", "1"), ("a", 1), ("s", 2), ("a", "EXPIRE", "k", "100"), ("a", 1), ("s", 2),
    ("a", "APPEND", "k", "2"), ("a", 1), ("s", 2), ("a", "RENAME", "k", "j"), ("a", 1), ("s", 4),
    ("a", "LPUSH", "l", "1", "2"), ("a", 1), ("s", 2), ("a", "LPOP", "l", "2"), ("a", 1), ("s", 4),
    ("a", "SADD", "t", "1"), ("a", 1), ("s", 2), ("a", "ZADD", "z", "1", "m"), ("a", 1), ("s", 2),
    ("a", "HSET", "h", "f", "v"), ("a", 1), ("s", 2), ("a", "HDEL", "h", "f"), ("a", 1), ("s", 4),
    ("a", "DEL", "t", "z", "none"), ("a", 1), ("s", 4), ("a", "GETDEL", "j"), ("a", 1), ("s", 2),
    ("a", "SET", "e", "1", "PX", "30"), ("a", 1), ("s", 4), ("s", 2),
    ("a", "MULTI"), ("a", "SET", "m", "1"), ("a", "DEL", "m"), ("a", "EXEC"), ("a", 4), ("s", 4),
    ("s", "SUBSCRIBE", "news"), ("s", 1), ("3s", "SSUBSCRIBE", "shard"), ("3s", 1),
    ("a", ["MULTI"], ["SET", "m", "1"], ["PUBLISH", "news", "1"], ["DEL", "m"], ["PUBLISH", "none", "x"],
     ["SPUBLISH", "shard", "2"], ["PUBLISH", "news", "3"], ["PUBLISH", "__keyx", "4"], ["EXEC"], ["PING"]),
    ("a", 10), ("s", 7), ("3s", 1),
    ("a", ["MULTI"], ["PUBLISH", "news", "6"], ["CLIENT", "KILL", "ID", "999999"], ["SET", "m", "3"], ["PUBLISH", "news", "7"],
     ["PUBSUB", "NUMSUB", "news"], ["EXEC"]), ("a", 7),
    ("s", "UNSUBSCRIBE", "news"), ("s", 5),
    ("a", "CONFIG", "SET", "notify-keyspace-events", "Q"), ("a", 1),
    ("a", "CONFIG", "SET", "notify-keyspace-events", "Kl"), ("a", 1),
    ("a", "SET", "quiet", "1"), ("a", 1), ("a", "RPUSH", "loud", "1"), ("a", 1), ("s", 1),
]

TRACKING = [
    ("3", "CLIENT", "TRACKING", "ON"), ("3", 1), ("3", "GET", "k"), ("3", 1),
    ("a", "SET", "k", "1"), ("a", 1), ("3", 1),
    ("a", "SET", "k", "2"), ("a", 1), ("3", "GET", "k"), ("3", "GET", "k"), ("3", 2),
    ("a", "DEL", "k"), ("a", 1), ("3", 1),
    ("3", "GET", "short"), ("3", 1), ("a", "SET", "short", "1", "PX", "30"), ("a", 1), ("3", 1),
    ("3", "HGETALL", "h"), ("3", 1), ("a", "HSET", "h", "f", "1"), ("a", 1), ("3", 1),
    ("3", "GET", "k"), ("3", 1), ("a", "FLUSHALL"), ("a", 1), ("3", 1),
    ("3", "CLIENT", "TRACKING", "OFF"), ("3", 1),
    ("3b", "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "p:"), ("3b", 1),
    ("a", "SET", "p:1", "x"), ("a", 1), ("3b", 1), ("a", "SET", "other", "x"), ("a", 1),
    ("a", "INCR", "p:2"), ("a", 1), ("3b", 1),
    ("3b", "CLIENT", "TRACKING", "OFF"), ("3b", 1),
    ("3", "CLIENT", "TRACKING", "ON", "OPTIN"), ("3", "GET", "k"), ("3", "CLIENT", "CACHING", "YES"),
    ("3", "GET", "j"), ("3", 4), ("a", "MSET", "k", "1", "j", "1"), ("a", 1), ("3", 1),
    # What MULTI queues is read by EXEC, and a key is told of once.
    ("3e", "CLIENT", "TRACKING", "ON"), ("3e", "GET", "k"), ("3e", "MULTI"), ("3e", "GET", "j"),
    ("3e", 4), ("a", "SET", "j", "1"), ("a", "SET", "k", "1"), ("a", "SET", "k", "2"), ("a", 3),
    ("3e", "EXEC"), ("3e", "PING"), ("3e", 3), ("a", "SET", "k", "3"), ("a", "SET", "j", "2"),
    ("a", 2), ("3e", 1), ("3e", "MULTI"), ("3e", "CLIENT", "TRACKING", "OFF"), ("3e", "EXEC"),
    ("3e", 3),
    ("r", "SUBSCRIBE", "__redis__:invalidate"), ("r", 1),
    ("b", "CLIENT", "TRACKING", "ON", "REDIRECT", "$r"), ("b", "GET", "k"), ("b", 2),
    ("a", "SET", "k", "9"), ("a", 1), ("r", 1),
]


# Who is told of what is changed in one turn, in how many messages, and where they stand.
TURNS = [
    ("3b", "CLIENT", "TRACKING", "ON", "BCAST"), ("3b", 1),
    ("3p", "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "q", "PREFIX", "a"), ("3p", 1),
    ("a", ["SET", "b", "1"], ["SET", "a", "1"], ["SET", "b", "2"], ["DEL", "none"],
     ["MSET", "c", "1", "ab", "2", "q1", "3"]), ("a", 5), ("3b", 1), ("3p", 2),
    ("a", ["MULTI"], ["SET", "q2", "1"], ["DEL", "a"], ["SET", "", "e"], ["EXEC"]), ("a", 5),
    ("3b", 1), ("3p", 2),
    ("3b", ["SET", "own", "1"], ["PING"], ["SET", "other", "1"]), ("3b", 4),
    ("3n", "CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP"), ("3n", 1),
    ("3n", ["SET", "mine", "1"], ["MULTI"], ["INCR", "mine"], ["EXEC"], ["PING"]), ("3n", 5),
    ("3b", 1), ("a", "SET", "yours", "1"), ("a", 1), ("3n", 1), ("3b", 1),
    ("3n", ["SET", "short", "1", "PX", "30"], ["PING"]), ("3n", 2), ("3b", 1), ("3b", 1), ("3n", 1),
    ("3b", "CLIENT", "TRACKING", "OFF"), ("3n", "CLIENT", "TRACKING", "OFF"), ("3b", 1), ("3n", 1),
    ("3p", "CLIENT", "TRACKING", "OFF"), ("3p", 1),
    ("3m", "CLIENT", "TRACKING", "ON", "NOLOOP"), ("3m", 1),
    ("3m", ["GET", "k"], ["SET", "k", "1"], ["PING"]), ("3m", 3), ("a", "SET", "k", "2"), ("a", 1),
    ("3m", "PING"), ("3m", 1), ("3m", "GET", "k"), ("3m", 1), ("a", "SET", "k", "3"), ("a", 1),
    ("3m", 1), ("3m", "CLIENT", "TRACKING", "OFF"), ("3m", 1),
    ("3o", "CLIENT", "TRACKING", "ON"), ("3o", 1),
    ("3o", ["GET", "k"], ["SET", "k", "4"], ["PING"]), ("3o", 4),
    ("3o", ["SET", "k", "5"], ["GET", "k"], ["PING"]), ("3o", 3),
    ("3o", ["MULTI"], ["SET", "k", "6"], ["GET", "k"], ["EXEC"], ["PING"]), ("3o", 6),
    ("a", "SET", "k", "7"), ("a", 1), ("3o", 1),
    ("3o", ["MULTI"], ["SET", "k", "8"], ["GET", "k"], ["EXEC"], ["PING"]), ("3o", 5),
    ("3o", ["MULTI"], ["GET", "k"], ["SET", "k", "9"], ["EXEC"], ["PING"]), ("3o", 6),
    ("a", "SET", "k", "9"), ("a", 1), ("3o", "PING"), ("3o", 1),
    ("3o", "CLIENT", "TRACKING", "OFF"), ("3o", 1),
    ("r", "SUBSCRIBE", "__redis__:invalidate"), ("r", 1),
    ("b", "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "t", "REDIRECT", "$r"), ("b", 1),
    ("a", ["SET", "t2", "1"], ["SET", "u", "1"], ["SET", "t1", "1"]), ("a", 3), ("r", 1),
]

OPTIONS = [
    ("a", "CONFIG", "SET", "hash-max-ziplist-entries", "5", "hash-max-listpack-entries", "7"),
    ("a", 1), ("a", "CONFIG", "GET", "hash-max-ziplist-entries"), ("a", 1),
    ("a", "CONFIG", "SET", "hash-max-listpack-entries", "9", "hash-max-ziplist-entries", "8"),
    ("a", 1), ("a", "CONFIG", "GET", "hash-max-listpack-entries"), ("a", 1),
    ("a", "CONFIG", "SET", "hash-max-ziplist-entries", "5", "HASH-max-ziplist-entries", "7"),
    ("a", 1),
    ("a", "CONFIG", "SET", "maxmemory-samples", "64"), ("a", 1),
    ("a", "CONFIG", "GET", "maxmemory-samples"), ("a", 1),
    ("a", "CONFIG", "SET", "maxmemory-samples", "0"), ("a", 1),
    ("a", "CONFIG", "SET", "maxmemory-samples", "2147483648"), ("a", 1),
    ("a", "CONFIG", "SET", "maxmemory-samples", "x"), ("a", 1),
]


class Talk:
    def __init__(self, port):
        self.port = port
        self.clients = {}
        self.ids = {}
        self.looker = Connection(port)

    def client(self, name):
        if name not in self.clients:
            connection = Connection(self.port, 3 if name.startswith("3") else 2)
            self.clients[name] = connection
            self.ids["$" + name] = connection.ask("CLIENT", "ID")
        return self.clients[name]

    def blocked(self, count):
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            text = self.looker.ask("INFO", "clients").decode()
            if "blocked_clients:%d\r\n" % count in text:
                return
            time.sleep(0.005)
        raise AssertionError("never were %d clients blocked" % count)

    def line(self, line):
        """The replies that LINE reads."""
        name, words = line[0], line[1:]
        if name == "blocked":
            self.blocked(words[0])
        elif not words:
            self.clients.pop(name).close()
        elif isinstance(words[0], list):
            self.client(name).send(*words)
        elif isinstance(words[0], int):
            return [self.client(name).read() for _ in range(words[0])]
        else:
            for word in words:
                if isinstance(word, str) and word.startswith("$"):
                    self.client(word[1:])
            self.client(name).send([self.ids.get(word, word) for word in words])
        return []


def compare(start, dialogue, *options):
    folder = tempfile.mkdtemp(prefix="keyway-scene-")
    redis = __main__.start_redis(folder)
    try:
        for _ in range(3):  # clients land on other threads
            keyway = start("--threads", "3", *options)
            ours, theirs = Talk(keyway.port), Talk(redis.port)
            theirs.looker.ask("FLUSHALL")
            for number, line in enumerate(dialogue):
                try:
                    left, right = theirs.line(line), ours.line(line)
                except (OSError, EOFError) as error:
                    raise AssertionError("line %d, %r: %s" % (number, line, error)) from error
                assert left == right, "line %d, %r:\n  redis  %r\n  keyway %r" % (
                    number, line, left, right)
    finally:
        redis.end()
        shutil.rmtree(folder)


def transactions(start):
    compare(start, TRANSACTIONS)


def blocking(start):
    compare(start, BLOCKED)


def channels(start):
    compare(start, CHANNELS)


def events(start):
    compare(start, EVENTS)


def tracking(start):
    compare(start, TRACKING)


def turns(start):
    compare(start, TURNS)


def options(start):
    compare(start, OPTIONS)


def no_element_is_lost_or_given_twice(start):
    """Producers and consumers on all threads, consumers that time out, and some that leave."""
    keyway = start("--threads", "3")
    produced, consumed, lock = 6000, [], threading.Lock()
    is_over = threading.Event()

    def produce(number):
        client = Connection(keyway.port)
        for i in range(produced // 3):
            client.ask("RPUSH", "queue%d" % (i % 4), "%d-%d" % (number, i))

    def consume(number):
        client = Connection(keyway.port)
        while True:
            keys = ["queue%d" % ((number + i) % 4) for i in range(4)]
            reply = client.ask("BLPOP", *keys, "0.01" if number % 2 else "0.2")
            if reply is not None:
                with lock:
                    consumed.append(reply[1])
            elif is_over.is_set():
                return

    producers = [threading.Thread(target=produce, args=(n,)) for n in range(3)]
    consumers = [threading.Thread(target=consume, args=(n,)) for n in range(8)]
    for thread in consumers + producers:
        thread.start()
    for thread in producers:
        thread.join()
    is_over.set()
    for thread in consumers:
        thread.join()
    assert len(consumed) == produced, "%d of %d" % (len(consumed), produced)
    assert len(set(consumed)) == produced, "some came twice"


def transactions_are_seen_whole(start):
    """Two keys that one EXEC changes together are never seen apart, by MGET, EXEC or one by one."""
    keyway = start("--threads", "3")
    is_over = threading.Event()
    problems = []

    def write(number):
        client = Connection(keyway.port)
        for i in range(1500):
            value = "%d-%d" % (number, i)
            client.send(["MULTI"], ["SET", "one", value], ["SET", "two", value], ["EXEC"])
            for _ in range(4):
                client.read()

    def watch():
        client = Connection(keyway.port)
        while not is_over.is_set():
            one, two = client.ask("MGET", "one", "two")
            if one != two:
                problems.append(("MGET", one, two))
            client.send(["MULTI"], ["GET", "two"], ["GET", "one"], ["EXEC"])
            pair = value_of([client.read() for _ in range(4)][3])
            if pair[0] != pair[1]:
                problems.append(("EXEC", pair))

    def count():
        client = Connection(keyway.port)
        done = 0
        while done < 300:
            client.ask("WATCH", "counter")
            value = int(client.ask("GET", "counter") or 0)
            client.send(["MULTI"], ["SET", "counter", str(value + 1)], ["EXEC"])
            done += [client.read() for _ in range(3)][2].startswith(b"*1")

    writers = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    counters = [threading.Thread(target=count) for _ in range(4)]
    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for thread in writers + counters + watchers:
        thread.start()
    for thread in writers + counters:
        thread.join()
    is_over.set()
    for thread in watchers:
        thread.join()
    assert not problems, problems[:3]
    assert Connection(keyway.port).ask("GET", "counter") == b"1200"


SCENES = [transactions, blocking, channels, events, tracking, turns, options, no_element_is_lost_or_given_twice,
          transactions_are_seen_whole]
