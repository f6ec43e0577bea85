"""The errors that client libraries match on, byte for byte those of a live redis-server.

Libraries decide by them whether to fall back to RESP2, to load a script, to authenticate, to give
up. Each scene is played on a connection of its own, in RESP2 and in RESP3.
"""
import socket

from support.client import encode
from support.testing import test

# To a plain server and to keyway's standalone personality.
PLAIN = [
    [("HELLO", "4")], [("HELLO", "1")], [("HELLO", "x")], [("HELLO", "3", "NONSENSE")],
    [("HELLO", "3", "AUTH", "nobody", "secret")], [("HELLO", "3", "SETNAME", "a b")],
    [("AUTH", "secret")], [("AUTH", "nobody", "secret")], [("AUTH", "a", "b", "c")], [("AUTH",)],
    [("NONSENSE",)], [("nonsense", "a", "b c")], [("GET",)], [("GET", "a", "b")], [("get",)],
    [("CLIENT", "NONSENSE")], [("CONFIG", "NONSENSE", "x")], [("OBJECT", "NONSENSE", "k")],
    [("CLIENT", "SETNAME", "a b")], [("CLUSTER", "SLOTS")], [("CLUSTER", "NODES")], [("ASKING",)],
    [("READONLY",)], [("READWRITE",)], [("SENTINEL", "MASTERS")], [("SENTINEL",)],
    [("SELECT", "x")], [("SELECT", "-1")], [("SELECT", "99")], [("SELECT",)],
    [("EVALSHA", "f" * 40, "0")], [("EVALSHA", "f" * 40, "1", "k")],
    [("EVALSHA", "short", "1", "k")], [("EVAL", "x", "5", "a")], [("EVAL", "x", "-1")],
    [("SET", "k", "v"), ("LPUSH", "k", "x")], [("SET", "k", "v"), ("INCR", "k")],
    [("SET", "k", "v", "NONSENSE")], [("EXPIRE", "k", "x")],
    [("EXEC",)], [("DISCARD",)], [("MULTI",), ("MULTI",), ("DISCARD",)],
    [("MULTI",), ("WATCH", "k"), ("DISCARD",)], [("MULTI",), ("NONSENSE", "a"), ("EXEC",)],
    [("MULTI",), ("GET",), ("SET", "{t}k", "v"), ("EXEC",)],
    [("SET", "w", "1"), ("MULTI",), ("LPUSH", "w", "x"), ("EXEC",)],
    [("UNLINK",)], [("MGET",)], [("MSET", "a")], [("MSET", "a", "1", "b")],
    [("BLPOP", "k", "x")], [("BLPOP", "k", "-1")], [("PING", "a", "b")], [("ECHO",)],
]
# Behind SUBSCRIBE, which only RESP2 takes for a mode.
SUBSCRIBED = [("GET", "k"), ("SET", "k", "v"), ("MULTI",), ("PING",), ("PING", "x")]
# To a node that owns both keys' slots, and to keyway.
CROSSSLOT = [
    [("RENAME", "a", "b")], [("SUNION", "a", "b")], [("MSETNX", "a", "1", "b", "2")],
    [("EVAL", "return 1", "2", "test1", "test2")], [("ZUNIONSTORE", "a", "2", "b", "c")],
    [("BLPOP", "a", "b", "1")], [("COPY", "a", "b")], [("SMOVE", "a", "b", "m")],
    [("MULTI",), ("SET", "a", "1"), ("RENAME", "a", "b"), ("EXEC",)],
]
# Inputs that end the connection.
PROTOCOL = [
    b"*abc\r\n", b"*1\r\n4\r\n", b"*1\r\n$abc\r\n", b"*1\r\n$-5\r\n", b"*1\r\n$536870913\r\n",
    b"*" + b"1" * 70000, b"*1\r\n$" + b"1" * 70000, b"x" * 70000, b"GET \"a\r\n",
]


@test()
def errors_that_clients_match_on_are_those_of_redis(t):
    plain = t.start_server()
    differences = []
    for version in ("2", "3"):
        for scene in PLAIN:
            compare(differences, plain, t.keyway.port, version, scene)
    compare(differences, plain, t.keyway.port, "2", [("SUBSCRIBE", "ch")] + SUBSCRIBED)
    compare(differences, plain, t.keyway.port, "3", [("SUBSCRIBE", "ch")] + SUBSCRIBED[:2])
    node = t.cluster.ports[0]
    for version in ("2", "3"):
        for scene in CROSSSLOT:
            compare(differences, node, t.keyway.port, version, scene, last_only=True)
    assert not differences, "\n\n".join(differences)


@test()
def protocol_errors_are_those_of_redis_and_close(t):
    plain = t.start_server()
    differences = []
    for data in PROTOCOL:
        theirs, ours = until_closed(plain, data), until_closed(t.keyway.port, data)
        if theirs != ours:
            differences.append("sent   %r\nredis  %r\nkeyway %r" % (data[:40], theirs, ours))
    assert not differences, "\n\n".join(differences)


def compare(differences, theirs, ours, version, scene, last_only=False):
    replies = [played(port, version, scene) for port in (theirs, ours)]
    if last_only:                       # SET a may be MOVED at the one node
        replies = [reply.rstrip(b"\r\n").split(b"\r\n")[-1] for reply in replies]
    if replies[0] != replies[1]:
        differences.append("RESP%s  %r\nredis  %r\nkeyway %r" % (version, scene, *replies))


def played(port, version, scene):
    """All that comes back, up to an ECHO at the end; of a subscriber: what comes in a while."""
    end = encode(("ECHO", "the-end."))
    is_mute = scene[0][0] == "SUBSCRIBE" and version == "2"
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(encode(("HELLO", version)) + encode(("ECHO", "start")))
        received = b""
        while not received.endswith(b"$5\r\nstart\r\n"):
            received += sock.recv(65536)
        received = b""
        sock.sendall(b"".join(encode(words) for words in scene) + (b"" if is_mute else end))
        sock.settimeout(0.3 if is_mute else 5)
        while not received.endswith(b"$8\r\nthe-end.\r\n"):
            try:
                part = sock.recv(65536)
            except socket.timeout:
                assert is_mute, (port, scene, received)
                break
            assert part, (port, scene, received)
            received += part
    return received.replace(b"$8\r\nthe-end.\r\n", b"")


def until_closed(port, data):
    received = b""
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        try:
            sock.sendall(data)
            while True:
                part = sock.recv(65536)
                if not part:
                    break
                received += part
        except ConnectionError:
            pass
    return received
