"""What each popular client library says when it connects, read from its source, and that keyway alone answers it.

A line is what one library sends, in its order. `!` marks what is an error on a redis-server too, and
that the library lives with. No node hears a word of it.
"""
import itertools
import os
import socket
import time

from support.client import ErrorReply, encode
from support.single import single_redis
from support.testing import test

MAINTENANCE = "! CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type internal-ip"
LIBRARY = "CLIENT SETINFO LIB-NAME lib / CLIENT SETINFO LIB-VER 1.0"
HANDSHAKES = {
    "redis-py 8": "HELLO 3 / " + MAINTENANCE + " / CLIENT SETNAME me / " + LIBRARY + " / SELECT 0",
    "redis-py 5": LIBRARY + " / SELECT 0 / PING",
    "ioredis 6": "HELLO 3 / SELECT 0 / CLIENT SETNAME me / " + LIBRARY + " / INFO",
    "ioredis 5": "SELECT 0 / CLIENT SETNAME me / INFO",
    "node-redis 6": "HELLO 3 SETNAME me / SELECT 0 / " + LIBRARY + " / CLIENT TRACKING ON / " + MAINTENANCE,
    "jedis 8": "HELLO 3 / CLIENT SETNAME me / " + LIBRARY + " / SELECT 0 / PING",
    "lettuce 7": "HELLO 3 SETNAME me / SELECT 0 / CLIENT SETINFO lib-name l / CLIENT SETINFO lib-ver 7 / " + MAINTENANCE,
    "go-redis 9": "HELLO 3 SETNAME me / SELECT 0 / CLIENT SETNAME me / " + MAINTENANCE + " / " + LIBRARY + " / COMMAND",
    "rueidis": "HELLO 3 SETNAME me / CLIENT TRACKING ON OPTIN / SELECT 0 / CLIENT NO-TOUCH ON / CLIENT NO-EVICT ON / " + LIBRARY,
    "phpredis": "SELECT 0 / ECHO 5f3a",
    "predis 3": "HELLO 2 SETNAME predis / " + LIBRARY + " / SELECT 0",
    "redis-rb": "HELLO 3 / SELECT 0 / " + LIBRARY + " / CLIENT SETNAME me / ROLE",
    "redis-rs": "SELECT 0 / " + LIBRARY,
    "valkey-glide": "HELLO 3 / SELECT 0 / CLIENT SETNAME me / " + LIBRARY + " / INFO",
    "redisson": "HELLO 3 / SELECT 0 / CLIENT SETNAME me / CLIENT CAPA redirect / PING",
    "redis-cli": "HELLO 3 / COMMAND DOCS / INFO server",
    "redis-benchmark": "CONFIG GET save / CONFIG GET appendonly",
    "RedisInsight": "INFO / DBSIZE / MODULE LIST / SLOWLOG GET 10 / CLIENT LIST / CONFIG GET databases",
}
# What tools ask of the data itself goes to the nodes.
FOR_NODES = {"DBSIZE", "MODULE"}
TOOLS = {"redis-cli", "redis-benchmark", "RedisInsight"}
CONNECTS, ROUNDS = 10000, 4
# HELLO's keys in their order, and the type that clients cast each value to.
HELLO = [(b"server", bytes), (b"version", bytes), (b"proto", int), (b"id", int), (b"mode", bytes),
         (b"role", bytes), (b"modules", list)]


@test(arguments=["--threads", "2"])
def every_library_connects_and_no_node_hears_of_it(t):
    watcher = t.client()
    for library, line in HANDSHAKES.items():
        requests = [words.split() for words in line.split(" / ")]
        before = calls_sent(watcher)
        with t.client() as client:
            replies = client.pipeline([words[words[0] == "!":] for words in requests])
            assert client.call("PING") == b"PONG"
        sent = calls_sent(watcher) - before
        for words, reply in zip(requests, replies):
            check(library, words, reply)
        if not any(words[0] in FOR_NODES for words in requests):
            assert sent == 0, "%s: %d calls to nodes" % (library, sent)


