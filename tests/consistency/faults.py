"""What can happen to a cluster and its keyways while the checker is at work.

Each fault is a function of the scene and a source of chance; when it returns, what it did is over.
Those that may lose writes which were acknowledged say so: see loss().
"""
import contextlib
import os
import signal
import threading
import time

from local_cluster import ClusterError
from support.client import Client
from support.topology import Mover, masters_of, owner_of, replica_of_now
from support.wait import until
from language.slots import slot_of

TAGS = ["t%d" % n for n in range(12)]       # of the busiest registers: see main.c
STORM_KEYS = 20000
# Of keyway, and what they are set to for a moment. A lease may be shorter than the checker grants.
OPTIONS = [("near-cache-lease-ms", ["60"]), ("near-cache-max-age-ms", ["100"]),
           ("near-cache-max-item-bytes", ["64", "1kb"]), ("near-cache-admit-reads", ["2", "8"]),
           ("near-cache-coalesce", ["hot", "yes", "no"]), ("near-cache-prefix", ["{t1"]),
           ("near-cache-skip-prefix", ["{t1"]), ("near-cache-broadcast", ["yes", "no"])]
ABSENT_LEASE_MS = 1000                      # of absent keys whose slots move: see the README


def all_in_turn(rng):
    """All of them in a random order, and again in another, for ever."""
    while True:
        yield from rng.sample(FAULTS, len(FAULTS))


