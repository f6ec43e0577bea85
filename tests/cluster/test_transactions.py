"""MULTI, EXEC and WATCH before a real cluster (C3): exact sums, also while slots and masters move."""
import time

import redis

from support.background import Background
from support.client import Client, ErrorReply
from support.crowd import Crowd, kill_links
from support.testing import FRESH, test
from support.topology import move_around, replica_of, rounds, tags_served_by
from support.wait import until

MOVE_ROUNDS, KILLS = 40, 60   # of three slots; of all links
WORKERS = 20
# Before a refused client tries again. Twenty that knock without a pause would keep the very servers
# they wait for from the processor.
REFUSED_PAUSE_S = 0.005
# On a busy machine a server that moves keys may be silent for a second: that is not tested here.
PATIENT = ["--threads", "2", "--node-timeout-ms", "2000"]


@test()
def transactional_pipelines_of_redis_py_work_with_its_defaults(t):
    """redis-py sends MULTI and EXEC around every pipeline unless told not to."""
    python = redis.Redis(port=t.keyway.port)

    with python.pipeline() as pipe:
        replies = pipe.set("{t}a", 1).incr("{t}a").get("{t}a").hset("{t}h", "f", "v") \
            .hgetall("{t}h").execute()
    assert replies == [True, 2, b"2", 1, {b"f": b"v"}], replies

    try:
        python.pipeline().set("a", 1).set("b", 1).execute()
        raise AssertionError("keys of several slots in one transaction")
    except redis.ResponseError as problem:
        assert "CROSSSLOT" in str(problem), problem
    assert python.get("a") is None

    python.transaction(lambda pipe: (pipe.get("{t}a"), pipe.multi(), pipe.incr("{t}a")), "{t}a")
    assert python.get("{t}a") == b"3"


