"""Keys that outlive their keyway: snapshot-file, SAVE, BGSAVE, and what a damaged file does."""

import glob
import importlib
import os
import shutil
import tempfile
import threading
import time

from draw import Draw
from resp import Connection, encode, value_of

LOOKS = {b"string": ["GET"], b"hash": ["HGETALL"], b"set": ["SMEMBERS"],
         b"list": ["LRANGE", "0", "-1"], b"zset": ["ZRANGE", "0", "-1", "WITHSCORES"]}


def families():
    here = os.path.dirname(os.path.abspath(__file__))
    names = [os.path.basename(path)[:-3] for path in glob.glob(os.path.join(here, "families/[a-z]*.py"))]
    names.remove("packing")  # the limits of the next start are others
    return [row for name in sorted(names)
            for row in importlib.import_module("families." + name).COMMANDS]


def fill(connection, seed, count):
    """Random commands of all families."""
    draw, rows = Draw(seed), families()
    weights = [row[0] for row in rows]
    for _ in range(count // 50):
        commands = [row[2](draw) for row in draw.random.choices(rows, weights, k=50)]
        commands = [words for words in commands if words[0] not in ("FLUSHALL", "FLUSHDB")]
        connection.socket.sendall(b"".join(encode(words) for words in commands))
        for _ in commands:
            connection.read()


def content(connection):
    """What all keys hold, and when they end."""
    found = {}
    for name in connection.ask("KEYS", "*"):
        kind = connection.ask("TYPE", name)
        look = LOOKS[kind]
        value = connection.ask(look[0], name, *look[1:])
        if kind in (b"hash", b"set"):
            value = sorted(value, key=repr)
        found[name] = (kind, value, connection.ask("PEXPIRETIME", name),
                       connection.ask("OBJECT", "ENCODING", name))
    return found


def keys_are_there_again_after_a_restart(start):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "keys")
        keyway = start("--snapshot-file", path)
        connection = Connection(keyway.port)
        before = {}
        while len(before) < 15:
            fill(connection, 7 + len(before), 4000)
            before = content(connection)
        assert keyway.end() == 0
        connection = Connection(start("--snapshot-file", path, "--threads", "3").port)
        after = content(connection)
        for name in sorted(set(before) | set(after)):
            assert before.get(name) == after.get(name), \
                "%r: %r, then %r" % (name, before.get(name), after.get(name))


def saves_beside_writers_are_whole(start):
    """Writers on all threads meanwhile; another keyway reads what was saved."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "keys")
        keyway = start("--snapshot-file", path, "--snapshot-interval", "0", "--threads", "2")
        control = Connection(keyway.port)
        control.ask("SET", "before", "1")
        is_over = threading.Event()
        counts = [0, 0, 0]

        def write(number):
            connection = Connection(keyway.port)
            while not is_over.is_set():
                counts[number] += 1
                connection.ask("HSET", "hash:%d:%d" % (number, counts[number] % 50),
                               "f%d" % counts[number], "v", "n", counts[number])
                connection.ask("SADD", "set:%d" % number, counts[number])

        writers = [threading.Thread(target=write, args=(n,)) for n in range(3)]
        for writer in writers:
            writer.start()
        for n in range(5):
            while sum(counts) < 300 * (n + 1):
                time.sleep(0.01)
            assert control.ask("SAVE") == b"OK"
        control.send(["BGSAVE"])
        assert value_of(control.read()) == b"Background saving started"
        while control.ask("SAVE") != b"OK":
            pass  # refused while the other one is written
        shutil.copy(path, path + ".copy")
        sums = list(counts)
        is_over.set()
        for writer in writers:
            writer.join()
        again = Connection(start("--snapshot-file", path + ".copy").port)
        assert again.ask("GET", "before") == b"1"
        for n in range(3):
            saved = again.ask("SCARD", "set:%d" % n)
            assert 0 < saved <= sums[n] + 1, (saved, sums[n])


def a_damaged_file_is_put_aside(start):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "keys")
        keyway = start("--snapshot-file", path)
        fill(Connection(keyway.port), 3, 1000)
        assert keyway.end() == 0
        with open(path, "r+b") as file:
            file.seek(100)
            byte = file.read(1)
            file.seek(100)
            file.write(bytes([byte[0] ^ 1]))
        keyway = start("--snapshot-file", path)
        assert Connection(keyway.port).ask("DBSIZE") == 0
        assert os.path.exists(path + ".damaged")
        assert keyway.end() == 0
        assert os.path.exists(path)


def what_there_is_no_memory_for_is_not_lost(start):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "keys")
        keyway = start("--snapshot-file", path, "--maxmemory", "64mb")
        connection = Connection(keyway.port)
        for first in range(0, 2000, 100):
            connection.send(*[["SET", "key%d" % n, "v" * 10000] for n in range(first, first + 100)])
            assert [connection.read() for _ in range(100)] == [b"+OK\r\n"] * 100
        assert keyway.end() == 0
        for limit in ("8mb", "4mb"):  # the second one has fewer than all to keep
            keyway = start("--snapshot-file", path, "--maxmemory", limit)
            assert 0 < Connection(keyway.port).ask("DBSIZE") < 1000
            assert keyway.end() == 0
        keyway = start("--snapshot-file", path + ".whole", "--maxmemory", "64mb")
        assert Connection(keyway.port).ask("DBSIZE") == 2000


def without_a_file_there_is_nothing_to_save(start):
    connection = Connection(start().port)
    assert connection.ask("SAVE") == "ERR keyway: there is no snapshot-file to save to"
    assert connection.ask("BGSAVE", "NOW") == "ERR syntax error"
    connection.ask("MULTI")
    connection.ask("SAVE")
    assert str(connection.ask("EXEC")).startswith("EXECABORT")


SCENES = [keys_are_there_again_after_a_restart, saves_beside_writers_are_whole,
          a_damaged_file_is_put_aside, what_there_is_no_memory_for_is_not_lost,
          without_a_file_there_is_nothing_to_save]
