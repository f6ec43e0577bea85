"""Clients that misbehave cost themselves something, and others nothing (Q1, Q7, L2)."""
import contextlib
import random
import socket
import statistics
import struct
import threading
import time

from support.background import Background
from support.client import Client, encode
from support.load import Load
from support.testing import test
from support.topology import tags_served_by

SLOW_CLIENTS = 800
SECONDS = 6


@test(arguments=["--threads", "2"])
def clients_that_vanish_mid_pipeline_shift_nobody(t):
    """Hundreds of connections a second end anywhere: in a request, with replies due, by a reset."""
    tags = [tag for node, _ in t.masters() for tag in tags_served_by(node, 3)]
    with Load(t.keyway.port, tags, clients=10, processes=1) as load:
        vanished = vanish_until(t.keyway.port, time.monotonic() + SECONDS)
        outcome = load.stop()

    outcome.assert_flawless()
    assert vanished > 200, "only %d clients vanished" % vanished
    print("     (%d clients vanished, %d replies checked)" % (vanished, outcome.replies))


def vanish_until(port, deadline):
    rng = random.Random(7)
    count = 0
    while time.monotonic() < deadline:
        with socket.create_connection(("127.0.0.1", port), 5) as sock:
            data = b"".join(evil_request(rng) for _ in range(rng.randint(1, 40)))
            sock.sendall(data[:rng.randint(1, len(data))])
            if rng.random() < 0.3:
                sock.settimeout(0.02)       # there may be no whole request to answer
                with contextlib.suppress(TimeoutError):
                    sock.recv(rng.randint(1, 100))
            if rng.random() < 0.5:          # a reset instead of a proper end
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        count += 1
    return count


def evil_request(rng):
    key = "evil%d" % rng.randrange(100)
    if rng.random() < 0.5:
        return encode(("GET", key))
    return encode(("SET", key, "EVIL" * rng.randrange(3000)))


@test(arguments=["--threads", "1"])
def eight_hundred_slow_loris_clients_delay_nobody(t):
    """Each sends one byte of a request now and then, for ever."""
    request = encode(("SET", "k", "x" * 100))
    loris = [Client(t.keyway.port) for _ in range(SLOW_CLIENTS)]
    stop = threading.Event()
    before = t.keyway.rss_bytes()
    feeder = Background(feed_slowly, loris, request, stop)
    quick, times = t.client(), []
    for n in range(2000):
        started = time.monotonic()
        assert quick.call("SET", "quick", n) == b"OK"
        times.append(time.monotonic() - started)
    grown = t.keyway.rss_bytes() - before
    stop.set()
    feeder.join()
    for client in loris:
        client.close()

    p99 = statistics.quantiles(times, n=100)[98]
    assert p99 < 0.05 * t.patience, "p99 was %.0f ms" % (p99 * 1000)
    if not t.is_sanitized:
        assert grown / SLOW_CLIENTS < 20_000, "each cost %d bytes" % (grown / SLOW_CLIENTS)
    print("     (p99 %.2f ms, %d bytes each)" % (p99 * 1000, grown / SLOW_CLIENTS))


def feed_slowly(clients, request, stop):
    at = 0
    while not stop.is_set():
        for client in clients:
            client.sock.send(request[at % (len(request) - 1):][:1])
        at += 1
        stop.wait(0.05)


@test(arguments=["--threads", "1"])
def clients_that_flood_delay_nobody(t):
    """K2: each client gets a bounded amount of work a turn. One sends PINGs without a pause, one
    GETs, one writes 8 MB values; a fourth measures how long a small SET takes meanwhile."""
    stop = threading.Event()
    floods = [Background(flood, t.keyway.port, stop, request, count)
              for request, count in ((("PING",), 3000), (("GET", "{k}"), 2000),
                                     (("SET", "{k}big", "x" * 8_000_000), 1))]
    quick, times = t.client(), []
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        started = time.monotonic()
        assert quick.call("SET", "{k}quick", "v") == b"OK"
        times.append(time.monotonic() - started)
    stop.set()
    for one in floods:
        one.join()

    p99 = statistics.quantiles(times, n=100)[98]
    assert max(times) < 1.0 * t.patience, "one small SET took %.1f s" % max(times)
    assert p99 < 0.15 * t.patience, "p99 was %.0f ms" % (p99 * 1000)
    print("     (p99 %.1f ms, slowest %.0f ms of %d)" % (
        p99 * 1000, max(times) * 1000, len(times)))


def flood(port, stop, request, count):
    """COUNT requests always on their way, replies read and dropped."""
    data = encode(request) * count
    with Client(port, 30) as client:
        while not stop.is_set():
            writer = Background(client.sock.sendall, data)
            for _ in range(count):
                client.read()
            writer.join()


@test(arguments=["--threads", "2"])
def a_storm_of_connections_reaches_no_server(t):
    """HELLO, CLIENT SETINFO, SELECT 0 by each: keyway answers, no server hears of it (trap 20)."""
    def connections_of_nodes():
        return sum(connections_received(t, port) for port in t.cluster.ports)

    before = connections_of_nodes()
    for _ in range(2000):
        with Client(t.keyway.port) as client:
            replies = client.pipeline([("HELLO", "3"), ("CLIENT", "SETINFO", "LIB-NAME", "x"),
                                       ("CLIENT", "SETNAME", "y"), ("SELECT", "0"), ("PING",)])
            assert replies[1:] == [b"OK", b"OK", b"OK", b"PONG"], replies
    after = connections_of_nodes()

    # Looking costs one connection a node each time; probes and refreshes a few.
    assert after - before < 40, "%d connections reached the nodes" % (after - before)


def connections_received(t, port):
    fields = t.cluster.call(port, "INFO", "stats").decode().splitlines()
    return int(next(f for f in fields if f.startswith("total_connections_received")).split(":")[1])


@test(arguments=["--threads", "1", "--client-output-buffer-limit", "normal 8mb 0 0"])
def clients_that_never_read_are_closed_and_delay_nobody(t):
    tags = [tag for node, _ in t.masters() for tag in tags_served_by(node, 2)]
    writer = t.client()
    assert writer.call("SET", "{k}value", "x" * 20_000) == b"OK"
    before = t.keyway.rss_bytes()
    with Load(t.keyway.port, tags, clients=6) as load:
        hogs = [Client(t.keyway.port) for _ in range(5)]
        for hog in hogs:
            hog.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            hog.send_all([("GET", "{k}value")] * 3000)
        time.sleep(2)                   # the load goes on meanwhile
        grown = (t.keyway.rss_bytes() - before) / 1024 / 1024
        outcome = load.stop()
        for hog in hogs:
            hog.close()

    outcome.assert_flawless()
    assert outcome.slowest_s < 1 * t.patience, "others waited %.1f s" % outcome.slowest_s
    if not t.is_sanitized:
        assert grown < 5 * 8 + 30, "five clients that never read cost %.0f MiB" % grown
