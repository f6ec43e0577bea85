"""What a transaction holds besides commands of one slot: as a server answers it, byte for byte."""
import re
import time

from support.client import Client, encode
from support.single import single_redis
from support.testing import FORGET_ALL, NONE, test
from support.wait import until

PATIENCE_S = 60
MARK = b"here-all-of-it-has-come"

# Steps: who says what, several commands of a step in one pipeline. Keys of one slot: CROSSSLOT is
# what differs.
DIALOGUES = [
    ["a MULTI|SUBSCRIBE x|EXEC", "b PUBLISH x 1", "a UNSUBSCRIBE x"],
    ["a MULTI|SUBSCRIBE x y|PING|GET {t}k|PING m|EXEC|PING", "b PUBLISH y 1|PUBLISH z 2",
     "a UNSUBSCRIBE x y"],
    ["a MULTI|SUBSCRIBE x|DISCARD|PING", "b PUBLISH x 1"],
    ["a MULTI|SUBSCRIBE x|NOSUCH|EXEC|PING", "b PUBLISH x 1"],
    ["a WATCH {t}k", "b SET {t}k 1", "a MULTI|SUBSCRIBE x|FLUSHALL|EXEC|DBSIZE", "b PUBLISH x 1"],
    ["a WATCH {t}k|MULTI|SUBSCRIBE x|SET {t}k 1|DBSIZE|EXEC", "b PUBLISH x 1|GET {t}k"],
    # A channel of its own: messages of a moment ago may reach a new pattern in a cluster.
    ["a MULTI|PSUBSCRIBE p*|PUBSUB NUMPAT|SUBSCRIBE pq|PUBSUB NUMSUB pq|PUBSUB CHANNELS|EXEC",
     "b PUBLISH pq 1|PUBSUB NUMSUB pq",
     "a MULTI|PING|PUNSUBSCRIBE|UNSUBSCRIBE|EXEC|UNSUBSCRIBE|PING",
     "a PUNSUBSCRIBE|UNSUBSCRIBE|PING"],
    ["b SUBSCRIBE x", "a MULTI|SUBSCRIBE z|PUBLISH x 1|EXEC", "b UNSUBSCRIBE"],
    ["b SUBSCRIBE x", "a MULTI|SET {t}k 1|PUBLISH x 1|EXEC|GET {t}k", "b UNSUBSCRIBE"],
    ["a MULTI|UNSUBSCRIBE|PUNSUBSCRIBE|UNSUBSCRIBE x|EXEC"],
    ["a MULTI|SSUBSCRIBE {t}x|SUNSUBSCRIBE|EXEC|PING", "a MULTI|SSUBSCRIBE|EXEC"],
    ["a MULTI|MONITOR|SET {t}k 1|EXEC|PING"],
    ["a MULTI|CLIENT REPLY OFF|PING|CLIENT REPLY ON|GET {t}k|EXEC|PING"],
    ["a MULTI|GET {t}k|CLIENT REPLY OFF|PING|EXEC|PING|CLIENT REPLY ON"],
    ["a MULTI|CLIENT REPLY SKIP|PING|EXEC|PING|PING x"], ["a MULTI|CLIENT REPLY bad|EXEC|PING"],
    ["a CLIENT REPLY SKIP|MULTI|CLIENT GETNAME|CLIENT LIST ID 1000000|EXEC|PING"],
    ["a CLIENT REPLY OFF|MULTI|CLIENT LIST|SUBSCRIBE x|UNSUBSCRIBE|EXEC|CLIENT REPLY ON|PING"],
    ["a MULTI|CLIENT LIST ID 1000000|CLIENT KILL ID 1000000|CLIENT KILL 1.2.3.4:5|"
     "CLIENT UNBLOCK 1000000|CLIENT PAUSE 0|CLIENT UNPAUSE|CLIENT KILL ID x|CLIENT LIST x|EXEC"],
    ["b CLIENT SETNAME bb", "a MULTI|PING|CLIENT KILL TYPE normal SKIPME no|PING|EXEC|PING",
     "c PING"],
    ["a MULTI|CLIENT TRACKINGINFO|CLIENT GETREDIR|CLIENT CACHING YES|CLIENT TRACKING ON OPTIN|"
     "CLIENT CACHING YES|CLIENT TRACKINGINFO|CLIENT GETREDIR|CLIENT TRACKING OFF|EXEC",
     "a CLIENT TRACKINGINFO"],
    ["a MULTI|CLIENT TRACKING|EXEC|MULTI|CLIENT TRACKING x|CLIENT TRACKING ON BCAST OPTIN|EXEC"],
    ["a MULTI|HELLO 3|CONFIG GET maxmemory|HELLO 2|"
     "CONFIG GET maxmemory|EXEC|PING"],
    ["a MULTI|HGETALL {t}h|CLIENT GETNAME|HELLO 3|CLIENT GETNAME|EXEC|HGETALL {t}h|HELLO 2"],
    ["a MULTI|HELLO 4|HELLO x|HELLO 3 x|HELLO|EXEC|PING"],
    ["a MULTI|CLIENT INFO|GET {t}k|CLIENT LIST TYPE normal|EXEC"],
    ["a MULTI|AUTH a b|AUTH x|EXEC"],
    ["a MULTI|DBSIZE|SET {t}k 1|DBSIZE|KEYS *|FLUSHALL|DBSIZE|RANDOMKEY|EXEC|DBSIZE"],
    ["a MSET {t}1 1 {t}2 2 {t}3 3", "a MULTI|FLUSHDB|SET {t}k 1|EXEC", "b DBSIZE|KEYS *|GET {t}k"],
    ["a SET {t}k 1", "a MULTI|RANDOMKEY|KEYS {t}*|KEYS x|SET {t}k 2|RANDOMKEY|EXEC"],
    ["a MULTI|FLUSHALL x|DBSIZE|EXEC|MULTI|DBSIZE x|EXEC"],
    ["a MULTI|SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db|SCRIPT FLUSH|"
     "SCRIPT LOAD return(1)|SCRIPT EXISTS a3fbb4c5c0e0d7da0f0fb6d1d8f2b5eb1fa27e8c|EXEC",
     "b MULTI|SCRIPT LOAD return|SCRIPT LOAD syntax(|EVALSHA "
     "63143b6f8007b98c53ca2149822777b3566f9241 1 {t}k|EXEC|SCRIPT EXISTS "
     "63143b6f8007b98c53ca2149822777b3566f9241"],
    ["a MULTI|FUNCTION LIST|FUNCTION FLUSH|FUNCTION STATS|FUNCTION DELETE no|EXEC"],
    ["a MULTI|WAIT 0 1000|BLPOP {t}no 0|XREAD BLOCK 0 STREAMS {t}no $|"
     "BLMOVE {t}no {t}no LEFT LEFT 0|EXEC|PING"],
    ["a MULTI|CONFIG SET maxmemory-samples|EXEC|PING"],
    ["a MULTI|CONFIG SET nope 5|CONFIG RESETSTAT|CONFIG REWRITE|EXEC"],
    ["a MULTI|SHUTDOWN|EXEC|MULTI|SAVE|EXEC|MULTI|SYNC|DISCARD|MULTI|PSYNC ? -1|EXEC"],
    ["a MULTI|CLUSTER COUNTKEYSINSLOT 1|CLUSTER GETKEYSINSLOT 1 2|SET {t}k 1|EXEC|GET {t}k"],
    ["a MULTI|EXEC|EXEC|DISCARD|MULTI|WATCH {t}k|MULTI|PING|EXEC"],
    ["a MULTI|SELECT 0|SET {t}k 1|SELECT 0|EXEC|GET {t}k"],
]

