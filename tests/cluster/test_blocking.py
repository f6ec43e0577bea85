"""Blocking commands before a real cluster: nobody loses an element, nobody else is delayed."""
import contextlib
import multiprocessing
import os
import random
import resource
import signal
import threading
import time

from support.background import Background
from support.client import Client, ErrorReply
from support.testing import FRESH, Skip, test
from support.topology import (Mover, masters_of, move_around, owner_of, replica_of, rounds,
                              slot_of, tags_served_by)
from support.wait import until


def blocked_count(t):
    text = t.client().call("INFO", "clients").decode()
    return int(text.split("blocked_clients:")[1].split()[0])


def wait_until_blocked(t, count):
    client = t.client()

    def are_blocked():
        nodes = sum(int(t.cluster.call(node["port"], "INFO", "clients").decode()
                        .split("blocked_clients:")[1].split()[0]) for node, _ in t.masters())
        return nodes == count and blocked_count_of(client) == count
    until(are_blocked, 20 * t.patience, "%d clients are blocked" % count)


def blocked_count_of(client):
    return int(client.call("INFO", "clients").decode().split("blocked_clients:")[1].split()[0])


@test()
def timeouts_of_blocking_commands_are_kept_to_the_node(t):
    """Finite ones end when they should, infinite ones when there is something."""
    client = t.client()
    for command, wanted_s in ((("BLPOP", "none", "0.3"), 0.3), (("BZPOPMIN", "none", "0.5"), 0.5),
                              (("XREAD", "BLOCK", "250", "STREAMS", "none", "$"), 0.25),
                              (("BLMPOP", "0.2", "1", "none", "LEFT"), 0.2)):
        started = time.monotonic()
        assert client.call(*command) is None
        took_s = time.monotonic() - started
        assert wanted_s - 0.01 <= took_s < wanted_s + 0.3 * t.patience, (command, took_s)

    client.send("BLPOP", "{t}q", 0)
    wait_until_blocked(t, 1)
    assert t.client().call("RPUSH", "{t}q", "el") == 1
    assert client.read() == [b"{t}q", b"el"]


@test()
def an_element_pushed_after_the_client_has_left_does_not_vanish(t):
    """Trap 6. BLPOP without end, the client closes, LPUSH: the element stays."""
    pusher = t.client()
    for number in range(100):
        client = Client(t.keyway.port)
        client.send("BLPOP", "{t}q", 0)
        if number % 2:
            wait_until_blocked(t, 1)
        client.close()
        until(lambda: blocked_count_of(pusher) == 0, 5, "nobody is blocked")
        until(lambda: not any(b"cmd=blpop" in t.cluster.call(node["port"], "CLIENT", "LIST")
                              and b"flags=b" in t.cluster.call(node["port"], "CLIENT", "LIST")
                              for node, _ in t.masters()), 5, "no node thinks so")
        assert pusher.call("LPUSH", "{t}q", number) == 1
        assert pusher.call("LPOP", "{t}q") == b"%d" % number


@test()
def a_timeout_of_keyways_own_never_ends_a_blocking_command(t):
    """Trap 6. Blocked far longer than node-timeout-ms x node-failure-limit."""
    t.start_keyway(["--node-timeout-ms", "100", "--node-failure-limit", "2"])
    client = t.client()
    client.send("BRPOP", "{t}q", 0)
    wait_until_blocked(t, 1)
    time.sleep(1.5)
    assert t.client().call("RPUSH", "{t}q", "late") == 1
    assert client.read() == [b"{t}q", b"late"]


@test(cluster=FRESH, replicas=0, arguments=["--threads", "2"])
def no_element_is_lost_or_given_twice_while_clients_come_and_go(t):
    """Producers push numbers, consumers block and leave after some; those that leave ask for
    nothing when they do. All numbers arrive, each once.
    """
    hand_over_numbers(t, disturb=lambda: None)


