"""A fake node: listens, answers what every node answers, and leaves the rest to the script.

Commands fall in two groups. The handshake and discovery (HELLO, AUTH, CLIENT,
CLUSTER, PING, ...) are answered at once, unless the script gave a rule for
them. Everything else is DATA: it waits in `inbox` until the script says
`A gets ...` and `A answers ...`.

Replies leave a link in the order of its commands, as a real node's do: an
automatic reply waits behind a command that the script has not answered yet.
"""
import collections
import hashlib
import itertools
import socket

from . import resp, topology
from .channel import Channel

READY_PREFIX = b"__ready__"      # keys of the runner's own readiness probe


class Received:
    """One command that arrived on a link."""

    numbers = itertools.count()

    def __init__(self, link, words):
        self.link = link
        self.words = words
        self.order = next(Received.numbers)
        self.is_got = False      # the script has seen it
        self.reply = None        # chunks of bytes, once answered


class Link:
    """One connection from the proxy to this node."""

    def __init__(self, node, sock, number):
        self.node = node
        self.number = number
        self.first_words = None
        self.protocol = 2
        self.has_carried_data = False
        self.is_authenticated = node.credentials is None
        self.history = collections.deque(maxlen=1000)   # words of what arrived, oldest first
        self.unanswered = collections.deque()
        self.channel = Channel(node.world.backstage, sock, "%s/link%d" % (node.name, number),
                               on_bytes=self._on_bytes)

    @property
    def is_open(self):
        return not (self.channel.is_closed or self.channel.is_ended)

    def _on_bytes(self, channel):
        """Runs in the background thread, under the lock."""
        try:
            while True:
                words = resp.cut_command(channel.inbuf)
                if words is None:
                    return
                self.node.on_command(self, words)
        except resp.MalformedFrame as malformed:
            self.node.world.fail_later("%s: %s" % (channel.label, malformed))
            channel.inbuf.clear()

    def flush(self):
        """Write the replies that are due, in command order."""
        while self.unanswered and self.unanswered[0].reply is not None:
            received = self.unanswered.popleft()
            if self.is_open:
                for chunk in received.reply:
                    self.channel.send(chunk, separately=len(received.reply) > 1)


class FakeNode:
    def __init__(self, world, name, ranges, replica_of=None, host="127.0.0.1", hostname=None,
                 credentials=None):
        self.world = world
        self.name = name
        self.id = hashlib.sha1(name.encode()).hexdigest()
        self.ranges = ranges
        self.replica_of = replica_of
        self.host = host
        self.announced_ip = host
        self.announced_endpoint = host
        self.hostname = hostname
        self.credentials = credentials
        self.links = []
        self.names = {}                     # name given by the script -> Link
        self.inbox = collections.deque()    # Received data commands, oldest first
        self.rules = []                     # (prefix words, make_reply), newest first
        self.counts = collections.Counter() # upper-case command -> times it arrived
        self.is_silent = False
        self.port = 0
        self._listener = None
        self.listen()

    # -- life --

    def listen(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self.host, self.port))
        sock.listen(512)
        self.port = sock.getsockname()[1]
        self._listener = sock
        self.world.backstage.add_listener(sock, self._on_accept)

    @property
    def is_listening(self):
        return self._listener is not None

    def go_down(self):
        """Refuse connections and reset the ones that exist."""
        if self._listener is not None:
            self.world.backstage.remove_listener(self._listener)
            self._listener = None
        for link in self.links:
            link.channel.close(with_reset=True)

    def come_back(self):
        if self._listener is None:
            self.listen()

    def speak_again(self):
        """After silence: take up the commands that were left lying, in order."""
        with self.world.backstage.changed:
            self.is_silent = False
            for link in self.links:
                left, link.unanswered = link.unanswered, collections.deque()
                for received in left:
                    if received.reply is not None or received.is_got:
                        link.unanswered.append(received)
                    elif link.is_open:
                        self._take(link, received)
                link.flush()

    def _on_accept(self, sock):
        self.links.append(Link(self, sock, len(self.links) + 1))
        self.world.trace.add(self.name, "accepts link%d" % len(self.links), b"")

    # -- commands, in the background thread, under the lock --

    def on_command(self, link, words):
        name = words[0].upper().decode("latin-1")
        self.counts[name] += 1
        if name == "CLUSTER" and len(words) > 1:
            self.counts["CLUSTER " + words[1].upper().decode("latin-1")] += 1
        if link.first_words is None:
            link.first_words = words
        link.history.append(words)
        received = Received(link, words)
        if self.is_silent:
            link.unanswered.append(received)
        else:
            self._take(link, received)

    def _take(self, link, received):
        words = received.words
        link.unanswered.append(received)
        reply = self._automatic_reply(link, words, words[0].upper().decode("latin-1"))
        if reply is None:
            self.world.trace.add(self.name, "gets on link%d" % link.number, resp.command(*words))
            link.has_carried_data = True
            self.inbox.append(received)
            return
        received.reply = [reply]
        link.flush()

    def _automatic_reply(self, link, words, name):
        if len(words) > 1 and words[1].startswith(READY_PREFIX):
            return b"$-1\r\n"
        for prefix, make_reply in list(self.rules):
            if _matches(prefix, words, name):
                return make_reply(words, link)
        if not link.is_authenticated and name not in ("AUTH", "HELLO"):
            self.world.fail_later("%s: %r came before AUTH" % (link.channel.label, words))
            return b"-NOAUTH Authentication required.\r\n"
        make_reply = HANDSHAKE.get(name)
        return None if make_reply is None else make_reply(self, link, words)

    def check_credentials(self, link, given):
        if self.credentials is None:
            return b"-ERR AUTH <password> called without any password configured for the " \
                   b"default user. Are you sure your configuration is correct?\r\n"
        wanted = [word.encode() for word in self.credentials]
        if given != wanted and not (wanted[0] == b"default" and given == wanted[1:]):
            return b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
        link.is_authenticated = True
        return None


