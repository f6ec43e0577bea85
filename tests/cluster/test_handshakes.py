"""What each popular client library says when it connects, read from its source, and that keyway alone answers it.

A line is what one library sends, in its order. `!` marks what is an error on a redis-server too, and
that the library lives with. No node hears a word of it.
"""
from support.client import ErrorReply
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
