"""What the embedded store says of itself, and of what it lacks."""

import os
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
    for words in (["SHUTDOWN"], ["shutdown", "NOSAVE"]):
        assert connection.ask(*words) == Error(
            "ERR SHUTDOWN is not available: keyway ends by SIGTERM, and writes its snapshot-file then")
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

def fields(connection, section):
    lines = connection.ask("INFO", section).decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def info_says_what_memory_was_used_at_most(start):
    connection = Connection(start().port)
    connection.ask("SET", "large", "x" * 1000000)
    full = int(fields(connection, "memory")["used_memory"])
    assert full >= 1000000
    connection.ask("DEL", "large")
    memory = fields(connection, "memory")
    assert int(memory["used_memory"]) < 900000
    assert 1000000 <= int(memory["used_memory_peak"]) <= full + 100000
    assert int(memory["used_memory_dataset"]) <= int(memory["used_memory"])


def info_counts_changes_until_they_are_saved(start):
    with tempfile.TemporaryDirectory() as folder:
        connection = Connection(start("--snapshot-file", os.path.join(folder, "keys")).port)
        connection.send(["SET", "a", "1"], ["GET", "a"], ["SADD", "s", "m"], ["DEL", "none"])
        for _ in range(4):
            connection.read()
        before = fields(connection, "persistence")
        assert before["rdb_changes_since_last_save"] == "2" and before["rdb_saves"] == "0"
        assert before["rdb_last_bgsave_time_sec"] == "-1" and before["loading"] == "0"
        assert connection.ask("SAVE") == b"OK"
        after = fields(connection, "persistence")
        assert after["rdb_changes_since_last_save"] == "0" and after["rdb_saves"] == "1"
        assert after["rdb_last_bgsave_status"] == "ok" and after["rdb_bgsave_in_progress"] == "0"
        assert int(after["rdb_last_save_time"]) >= int(before["rdb_last_save_time"])
        assert int(after["rdb_last_bgsave_time_sec"]) >= 0


def slow_commands_are_told_of(start):
    keyway = start("--slowlog-log-slower-than", "0", "--latency-monitor-threshold", "1")
    connection = Connection(keyway.port)
    members = ["%d" % number for number in range(20000)]
    connection.ask("SADD", "set", *members)
    connection.ask("SORT", "set", "ALPHA", "LIMIT", "0", "1")
    connection.ask("GET", "a")
    entries = connection.ask("SLOWLOG", "GET", "10")
    words = [entry[3] for entry in entries]
    assert [b"SORT", b"set", b"ALPHA", b"LIMIT", b"0", b"1"] in words, words
    assert [b"GET", b"a"] in words and any(word[:2] == [b"SADD", b"set"] for word in words)
    took = next(entry[2] for entry in entries if entry[3][0] == b"SORT")
    assert took > 0
    stats = fields(connection, "commandstats")
    assert stats["cmdstat_sort"].startswith("calls=1,usec=%d,usec_per_call=%d.00," % (took, took))
    assert "latency_percentiles_usec_sort" in fields(connection, "latencystats")
    assert connection.ask("LATENCY", "HISTOGRAM", "sort")[0] == b"sort"
    if took >= 1000:
        assert b"command" in [row[0] for row in connection.ask("LATENCY", "LATEST")]


SCENES = [it_speaks_of_itself_as_a_server_does, options_of_servers_are_unknown, it_lists_what_it_has, it_names_the_proxy_for_what_it_lacks, info_counts_keys,
          info_says_what_memory_was_used_at_most, info_counts_changes_until_they_are_saved,
          slow_commands_are_told_of]