# Each is one connection's; the same lines go to a server and to keyway in front of it.
DIALOGUES = [
    ["EXEC", "DISCARD", "MULTI", "DISCARD", "MULTI", "EXEC", "UNWATCH"],
    ["MULTI", "SET a 1", "INCR a", "GET a", "EXEC", "GET a"],
    ["MULTI", "SET a x", "INCR a", "GET a", "LPUSH a y", "EXEC"],
    ["MULTI", "MULTI", "SET a 1", "WATCH a", "EXEC"],
    ["MULTI", "nosuch a b", "SET a 2", "EXEC", "GET a"], ["MULTI", "GET", "SET a 2", "DISCARD"],
    ["MULTI x", "MULTI", "EXEC x", "SET a 3", "EXEC"], ["MULTI", "DISCARD x", "EXEC"],
    ["MULTI", "CLIENT NOSUCH", "EXEC"],
    ["MULTI", "CLIENT GETNAME", "SET a 1", "CLIENT SETNAME me", "CLIENT GETNAME", "GET a", "EXEC",
     "CLIENT GETNAME"],
    ["MULTI", "CLIENT SETNAME me", "DISCARD", "CLIENT GETNAME"],
    ["MULTI", "HELLO x", "HELLO 9", "AUTH x", "AUTH a b", "EXEC"],
    ["MULTI", "CONFIG GET maxmemory", "ACL WHOAMI", "SLOWLOG LEN", "ROLE", "EXEC"],
    ["MULTI", "CLIENT NO-EVICT on", "CLIENT NO-EVICT x", "COMMAND GETKEYS get k",
     "INCR a", "EXEC"],
    ["WATCH a", "MULTI", "CLIENT SETNAME w", "GET a", "CLIENT GETNAME", "EXEC"],
    ["WATCH a", "SET a 9", "MULTI", "CLIENT SETNAME w", "EXEC", "CLIENT GETNAME"], ["MULTI", "PING", "PING a b", "ECHO x", "SELECT 0", "EXEC"],
    ["MULTI", "PUBLISH c m", "UNWATCH", "EXEC"], ["MULTI", "RESET", "EXEC"],
    ["MULTI", "SET a 3", "QUIT"], ["MULTI", "WAIT 1 0", "EXEC"],
    ["MULTI", "BLPOP none 0", "BLMOVE none none LEFT LEFT 0", "XREAD BLOCK 0 STREAMS none $",
     "BZPOPMIN none 0", "EXEC"],
    ["WATCH", "WATCH a", "GET a", "MULTI", "SET a 5", "EXEC", "GET a"],
    ["WATCH a", "SET a 6", "MULTI", "SET a 7", "EXEC", "GET a"],
    ["WATCH a", "UNWATCH", "SET a 8", "MULTI", "SET a 9", "EXEC"],
    ["WATCH a", "MULTI", "EXEC", "WATCH a", "SET a 1", "MULTI", "EXEC"],
    ["WATCH a", "WATCH a", "SET a 1", "MULTI", "DISCARD", "MULTI", "GET a", "EXEC"],
    ["WATCH a", "SET a 1", "RESET", "MULTI", "SET a 2", "EXEC"],
    ["MULTI", "HSET {t}h f 1.5", "HGETALL {t}h", "ZADD {t}z 1.5 m", "ZSCORE {t}z m", "GET {t}h",
     "EXEC"],
    ["RPUSH l a b c", "BLPOP l 0", "BRPOP l 1", "BLMOVE l {l}m LEFT RIGHT 0", "BRPOPLPUSH {l}m l 0",
     "BLMPOP 0 1 l LEFT COUNT 5", "BLPOP l 0.01", "BRPOPLPUSH l l 0.01", "BLMPOP 0.01 1 l LEFT"],
    ["ZADD z 1 a 2 b 3 c", "BZPOPMIN z 0", "BZPOPMAX z 0", "BZMPOP 0 1 z MIN", "BZPOPMIN z 0.01"],
    ["BLPOP l x", "BLPOP l -1", "BLPOP l", "BLMPOP 0 x l LEFT", "XREAD BLOCK -1 STREAMS s 0",
     "XREAD BLOCK x STREAMS s 0", "BLPOP l 1e30", "BLMOVE l l UP LEFT 0", "BZMPOP 0 0 z MIN"],
    ["XADD s 1-1 f v", "XREAD BLOCK 0 STREAMS s 0", "XREAD BLOCK 10 STREAMS s $",
     "XGROUP CREATE s g 0", "XREADGROUP GROUP g c BLOCK 0 STREAMS s >",
     "XREADGROUP GROUP g c BLOCK 10 STREAMS s >"],
    ["SET str v", "BLPOP str 0", "BZPOPMIN str 0", "XREAD BLOCK 0 STREAMS str 0"],
    ["WAIT x 1", "WAIT 0 x", "WAIT 0 -1", "WAIT 0 0", "WAIT 1 20", "WAIT -1 10", "WAIT 1"],
]


# Nothing is slow: SLOWLOG LEN is compared.
@test(cluster=FRESH, masters=1, replicas=0, config={"slowlog-log-slower-than": "-1"},
      arguments=["--slowlog-log-slower-than", "-1"])
def dialogues_with_transactions_and_blocking_commands_are_those_of_redis(t):
    """Byte for byte, line by line and as one pipeline, in RESP2 and RESP3."""
    server = t.cluster.ports[0]
    differences = []
    for lines in DIALOGUES:
        for hello in ([], ["HELLO 3"]):
            for talk in (talk_line_by_line, talk_in_one_pipeline):
                heard = []
                for port in (server, t.keyway.port):
                    t.cluster.call(server, "FLUSHALL")
                    heard.append(talk(port, hello, lines))
                if heard[0] != heard[1]:
                    differences.append("%s %s\nredis  %r\nkeyway %r" % (hello, lines, *heard))
    assert not differences, "%d differ:\n%s" % (len(differences), "\n".join(differences[:3]))


def talk_line_by_line(port, hello, lines):
    with Client(port) as client:
        for line in hello:
            client.call(*line.split())
        heard = []
        for line in lines:
            client.send(*line.split())
            heard.append(raw_reply(client.file))
            if line == "QUIT":
                break
        return b"".join(heard)


def talk_in_one_pipeline(port, hello, lines):
    with Client(port) as client:
        for line in hello:
            client.call(*line.split())
        client.send_all([line.split() for line in lines])
        return b"".join(raw_reply(client.file) for _ in lines)


