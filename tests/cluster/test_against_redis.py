"""The same bytes to a redis-server and to keyway: the same bytes must come back.

The redis-server is a node of the cluster behind keyway. What differs on purpose
is named in one place each, with the reason.
"""
import random
import re
import socket

from language import resp
from language.slots import slot_of
from support.client import Client
from support.testing import FRESH, test
from support.topology import owner_of

SEED = 20240229
GENERATED = 1500
END = b"*2\r\n$4\r\nECHO\r\n$8\r\nthe-end.\r\n"
END_REPLY = b"$8\r\nthe-end.\r\n"

# Chosen inputs: each the smallest that shows one rule of the protocol.
CHOSEN = [
    b"PING\r\n", b"PING\n", b"\r\n\r\nPING\r\n", b"  PING  \r\n", b"PING hello\r\n", b"ping\n",
    b'ECHO "a\\x41\\n\\t\\"z"\r\n', b"ECHO 'it\\'s \\n'\r\n", b'ECHO "\\xzz"\r\n', b'""\r\n',
    b'ECHO "he\r\n', b"ECHO 'he\r\n", b'ECHO "a"b\r\n', b"ECHO 'a''b'\r\n", b'ECHO "\\\r\n',
    b"*0\r\n", b"*-1\r\n", b"*-5\r\n", b"*1\r\n$4\r\nPING\r\n", b"*abc\r\n", b"*\r\n", b"* 1\r\n",
    b"*+1\r\n", b"*01\r\n", b"*1x\r\n", b"*18446744073709551617\r\n$4\r\nPING\r\n",
    b"*2147483648\r\n", b"*-9223372036854775809\r\n", b"*1\r\n4\r\n", b"*1\r\n:4\r\nPING\r\n",
    b"*1\r\n$-1\r\n", b"*1\r\n$abc\r\n", b"*1\r\n$\r\n", b"*1\r\n$ 4\r\n", b"*1\r\n$+4\r\n",
    b"*1\r\n$04\r\nPING\r\n", b"*1\r\n$536870913\r\n", b"*1\r\n$18446744073709551620\r\nPING\r\n",
    b"*1\r\n$0\r\n\r\n", b"*2\r\n$0\r\n\r\n$1\r\na\r\n", b"*1\r\n\r\n", 
    b"*" + b"1" * 70000, b"*1\r\n$" + b"1" * 70000, b"foo\r\n", b"foo a b\r\n",
    b"*1\r\n$8\r\nfo\r\n+X\r\nz\r\n"[:22], b"*2\r\n$3\r\nfoo\r\n$4\r\na\r\nb\r\n",
    b"*2\r\n$200\r\n" + b"w" * 200 + b"\r\n$3\r\nabc\r\n",
    b"*2\r\n$3\r\nfoo\r\n$200\r\n" + b"q" * 200 + b"\r\n",
    b"*13\r\n$3\r\nfoo\r\n" + b"$20\r\n01234567890123456789\r\n" * 12,
    b"*1\r\n$3\r\nGET\r\n", b"*3\r\n$3\r\nget\r\n$1\r\na\r\n$1\r\nb\r\n", b"GET a b c\r\n",
    b"CLIENT\r\n", b"CLIENT nonsense\r\n", b"CONFIG nonsense\r\n", b"OBJECT nonsense\r\n",
    b"COMMAND nonsense\r\n", b"HELLO 4\r\n", b"HELLO x\r\n", b"HELLO 3 nonsense\r\n",
    b"HELLO 2 SETNAME \"a b\"\r\n", b"CLIENT SETNAME \"a b\"\r\n", b"AUTH x\r\n", b"AUTH a b c\r\n",
    b"ECHO\r\n", b"ECHO a b\r\n", b"PING a b\r\n", b"RESET\r\n", b"RESET a\r\n", b"SELECT\r\n",
    b"SELECT 0\r\n", b"SELECT x\r\n", b"MGET {a}1 {a}2\r\n", b"MSET a 1 a\r\n", b"EVAL x 5 a\r\n",
    b"EVAL x -1\r\n", b"EVAL x y\r\n", b"SUNION a b\r\n",
    b"COMMAND GETKEYS mset a 1 b 2\r\n", b"COMMAND GETKEYS ping\r\n",
    b"COMMAND GETKEYS nonsense a\r\n",
    b"COMMAND GETKEYS get\r\n", b"COMMAND INFO nonsense\r\n", b"COMMAND INFO get\r\n",
    b"COMMAND DOCS nonsense\r\n", b"QUIT\r\n", b"quit now\r\n",
]


@test(cluster=FRESH, masters=1, replicas=0, arguments=["--threads", "1"])
def chosen_inputs_get_the_replies_of_redis(t):
    compare_all(t, CHOSEN)


