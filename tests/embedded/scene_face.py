"""What the embedded store says of itself, and of what it lacks."""

import shutil
import tempfile

import __main__
from resp import Connection, Error


def it_lists_what_it_has(start):
    keyway = start()
    connection = Connection(keyway.port)
    names = {name.decode() for name in connection.ask("COMMAND", "LIST")}
    assert {"get", "hexpire", "zadd", "blpop", "multi", "subscribe", "client|tracking"} <= names
    assert not {"xadd", "geoadd", "pfadd", "eval", "cluster|info", "script|load"} & names
    assert connection.ask("COMMAND", "INFO", "xadd", "get")[0] is None
    assert connection.ask("COMMAND", "INFO", "xadd", "get")[1][0] == b"get"
    assert connection.ask("COMMAND", "COUNT") == len(connection.ask("COMMAND"))
    assert connection.ask("COMMAND", "DOCS", "eval") == []


def it_names_the_proxy_for_what_it_lacks(start):
    keyway = start()
    connection = Connection(keyway.port)
    for words, lacking in ((["XADD", "s", "*", "a", "b"], "streams"), (["EVAL", "return 1", "0"], "scripts"),
                           (["PFADD", "h", "a"], "HyperLogLogs"), (["MIGRATE", "h", "1", "k", "0", "1"], "such command"),
                           (["GEOADD", "g", "1", "1", "m"], "positions"), (["JSON.GET", "j"], "modules")):
        assert connection.ask(*words) == Error(
            "ERR '%s' needs a server: the embedded store has no %s; set cluster-seeds to put keyway "
            "before one" % (words[0], lacking)), words
    assert connection.ask("SELECT", "1") == Error("ERR DB index is out of range")
    assert connection.ask("CLUSTER", "INFO") == Error("ERR This instance has cluster support disabled")
    assert connection.ask("PING") == b"PONG"


def info_counts_keys(start):
    keyway = start("--threads", "2")
    connection = Connection(keyway.port)
    connection.send(["MSET", "a", "1", "b", "2"], ["SET", "c", "3", "EX", "1000"], ["GET", "a"],
                    ["GET", "nothing"], ["PEXPIRE", "b", "100000"], ["PERSIST", "b"], ["SADD", "s", "m"],
                    ["EXPIRE", "s", "1000"])
    for _ in range(8):
        connection.read()
    lines = connection.ask("INFO").decode().split("\r\n")
    assert "db0:keys=4,expires=2,avg_ttl=0" in lines
    assert "redis_mode:standalone" in lines and "maxmemory_policy:noeviction" in lines
    assert any(line.startswith("keyspace_hits:") and line != "keyspace_hits:0" for line in lines)
    assert connection.ask("CONFIG", "GET", "databases") == [b"databases", b"1"]


def it_speaks_of_itself_as_a_server_does(start):
    """HELP word by word, and what clients' test suites ask of any server."""
    folder = tempfile.mkdtemp(prefix="keyway-scene-")
    redis = __main__.Process(["redis-server", "--save", "", "--databases", "1",
                              "--enable-debug-command", "yes"], folder, "redis")
    try:
        keyway = start("--enable-debug-command", "yes")
        for protocol in (2, 3):
            ours, theirs = Connection(keyway.port, protocol), Connection(redis.port, protocol)
            for words in ([[group, "HELP"] for group in HELPED] + [line.split() for line in ASKED] +
                          [["DEBUG", "PROTOCOL", kind] for kind in KINDS]):
                replies = []
                for client in (ours, theirs):
                    client.send(words)
                    replies.append(client.read())
                    if words[-1] == "push" and protocol == 3:
                        replies[-1] += client.read()
                assert replies[0] == replies[1], (words, replies)
            for words in (["MEMORY", "STATS"], ["MEMORY", "MALLOC-STATS"]):
                for client in (ours, theirs):
                    client.send(words)
                assert ours.read()[:1] == theirs.read()[:1], words
        assert Connection(start().port).ask("DEBUG", "SLEEP", "0").startswith("ERR DEBUG command not allowed")
    finally:
        redis.end()
        shutil.rmtree(folder)


def options_of_servers_are_unknown(start):
    client = Connection(start().port)
    assert client.ask("CONFIG", "SET", "lazyfree-lazy-eviction", "yes") == Error(
        "ERR Unknown option or number of arguments for CONFIG SET - 'lazyfree-lazy-eviction'")


HELPED = ["ACL", "CLIENT", "COMMAND", "CONFIG", "LATENCY", "MEMORY", "MODULE", "OBJECT", "PUBSUB",
          "SLOWLOG"]
ASKED = ["MEMORY DOCTOR", "MEMORY PURGE", "MEMORY NOPE", "MODULE LIST", "SCRIPT FLUSH", "SCRIPT EXISTS a b",
         "SCRIPT KILL", "FUNCTION FLUSH", "FUNCTION LIST", "REPLICAOF NO ONE", "SLAVEOF no one",
         "DEBUG SLEEP 0", "DEBUG SLEEP 0.001", "DEBUG SET-ACTIVE-EXPIRE 0", "DEBUG SET-ACTIVE-EXPIRE 1",
         "DEBUG NOPE", "DEBUG SLEEP", "DEBUG PROTOCOL", "READONLY", "READWRITE", "ASKING"]
KINDS = ["string", "integer", "double", "bignum", "null", "array", "set", "map", "attrib", "verbatim",
         "true", "false", "nope", "push"]

SCENES = [it_speaks_of_itself_as_a_server_does, options_of_servers_are_unknown, it_lists_what_it_has, it_names_the_proxy_for_what_it_lacks, info_counts_keys]