def raw_reply(file):
    """The bytes of one reply."""
    line = file.readline()
    kind, rest = line[:1], line[1:-2]
    if kind in b"$=" and rest != b"-1":
        return line + file.read(int(rest) + 2)
    if kind in b"*~>%" and rest != b"-1":
        count = int(rest) * (2 if kind == b"%" else 1)
        return line + b"".join(raw_reply(file) for _ in range(count))
    return line


@test()
def publish_inside_a_transaction_reaches_subscribers(t):
    """As Celery does it."""
    listener = redis.Redis(port=t.keyway.port).pubsub()
    listener.subscribe("news")
    assert listener.get_message(timeout=5)["type"] == "subscribe"

    with redis.Redis(port=t.keyway.port).pipeline() as pipe:
        replies = pipe.set("k", "v").publish("news", "hello").ping().execute()

    assert replies[0] is True and replies[2] is True, replies
    message = listener.get_message(timeout=5)
    assert message is not None and message["data"] == b"hello", message
    listener.close()


@test(cluster=FRESH, replicas=0, arguments=PATIENT)
def counters_incremented_under_watch_are_exact_while_slots_move(t):
    """Twenty clients read a counter and write it back under WATCH, three counters between them, while
    their slots move back and forth: every success counts once.
    """
    tags = [tag for node, _ in t.masters() for tag in tags_served_by(node, 1)]
    outcome, moves = count_under_disturbance(t, tags, increment_under_watch, move_slots)

    check_sums(t, tags, outcome, may_be_unknown=False)
    conflicts = sum(one["conflicts"] for one in outcome)
    assert conflicts > 0, "nobody met a conflict"
    print("     (%d increments, %d conflicts, %d moves)" % (
        sum(one["done"] for one in outcome), conflicts, moves))


@test(cluster=FRESH, replicas=0, arguments=PATIENT)
def transactions_are_executed_once_while_slots_move(t):
    """INCR and RPUSH in one MULTI: both or none, once, whatever the node said first."""
    tags = [tag for node, _ in t.masters() for tag in tags_served_by(node, 1)]
    outcome, moves = count_under_disturbance(t, tags, increment_in_multi, move_slots)

    check_sums(t, tags, outcome, may_be_unknown=False)
    print("     (%d transactions, %d refused while slots moved, %d moves)" % (
        sum(one["done"] for one in outcome), sum(one["refused"] for one in outcome), moves))


@test(cluster=FRESH, replicas=0, arguments=["--threads", "2"])
def transactions_are_executed_once_while_links_are_killed(t):
    """What was acknowledged is there once; besides it at most what was of unknown result."""
    tags = [tag for node, _ in t.masters() for tag in tags_served_by(node, 1)]
    outcome, _ = count_under_disturbance(t, tags, increment_in_multi, kill_all_links)
    check_sums(t, tags, outcome, may_be_unknown=True)

    outcome, _ = count_under_disturbance(t, tags, increment_under_watch, kill_all_links)
    check_sums(t, tags, outcome, may_be_unknown=True)


@test(cluster=FRESH, arguments=["--threads", "2"])
def transactions_go_on_through_a_failover(t):
    """CLUSTER FAILOVER while everybody counts: no error but conflicts of WATCH."""
    tags = [tag for node, _ in t.masters() for tag in tags_served_by(node, 1)]
    outcome, _ = count_under_disturbance(t, tags, increment_in_multi, fail_over)
    check_sums(t, tags, outcome, may_be_unknown=True)


@test(cluster=FRESH, replicas=0)
def clients_that_vanish_inside_transactions_leave_nothing(t):
    """Inside MULTI, behind WATCH, behind EXEC: links go back clean, others' are not disturbed."""
    for round_number in range(200):
        client = Client(t.keyway.port)
        client.send("WATCH", "{t}k")
        if round_number % 2:
            client.read()
        client.send_all([("MULTI",), ("SET", "{t}k", "vanished")])
        if round_number % 3 == 0:
            client.send("EXEC")
        client.close()
    with t.client() as client:
        assert client.call("WATCH", "{t}other") == b"OK"
        assert client.pipeline([("MULTI",), ("SET", "{t}other", 1), ("EXEC",)])[2] == [b"OK"]
        assert client.call("MULTI") == b"OK"
        assert client.call("SET", "{t}k", "alive") == b"QUEUED"
        assert client.call("EXEC") == [b"OK"]
        assert client.call("GET", "{t}k") == b"alive"


