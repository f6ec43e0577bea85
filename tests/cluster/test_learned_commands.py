"""Commands that keyway's table does not know: it learns them from the servers (rule C1)."""
import os
import shutil
import subprocess

from local_cluster import LocalCluster
from support import ROOT
from support.testing import CLUSTER_CONFIG, NONE, Skip, test
from support.wait import until

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "support", "module.c")
NO_SUCH = "ERR unknown command '%s', with args beginning with: "
REFUSED = "ERR '%s' is not available through keyway: send it to a node directly"


def built_module(folder):
    """module.c as a shared object."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Skip("there is no C compiler")
    path = os.path.join(folder, "module.so")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", path, SOURCE], check=True,
                   cwd=ROOT)
    return path


def cluster_with_module(t):
    config = dict(CLUSTER_CONFIG, loadmodule=built_module(t.folder))
    cluster = LocalCluster(3, 0, config=config)
    t.closing.callback(cluster.stop)
    cluster.start()
    return cluster


def learned(client):
    """Wait until keyway has asked."""
    until(lambda: client.call("KWT.HELLO") == b"HELLO", 5, "keyway knows the module's commands")


@test(cluster=NONE, keyway=False)
def commands_of_a_module_are_routed(t):
    t.cluster = cluster_with_module(t)
    t.start_keyway()
    client = t.client()
    learned(client)
    for n in range(100):
        assert client.call("KWT.SET", "k%d" % n, n) == b"OK"
        assert client.call("kwt.get", "k%d" % n) == b"%d" % n
        assert client.call("Kwt.Box", "Get", "k%d" % n) == b"%d" % n
    replies = client.pipeline([("KWT.GET", "k%d" % n) for n in range(100)])
    assert replies == [b"%d" % n for n in range(100)]
    assert client.call("KWT.MGET", "{t}1", "{t}2") == [None, None]
    assert client.call("KWT.MGET", "a", "b").code == "CROSSSLOT"
    assert client.call("KWT.GET") == b"count", "the module counts its arguments itself"
    assert client.call("KWT.BOX", "NONSENSE").text == \
        "ERR unknown subcommand 'NONSENSE'. Try KWT.BOX HELP."
    for name in ("KWT.WIPE", "KWT.ADMIN", "KWT.STATE"):
        assert client.call(name).text == REFUSED % name, client.call(name)
    assert client.call("KWT.NOBODY").text == NO_SUCH % "KWT.NOBODY"


@test(cluster=NONE, keyway=False)
def a_module_loaded_later_is_noticed_with_the_next_topology(t):
    t.cluster = LocalCluster(3, 0, config=dict(CLUSTER_CONFIG, **{"enable-module-command": "yes"}))
    t.closing.callback(t.cluster.stop)
    t.cluster.start()
    t.start_keyway()
    client = t.client()
    assert client.call("KWT.GET", "k").text == (NO_SUCH % "KWT.GET") + "'k' "
    path = built_module(t.folder)
    for port in t.cluster.ports:
        t.cluster.call(port, "MODULE", "LOAD", path)
    node = t.cluster.call(t.cluster.ports[1], "CLUSTER", "MYID")
    for port in t.cluster.ports:    # one slot changes hands: the topology is new
        t.cluster.call(port, "CLUSTER", "SETSLOT", "0", "NODE", node)
    client.call("GET", "{06S}of slot 0")                # MOVED: keyway asks for it at once
    until(lambda: client.call("KWT.HELLO") == b"HELLO", 30, "keyway knows the module's commands")
    assert client.call("KWT.SET", "k", "v") == b"OK"
