"""MULTI, EXEC and WATCH before a real cluster (C3): exact sums, also while slots and masters move."""
import multiprocessing
import time

import redis

from support.background import Background
from support.client import Client, ErrorReply
from support.testing import FRESH, test
from support.topology import move_around, replica_of, tags_served_by
from support.wait import until

SECONDS = 6
WORKERS = 20


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


@test(cluster=FRESH, replicas=0, arguments=["--threads", "2"])
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


@test(cluster=FRESH, replicas=0, arguments=["--threads", "2"])
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
    outcome, _ = count_under_disturbance(t, tags, increment_in_multi, kill_links)
    check_sums(t, tags, outcome, may_be_unknown=True)

    outcome, _ = count_under_disturbance(t, tags, increment_under_watch, kill_links)
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
    stop = multiprocessing.Event()
    pipes = []
    for number in range(WORKERS):
        mine, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(
            target=work, daemon=True,
            args=(count, t.keyway.port, tags[number % len(tags)], stop, theirs))
        process.start()
        pipes.append((process, mine))
    moved = []
    disturbing = Background(lambda: moved.append(disturb(t, tags, stop)))
    time.sleep(SECONDS * min(t.patience, 2))
    stop.set()
    disturbing.join(30)
    outcome = []
    for process, pipe in pipes:
        assert pipe.poll(30), "a worker hangs: a reply never came"
        outcome.append(pipe.recv())
        process.join(5)
    return outcome, moved[0]


def work(count, port, tag, stop, pipe):
    seen = {"tag": tag, "done": 0, "conflicts": 0, "unknown": 0, "refused": 0, "errors": []}
    client = Client(port, 20)
    while not stop.is_set():
        count(client, tag, seen)
    pipe.send(seen)


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
        until(lambda: not isinstance(client.call("GET", key), ErrorReply), 5, "the node is back")
        counted = int(client.call("GET", key) or 0)
        assert done > 0, "nobody counted %s" % tag
        assert done <= counted <= done + unknown, "%s: %d succeeded, %d unknown, %d counted" % (
            tag, done, unknown, counted)
        assert may_be_unknown or unknown == 0, "%d unknown results" % unknown
        client.call("DEL", key)


def move_slots(t, tags, stop):
    return move_around(t.cluster, t.direct, tags, stop.is_set)


def kill_links(t, tags, stop):
    ports = [node["port"] for node, _ in t.masters()]
    while not stop.wait(0.05):
        for port in ports:
            t.cluster.call(port, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def fail_over(t, tags, stop):
    for master, _ in t.masters():
        if not stop.wait(1.0):
            t.cluster.call(replica_of(t.cluster, master)["port"], "CLUSTER", "FAILOVER")
