"""The process: SIGTERM under load, files, daemons, addresses (P2)."""
import os
import re
import signal
import socket
import subprocess

from language.keyway import free_port
from support import ROOT
from support.client import Client, encode
from support.testing import NONE, Skip, test
from support.wait import until


@test(arguments=["--threads", "2"])
def sigterm_ends_every_connection_at_a_reply_boundary(t):
    """Pipelines are in flight: each client gets whole replies, in order, then the end."""
    clients = [t.client() for _ in range(30)]
    for client in clients:
        assert client.call("SET", "k", "v" * 3000) == b"OK"
    for client in clients:
        client.send_all([("GET", "k")] * 300)
    t.keyway.process.send_signal(signal.SIGTERM)

    expected = b"$3000\r\n" + b"v" * 3000 + b"\r\n"
    for client in clients:
        received = read_to_the_end(client)
        assert len(received) % len(expected) == 0, "cut inside a reply"
        assert received == expected * (len(received) // len(expected))
    t.keyway.wait_for_end()


def read_to_the_end(client):
    received = bytearray()
    while True:
        try:
            part = client.sock.recv(1 << 20)
        except ConnectionResetError:
            return received
        if not part:
            return received
        received += part


@test(arguments=["--threads", "2"])
def sigterm_refuses_new_clients_and_ends_soon(t):
    idle = t.client()
    assert idle.call("PING") == b"PONG"
    t.keyway.process.send_signal(signal.SIGTERM)
    t.keyway.wait_for_end(3)
    try:
        socket.create_connection(("127.0.0.1", t.keyway.port), 1).close()
        raise AssertionError("somebody still listens")
    except ConnectionRefusedError:
        pass


@test(keyway=False)
def it_runs_as_a_daemon_with_pidfile_and_logfile(t):
    pidfile, logfile = os.path.join(t.folder, "k.pid"), os.path.join(t.folder, "k.log")
    port = free_port()
    words = [t.binary, "--port", str(port), "--daemonize", "yes", "--pidfile", pidfile,
             "--logfile", logfile, "--cluster-seeds", "127.0.0.1:%d" % t.cluster.ports[0]]
    assert subprocess.run(words, timeout=10 * t.patience).returncode == 0
    until(lambda: os.path.exists(pidfile) and Client(port).call("PING") == b"PONG", 5 * t.patience,
          "the daemon answers")
    with open(pidfile) as file:
        pid = int(file.read())
    try:
        assert pid > 1 and "keyway" in os.readlink("/proc/%d/exe" % pid)
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not os.path.exists("/proc/%d" % pid), 5 * t.patience, "it ends")
    assert not os.path.exists(pidfile), "the pidfile is left behind"
    with open(logfile) as file:
        assert "keyway" in file.read()


@test(keyway=False)
def it_listens_where_bind_says(t):
    """IPv4 and IPv6 loopback; an address this machine does not have stops the start."""
    port = free_port()
    words = [t.binary, "--port", str(port), "--cluster-seeds", "127.0.0.1:1", "--bind"]
    process = subprocess.Popen(words + ["127.0.0.1", "::1"], stdout=subprocess.DEVNULL)
    try:
        until(lambda: Client(port).call("PING") == b"PONG", 5 * t.patience, "IPv4 answers")
        until(lambda: Client(("::1", port)).call("PING") == b"PONG", 5, "IPv6 answers")
    finally:
        process.terminate()
        assert process.wait(5) == 0
    ended = subprocess.run(words + ["192.0.2.1"], capture_output=True, text=True,
                           timeout=10 * t.patience)
    assert ended.returncode > 0 and "192.0.2.1" in ended.stdout + ended.stderr


FILES, CLIENTS_TOO_MANY = 100, 150


@test(cluster=NONE, keyway=False)
def too_few_files_are_told_at_the_start_and_once_when_they_are_used_up(t):
    """The limit of open files is below maxclients: those who fit are served, the log stays short."""
    port, log = free_port(), os.path.join(t.folder, "log")
    process = subprocess.Popen(["prlimit", "--nofile=%d:%d" % (FILES, FILES), t.binary, "--port",
                                str(port), "--threads", "1", "--bind", "127.0.0.1", "--logfile", log])
    t.closing.callback(process.wait)
    t.closing.callback(process.kill)
    until(lambda: Client(port).call("PING") == b"PONG", 5 * t.patience, "it answers")
    with open("/proc/%d/limits" % process.pid) as limits:
        allowed = int(limits.read().split("Max open files")[1].split()[0])
    if allowed > FILES:
        raise Skip("this process may raise its limits")

    clients = [Client(port, 10 * t.patience) for _ in range(CLIENTS_TOO_MANY)]
    until(lambda: b"no file descriptors left" in said(log), 5 * t.patience, "it says so")
    assert clients[0].call("PING") == b"PONG"
    for client in clients[:CLIENTS_TOO_MANY - 20]:
        client.close()
    assert clients[-1].call("PING") == b"PONG", "who waited is served when others have left"
    assert b"may open %d files: maxclients 10000" % FILES in said(log)
    assert said(log).count(b"no file descriptors left") == 1 or t.patience > 4, said(log)


def said(path):
    with open(path, "rb") as file:
        return file.read()


@test()
def every_option_can_be_read_with_config_get(t):
    """P1: --help lists the options; each has a value."""
    shown = subprocess.run([t.binary, "--help"], capture_output=True, text=True).stdout
    options = set(re.findall(r"^\s+--([a-z][a-z0-9-]+)", shown, re.MULTILINE)) - {
        "help", "version", "test-config", "include", "print-example-config"}
    client = t.client()
    answer = client.call("CONFIG", "GET", "*")
    readable = {name.decode() for name in answer[::2]}

    assert len(options) > 20, "--help shows %r" % sorted(options)
    assert options <= readable, "not readable: %r" % sorted(options - readable)


@test(cluster=NONE, keyway=False)
def the_example_file_is_a_valid_configuration(t):
    example = os.path.join(ROOT, "redis.conf.example")
    ended = subprocess.run([t.binary, example, "--test-config"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@test(cluster=NONE, keyway=False)
def include_reads_another_file_and_names_it_in_errors(t):
    inner, outer = os.path.join(t.folder, "inner.conf"), os.path.join(t.folder, "outer.conf")
    with open(inner, "w") as file:
        file.write("maxclients 77\n\nport seven\n")
    with open(outer, "w") as file:
        file.write("include %s\n" % inner)
    ended = subprocess.run([t.binary, outer, "--test-config"], capture_output=True, text=True)
    said = ended.stdout + ended.stderr
    assert ended.returncode > 0 and "inner.conf" in said and "3" in said, said


@test()
def half_closed_clients_get_their_replies(t):
    """printf ... | nc: requests, then the end of input, then all replies are due."""
    with socket.create_connection(("127.0.0.1", t.keyway.port), 10) as sock:
        sock.sendall(encode(("SET", "k", "v")) + encode(("GET", "k")) * 1000 + b"PING\r\n")
        sock.shutdown(socket.SHUT_WR)
        received = bytearray()
        while True:
            part = sock.recv(65536)
            if not part:
                break
            received += part
    assert received == b"+OK\r\n" + b"$1\r\nv\r\n" * 1000 + b"+PONG\r\n"