@test(cluster=FRESH, masters=1, replicas=0, arguments=["--threads", "1"])
def generated_inputs_get_the_replies_of_redis(t):
    """Valid requests with bytes changed, dropped, doubled and cut, from a fixed seed."""
    rng = random.Random(SEED)
    compare_all(t, [broken(rng) for _ in range(GENERATED)])


def broken(rng):
    requests = [b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$4\r\nECHO\r\n$5\r\nworld\r\n", b"PING\r\n",
                b"ECHO 'a b'\r\n", b"*2\r\n$3\r\nGET\r\n$3\r\nabc\r\n", b"*1\r\n$3\r\nfoo\r\n",
                b"*3\r\n$3\r\nfoo\r\n$1\r\na\r\n$1\r\nb\r\n"]
    data = bytearray(b"".join(rng.choice(requests) for _ in range(rng.randint(1, 3))))
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(data))
        how = rng.randrange(4)
        if how == 0:
            data[at] = rng.choice(b"*$:+-0123456789 \"'x\r\n\x7f")
        elif how == 1:
            del data[at]
        elif how == 2:
            data[at:at] = bytes([rng.choice(b"*$-0123456789 \"'x\r\n")])
        else:
            del data[at:]
            break
    return bytes(data)


def compare_all(t, inputs):
    differences = []
    for data in inputs:
        ours, theirs = answer(t.keyway.port, data), answer(t.cluster.ports[0], data)
        if ours != theirs and not is_different_on_purpose(data, ours, theirs):
            differences.append("sent   %s\nredis  %s\nkeyway %s" % (
                resp.show(data), show(theirs), show(ours)))
    assert not differences, "%d of %d differ:\n%s" % (
        len(differences), len(inputs), "\n\n".join(differences[:12]))


def show(outcome):
    received, ending = outcome
    return "%s %s" % (resp.show(received), ending)


def answer(port, data):
    """(bytes, "open" or "closed") after DATA, then an ECHO that shows that the end is reached."""
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        received = bytearray()
        try:
            sock.sendall(data + END)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass                       # closed already; what it said first is still to be read
        try:
            while not is_complete(received):
                part = sock.recv(65536)
                if not part:
                    break
                received += part
        except ConnectionError:
            pass
    is_aligned = received.endswith(END_REPLY)
    return bytes(received), "reaches the end" if is_aligned else "does not reach the end"


def is_complete(received):
    """The end was reached, or an error that is followed by a close: no need to wait for it."""
    return received.endswith(END_REPLY) or (
        received.endswith(b"\r\n") and b"-ERR Protocol error: " in received)


def is_different_on_purpose(data, ours, theirs):
    received, _ = ours
    is_our_refusal = received.rpartition(b"-ERR Protocol error: ")[1] != b""
    # Redis skips whatever two bytes follow a bulk; keyway must agree with its servers where a
    # request ends, so it insists on CR LF.
    if is_our_refusal and b"expected CR LF behind the bulk" in received:
        return True
    # Redis ends a length at any CR and skips the byte behind it; keyway insists on CR LF there too.
    if is_our_refusal and re.search(rb"\r(?!\n)", data + END):
        return True
    # Redis closes without a word on HTTP; keyway says why (rule L3).
    if is_our_refusal and b"HTTP" in received:
        return True
    # COMMAND GETKEYS takes one word fewer since redis 7.2; this may be an older server.
    if data.startswith(b"COMMAND GETKEYS"):
        return received.startswith(b"-ERR ") and theirs[0].startswith(b"-ERR ")
    return False


@test(arguments=["--threads", "1"])
def every_command_with_keys_is_routed_as_the_cluster_executes_it(t):
    """Each row of the server's own COMMAND table that has keys, with keys of one slot."""
    first = t.cluster.ports[0]
    table = Client(first).call("COMMAND")
    tried, differences = 0, []
    with t.client() as ours, Client(owner_of(t.cluster, slot_of("{t}"))["port"]) as theirs:
        for row in table:
            words = request_for(row)
            if words is None:
                continue
            tried += 1
            reply = ours.call(*words)
            theirs.call("FLUSHALL")
            expected = theirs.call(*words)
            theirs.call("FLUSHALL")
            if reply != expected:
                differences.append("%r: redis %r, keyway %r" % (words, expected, reply))
    assert tried > 130, "only %d commands were tried" % tried
    assert not differences, "%d of %d differ:\n%s" % (
        len(differences), tried, "\n".join(differences))