@test(cluster=FRESH, replicas=0, arguments=["--threads", "2"])
def no_element_is_lost_or_given_twice_while_slots_move(t):
    """The same while the queues' slots move: blocked clients move with them."""
    hand_over_numbers(t, disturb=lambda: move_around(
        t.cluster, t.direct, ["q0", "q1", "q2"], rounds(MOVE_ROUNDS), pause_s=0.0))


NUMBERS_EACH, MOVE_ROUNDS = 2500, 30   # of three producers; of three slots


def hand_over_numbers(t, disturb):
    queues = ["{q%d}list" % number for number in range(3)]
    stop, no_more = threading.Event(), threading.Event()
    pushed, popped, errors = [[] for _ in range(3)], [[] for _ in range(9)], []

    def produce(number):
        client = t.client(30)
        for value in range(10**9):
            if stop.is_set():
                return
            reply = client.call("RPUSH", queues[number], value)
            if isinstance(reply, ErrorReply):
                errors.append(reply.text)
            else:
                pushed[number].append(value)
            time.sleep(0.001)

    def consume(number):
        while True:
            client = Client(t.keyway.port, 30)
            for _ in range(random.randint(1, 30)):
                reply = client.call("BLPOP", queues[number % 3], "0.5")
                if reply is None and no_more.is_set():
                    client.close()
                    return
                if isinstance(reply, ErrorReply):
                    errors.append(reply.text)
                elif reply is not None:
                    popped[number].append(int(reply[1]))
            client.close()

    producers = [Background(produce, number) for number in range(3)]
    consumers = [Background(consume, number) for number in range(9)]
    disturbing = Background(disturb)
    disturbing.wait(120)
    with contextlib.suppress(AssertionError):      # a producer that broke is told of below
        until(lambda: all(len(one) >= NUMBERS_EACH for one in pushed), 60, "enough numbers")
    stop.set()
    for one in producers + [disturbing]:
        one.join(30)
    no_more.set()
    for one in consumers:
        one.join(30)

    assert not errors, errors[:3]
    for number in range(3):
        got = sorted(value for i in range(number, 9, 3) for value in popped[i])
        assert got == pushed[number], "%s: %d pushed, %d popped, %d twice" % (
            queues[number], len(pushed[number]), len(got), len(got) - len(set(got)))
    print("     (%d elements)" % sum(len(one) for one in pushed))


@test(cluster=FRESH, replicas=0, arguments=["--threads", "2"])
def blocked_clients_follow_a_slot_that_moves(t):
    """Blocked before the move, served behind it; also those who block while it moves."""
    tag = tags_served_by(t.masters()[0][0], 1)[0]
    mover = Mover(t.cluster, t.direct)
    ring = [node for node, _ in masters_of(t.cluster)]
    source = owner_of(t.cluster, slot_of(tag))
    target = next(node for node in ring if node["id"] != source["id"])
    clients = [t.client(20) for _ in range(50)]
    for client in clients:
        client.send("BLPOP", "{%s}q" % tag, "{%s}other" % tag, 0)
    wait_until_blocked(t, 50)

    mover.move(slot_of(tag), source, target)
    until(lambda: b"blocked_clients:50" in t.cluster.call(target["port"], "INFO", "clients"), 10,
          "all are blocked at the new owner")
    pusher = t.client()
    for number in range(50):
        assert pusher.call("RPUSH", "{%s}q" % tag, number) in (0, 1)
    assert sorted(int(client.read()[1]) for client in clients) == list(range(50))


