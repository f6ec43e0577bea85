"""Transactions on the store of keyway itself: as a server answers them, byte for byte.

What is more than the store's is executed in its place: what changes the connection inside of the
batch, what takes a way round the threads when it is over.
"""
import threading

from support.single import single_redis
from support.testing import NONE, test
from test_transaction_guests import DIALOGUES, compare

LACKING = ("SCRIPT LOAD", "FUNCTION STATS", "XREAD")  # refused when they are queued
# They count clients: those of the dialogue before, too, until it has been noticed that they left.
COUNTING = ("CLIENT KILL TYPE", "CLIENT LIST TYPE")

# Who subscribes unsubscribes, so that no later PUBLISH counts it.

HERE_DIALOGUES = [
    ["a HSET h f v", "a MULTI|HELLO 3|HGETALL h|HELLO 2|HGETALL h|EXEC|HGETALL h"],
    ["a HSET h f v",
     "a MULTI|PUBLISH x 1|HGETALL h|HELLO 3|HGETALL h|PUBLISH x 2|HELLO 2|HGETALL h|HELLO|"
     "HGETALL h|EXEC|HGETALL h"],
    ["a HSET h f v",
     "a MULTI|PUBLISH x 1|HELLO 3 SETNAME|HGETALL h|HELLO 3 SETNAME n|HGETALL h|CLIENT GETNAME|"
     "EXEC|HGETALL h"],
    ["a HSET h f v",
     "a MULTI|CLIENT LIST ID 1000000|HGETALL h|HELLO 3|CLIENT LIST ID 1000000|HGETALL h|EXEC|"
     "HGETALL h"],
    ["b SUBSCRIBE x",
     "a MULTI|SET k 1|PUBLISH x 1|INCR k|PUBLISH x 2|GET k|EXEC|PUBLISH x 3|GET k",
     "b UNSUBSCRIBE"],
    ["b SUBSCRIBE x", "a PUBLISH x 0|PUBLISH x 00|MULTI|SET k 1|PUBLISH x 1|SUBSCRIBE y|EXEC",
     "b PING", "a UNSUBSCRIBE", "b UNSUBSCRIBE"],
    ["a PUBLISH x 0|MULTI|SUBSCRIBE x|EXEC", "b PUBLISH x 1", "a UNSUBSCRIBE"],
    ["a MULTI|CLIENT NOSUCH|EXEC", "a MULTI|CLIENT|EXEC", "a MULTI|CONFIG NOSUCH x|EXEC|PING",
     "a MULTI|SENTINEL MASTERS|EXEC", "a MULTI|PUBSUB NOSUCH|EXEC", "a MULTI|OBJECT NOSUCH|EXEC",
     "a MULTI|CLUSTER NOSUCH|EXEC", "a MULTI|COMMAND NOSUCH|EXEC"],
    ["a CLIENT TRACKING ON OPTIN", "a CLIENT CACHING YES|MULTI|GET k|EXEC|GET j",
     "b SET j 1|SET k 2"],
    ["a CLIENT TRACKING ON OPTIN",
     "a MULTI|GET j|CLIENT CACHING YES|GET k|CLIENT TRACKINGINFO|EXEC|CLIENT TRACKINGINFO|GET i",
     "b SET j 1|SET k 2|SET i 1"],
    ["a CLIENT TRACKING ON OPTIN",
     "a MULTI|GET j|PUBLISH x 1|GET i|CLIENT CACHING YES|GET k|CLIENT TRACKINGINFO|EXEC|"
     "CLIENT TRACKINGINFO|GET l", "b SET j 1|SET k 2|SET i 1|SET l 1"],
    ["a CLIENT TRACKING ON OPTIN", "a CLIENT CACHING YES|MULTI|GET j|DISCARD|GET k",
     "b SET j 1|SET k 2"],
    ["a CLIENT TRACKING ON OPTIN", "a CLIENT CACHING YES|MULTI|NOSUCH|GET j|EXEC|GET k",
     "b SET j 1|SET k 2"],
    ["a CLIENT TRACKING ON OPTOUT", "a CLIENT CACHING NO|MULTI|GET j|EXEC|GET k",
     "b SET j 1|SET k 2"],
    ["a CLIENT TRACKING ON OPTOUT", "a MULTI|GET i|CLIENT CACHING NO|GET j|EXEC|GET k",
     "b SET i 1|SET j 1|SET k 2"],
    ["a MULTI|CLIENT TRACKING ON REDIRECT 99999|CLIENT GETREDIR|GET k|EXEC|CLIENT GETREDIR"],
    ["a MULTI|CLIENT TRACKING ON REDIRECT x|CLIENT TRACKING ON PREFIX a|CLIENT TRACKING maybe|"
     "CLIENT TRACKING ON OPTIN OPTOUT|EXEC"],
    ["a CLIENT REPLY OFF|MULTI|SET k 1|PUBLISH x 1|GET k|CLIENT REPLY ON|GET k|PUBLISH x 1|EXEC|"
     "GET k"],
    ["a MULTI|GET k|CLIENT REPLY SKIP|SET k 1|GET k|EXEC|GET k|GET k"],
    ["a MULTI|SET k 1|CLIENT REPLY OFF|GET k|PUBLISH x 1|CLIENT REPLY ON|EXEC|GET k"],
    ["a MULTI|SELECT 0|GET k|SELECT 1|SELECT x|SET k 1|EXEC|GET k"],
    ["a MULTI|CLIENT LIST ID 1000000|WAIT 1 0|WAIT 5 1000|BLPOP l 0|UNWATCH|EXEC|PING"],
    ["a WATCH k", "b SET k 1", "a MULTI|PUBLISH x 1|CLIENT LIST ID 1000000|EXEC|PING"],
    ["a WATCH k", "a MULTI|PUBLISH x 1|SET k 1|EXEC|MULTI|GET k|EXEC"],
    ["b SUBSCRIBE x", "a MULTI|SUBSCRIBE y|PUBLISH x 1|UNSUBSCRIBE y|PING|EXEC", "a PING",
     "b UNSUBSCRIBE"],
    ["b PSUBSCRIBE __key*", "a CONFIG SET notify-keyspace-events KEA",
     "a MULTI|SET k 1|INCR k|CLIENT LIST ID 1000000|DEL k|EXEC",
     "a CONFIG SET notify-keyspace-events |PING", "b PUNSUBSCRIBE"],
    ["a MULTI|QUIT", "b MULTI|SET k 1|RESET|EXEC|GET k"],
    ["a MULTI|SPUBLISH x 1|PUBSUB SHARDCHANNELS|PUBSUB SHARDNUMSUB x|SUNSUBSCRIBE x|EXEC"],
    ["b SSUBSCRIBE x", "a MULTI|SPUBLISH x 1|SET k 1|EXEC", "b SUNSUBSCRIBE x"],
    ["a MULTI|PUBLISH x|EXEC", "a MULTI|SUBSCRIBE|EXEC", "a MULTI|HELLO 9 x|EXEC",
     "a MULTI|CLIENT KILL|EXEC", "a MULTI|CLIENT PAUSE x|EXEC",
     "a MULTI|CLIENT PAUSE 0 maybe|CLIENT UNBLOCK x|CLIENT UNBLOCK 1 x|EXEC"],
    ["a MULTI|OBJECT ENCODING k|SET k 1|OBJECT ENCODING k|DEBUG SLEEP 0|MEMORY USAGE nokey|EXEC"],
    ["a MULTI|PUBLISH x 1|OBJECT ENCODING k|SET k 1|OBJECT ENCODING k|DBSIZE|KEYS *|RANDOMKEY|"
     "EXPIRE k 100|TYPE k|EXEC"],
    ["a CLIENT SETNAME n",
     "a MULTI|CLIENT GETNAME|CLIENT LIST ID 1000000|CLIENT SETNAME m|CLIENT GETNAME|EXEC|"
     "CLIENT GETNAME"],
    ["a MULTI|CONFIG SET timeout 77|CONFIG GET timeout|SET k 1|CONFIG SET timeout 0|"
     "CONFIG GET timeout|EXEC"],
    ["a MULTI|WAIT 0 1000|BLPOP no 0|BLMOVE no no LEFT LEFT 0|EXEC|PING"],
    ["a MULTI|FUNCTION LIST|FUNCTION FLUSH|SCRIPT FLUSH|SCRIPT EXISTS x|EXEC"],
]


