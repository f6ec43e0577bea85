"""SELECT in front of a plain server: every class of commands stays in its database."""
import threading
import time

from support.testing import NONE, test
from support.wait import until

LOST = "ERR keyway: no database is selected since the last SELECT failed; SELECT one first"


@test(cluster=NONE, keyway=False)
def a_plain_server_tells_how_many_databases_it_has(t):
    port = t.start_server("--databases", "5")
    t.start_keyway(seeds=["127.0.0.1:%d" % port])
    client = t.client()
    until(lambda: client.call("CONFIG", "GET", "databases") == [b"databases", b"5"], 5,
          "keyway knows how many databases there are")
    assert client.pipeline([("SELECT", 4), ("SET", "k", "four"), ("SELECT", 0), ("GET", "k"),
                            ("SELECT", 4), ("GET", "k"), ("DEL", "k")]) == [
        b"OK", b"OK", b"OK", None, b"OK", b"four", 1]
    assert client.call("SELECT", 5).text == "ERR DB index is out of range"
    assert client.call("SET", "k", "v").text.startswith("ERR keyway: no database is selected")
    direct = t.direct(port)
    assert direct.call("DBSIZE") == 0, "it landed in database 0"


@test(cluster=NONE, keyway=False)
def every_class_of_commands_stays_in_its_database(t):
    port = t.start_server()
    t.start_keyway(seeds=["127.0.0.1:%d" % port])
    for version in (2, 3):
        client, direct = t.client(), t.direct(port)
        direct.call("FLUSHALL")
        client.call("HELLO", version)
        assert client.call("SELECT", 1) == b"OK"
        assert client.pipeline([("MULTI",), ("SET", "{m}1", 1), ("SET", "{m}2", 2), ("EXEC",)])[-1] \
            == [b"OK", b"OK"]
        assert client.pipeline([("WATCH", "w"), ("MULTI",), ("SET", "w", 1), ("EXEC",)])[-1] \
            == [b"OK"]
        assert client.call("MSET", "a", 1, "b", 2, "c", 3) == b"OK"
        assert client.call("MGET", "a", "b", "c") == [b"1", b"2", b"3"]
        assert client.call("DEL", "a", "b") == 2
        assert client.call("EVAL", "return redis.call('set', KEYS[1], 'e')", 1, "e") == b"OK"
        sha = client.call("SCRIPT", "LOAD", "return redis.call('set', KEYS[1], 's')")
        assert client.call("EVALSHA", sha, 1, "s") == b"OK"
        assert client.call("XADD", "x", "1-1", "f", "v") == b"1-1"
        assert client.call("XREAD", "BLOCK", 1000, "STREAMS", "x", 0) is not None
        assert client.call("DBSIZE") == 7
        assert sorted(client.call("KEYS", "*")) == sorted(client.call("SCAN", 0, "COUNT", 100)[1])
        assert blocked_pop_gets(t, client, port) == [b"q", b"of 1"]
        assert client.call("MOVE", "{m}2", 3) == 1
        for db, count in ((0, 1), (1, 6), (2, 0), (3, 1)):
            direct.call("SELECT", db)
            assert direct.call("DBSIZE") == count, (db, direct.call("KEYS", "*"))
        assert client.call("FLUSHDB") == b"OK"
        direct.call("SELECT", 0)
        assert direct.call("KEYS", "*") == [b"q"], "FLUSHDB was for database 1"


def blocked_pop_gets(t, client, port):
    """What BLPOP q gets when something is pushed to q of database 0 first, then of database 1."""
    def push():
        direct = t.direct(port)
        until(lambda: direct.call("INFO", "clients").find(b"blocked_clients:1") >= 0, 5,
              "the client is blocked")
        direct.call("RPUSH", "q", "of 0")
        time.sleep(0.1)
        direct.call("SELECT", 1)
        direct.call("RPUSH", "q", "of 1")
    pusher = threading.Thread(target=push)
    pusher.start()
    reply = client.call("BLPOP", "q", 5)
    pusher.join()
    return reply


@test()
def a_failed_select_lets_nothing_reach_database_0(t):
    """Trap 13, in front of a cluster: one write, whose errors nobody looks at."""
    client = t.client()
    replies = client.pipeline([
        ("SELECT", 1), ("SET", "k", "v"), ("MSET", "a", 1, "b", 2), ("MULTI",), ("SET", "k", "v"),
        ("EXEC",), ("LPUSH", "l", 1), ("BLPOP", "l", 1), ("EVAL", "return redis.call('set',KEYS[1],1)", 1, "k"),
        ("FLUSHALL",), ("XADD", "x", "*", "f", "v"), ("DBSIZE",), ("PING",), ("SELECT", 0),
        ("DBSIZE",)])
    assert replies[0].text == "ERR DB index is out of range"
    assert replies[-3:] == [b"PONG", b"OK", 0], replies
    assert all(reply.text.startswith("ERR") for reply in replies[:-3]), replies
    assert replies[1].text == replies[2].text == LOST


@test(cluster=NONE, keyway=False)
def keys_of_a_plain_server_need_not_share_a_slot(t):
    """It has all of them: what it can do at once it does at once, also through keyway."""
    other, port = t.start_server(), t.start_server()
    t.start_keyway(seeds=["127.0.0.1:%d" % port])
    commands = [
        ("MSET", "a", 1, "b", 2, "c", 3), ("MGET", "a", "b", "c"), ("RENAME", "a", "z"),
        ("MULTI",), ("SET", "b", 5), ("INCR", "c"), ("MGET", "b", "c", "z"), ("EXEC",),
        ("WATCH", "b"), ("WATCH", "c"), ("MULTI",), ("SET", "b", 7), ("SET", "c", 8), ("EXEC",),
        ("WATCH", "b", "c"), ("SET", "c", 9), ("MULTI",), ("SET", "b", 10), ("EXEC",),
        ("SADD", "s1", "x"), ("SADD", "s2", "x"), ("SINTER", "s1", "s2"), ("SMOVE", "s1", "s3", "x"),
        ("EVAL", "return {KEYS[1], KEYS[2]}", 2, "x", "y"), ("COPY", "b", "d", "DB", 2),
        ("MSETNX", "n", 1, "m", 2), ("MSETNX", "n", 1, "o", 2), ("DEL", "b", "c", "none"),
        ("RPUSH", "l2", "e"), ("BLPOP", "l1", "l2", 1), ("PFADD", "h1", "v"),
        ("PFCOUNT", "h1", "h2"), ("EXISTS", "n", "m", "d"), ("DBSIZE",), ("MSET", "a"),
        ("SORT", "l1", "STORE", "l3"), ("SUNIONSTORE", "u", "s2", "s3"), ("DBSIZE",)]
    assert t.client().pipeline(commands) == t.direct(other).pipeline(commands)