@test(cluster=FRESH)
def blocked_clients_are_there_again_after_an_asked_for_failover(t):
    """The old master says UNBLOCKED: that has not run, so keyway asks the new one."""
    master = t.masters()[0][0]
    tag = tags_served_by(master, 1)[0]
    replica = replica_of(t.cluster, master)
    popper, reader = t.client(30), t.client(30)
    popper.send("BLPOP", "{%s}q" % tag, 0)
    reader.send("XREAD", "BLOCK", 0, "STREAMS", "{%s}s" % tag, "$")
    wait_until_blocked(t, 2)

    assert t.cluster.call(replica["port"], "CLUSTER", "FAILOVER") == b"OK"
    until(lambda: b"blocked_clients:2" in t.cluster.call(replica["port"], "INFO", "clients"), 15,
          "both are blocked at the new master")
    assert t.client().call("RPUSH", "{%s}q" % tag, "el") == 1
    assert popper.read()[1] == b"el"
    entry = t.client().call("XADD", "{%s}s" % tag, "*", "f", "v")
    assert reader.read()[0][1][0][0] == entry


@test(cluster=FRESH)
def a_master_that_is_killed_ends_pops_with_an_unknown_result_and_not_reads(t):
    """Trap 6. The last reply to a pop may have been lost on the way; reads wait for the successor."""
    master = t.masters()[0][0]
    tag = tags_served_by(master, 1)[0]
    replica = replica_of(t.cluster, master)
    clients = [t.client(30) for _ in range(20)]
    reader = t.client(60)
    for client in clients:
        client.send("BLPOP", "{%s}q" % tag, 0)
    reader.send("XREAD", "BLOCK", 0, "STREAMS", "{%s}s" % tag, 0)
    wait_until_blocked(t, 21)

    t.cluster.kill(master["port"])
    for client in clients:
        reply = client.read()
        assert isinstance(reply, ErrorReply) and reply.code == "UNKNOWNRESULT", reply
    until(lambda: b"role:master" in t.cluster.call(replica["port"], "INFO", "replication"), 20,
          "the replica is promoted")
    until(lambda: t.client().call("RPUSH", "{%s}q" % tag, "el") == 1, 20, "its slots are served")
    assert clients[0].call("BLPOP", "{%s}q" % tag, 0)[1] == b"el"
    until(lambda: b"blocked_clients:1" in t.cluster.call(replica["port"], "INFO", "clients"), 10,
          "the read is blocked at the new master")
    entry = t.client().call("XADD", "{%s}s" % tag, "*", "f", "v")
    assert reader.read()[0][1][0][0] == entry


@test(arguments=["--threads", "2"])
def client_unblock_ends_a_blocking_command_as_redis_does(t):
    operator = t.client()
    for command, reply in ((("BLPOP", "q", 0), None), (("XREAD", "BLOCK", 0, "STREAMS", "s", "$"), None),
                           (("BZPOPMAX", "z", 100), None), (("WAIT", 9, 0), 1)):
        client = t.client(20)
        number = client.call("CLIENT", "ID")
        assert operator.call("CLIENT", "UNBLOCK", number) == 0
        client.send(*command)
        until(lambda: blocked_count_of(operator) == 1, 5, "it is blocked")
        assert operator.call("CLIENT", "UNBLOCK", number) == 1
        assert client.read() == reply, command
        client.send(*command)
        until(lambda: blocked_count_of(operator) == 1, 5, "it is blocked")
        assert operator.call("CLIENT", "UNBLOCK", number, "ERROR") == 1
        assert client.read().text == "UNBLOCKED client unblocked via CLIENT UNBLOCK"
        assert client.call("PING") == b"PONG"
    assert operator.call("CLIENT", "UNBLOCK", 10**9) == 0


BLOCKED, BLOCKED_PROCESSES, BLOCKED_QUEUES = 10000, 5, 1000
SPARE_DESCRIPTORS = 300