# In front of a plain server with 4 databases.
DATABASE_DIALOGUES = [
    ["a MULTI|SELECT 1|SET k 1|SELECT 0|GET k|EXEC|GET k|SELECT 1|GET k"],
    ["a MULTI|SELECT 1|SET k 1|EXEC|GET k|SELECT 0|GET k", "b GET k|DBSIZE"],
    ["a SELECT 2", "a MULTI|SELECT 1|SET k 1|SELECT 2|DBSIZE|SET j 1|SELECT 2|EXEC|KEYS *",
     "b DBSIZE", "a MULTI|SELECT 3|DISCARD|KEYS *"],
    ["a WATCH k", "a MULTI|SELECT 1|SET k 1|EXEC|GET k", "a MULTI|GET k|SELECT 0|GET k|EXEC|GET k"],
    ["a WATCH k", "b SET k 1", "a MULTI|SELECT 1|SET k 1|EXEC|GET k|DBSIZE"],
    ["a MULTI|SELECT 1|FLUSHDB|SET k 1|DBSIZE|SUBSCRIBE x|GET k|EXEC",
     "a UNSUBSCRIBE x|GET k|SELECT 0|GET k"],
    ["a MULTI|SELECT 3|CLIENT GETNAME|SET k 3|RANDOMKEY|EXEC",
     "a RANDOMKEY|DBSIZE|SELECT 0|DBSIZE"],
    ["a MULTI|CLIENT GETNAME|SELECT 1|INCR k|SELECT 2|INCR k|INCR k|SELECT 3|EXEC|SELECT 2|GET k"],
]


