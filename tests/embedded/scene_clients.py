"""Several clients at once, on several workers: what must hold whatever the order."""

import random
import threading

from resp import Connection

CLIENTS = 6
ROUNDS = 150


def together(port, *works):
    """Each of WORKS with a connection and a number of its own, at the same time."""
    problems = []

    def run(number, work):
        connection = Connection(port)
        try:
            work(connection, number)
        except Exception as problem:  # whatever it is, the scene has failed
            problems.append(repr(problem))
        connection.close()

    threads = [threading.Thread(target=run, args=(number, work))
               for number, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, "; ".join(problems[:3])


def counters_lose_nothing(start):
    keyway = start("--threads", "3")

    def count(connection, number):
        for _ in range(ROUNDS):
            connection.send(*[["INCR", "sum"]] * 10, ["INCRBYFLOAT", "float", "0.5"],
                            ["APPEND", "text", "x"], ["HINCRBY", "hash", "field", "2"],
                            ["SETRANGE", "own%d" % number, number, "y"])
            for _ in range(14):
                connection.read()

    together(keyway.port, *[count] * CLIENTS)
    asked = Connection(keyway.port)
    assert int(asked.ask("GET", "sum")) == CLIENTS * ROUNDS * 10
    assert float(asked.ask("GET", "float")) == CLIENTS * ROUNDS / 2
    assert asked.ask("STRLEN", "text") == CLIENTS * ROUNDS
    assert int(asked.ask("HGET", "hash", "field")) == CLIENTS * ROUNDS * 2


def a_lock_has_one_owner(start):
    keyway = start("--threads", "3")
    inside = []

    def work(connection, number):
        for _ in range(ROUNDS // 3):
            while connection.ask("SET", "lock", number, "NX", "PX", "60000") is None:
                pass
            inside.append(number)
            assert len(inside) == 1, "two owners"
            inside.remove(number)
            assert connection.ask("DEL", "lock") == 1

    together(keyway.port, *[work] * CLIENTS)


def several_keys_change_at_once(start):
    keyway = start("--threads", "3")
    names = ["k%d" % i for i in range(8)]
    over = threading.Event()
    Connection(keyway.port).ask("MSET", *[word for name in names for word in (name, "0")])

    def write(connection, number):
        for i in range(ROUNDS * 4):
            words = list(names)
            random.shuffle(words)
            connection.ask("MSET", *[word for name in words for word in (name, "%d.%d" % (number, i))])
        over.set()

    def read(connection, number):
        del number
        while not over.is_set():
            assert len(set(connection.ask("MGET", *names))) == 1, "half an MSET was seen"

    def read_one_by_one(connection, number):
        """Whoever has seen a new value sees no older one of another key."""
        del number
        while not over.is_set():
            connection.send(["GET", "k0"], ["GET", "k5"], ["GET", "k0"])
            first, middle, last = connection.read(), connection.read(), connection.read()
            assert first != last or middle == first, "half an MSET was seen by GET"

    together(keyway.port, write, read, read, read_one_by_one)


def transactions_move_without_loss(start):
    keyway = start("--threads", "3")
    over = threading.Event()
    Connection(keyway.port).ask("MSET", "a", "500", "b", "500")

    def move(connection, number):
        for i in range(ROUNDS):
            by = (number + i) % 7
            connection.send(["MULTI"], ["DECRBY", "a", by], ["INCRBY", "b", by], ["EXEC"])
            for _ in range(4):
                connection.read()
        if number == 0:
            over.set()

    def look(connection, number):
        del number
        while not over.is_set():
            a, b = connection.ask("MGET", "a", "b")
            assert int(a) + int(b) == 1000, "half a transaction was seen"

    together(keyway.port, move, move, look, look)
    a, b = Connection(keyway.port).ask("MGET", "a", "b")
    assert int(a) + int(b) == 1000


def watched_counters_lose_nothing(start):
    keyway = start("--threads", "3")

    def count(connection, number):
        del number
        done = 0
        while done < ROUNDS // 5:
            connection.ask("WATCH", "sum")
            value = int(connection.ask("GET", "sum") or 0)
            connection.send(["MULTI"], ["SET", "sum", value + 1], ["EXEC"])
            connection.read(), connection.read()
            if connection.read() != b"*-1\r\n":
                done += 1

    together(keyway.port, *[count] * CLIENTS)
    assert int(Connection(keyway.port).ask("GET", "sum")) == CLIENTS * (ROUNDS // 5)


def lists_hand_each_element_to_one(start):
    keyway = start("--threads", "3")
    total = CLIENTS // 2 * ROUNDS
    taken = []

    def push(connection, number):
        for i in range(ROUNDS):
            connection.ask("RPUSH", "queue", "%d.%d" % (number, i))

    def pop(connection, number):
        del number
        while len(taken) < total:
            element = connection.ask("LPOP", "queue")
            if element is not None:
                taken.append(element)

    together(keyway.port, *[push, pop] * (CLIENTS // 2))
    assert len(set(taken)) == len(taken) == total


def flushes_and_names_never_tear(start):
    keyway = start("--threads", "3")
    over = threading.Event()

    def churn(connection, number):
        for i in range(ROUNDS * 2):
            connection.send(["SADD", "s%d" % (i % 5), number, i], ["RENAME", "s%d" % (i % 5), "t"],
                            ["COPY", "t", "u", "REPLACE"], ["ZADD", "z", i, number],
                            ["LPUSH", "l", "x" * 100], ["FLUSHALL"] if i % 20 == 0 else ["SCARD", "u"])
            for _ in range(6):
                connection.read()
        over.set()

    def look(connection, number):
        del number
        while not over.is_set():
            connection.send(["KEYS", "*"], ["SMEMBERS", "u"], ["SCAN", "0"], ["RANDOMKEY"],
                            ["ZRANGE", "z", "0", "-1"], ["LRANGE", "l", "0", "3"])
            for _ in range(6):
                connection.read()

    together(keyway.port, churn, churn, churn, look, look)


SCENES = [counters_lose_nothing, a_lock_has_one_owner, several_keys_change_at_once,
          transactions_move_without_loss, watched_counters_lose_nothing,
          lists_hand_each_element_to_one, flushes_and_names_never_tear]