def kill_links(scene, rng):
    """Every connection that anybody has to one master, or to all of them."""
    masters = scene.masters()
    for node in masters if rng.random() < 0.5 else [rng.choice(masters)]:
        scene.cluster.call(node["port"], "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def kill_tracking_links(scene, rng):
    """Only those that invalidations come over, one after the other."""
    for _ in range(rng.randint(1, 5)):
        for node in scene.masters():
            for line in scene.cluster.call(node["port"], "CLIENT", "LIST").decode().splitlines():
                fields = dict(field.split("=", 1) for field in line.split() if "=" in field)
                if "t" in fields["flags"]:
                    scene.cluster.call(node["port"], "CLIENT", "KILL", "ID", fields["id"])
        time.sleep(rng.uniform(0, 0.1))


def stop_master(scene, rng):
    """Shorter than the others wait: nobody is promoted, but leases run out."""
    node = rng.choice(scene.masters())
    scene.cluster.kill(node["port"], signal.SIGSTOP)
    time.sleep(rng.uniform(0.05, 0.9))
    scene.cluster.kill(node["port"], signal.SIGCONT)


def stop_master_until_it_is_replaced(scene, rng):
    """It comes back with an old truth, and with connections that never noticed."""
    node, replica, tags = a_master(scene, rng)
    if replica is None:
        return
    scene.checker.tell("off %d" % node["port"])
    with loss(scene, rng, node, tags):
        scene.cluster.kill(node["port"], signal.SIGSTOP)
        wait_until_master(scene, replica, tags)
    time.sleep(rng.uniform(0, 0.5))         # writes, which the old one doesn't know of
    scene.cluster.kill(node["port"], signal.SIGCONT)
    wait_until_replica(scene, node)
    scene.checker.tell("on %d" % node["port"])
    settle(scene, tags)


def kill_master(scene, rng):
    """With all that it had not sent to its replica yet."""
    node, replica, tags = a_master(scene, rng)
    if replica is None:
        return
    with loss(scene, rng, node, tags):
        scene.cluster.kill(node["port"])
        wait_until_master(scene, replica, tags)
    scene.cluster.restart(node["port"])
    settle(scene, tags)


def a_master(scene, rng):
    """One, with its replica, or None, and the tags of what it holds."""
    node = rng.choice(scene.masters())
    return node, replica_of_now(scene.cluster, node), scene.tags_of(node)


def loss(scene, rng, node, tags):
    """NODE goes in here. Half the time nothing is lost: writes have ended, its replica has them
    all, and every rule holds throughout. Else it is in the midst of writes, which some of us saw."""
    stack = contextlib.ExitStack()
    if rng.random() < 0.5:
        stack.enter_context(scene.held(tags))
        scene.sync(node, tags[0])
    else:
        stack.enter_context(scene.season(tags))
    return stack


def wait_until_master(scene, node, tags):
    """NODE has taken over, and all keyways know."""
    until(lambda: role_of(scene, node) == b"master", 30, "a replica takes over")
    scene.wait_until_heard(node, tags)


def wait_until_replica(scene, node):
    until(lambda: role_of(scene, node) == b"slave", 30, "the old master learns that it is none")


def role_of(scene, node):
    return scene.cluster.call(node["port"], "ROLE")[0]


def settle(scene, tags):
    until(scene.is_whole, 40 * scene.options.patience, "the cluster is whole again")
    scene.look(tags)


def stop_keyway(scene, rng):
    """Pushes and requests pile up in front of it; its clock stands still."""
    keyway = rng.choice(scene.keyways)
    os.kill(keyway.pid, signal.SIGSTOP)
    time.sleep(rng.uniform(0.02, 0.6))
    os.kill(keyway.pid, signal.SIGCONT)


def fail_over(scene, rng):
    """As an operator asks for it: no write is lost, nothing may be seen."""
    change_places(scene, rng, (), lambda *_: contextlib.nullcontext())


def fail_over_by_force(scene, rng):
    change_places(scene, rng, rng.choice([("FORCE",), ("TAKEOVER",)]), loss)


def change_places(scene, rng, kind, danger):
    node, replica, tags = a_master(scene, rng)
    if replica is None:
        return
    with danger(scene, rng, node, tags):
        until(lambda: is_asked_to_take_over(scene, replica, kind), 30, "they change places")
        wait_until_replica(scene, node)
        wait_until_master(scene, replica, tags)
    settle(scene, tags)


def is_asked_to_take_over(scene, replica, kind):
    """Asked once more when it came to nothing: the election can have been lost."""
    with contextlib.suppress(ClusterError):     # it is master
        scene.cluster.call(replica["port"], "CLUSTER", "FAILOVER", *kind)
    try:
        until(lambda: role_of(scene, replica) == b"master", 6, "it takes over")
    except AssertionError:
        return False
    return True


def move_slots(scene, rng):
    """The registers' slots wander from master to master, a few keys at a time."""
    scene.checker.tell("absent %d" % ABSENT_LEASE_MS)
    connections = []

    def connect(port):
        connections.append(Client(port))
        return connections[-1]
    try:
        mover = Mover(scene.cluster, connect)
        ring = [node for node, _ in masters_of(scene.cluster)]
        mover.clients = {node["port"]: connect(node["port"]) for node in ring}
        for _ in range(rng.randint(3, 10)):
            slot = slot_of(rng.choice(TAGS))
            source = owner_of(scene.cluster, slot)
            target = rng.choice([node for node in ring if node is not source])
            until(lambda s=slot, a=source, b=target: is_moved(mover, s, a, b), 20,
                  "the slot moves")
            time.sleep(0.03)
    finally:
        for connection in connections:
            connection.close()
    time.sleep(ABSENT_LEASE_MS / 1000 + 0.3)
    scene.checker.tell("absent %d" % scene.lease_ms)


def is_moved(mover, slot, source, target):
    """Refused while the cluster is not whole, half way too: the next one goes on from there."""
    try:
        mover.move(slot, source, target)
    except AssertionError:
        return False
    return True


def flush(scene, rng):
    """Through a keyway, or past all of them."""
    for _ in range(rng.randint(1, 5)):
        place = rng.randrange(-1, len(scene.keyways))
        answer = scene.checker.ask("flush %d" % place, 60 * scene.options.patience)
        assert answer in ("flushed", "flush failed"), answer


def expiry_storm(scene, rng):
    """Many keys that live long: servers then find those that are over late."""
    def fill(port):
        with Client(port, 20) as client:
            client.pipeline([("SET", "storm:%d" % n, "x", "EX", rng.randint(100, 1000))
                             for n in range(STORM_KEYS)])
    threads = [threading.Thread(target=fill, args=(node["port"],)) for node in scene.masters()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.5)


def small_tracking_table(scene, rng):
    """Servers forget who has what, and say so, all the time."""
    configure(scene, "tracking-table-max-keys", 10)
    time.sleep(rng.uniform(0.3, 1.0))
    configure(scene, "tracking-table-max-keys", 1000000)


def busy_master(scene, rng):
    node = rng.choice(scene.masters())
    scene.cluster.call(node["port"], "DEBUG", "SLEEP", "%.2f" % rng.uniform(0.02, 0.5))


def pause_writes(scene, rng):
    """Also those by which servers expire keys."""
    for node in scene.masters():
        scene.cluster.call(node["port"], "CLIENT", "PAUSE", rng.randint(50, 500), "WRITE")
    time.sleep(0.5)


def switch_cache(scene, rng):
    """Off and on again, or another cache, while requests are under way."""
    keyway = rng.choice(scene.keyways)
    with Client(keyway.port) as client:
        for _ in range(rng.randint(2, 8)):
            if rng.random() < 0.5:
                client.call("CONFIG", "SET", "near-cache", "no")
                time.sleep(rng.uniform(0, 0.02))
                client.call("CONFIG", "SET", "near-cache", "yes")
            else:
                client.call("CONFIG", "SET", "cache-max-memory", "%dmb" % rng.randint(8, 64))
            time.sleep(rng.uniform(0, 0.2))


def drop_the_cache(scene, rng):
    for _ in range(rng.randint(1, 5)):
        tell_keyway(rng.choice(scene.keyways), "PROXY", "CACHE", "FLUSH")
        time.sleep(rng.uniform(0, 0.05))


def change_options(scene, rng):
    """What is kept, and for how long, changes under everybody's hands."""
    keyway = rng.choice(scene.keyways)
    for name, others in rng.sample(OPTIONS, 2):
        with Client(keyway.port) as client:
            usual = client.call("CONFIG", "GET", name)[1]
        tell_keyway(keyway, "CONFIG", "SET", name, rng.choice(others))
        time.sleep(rng.uniform(0, 0.3))
        tell_keyway(keyway, "CONFIG", "SET", name, usual)


def tell_keyway(keyway, *words):
    with Client(keyway.port, 20) as client:
        reply = client.call(*words)
    assert reply == b"OK" or isinstance(reply, int), (words, reply)


def nothing(_, rng):
    time.sleep(rng.uniform(0.2, 1.0))


def configure(scene, name, value):
    for node in scene.cluster.nodes:
        scene.cluster.call(node["port"], "CONFIG", "SET", name, value)


def little_memory(scene):
    """Servers evict all the time. The checker must have been told that keys may vanish."""
    configure(scene, "maxmemory-policy", "allkeys-random")
    for node in scene.masters():
        used = scene.cluster.call(node["port"], "INFO", "memory").decode()
        bytes_used = int(used.split("used_memory:")[1].split()[0])
        scene.cluster.call(node["port"], "CONFIG", "SET", "maxmemory", bytes_used + 300000)


FAULTS = [kill_links, kill_tracking_links, stop_master, stop_master_until_it_is_replaced,
          kill_master, stop_keyway, fail_over, fail_over_by_force, move_slots, flush, expiry_storm,
          small_tracking_table, busy_master, pause_writes, switch_cache, drop_the_cache,
          change_options, nothing]