@test()
def dialogues_about_all_masters_and_other_clients_inside_multi_are_those_of_redis(t):
    """One plain server, and keyway in front of three masters."""
    with single_redis() as server:
        compare(server, t.keyway.port, DIALOGUES, wipe_through=t.keyway.port)


@test(cluster=NONE, keyway=False)
def select_inside_multi_is_that_of_redis(t):
    port = t.start_server("--databases", "4")
    other = t.start_server("--databases", "4")
    t.start_keyway(seeds=["127.0.0.1:%d" % port])
    client = t.client()
    until(lambda: client.call("CONFIG", "GET", "databases") == [b"databases", b"4"], PATIENCE_S,
          "keyway knows how many databases there are")
    client.close()
    compare(other, t.keyway.port, DATABASE_DIALOGUES, wipe_through=port)

    client = t.client()
    replies = client.pipeline([("MULTI",), ("SET", "k", 1), ("SELECT", 4), ("SET", "k", 2),
                               ("EXEC",), ("GET", "k")])
    assert [getattr(reply, "text", reply) for reply in replies] == [
        b"OK", b"QUEUED", "ERR DB index is out of range", b"QUEUED",
        "EXECABORT Transaction discarded because of previous errors.", None], replies


@test()
def a_transaction_loads_scripts_and_flushes_keys_at_every_master(t):
    """As a library that loads and calls in one go, and as a suite that cleans up."""
    client = t.client()
    for n in range(200):
        client.call("SET", "key:%d" % n, n)
    replies = client.pipeline([
        ("MULTI",), ("DBSIZE",), ("SCRIPT", "LOAD", "return KEYS[1]"),
        ("EVALSHA", "4a2267357833227dd98abdedb8cf24b15a986445", 1, "{t}k"), ("FLUSHDB",),
        ("SET", "{t}k", "v"), ("DBSIZE",), ("KEYS", "*"), ("EXEC",)])
    assert replies[-1] == [200, b"4a2267357833227dd98abdedb8cf24b15a986445", b"{t}k", b"OK", b"OK",
                           1, [b"{t}k"]], replies[-1]
    assert client.call("GET", "{t}k") == b"v"
    for n in range(20):
        assert client.call("EVALSHA", "4a2267357833227dd98abdedb8cf24b15a986445", 1, "x%d" % n) \
            == b"x%d" % n
    client.call("FLUSHALL")


@test()
def caching_and_tracking_inside_multi_remember_what_is_read(t):
    """OPTIN is about what stands behind it, up to EXEC; TRACKING ON is about all of it."""
    other = t.client()
    for words in ([("MULTI",), ("CLIENT", "CACHING", "YES"), ("GET", "{t}a"), ("EXEC",)],
                  [("CLIENT", "CACHING", "YES"), ("MULTI",), ("GET", "{t}a"), ("EXEC",)]):
        client = t.client()
        client.call("HELLO", 3)
        assert client.call("CLIENT", "TRACKING", "ON", "OPTIN") == b"OK"
        client.pipeline(words + [("GET", "{t}b")])
        other.call("SET", "{t}b", 1)
        other.call("SET", "{t}a", 1)
        assert client.read() == [b"invalidate", [b"{t}a"]]
        client.close()
    client = t.client()
    client.call("HELLO", 3)
    client.pipeline([("MULTI",), ("CLIENT", "TRACKING", "ON"), ("GET", "{t}a"), ("EXEC",)])
    assert client.read() == [b"invalidate", None], "it was read before the nodes were listened to"
    client.call("GET", "{t}a")
    other.call("SET", "{t}a", 2)
    assert client.read() == [b"invalidate", [b"{t}a"]]


