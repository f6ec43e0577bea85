"""What the embedded store says of itself, and of what it lacks."""

from resp import Connection, Error


def it_lists_what_it_has(start):
    keyway = start()
    connection = Connection(keyway.port)
    names = {name.decode() for name in connection.ask("COMMAND", "LIST")}
    assert {"get", "hexpire", "zadd", "blpop", "multi", "subscribe", "client|tracking"} <= names
    assert not {"xadd", "geoadd", "pfadd", "eval", "cluster|info", "script|help"} & names
    assert connection.ask("COMMAND", "INFO", "xadd", "get")[0] is None
    assert connection.ask("COMMAND", "INFO", "xadd", "get")[1][0] == b"get"
    assert connection.ask("COMMAND", "COUNT") == len(connection.ask("COMMAND"))
    assert connection.ask("COMMAND", "DOCS", "eval") == []


def it_names_the_proxy_for_what_it_lacks(start):
    keyway = start()
    connection = Connection(keyway.port)
    for words, lacking in ((["XADD", "s", "*", "a", "b"], "streams"), (["EVAL", "return 1", "0"], "scripts"),
                           (["PFADD", "h", "a"], "HyperLogLogs"), (["DEBUG", "JMAP"], "such command"),
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


SCENES = [it_lists_what_it_has, it_names_the_proxy_for_what_it_lacks, info_counts_keys]