def count_under_disturbance(t, tags, count, disturb):
    """([what each worker did], moves) of WORKERS processes that COUNT while DISTURB runs."""
    crowd = Crowd(work, [(count, t.keyway.port, tags[number % len(tags)])
                         for number in range(WORKERS)])
    moved = []
    outcome = crowd.finish(Background(lambda: moved.append(disturb(t, tags, crowd.stop))))
    return outcome, moved[0]


def work(stop, count, port, tag):
    seen = {"tag": tag, "done": 0, "conflicts": 0, "unknown": 0, "refused": 0, "errors": []}
    client = Client(port, 30)
    while not stop.is_set():
        refused = seen["refused"]
        count(client, tag, seen)
        if seen["refused"] > refused:
            time.sleep(REFUSED_PAUSE_S)
    return seen


def increment_under_watch(client, tag, seen):
    key = "{%s}counter" % tag
    watched = client.call("WATCH", key)
    value = client.call("GET", key)
    if isinstance(watched, ErrorReply) or isinstance(value, ErrorReply):
        seen["refused"] += 1
        client.call("UNWATCH")
        return
    note(client.pipeline([("MULTI",), ("SET", key, int(value or 0) + 1), ("EXEC",)])[2], [b"OK"],
         seen)


def increment_in_multi(client, tag, seen):
    replies = client.pipeline([("MULTI",), ("INCR", "{%s}counter" % tag),
                               ("RPUSH", "{%s}list" % tag, "x"), ("LTRIM", "{%s}list" % tag, 0, 9),
                               ("EXEC",)])
    note(replies[4], None, seen)


def note(reply, wanted, seen):
    if reply is None:
        seen["conflicts"] += 1
    elif isinstance(reply, list) and (wanted is None or reply == wanted):
        seen["done"] += 1
    elif isinstance(reply, ErrorReply) and reply.code == "UNKNOWNRESULT":
        seen["unknown"] += 1
    elif isinstance(reply, ErrorReply) and (reply.code == "EXECABORT" or "down" in reply.text or
                                            reply.code == "CLUSTERDOWN"):
        seen["refused"] += 1
    else:
        seen["errors"].append(repr(reply))


def check_sums(t, tags, outcome, may_be_unknown):
    client = t.client()
    errors = [text for one in outcome for text in one["errors"]]
    assert not errors, errors[:3]
    for tag in tags:
        mine = [one for one in outcome if one["tag"] == tag]
        done = sum(one["done"] for one in mine)
        unknown = sum(one["unknown"] for one in mine)
        key = "{%s}counter" % tag
        until(lambda: not isinstance(client.call("GET", key), ErrorReply), 30, "the node is back")
        counted = int(client.call("GET", key) or 0)
        assert done > 0, "nobody counted %s" % tag
        assert done <= counted <= done + unknown, "%s: %d succeeded, %d unknown, %d counted" % (
            tag, done, unknown, counted)
        assert may_be_unknown or unknown == 0, "%d unknown results" % unknown
        client.call("DEL", key)


def move_slots(t, tags, stop):
    return move_around(t.cluster, t.direct, tags, rounds(MOVE_ROUNDS))


def kill_all_links(t, tags, stop):
    kill_links(t, stop, 0.05, KILLS)


def fail_over(t, tags, stop):
    for master, _ in t.masters():
        replica = replica_of(t.cluster, master)
        stop.wait(1.0)                  # they count before, between and behind
        t.cluster.call(replica["port"], "CLUSTER", "FAILOVER")
        until(lambda port=replica["port"]: t.cluster.call(port, "ROLE")[0] == b"master", 20,
              "the replica is master")
    stop.wait(1.0)