def _matches(prefix, words, name):
    if prefix == ["anything"]:
        return name not in HANDSHAKE
    if len(words) < len(prefix):
        return False
    return all(p.encode().upper() == w.upper() for p, w in zip(prefix, words))


# -- what every node answers --

def _answer_hello(node, link, words):
    upper = [word.upper() for word in words]
    if b"AUTH" in upper:
        at = upper.index(b"AUTH")
        error = node.check_credentials(link, words[at + 1:at + 3])
        if error is not None:
            return error
    elif not link.is_authenticated:
        return b"-NOAUTH HELLO must be called with the client already authenticated\r\n"
    if len(words) > 1:
        link.protocol = int(words[1])
    fields = [("server", "redis"), ("version", "7.0.15"), ("proto", link.protocol),
              ("id", link.number), ("mode", "cluster"), ("role", "master"), ("modules", [])]
    body = b"".join(resp.encode(part) for field in fields for part in field)
    return (b"%%%d\r\n" if link.protocol == 3 else b"*%d\r\n") % (
        len(fields) * (1 if link.protocol == 3 else 2)) + body


def _answer_auth(node, link, words):
    return node.check_credentials(link, words[1:]) or b"+OK\r\n"


def _answer_cluster(node, link, words):
    what = words[1].upper() if len(words) > 1 else b""
    nodes = node.world.nodes_in_topology()
    if what == b"SHARDS":
        return topology.shards(nodes)
    if what == b"SLOTS":
        return topology.slots(nodes)
    if what == b"NODES":
        return topology.nodes_text(nodes, node, node.world.epoch)
    if what == b"INFO":
        return topology.info_text(nodes, node.world.epoch)
    if what == b"MYID":
        return resp.bulk(node.id)
    return b"-ERR Unknown subcommand or wrong number of arguments for '%s'\r\n" % words[1]


def _answer_info(node, link, words):
    return resp.bulk("# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\n"
                     "# Persistence\r\nloading:0\r\n# Replication\r\nrole:%s\r\n"
                     "# Cluster\r\ncluster_enabled:1\r\n"
                     % ("slave" if node.replica_of else "master"))


def _answer_ok(node, link, words):
    return b"+OK\r\n"


def _answer_client(node, link, words):
    """CLIENT ID tells links apart; UNBLOCK is for the script, and TRACKING, which a feed begins with."""
    what = words[1].upper() if len(words) > 1 else b""
    if what == b"ID":
        return b":%d\r\n" % link.number
    return None if what in (b"UNBLOCK", b"TRACKING") else b"+OK\r\n"


def _answer_ping(node, link, words):
    return b"+PONG\r\n" if len(words) == 1 else resp.bulk(words[1])


def _answer_command(node, link, words):
    return b"*0\r\n"


def _answer_config(node, link, words):
    """How many databases there are, which keyway asks by itself; all else is the script's."""
    is_ours = len(words) == 3 and words[2] in (b"databases", b"cluster-databases")
    return b"*0\r\n" if is_ours else None


HANDSHAKE = {
    "HELLO": _answer_hello,
    "AUTH": _answer_auth,
    "CLUSTER": _answer_cluster,
    "INFO": _answer_info,
    "CLIENT": _answer_client,
    "READONLY": _answer_ok,
    "READWRITE": _answer_ok,
    "SELECT": _answer_ok,
    "PING": _answer_ping,
    "COMMAND": _answer_command,
    "CONFIG": _answer_config,
}
