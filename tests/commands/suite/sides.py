"""The two sides that are compared: a redis-server, and keyway before a cluster of redis-servers."""
import os
import re
import socket
import subprocess
import time

from language.keyway import free_port
from local_cluster import dies_with_us

from .replies import Gone, encode, read_reply

REPLY_S = 4.0
CLEAN = [[b"FLUSHALL"], [b"SCRIPT", b"FLUSH"], [b"FUNCTION", b"FLUSH"], [b"SLOWLOG", b"RESET"],
         [b"ACL", b"LOG", b"RESET"]]
QUICK = ["--slowlog-log-slower-than", "-1"]     # SLOWLOG LEN is compared


class Client:
    """One connection; what it asks is answered with Replies, or with Gone."""

    def __init__(self, port, version="2", patience=1.0):
        self.sock = socket.create_connection(("127.0.0.1", port), REPLY_S * patience)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        self.is_gone = False
        if version != "2":
            self.ask([b"HELLO", version.encode()])

    def send(self, words):
        self.send_all([words])

    def send_all(self, requests):
        try:
            self.sock.sendall(b"".join(encode(words) for words in requests))
        except OSError:
            self.is_gone = True

    def read(self):
        if self.is_gone:
            return Gone("closed")
        try:
            return read_reply(self.file)
        except TimeoutError:
            self.is_gone = True         # whatever comes later can't be told from what is asked next
            return Gone("nothing came")
        except (OSError, ValueError) as error:
            self.is_gone = True
            return Gone("closed" if isinstance(error, ConnectionError) else str(error))

    def ask(self, words):
        self.send(words)
        return self.read()

    def pipeline(self, requests):
        self.send_all(requests)
        return [self.read() for _ in requests]

    def close(self):
        self.file.close()
        self.sock.close()


class Server:
    """A plain redis-server of its own."""

    def __init__(self, folder, program="redis-server"):
        self.port = free_port()
        folder = os.path.join(folder, "server")
        os.mkdir(folder)
        with open(os.path.join(folder, "output"), "wb") as output:
            self.process = subprocess.Popen(
                dies_with_us() + [program, "--port", str(self.port), "--bind", "127.0.0.1",
                                  "--save", "", "--appendonly", "no", "--databases", "16",
                                  *QUICK],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
        deadline = time.monotonic() + 10
        while True:
            try:
                self.control = Client(self.port)
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.01)        # bounded by the deadline

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Side:
    """Where requests go, and how what is behind is emptied."""

    def __init__(self, name, port, node_ports, patience=1.0):
        self.name = name
        self.port = port
        self.patience = patience
        self.nodes = [Client(node) for node in node_ports]

    def client(self, version):
        return Client(self.port, version, self.patience)

    def empty(self):
        """No key, no script, no function on any server."""
        for node in self.nodes:
            node.send_all(CLEAN)
        for node in self.nodes:
            for _ in CLEAN:
                node.read()

    def flush(self):
        for node in self.nodes:
            node.send([b"FLUSHALL"])
        for node in self.nodes:
            node.read()

    def close(self):
        for node in self.nodes:
            node.close()


def blocked_count(side):
    """How many clients are blocked on this side's servers."""
    count = 0
    for node in side.nodes:
        found = re.search(rb"blocked_clients:(\d+)", node.ask([b"INFO", b"clients"]).value)
        count += int(found.group(1))
    return count
