"""Directives, the command line, where keyway listens, and how it speaks to its nodes."""
import os
import signal
import subprocess

from support.client import Client, ErrorReply
from support.testing import FRESH, NONE, SHARED, test
from support.wait import until


def run_keyway(t, *words, text=None):
    """Run to the end; TEXT becomes a config file that is the first argument."""
    words = list(words)
    if text is not None:
        words.insert(0, write_config(t, text))
    return subprocess.run([t.binary] + words, capture_output=True, text=True,
                          timeout=10 * t.patience)


def write_config(t, text):
    path = os.path.join(t.folder, "keyway.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@test(cluster=NONE, keyway=False)
def bad_directives_stop_the_start_with_file_line_and_reason(t):
    bad = {
        "prot 6379": "prot",
        "port abc": "port",
        "port 70000": "port",
        "port -1": "port",
        "port 1 2": "port",
        "port": "port",
        "threads -1": "threads",
        "maxmemory 12xb": "maxmemory",
        "daemonize maybe": "daemonize",
        "loglevel loud": "loglevel",
        "cluster-seeds nowhere": "cluster-seeds",
        "cluster-seeds host:0": "cluster-seeds",
        "cluster-seeds host:99999": "cluster-seeds",
        "client-output-buffer-limit normal 1": "client-output-buffer-limit",
        "requirepass secret": "requirepass",
        'logfile "unbalanced': "",
        "include /no/such/file": "/no/such/file",
    }
    for line, word in bad.items():
        ended = run_keyway(t, text="# a comment\n\n%s\n" % line)
        said = ended.stdout + ended.stderr
        assert ended.returncode not in (0, None) and ended.returncode > 0, (line, ended)
        assert "keyway.conf" in said and "3" in said, "no file and line for %r: %s" % (line, said)
        assert word in said, "no reason for %r: %s" % (line, said)


@test(cluster=NONE, keyway=False)
def bad_words_on_the_command_line_stop_the_start_too(t):
    for words in (["--prot", "1"], ["--port", "abc"], ["/no/such/file.conf"]):
        ended = run_keyway(t, *words)
        said = ended.stdout + ended.stderr
        assert ended.returncode > 0 and words[0].lstrip("-") in said, (words, said)


@test(cluster=NONE, keyway=False)
def help_version_and_test_config_do_what_people_expect(t):
    shown = run_keyway(t, "--help")
    assert shown.returncode == 0 and "--port" in shown.stdout and "cluster-seeds" in shown.stdout
    version = run_keyway(t, "--version")
    assert version.returncode == 0 and "keyway" in version.stdout.lower()
    good = write_config(t, "port 7777\ncluster-seeds 127.0.0.1:7000 127.0.0.1:7001\n")
    assert run_keyway(t, good, "--test-config").returncode == 0
    bad = write_config(t, "port seven\n")
    assert run_keyway(t, bad, "--test-config").returncode > 0


@test(keyway=False)
def a_config_file_is_read_and_the_command_line_wins(t):
    seeds = " ".join("127.0.0.1:%d" % port for port in t.cluster.ports)
    path = write_config(t, "# redis.conf syntax\nport 1\nmaxclients 123\n"
                           "cluster-seeds %s\nthreads 1\ntimeout 60\n" % seeds)
    t.start_keyway(seeds=[], config_file=path)
    client = t.client()

    assert client.call("CONFIG", "GET", "maxclients") == [b"maxclients", b"123"]
    assert client.call("CONFIG", "GET", "timeout") == [b"timeout", b"60"]
    assert client.call("SET", "k", "v") == b"OK"


@test(keyway=False)
def a_port_that_is_taken_stops_the_start_with_a_reason(t):
    first = t.start_keyway()
    ended = run_keyway(t, "--port", str(first.port), "--cluster-seeds", "127.0.0.1:1")
    said = ended.stdout + ended.stderr
    assert ended.returncode > 0 and str(first.port) in said, said


@test(keyway=False)
def a_unix_socket_serves_clients_with_and_without_tcp(t):
    path = os.path.join(t.folder, "keyway.sock")
    t.start_keyway(["--unixsocket", path, "--unixsocketperm", "700"], is_waited_for=False,
                   has_port=False)

    def answers():
        with Client(path) as client:
            return client.call("SET", "k", "v") == b"OK"

    until(answers, 5 * t.patience, "the unix socket serves")
    assert os.stat(path).st_mode & 0o777 == 0o700
    t.keyway.end()
    assert not os.path.exists(path), "the socket file is left behind"


@test(cluster=FRESH, replicas=0, config={"cluster-announce-hostname": "localhost",
                                         "cluster-preferred-endpoint-type": "hostname"})
def nodes_that_announce_host_names_are_resolved(t):
    client = t.client()
    keys = ["k%d" % n for n in range(50)]
    assert client.pipeline([("SET", key, "v") for key in keys]) == [b"OK"] * 50


@test(cluster=FRESH, replicas=0, config={"cluster-preferred-endpoint-type": "unknown-endpoint"})
def nodes_that_announce_no_endpoint_are_reached_at_the_asked_host(t):
    client = t.client()
    keys = ["k%d" % n for n in range(50)]
    assert client.pipeline([("SET", key, "v") for key in keys]) == [b"OK"] * 50


@test(cluster=FRESH, keyway=False, config={"requirepass": "secret", "masterauth": "secret"})
def nodes_with_a_password_are_authenticated_to(t):
    t.start_keyway(["--cluster-auth-pass", "secret"])
    two, three = t.client(), t.client()
    three.call("HELLO", "3")

    assert two.call("SET", "k", "v") == b"OK"
    assert three.call("GET", "k") == b"v"
    killed = [t.cluster.call(node["port"], "CLIENT", "KILL", "TYPE", "normal")
              for node in t.cluster.nodes]
    assert sum(killed) > 0
    until(lambda: two.call("GET", "k") == b"v" and three.call("GET", "k") == b"v", 5,
          "links opened anew are authenticated anew")


@test(cluster=FRESH, replicas=0, keyway=False, config={
    "requirepass": "admin", "masterauth": "admin", "user": "keyway on >secret ~app:* &* +@all"})
def nodes_with_an_acl_user_are_authenticated_to(t):
    seeds = ["127.0.0.1:%d" % port for port in t.cluster.ports]
    t.start_keyway(["--cluster-auth-user", "keyway", "--cluster-auth-pass", "secret"], seeds=seeds,
                   is_waited_for=False)
    t.keyway.wait_until_it_answers()
    client = t.client()

    until(lambda: client.call("SET", "app:k", "v") == b"OK", 5 * t.patience, "the user is let in")
    refused = client.call("SET", "other", "v")
    assert isinstance(refused, ErrorReply) and refused.code == "NOPERM", refused


@test(cluster=FRESH, replicas=0, keyway=False,
      config={"requirepass": "secret", "masterauth": "secret"})
def a_wrong_password_for_the_nodes_is_a_clear_error(t):
    t.start_keyway(["--cluster-auth-pass", "wrong"], is_waited_for=False)
    t.keyway.wait_until_it_answers()
    client = t.client()

    reply = client.call("GET", "k")
    assert isinstance(reply, ErrorReply) and "secret" not in reply.text, reply
    until(lambda: "rejected keyway's credentials" in t.keyway.log_text(), 5, "the log says why")
    assert "wrong" not in t.keyway.log_text(), "the password is in the log"


@test(cluster=SHARED)
def a_sighup_does_not_end_it(t):
    t.keyway.process.send_signal(signal.SIGHUP)
    assert t.client().call("PING") == b"PONG"


CONFIG_TEXT = """# what the operator wrote
timeout 0
   # indented
maxclients 5000

client-output-buffer-limit normal 100mb 50mb 60
client-output-buffer-limit pubsub 32mb 8mb 60
include %s
slowlog-max-len 7
# the end
"""


def started_with_file(t):
    included = os.path.join(t.folder, "included.conf")
    with open(included, "w", encoding="utf-8") as file:
        file.write("node-failure-limit 4\n")
    path = write_config(t, CONFIG_TEXT % included)
    os.chmod(path, 0o640)
    t.start_keyway(config_file=path)
    return path, included


@test(cluster=SHARED, keyway=False)
def config_rewrite_keeps_comments_and_order(t):
    path, included = started_with_file(t)
    client = t.client()

    assert client.call("CONFIG", "SET", "timeout", "33", "loglevel", "verbose",
                       "client-output-buffer-limit", "pubsub 1mb 2mb 3") == b"OK"
    assert client.call("CONFIG", "REWRITE") == b"OK"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    kept, added = text.split("# Generated by CONFIG REWRITE\n")
    assert kept == """# what the operator wrote
timeout 33
   # indented
maxclients 5000

client-output-buffer-limit normal 104857600 52428800 60 pubsub 1048576 2097152 3
include %s
slowlog-max-len 7
# the end
""" % included, kept
    assert "loglevel verbose\n" in added and "cluster-seeds " in added, added
    assert "node-failure-limit" not in added, added
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert client.call("CONFIG", "REWRITE") == b"OK"
    with open(path, encoding="utf-8") as file:
        assert file.read() == text, "the second one changes nothing"
    assert run_keyway(t, path, "--test-config").returncode == 0


@test(cluster=SHARED, keyway=False)
def a_sighup_applies_what_may_change_and_names_what_may_not(t):
    path, _ = started_with_file(t)
    client = t.client()

    with open(path, "a", encoding="utf-8") as file:
        file.write("timeout 44\nlinks-per-node 7\n")
    t.keyway.process.send_signal(signal.SIGHUP)
    until(lambda: client.call("CONFIG", "GET", "timeout") == [b"timeout", b"44"], 5 * t.patience,
          "the new timeout is in force")
    assert client.call("CONFIG", "GET", "links-per-node") == [b"links-per-node", b"1"]
    assert "links-per-node can't change while keyway runs" in t.keyway.log_text()
    with open(path, "a", encoding="utf-8") as file:
        file.write("timeout 55\nnonsense\n")
    t.keyway.process.send_signal(signal.SIGHUP)
    until(lambda: "the configuration stays as it is" in t.keyway.log_text(), 5 * t.patience,
          "a bad file is refused whole")
    assert client.call("CONFIG", "GET", "timeout") == [b"timeout", b"44"]
    assert client.call("SET", "k", "v") == b"OK"


@test(arguments=("--io-uring", "no"))
def without_io_uring_everything_is_as_it_was(t):
    clients = [t.client() for _ in range(40)]

    for round_number in range(20):
        for number, client in enumerate(clients):
            client.send("SET", "key:%d" % number, "v%d" % round_number)
            client.send("GET", "key:%d" % number)
        for client in clients:
            assert client.read() == b"OK"
            assert client.read() == b"v%d" % round_number