@test(cluster=NONE, keyway=False)
def dialogues_inside_multi_on_the_own_store_are_those_of_redis(t):
    t.start_keyway(["--threads", "3"])
    dialogues = [steps for steps in DIALOGUES + HERE_DIALOGUES
                 if not any(word in step for step in steps for word in LACKING + COUNTING)]
    with single_redis("--databases", "1") as server:
        compare(server, t.keyway.port, dialogues, wipe_through=t.keyway.port)


@test(cluster=NONE, keyway=False)
def a_client_lists_itself_as_executing(t):
    t.start_keyway(["--threads", "3"])
    client = t.client()
    own = client.call("CLIENT", "ID")
    replies = client.pipeline([("MULTI",), ("SET", "k", 1), ("CLIENT", "LIST", "ID", own),
                               ("CLIENT", "SETNAME", "n"), ("CLIENT", "INFO"), ("EXEC",)])[-1]
    assert b" name= " in replies[1] and b" name=n " in replies[3], replies
    for line in (replies[1], replies[3]):
        assert b" flags=x " in line and b" multi=4 " in line, line
    assert b" flags=N " in client.call("CLIENT", "LIST", "ID", own)


@test(cluster=NONE, keyway=False)
def who_kills_itself_inside_multi_hears_nothing_after_it(t):
    t.start_keyway(["--threads", "3"])
    port = t.start_server()
    heard = []
    for client in (t.direct(port), t.client()):
        own = client.call("CLIENT", "ID")
        client.send_all([("MULTI",), ("PING",), ("CLIENT", "KILL", "ID", own, "SKIPME", "no"),
                         ("SET", "k", 1), ("PING",), ("EXEC",), ("PING",)])
        heard.append(client.file.read())
    assert heard[0] == heard[1], heard
    assert t.client().call("GET", "k") == b"1"


