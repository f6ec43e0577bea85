"""Played by test_outages.py inside `unshare -n`: one of three nodes falls into a black hole.

        this namespace                      the far host (a namespace of its own)
    keyway, load, nodes A and B             node C
    10.77.0.1 --------- veth --------------- 10.77.0.2

The black hole is a route on the far host: packets arrive there, and every
answer is dropped without a word, as by a firewall with DROP.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.client import Client, ErrorReply          # noqa: E402  (needs the path above)
from support.load import Load                          # noqa: E402
from support.topology import tags_served_by            # noqa: E402
from support.wait import until                         # noqa: E402
from language.keyway import Keyway                     # noqa: E402

NEAR, FAR = "10.77.0.1", "10.77.0.2"
THIRDS = [(0, 5460), (5461, 10922), (10923, 16383)]


def sh(*words):
    subprocess.run(words, check=True)


class FarHost:
    """A network namespace held open by a sleeping process."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
        until(self._is_apart, 5, "the far namespace exists")
        sh("ip", "link", "set", "lo", "up")
        sh("ip", "link", "add", "near", "type", "veth", "peer", "name", "far",
           "netns", str(self.holder.pid))
        sh("ip", "addr", "add", NEAR + "/24", "dev", "near")
        sh("ip", "link", "set", "near", "up")
        self.run("ip", "addr", "add", FAR + "/24", "dev", "far")
        self.run("ip", "link", "set", "far", "up")
        self.run("ip", "link", "set", "lo", "up")

    def _is_apart(self):
        return os.readlink("/proc/%d/ns/net" % self.holder.pid) != os.readlink("/proc/self/ns/net")

    def inside(self, *words):
        return ["nsenter", "-t", str(self.holder.pid), "-n"] + list(words)

    def run(self, *words):
        sh(*self.inside(*words))

    def fall_into_black_hole(self):
        self.run("ip", "route", "add", "blackhole", NEAR + "/32")

    def come_out(self):
        self.run("ip", "route", "del", "blackhole", NEAR + "/32")


def start_server(folder, index, host, prefix):
    path = os.path.join(folder, "node%d" % index)
    os.mkdir(path)
    return subprocess.Popen(prefix + [
        "redis-server", "--port", str(7000 + index), "--bind", host, "--dir", path,
        "--save", "", "--protected-mode", "no", "--cluster-enabled", "yes",
        "--cluster-node-timeout", "15000", "--cluster-require-full-coverage", "no",
        "--cluster-allow-reads-when-down", "no"], stdout=subprocess.DEVNULL)


def make_cluster(hosts):
    """Three masters, a third of the slots each; returns their addresses."""
    addresses = [(host, 7000 + index) for index, host in enumerate(hosts)]
    for address, (low, high) in zip(addresses, THIRDS):
        until(lambda: Client(address).call("PING") == b"PONG", 10, "a server answers")
        with Client(address) as client:
            assert client.call("CLUSTER", "ADDSLOTSRANGE", low, high) == b"OK"
            assert client.call("CLUSTER", "SET-CONFIG-EPOCH", address[1] - 6999) == b"OK"
            for host, port in addresses:
                assert client.call("CLUSTER", "MEET", host, port) == b"OK"
    for address in addresses:
        until(lambda: b"cluster_slots_ok:16384" in Client(address).call("CLUSTER", "INFO"), 20,
              "the cluster is whole")
    return addresses


def main(binary, folder, patience):
    far = FarHost()
    running = [far.holder]
    try:
        running += [start_server(folder, 0, NEAR, []), start_server(folder, 1, NEAR, []),
                    start_server(folder, 2, FAR, far.inside())]
        addresses = make_cluster([NEAR, NEAR, FAR])
        keyway = Keyway(binary, ["--cluster-seeds"] + ["%s:%d" % a for a in addresses]
                        + ["--health-interval-ms", "500"], folder, patience=patience)
        running.append(keyway.process)
        keyway.wait_until_it_answers()
        play(far, keyway, patience)
        keyway.end()
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()


def play(far, keyway, patience):
    near_tags = tags_served_by({"slots": (0, 10922)}, 6)
    (far_tag,) = tags_served_by({"slots": THIRDS[2]}, 1)
    far_key = "{%s}" % far_tag
    client = Client(keyway.port, 30 * patience)
    until(lambda: client.call("SET", far_key, "v") == b"OK", 10 * patience, "the far node answers")
    until(lambda: client.call("SET", "{%s}" % near_tags[0], "v") == b"OK", 10, "the near ones too")

    with Load(keyway.port, near_tags, clients=6) as near:
        far.fall_into_black_hole()
        times = []
        for _ in range(10):
            started = time.monotonic()
            reply = client.call("GET", far_key)
            times.append(time.monotonic() - started)
            assert isinstance(reply, ErrorReply), reply
        far.come_out()
        healed_s = until(lambda: client.call("GET", far_key) == b"v", 20 * patience, "it heals")
        outcome = near.stop()

    outcome.assert_flawless()
    assert outcome.slowest_s < 1.0 * patience, "near nodes waited %.1f s" % outcome.slowest_s
    assert times[0] < 3 * patience, "the first error took %.2f s" % times[0]
    assert times[-1] < 0.5 * patience, "still not failing fast: %.2f s" % times[-1]
    assert healed_s < 5 * patience, "healed only after %.1f s" % healed_s
    print("first error %.0f ms, later %.1f ms, healed in %.2f s" % (
        times[0] * 1000, times[-1] * 1000, healed_s))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
