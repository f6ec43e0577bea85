"""Tests as functions, and what each of them gets.

    @test(cluster=SHARED)
    def a_value_written_is_read(t):
        assert t.client().call("SET", "k", "v") == b"OK"

SHARED  one cluster of 3 masters and 3 replicas for all tests that leave it whole
FRESH   a cluster of its own, which the test may break
NONE    no cluster

Each test gets a keyway of its own in front of the cluster, unless it says
keyway=False. After the test that keyway must still answer and must end with
status 0 on SIGTERM.
"""
import contextlib
import shutil
import tempfile
import traceback

from language.keyway import Keyway
from language.machine import slowness
from local_cluster import LocalCluster

from .client import Client
from .single import single_redis

NONE, SHARED, FRESH = "none", "shared", "fresh"
FORGET_ALL = (("FLUSHALL",), ("FUNCTION", "FLUSH"), ("SCRIPT", "FLUSH"))
# Short enough that a failover fits into a test; long enough for a busy machine.
CLUSTER_CONFIG = {"cluster-node-timeout": 1500, "enable-debug-command": "yes"}
# Nobody dies there: no busy machine may make its masters look dead to each other.
SHARED_NODE_TIMEOUT_MS = 15000
NODE_TIMEOUT_MOST_MS = 6000
NODE_SILENCE_MS = 200        # node-timeout-ms unless a test says otherwise
ALL_TESTS = []


class Skip(Exception):
    """The test cannot run here; the text says why."""


class Test:
    def __init__(self, function, options):
        self.function = function
        self.options = options
        self.module = function.__module__.rpartition("test_")[2]
        self.name = "%s: %s" % (self.module, function.__name__.replace("_", " "))


def test(cluster=SHARED, masters=3, replicas=1, keyway=True, arguments=(), config=None):
    """Register the decorated function as a test.

    arguments  more words for keyway      config  more directives for every redis-server
    """
    def register(function):
        ALL_TESTS.append(Test(function, {
            "cluster": cluster, "masters": masters, "replicas": replicas, "keyway": keyway,
            "arguments": list(arguments), "config": config}))
        return function
    return register


class Context:
    """`t`: the cluster, the proxy, clients; everything it opened is closed after the test."""

    def __init__(self, binary, cluster, patience, is_sanitized):
        self.binary = binary
        self.cluster = cluster
        self._patience = patience
        self.is_sanitized = is_sanitized
        self.keyway = None
        self._slowness = 1.0
        self.folder = tempfile.mkdtemp(prefix="keyway-test-")
        self.closing = contextlib.ExitStack()
        self.closing.callback(shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def patience(self):
        """What promises of time are multiplied by: the build is slow, or the machine is just now."""
        self._slowness = max(self._slowness, slowness())
        return self._patience * self._slowness

    def patience_with_nodes(self, options):
        """More words for keyway: a starved server is silent for long, and yet not down."""
        if "--node-timeout-ms" in options["arguments"] or self.patience < 2:
            return []
        return ["--node-timeout-ms", str(int(NODE_SILENCE_MS * min(self.patience, 10)))]

    @property
    def node_timeout_s(self):
        """After that a server takes another for dead (cluster-node-timeout)."""
        return int(self.cluster.config["cluster-node-timeout"]) / 1000

    # -- keyway --

    def start_keyway(self, arguments=(), seeds=None, is_waited_for=True, **options):
        """Start a keyway before the cluster and wait until it knows where every slot is."""
        arguments = list(arguments)
        if seeds is None and self.cluster is not None:
            seeds = ["127.0.0.1:%d" % port for port in self.cluster.ports]
        if seeds:
            arguments = ["--cluster-seeds"] + list(seeds) + arguments
        self.keyway = Keyway(self.binary, arguments, self.folder, patience=self._patience, **options)
        self.closing.callback(self.keyway.kill)
        if is_waited_for:
            self.keyway.wait_until_it_answers()
            self.wait_until_all_slots_answer()
        return self.keyway

    def wait_until_all_slots_answer(self, timeout_s=10):
        from .wait import until
        keys = ["ready:%d" % n for n in range(30)]

        def all_answer():
            with self.client() as client:
                return all(reply is None for reply in client.pipeline([("GET", k) for k in keys]))
        until(all_answer, timeout_s * self.patience, "keyway reaches every slot")

    def start_server(self, *words):
        """The port of a plain redis-server with WORDS among its arguments."""
        return self.closing.enter_context(single_redis(*words))

    # -- clients --

    def client(self, timeout_s=10.0):
        """A RESP client of keyway."""
        client = Client(self.keyway.port, timeout_s * self.patience)
        self.closing.callback(client.close)
        return client

    def direct(self, port):
        """A RESP client of one server."""
        client = Client(port)
        self.closing.callback(client.close)
        return client

    def masters(self):
        """[(node, [(first, last), ...])] as the cluster says now."""
        from .topology import masters_of
        return masters_of(self.cluster)


def run_test(one, binary, clusters, patience, is_sanitized):
    """None when the test passed, else the text of its failure. Skip passes through."""
    options = one.options
    context = None
    try:
        cluster = clusters.get(options)
        context = Context(binary, cluster, patience, is_sanitized)
        if options["keyway"]:
            context.start_keyway(options["arguments"] + context.patience_with_nodes(options))
        one.function(context)
        if context.keyway is not None and context.keyway.process.poll() is None:
            context.keyway.ping()
            context.keyway.end()
        return None
    except Skip:
        raise
    except Exception:
        text = traceback.format_exc()
        if context is not None and context.keyway is not None and context.keyway.log_path:
            with contextlib.suppress(OSError):
                text += context.keyway.last_words(30)
        return text
    finally:
        if context is not None:
            context.closing.close()
        clusters.put_back(options)


class Clusters:
    """Hands out the shared cluster and fresh ones."""

    def __init__(self):
        self._shared = None
        self._fresh = None

    def get(self, options):
        if options["cluster"] == NONE:
            return None
        if options["cluster"] == FRESH:
            # A starved master is not to be taken for dead: promotions lose acknowledged writes.
            timeout_ms = min(NODE_TIMEOUT_MOST_MS,
                             int(CLUSTER_CONFIG["cluster-node-timeout"] * slowness()))
            config = dict(CLUSTER_CONFIG, **{"cluster-node-timeout": timeout_ms})
            config.update(options["config"] or {})
            self._fresh = LocalCluster(options["masters"], options["replicas"], config=config)
            return self._fresh.start()
        if self._shared is None:
            config = dict(CLUSTER_CONFIG, **{"cluster-node-timeout": SHARED_NODE_TIMEOUT_MS})
            self._shared = LocalCluster(3, 1, config=config)
            self._shared.start()
        return self._shared

    def put_back(self, options):
        if self._fresh is not None:
            self._fresh.stop()
            self._fresh = None
        if options["cluster"] == SHARED and self._shared is not None:
            for node in self._shared.nodes:
                if node["role"] == "master":
                    for words in FORGET_ALL:
                        self._shared.call(node["port"], *words, timeout_s=30)

    def stop(self):
        for cluster in (self._shared, self._fresh):
            if cluster is not None:
                cluster.stop()