def compare(server, keyway, dialogues, wipe_through):
    differences = []
    for steps in dialogues:
        for hello in ([], [["HELLO", "3"]]):
            wipe(server)
            wipe(wipe_through)
            expected = [masked(heard) for heard in play_on_server(server, hello, steps)]
            got = [masked(heard) for heard in play_on_keyway(keyway, hello, steps, expected)]
            if got != expected:
                differences.append("%s %s\nredis  %r\nkeyway %r" % (hello, steps, expected, got))
    assert not differences, "%d differ:\n%s" % (len(differences), "\n".join(differences[:5]))


def wipe(port):
    with Client(port) as client:
        for words in FORGET_ALL:
            client.call(*words)


class Voices:
    """The clients of a dialogue, by name."""

    def __init__(self, port, hello):
        self.port, self.hello, self.clients = port, hello, {}

    def say(self, step):
        name, _, lines = step.partition(" ")
        if name not in self.clients:
            self.clients[name] = Client(self.port, PATIENCE_S)
            for words in self.hello:
                self.clients[name].call(*words)
        self.clients[name].send_all([line.split(" ") for line in lines.split("|")])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.clients.values():
            client.close()


def hear_to_mark(client):
    """All that comes in front of the answer to a PING, or to the end of the connection."""
    try:
        client.sock.sendall(encode([b"PING", MARK]))
    except ConnectionError:
        return b"<end>"
    heard = hear_until(client, lambda heard: MARK + b"\r\n" in heard)
    if heard.endswith(b"<end>"):
        return heard
    before, mark, _ = heard.partition(MARK)
    assert mark == MARK, "no answer to a PING: %r" % heard
    return re.sub(rb"(\*2\r\n\$4\r\npong\r\n)?\$\d+\r\n$", b"", before)


def hear_until(client, is_all):
    """Bytes until IS_ALL() of them, for PATIENCE_S at the most, or to the end of the connection."""
    heard = b""
    end = time.monotonic() + PATIENCE_S
    try:
        while not is_all(heard) and time.monotonic() < end:
            piece = client.sock.recv(65536)
            if not piece:
                return heard + b"<end>"
            heard += piece
    except ConnectionError:
        return heard + b"<end>"
    except TimeoutError:
        pass
    return heard


def play_on_server(port, hello, steps):
    """For each step what each client hears of it: the server has said all when it says PONG."""
    with Voices(port, hello) as voices:
        heard = []
        for step in steps:
            voices.say(step)
            speaker = step[0]  # is answered first: what others hear of it is there then
            names = sorted(voices.clients, key=lambda name: (name != speaker, name))
            heard.append({name: hear_to_mark(voices.clients[name]) for name in names})
        return [b"|".join(b"%s:%s" % (name.encode(), said) for name, said in sorted(one.items()))
                for one in heard]


def play_on_keyway(port, hello, steps, expected):
    """The same without PINGs between: messages come in their own time."""
    with Voices(port, hello) as voices:
        heard = []
        for step, wanted in zip(steps, expected):
            voices.say(step)
            parts = []
            for name, client in sorted(voices.clients.items()):
                # What there is besides is heard later.
                length = len(wanted_of(wanted, name))
                said = hear_until(client, lambda heard, n=length: len(masked(heard)) >= n)
                parts.append(b"%s:%s" % (name.encode(), said))
            heard.append(b"|".join(parts))
        last = {name: hear_to_mark(client) for name, client in voices.clients.items()}
        if any(said not in (b"", b"<end>") for said in last.values()):
            heard.append(b"more came: %r" % last)
        return heard


def wanted_of(wanted, name):
    for part in re.split(rb"\|(?=[a-c]:)", wanted):
        if part.startswith(name.encode() + b":"):
            return part[2:]
    return b""


def masked(heard):
    """Without what must differ: numbers of clients, and of CLIENT LIST all but a transaction's."""
    heard = re.sub(rb"\$2\r\nid\r\n:\d+", b"$2\r\nid\r\n:N", heard)
    return re.sub(rb"[$=]\d+\r\n(txt:)?id=[^\r]*?( flags=\w+)[^\r]*?( multi=[-\d]+)[^\r]*\r\n",
                  rb"list\2\3\r\n", heard)