def check(library, words, reply):
    is_error = isinstance(reply, ErrorReply)
    assert is_error == (words[0] == "!"), "%s: %s: %r" % (library, " ".join(words), reply)
    if words[0] == "HELLO":
        pairs = list(reply.items()) if isinstance(reply, dict) else list(zip(reply[::2], reply[1::2]))
        assert [(key, type(value)) for key, value in pairs] == HELLO, "%s: %r" % (library, reply)
        found = dict(pairs)
        assert found[b"proto"] == int(words[1]) and found[b"id"] > 0, reply
        assert (found[b"mode"], found[b"role"], found[b"modules"]) == (b"standalone", b"master", []), reply
    elif words[0] == "INFO" and len(words) == 1:
        for line in (b"loading:0", b"role:master", b"cluster_enabled:0", b"redis_mode:standalone"):
            assert line in reply, "%s: INFO has no %r" % (library, line)


def calls_sent(client):
    line = next(line for line in client.call("INFO").splitlines() if line.startswith(b"calls_sent:"))
    return int(line.partition(b":")[2])


@test(arguments=["--threads", "1"])
def ten_thousand_connects_cost_the_nodes_nothing_and_keyway_little(t):
    """All libraries in turn. A redis-server gets the same ones, turn about, for comparison."""
    watcher = t.client()
    sent, heard = calls_sent(watcher), connections_of_nodes(t)
    handshakes = [encoded_handshake(library) for library in HANDSHAKES if library not in TOOLS]
    took_s = {"keyway": 0.0, "redis": 0.0}
    with single_redis() as redis_port:
        ports = {"keyway": t.keyway.port, "redis": redis_port}
        cpu_s = {name: -cpu_of_listener(t, ports[name]) for name in ports}
        for _ in range(ROUNDS):
            for name in ports:
                took_s[name] += connect_all(ports[name], handshakes, CONNECTS // ROUNDS)
        for name in ports:
            cpu_s[name] += cpu_of_listener(t, ports[name])

    assert calls_sent(watcher) == sent, "%d calls to nodes" % (calls_sent(watcher) - sent)
    # Looking costs one connection a node; discovery and probes a few.
    grown = connections_of_nodes(t) - heard
    assert grown < 40, "%d connections reached the nodes" % grown
    assert t.is_sanitized or took_s["keyway"] < 2 * took_s["redis"] + 1, took_s
    print("     (%s)" % "; ".join("%s: %.0f connects/s, %.0f us of CPU each" % (
        name, CONNECTS / took_s[name], cpu_s[name] / CONNECTS * 1e6) for name in took_s))


def encoded_handshake(library):
    requests = [words.split() for words in HANDSHAKES[library].split(" / ")]
    return b"".join(encode(words[words[0] == "!":]) for words in requests) + encode(("ECHO", "the end"))


def connect_all(port, handshakes, count):
    """Seconds for COUNT connections, one after the other, each with one of HANDSHAKES."""
    started = time.monotonic()
    for handshake in itertools.islice(itertools.cycle(handshakes), count):
        with socket.create_connection(("127.0.0.1", port), 30) as sock:
            sock.sendall(handshake)
            tail = b""
            while not tail.endswith(b"$7\r\nthe end\r\n"):
                came = sock.recv(1 << 20)
                assert came, "closed in the middle of %r" % handshake
                tail = (tail + came)[-20:]
    return time.monotonic() - started


def connections_of_nodes(t):
    texts = [t.cluster.call(port, "INFO", "stats").decode() for port in t.cluster.ports]
    return sum(int(text.split("total_connections_received:")[1].split()[0]) for text in texts)


def cpu_of_listener(t, port):
    """Seconds of CPU of the server at PORT so far."""
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        sock.sendall(encode(("INFO", "server")))
        text = sock.recv(1 << 16).decode()
    with open("/proc/%s/stat" % text.split("process_id:")[1].split()[0]) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