@test(cluster=FRESH, replicas=0)
def ten_thousand_blocked_clients_leave_the_others_alone(t):
    """Others are as quick as before, and nobody works for those who wait. Then some leave, and all
    others get an element each. keyway has two descriptors for each of them, its client and its link:
    where a process may not have so many, it is some fewer.
    """
    allowed = allow_descriptors(2 * BLOCKED + SPARE_DESCRIPTORS)
    count = min(BLOCKED, (allowed - SPARE_DESCRIPTORS) // 2)
    if count < 1000:
        raise Skip("only %d descriptors a process" % allowed)
    t.start_keyway(["--maxclients", str(count + 100), "--threads", "2"])
    before_ms = median_ms(t)
    crowds = [start_blocked(t.keyway.port, range(first, count, BLOCKED_PROCESSES))
              for first in range(BLOCKED_PROCESSES)]
    wait_until_blocked(t, count)

    cpu_before = cpu_s(t)
    time.sleep(2)
    idle_cpu = (cpu_s(t) - cpu_before) / 2
    during_ms = median_ms(t)
    assert during_ms < before_ms * 3 + 0.5 * t.patience, "%.3f ms, before %.3f" % (
        during_ms, before_ms)
    assert idle_cpu < 0.1 * t.patience, "%.0f %% CPU for blocked clients" % (idle_cpu * 100)
    for _, pipe in crowds:
        pipe.send("those with a number that 7 divides leave")
    staying = sum(hear(pipe) for _, pipe in crowds)
    pusher = t.client()
    until(lambda: blocked_count_of(pusher) == staying, 60, "those who left are gone")
    each = count // BLOCKED_QUEUES + 1
    for number in range(BLOCKED_QUEUES):
        replies = pusher.pipeline([("RPUSH", "{%d}q" % number, "x")] * each)
        assert all(isinstance(reply, int) for reply in replies), replies
    assert sum(hear(pipe) for _, pipe in crowds) == staying
    print("     (%d clients; others' median %.2f ms, %.2f before; idle CPU %.1f %%)" % (
        count, during_ms, before_ms, idle_cpu * 100))


def allow_descriptors(count):
    """For this process and the keyways that it starts: COUNT if possible. Returns how many it is."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, count), max(hard, count)))
    except (OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))     # only root may have more
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def start_blocked(port, numbers):
    """(process, pipe) of one with a blocked client for each of NUMBERS."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=be_blocked, args=(port, numbers, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, mine


def be_blocked(port, numbers, pipe):
    clients = {}
    for number in numbers:
        clients[number] = Client(port, 300)
        clients[number].send("BLPOP", "{%d}q" % (number % BLOCKED_QUEUES), 0)
    pipe.recv()
    for number in [number for number in clients if number % 7 == 0]:
        clients.pop(number).close()
    pipe.send(len(clients))
    pipe.send(sum(client.read()[1] == b"x" for client in clients.values()))


def hear(pipe):
    assert pipe.poll(300), "a process of blocked clients hangs"
    return pipe.recv()


def median_ms(t):
    client = t.client()
    took = []
    for _ in range(500):
        started = time.monotonic()
        client.call("GET", "k")
        took.append(time.monotonic() - started)
    return sorted(took)[250] * 1000


def cpu_s(t):
    with open("/proc/%d/stat" % t.keyway.process.pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@test(cluster=FRESH)
def wait_counts_the_replicas_that_have_this_clients_writes(t):
    """All have them: 1. One hangs: 0, after the timeout, not before. It goes on: 1 again."""
    client = t.client(20)
    master = t.masters()[0][0]
    tag = tags_served_by(master, 1)[0]
    replica = t.cluster.node(replica_of(t.cluster, master)["port"])

    assert client.call("SET", "{%s}k" % tag, 1) == b"OK"
    assert client.call("WAIT", 1, 5000) == 1
    os.kill(replica["pid"], signal.SIGSTOP)
    try:
        assert client.call("SET", "{%s}k" % tag, 2) == b"OK"
        started = time.monotonic()
        assert client.call("WAIT", 1, 300) == 0
        assert 0.29 <= time.monotonic() - started < 2 * t.patience
        assert client.call("WAIT", 0, 100) == 0
    finally:
        os.kill(replica["pid"], signal.SIGCONT)
    assert client.call("WAIT", 1, 5000) == 1
    assert client.pipeline([("SET", "a", 1), ("SET", "b", 1), ("WAIT", 1, 5000), ("PING",)])[2:] == \
        [1, b"PONG"]
