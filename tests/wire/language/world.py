"""Everything one script plays with: nodes, clients, the proxy, and one clock of events."""
import os
import shutil
import tempfile
import time

from . import resp, topology
from .channel import Backstage, Channel
from .keyway import Keyway
from .node import FakeNode, READY_PREFIX
from .slots import key_in
from .trace import Trace


# What scripts get unless they say otherwise. One thread, so that a PING elsewhere proves that
# bytes sent before it were read; patience with nodes, so that a busy machine changes nothing.
SCRIPT_DEFAULTS = {
    "--threads": "1",
    "--node-timeout-ms": "5000",
    "--shutdown-timeout": "1",
}


class Failed(Exception):
    """An expectation of the script was not met."""


class World:
    def __init__(self, binary, patience=1.0, counts_memory=True):
        self.binary = binary
        self.counts_memory = counts_memory
        self.patience = patience
        self.folder = tempfile.mkdtemp(prefix="keyway-wire-")
        self.backstage = Backstage()
        self.trace = Trace()
        self.nodes = {}
        self.clients = {}
        self.proxy = None
        self.epoch = 1
        self._late_failures = []

    # -- nodes --

    def add_node(self, name, ranges, is_down=False, **options):
        self.nodes[name] = FakeNode(self, name, topology.parse_ranges(ranges), **options)
        if is_down:
            self.nodes[name].go_down()

    def nodes_in_topology(self):
        return [node for node in self.nodes.values() if node.ranges or node.replica_of]

    def fail_later(self, text):
        """For the background thread: the script fails at its next line or its end."""
        self._late_failures.append(text)

    def check_late_failures(self):
        if self._late_failures:
            raise Failed(self._late_failures[0])

    # -- the proxy --

    def start_proxy(self, arguments=(), is_waited_for=True, config_file=None):
        arguments = list(arguments)
        if "--cluster-seeds" not in arguments and config_file is None:
            arguments += ["--cluster-seeds"] + [_address(n) for n in self.nodes.values()]
        for directive, value in SCRIPT_DEFAULTS.items():
            if directive not in arguments:
                arguments += [directive, value]
        self.proxy = Keyway(self.binary, arguments, self.folder, config_file=config_file,
                            patience=self.patience)
        self.proxy.wait_until_it_answers()
        if is_waited_for:
            self._wait_until_every_node_is_reachable()

    def _wait_until_every_node_is_reachable(self):
        """One harmless read per node, so that scripts begin with a proxy that knows the cluster."""
        deadline = time.monotonic() + 20 * self.patience
        for node in self.nodes.values():
            if node.ranges and node.is_listening and not node.is_silent:
                low, high = node.ranges[0]
                key = READY_PREFIX.decode() + "{%s}" % key_in(low, high, "r")
                self._wait_for_nil(key, deadline)

    def _wait_for_nil(self, key, deadline):
        while True:
            reply = self.proxy.ask_and_leave(resp.command("GET", key))
            if reply == b"$-1\r\n":
                return
            if time.monotonic() > deadline:
                raise Failed("keyway never became ready: GET %s got %r" % (key, reply))
            time.sleep(0.005)

    # -- clients --

    def add_client(self, name, unix_path=None):
        if unix_path is not None:
            import socket
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(unix_path)
        else:
            sock = self.proxy.connect()
        self.clients[name] = Channel(self.backstage, sock, name)

    # -- the end --

    def finish(self):
        """What must hold after every script: alive, and a clean end."""
        self.check_late_failures()
        if self.proxy is not None:
            self.proxy.ping()
            for client in self.clients.values():
                client.close()
            self.proxy.end()
        self.check_late_failures()

    def clean_up(self):
        if self.proxy is not None:
            self.proxy.kill()
        for client in self.clients.values():
            client.close()
        for node in self.nodes.values():
            node.go_down()
        self.backstage.stop()
        if "KEYWAY_KEEP_TEST_FILES" not in os.environ:
            shutil.rmtree(self.folder, ignore_errors=True)


def _address(node):
    return ("[%s]:%d" if ":" in node.host else "%s:%d") % (node.host, node.port)