# Commands that keyway refuses or defers, in the words of the issue: classes not built yet.
NOT_COMPARED = {
    "migrate": "administration: refused",
    "object": "a container", "xinfo": "a container", "xgroup": "a container",
    "memory": "a container",
    "watch": "leased link", "restore-asking": "for nodes", "pfdebug": "for nodes",
    "pfselftest": "for nodes", "subscribe": "pub/sub", "psubscribe": "pub/sub",
    "ssubscribe": "pub/sub", "sunsubscribe": "pub/sub",
}


def request_for(row):
    """The shortest request of this row of COMMAND with the key {t} wherever keys are; or None."""
    name, arity, flags, first, last, step = row[0].decode(), row[1], row[2], row[3], row[4], row[5]
    if name in NOT_COMPARED or b"blocking" in flags or first == 0:
        return None
    count = max(abs(arity), first + 1 if last >= 0 else first + step)
    words = [name] + ["1"] * (count - 1)
    end = last if last >= 0 else count + last
    for at in range(first, min(end, count - 1) + 1, step):
        words[at] = "{t}"
    return words


@test(arguments=["--threads", "1"])
def command_info_agrees_with_the_servers(t):
    """Arity, first key, last key and step of each command that both know."""
    theirs = {row[0]: row for row in Client(t.cluster.ports[0]).call("COMMAND")}
    ours = {row[0]: row for row in t.client().call("COMMAND")}

    both = sorted(set(theirs) & set(ours))
    differing = [(name, theirs[name][1:6], ours[name][1:6]) for name in both
                 if not same_arity(theirs[name][1], ours[name][1])
                 or theirs[name][3:6] != ours[name][3:6]]

    assert len(both) > 150, "only %d commands in common" % len(both)
    assert not differing, "\n".join("%s: redis %r, keyway %r" % each for each in differing)


def same_arity(theirs, ours):
    """The same, or ours lets options follow that a newer server knows (ZRANK ... WITHSCORE)."""
    return ours == theirs or ours == -abs(theirs)


@test(arguments=["--threads", "1"])
def random_requests_get_the_replies_of_redis(t):
    """Differential: one random stream to a redis-server and to keyway, in both protocol versions.

    Each request has keys of one tag, so a single server must answer the same.
    """
    rng = random.Random(SEED)
    node = owner_of(t.cluster, slot_of("{same}"))
    stream = [random_request(rng) for _ in range(4000)]
    for version in ("2", "3"):
        ours = replies_to(stream, t.keyway.port, version)
        t.cluster.call(node["port"], "FLUSHALL")
        theirs = replies_to(stream, node["port"], version)
        t.cluster.call(node["port"], "FLUSHALL")
        for words, our, their in zip(stream, ours, theirs):
            assert our == their, "%r: redis %r, keyway %r (seed %d, RESP%s)" % (
                words, their, our, SEED, version)


def replies_to(stream, port, version):
    with Client(port) as client:
        client.call("HELLO", version)
        return [reply for at in range(0, len(stream), 100)
                for reply in client.pipeline(stream[at:at + 100])]


def random_request(rng):
    key = "{same}%s%d"
    n = lambda: rng.randrange(5)
    text = lambda: "v%d" % rng.randrange(20)
    s, l, h, z, st = (key % (kind, n()) for kind in "slhzt")
    other = key % (rng.choice("slhzt"), n())
    return rng.choice([
        ("SET", s, text()), ("GET", s), ("APPEND", s, text()), ("STRLEN", s), ("GETRANGE", s, 0, 3),
        ("INCR", key % ("n", n())), ("DEL", other), ("EXISTS", s, l, h), ("TYPE", other),
        ("RPUSH", l, text(), text()), ("LPOP", l), ("LRANGE", l, 0, -1), ("LLEN", l),
        ("HSET", h, text(), text()), ("HGET", h, text()), ("HLEN", h), ("HDEL", h, text()),
        ("ZADD", z, n(), text()), ("ZRANGE", z, 0, -1, "WITHSCORES"), ("ZRANK", z, text()),
        ("SADD", st, text()), ("SCARD", st), ("SISMEMBER", st, text()), ("SREM", st, text()),
        ("MGET", s, key % ("s", n())), ("MSET", s, text(), key % ("s", n()), text()),
        ("RENAME", s, key % ("s", n())), ("COPY", s, key % ("s", n()), "REPLACE"), ("GET", l),
        ("EVAL", "return {KEYS[1], ARGV[1], 7, false}", 1, s, text()), ("SETRANGE", s, n(), text()),
        ("OBJECT", "ENCODING", l), ("BITCOUNT", s), ("LINDEX", l, n()), ("SMISMEMBER", st, text()),
        ("foo", text()), ("GET",), ("ECHO", text()), ("PING",),
    ])