@test(cluster=NONE, keyway=False)
def what_a_transaction_publishes_to_its_own_client_comes_behind_its_array(t):
    """A server of 7.0 writes it between two elements, which no library of RESP3 can read."""
    t.start_keyway(["--threads", "3"])
    client = t.client()
    client.call("HELLO", 3)
    client.call("SUBSCRIBE", "x")
    client.send_all([("MULTI",), ("PUBLISH", "x", 1), ("GET", "k"), ("PUBLISH", "x", 2), ("EXEC",),
                     ("PING",)])
    expected = b"+OK\r\n" + 3 * b"+QUEUED\r\n" + b"*3\r\n:1\r\n_\r\n:1\r\n" \
        b">3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n1\r\n" \
        b">3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n2\r\n+PONG\r\n"
    assert client.file.read(len(expected)) == expected


@test(cluster=NONE, keyway=False)
def no_message_stands_inside_the_array_of_exec(t):
    """While others publish and change what is tracked, as fast as they can."""
    t.start_keyway(["--threads", "3"])
    is_over = threading.Event()

    def disturb(number):
        with t.client() as other:
            while not is_over.is_set():
                other.pipeline([("PUBLISH", "x", number), ("SET", "k", number)] * 10)

    client = t.client()
    client.call("HELLO", 3)
    client.call("SUBSCRIBE", "x")
    client.call("CLIENT", "TRACKING", "ON", "BCAST")
    threads = [threading.Thread(target=disturb, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            client.send_all([("MULTI",), ("CLIENT", "LIST", "ID", 1000000), ("SET", "j", 1),
                             ("PUBLISH", "y", 1), ("GET", "j"), ("EXEC",)])
            replies = []
            while len(replies) < 6:
                reply = client.read()
                if not (isinstance(reply, list) and reply[0] in (b"message", b"invalidate")):
                    replies.append(reply)
            assert replies == [b"OK"] + 4 * [b"QUEUED"] + [[b"txt:", b"OK", 0, b"1"]] or \
                replies == [b"OK"] + 4 * [b"QUEUED"] + [[b"", b"OK", 0, b"1"]], replies
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
