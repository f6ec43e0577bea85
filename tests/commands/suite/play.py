"""Plays one row on both sides, step by step, and says where they differ."""
import time

from . import normal
from .replies import Gone, Reply
from .sides import blocked_count

WALK_STEPS_MAX = 10000
BLOCKED_S = 3


class Actor:
    """One side of the play: its clients by name, and what they heard last."""

    def __init__(self, side, version):
        self.side = side
        self.version = version
        self.clients = {}
        self.ids = {}                   # asked once: a blocked client could not tell its own
        self.last = b""

    def client(self, name):
        if name not in self.clients:
            self.clients[name] = self.side.client(self.version)
        return self.clients[name]

    def word(self, word):
        """$last and $b.id in a word stand for what this side has told."""
        if word == b"$last":
            return self.last
        if word.startswith(b"$") and word.endswith(b".id"):
            name = word[1:-3].decode()
            if name not in self.ids:
                self.ids[name] = self.client(name).ask([b"CLIENT", b"ID"]).value
            return self.ids[name]
        return word

    def perform(self, step):
        """The reply that STEP leads to, or None when it leads to none."""
        client = self.client(step.client)
        if step.verb == "read":
            return client.read()
        if step.verb == "gone":
            return client.read()
        if step.verb == "blocked":
            self._wait_until_blocked()
            return None
        words = [self.word(word) for word in step.words]
        if step.verb == "send":
            client.send(words)
            return None
        if step.normaliser == "scan":
            return walk(client, words)
        reply = client.ask(words)
        if isinstance(reply.value, bytes):
            self.last = reply.value
        return reply

    def _wait_until_blocked(self):
        deadline = time.monotonic() + BLOCKED_S
        while blocked_count(self.side) == 0 and time.monotonic() < deadline:
            time.sleep(0.002)           # bounded by the deadline

    def close(self):
        for client in self.clients.values():
            client.close()


def play(row, server, keyway, version):
    """The first difference as a text, or None."""
    actors = [Actor(server, version), Actor(keyway, version)]
    try:
        for step in row.steps:
            wrong = play_step(step, *actors)
            if wrong:
                return wrong
    finally:
        for actor in actors:
            actor.close()
    return None


def play_step(step, theirs, ours):
    their = theirs_of(step, theirs)
    our = ours.perform(step)
    if our is None:
        return None
    if step.answer is not None:
        if our.raw == step.answer:
            return None
        return "%s\n      keyway   %s\n      expected %s" % (
            step.text, our, step.answer.decode("latin-1").encode("unicode_escape").decode())
    if step.normaliser == "scan":
        return None if their == our else "%s\n      redis  %s\n      keyway %s" % (
            step.text, their, our)
    if normal.same(step.normaliser, their, our):
        return None
    return "%s\n      redis  %s\n      keyway %s" % (step.text, their, our)


def theirs_of(step, theirs):
    """What redis answers; for a HELP that only keyway has, what it would answer."""
    if step.normaliser == "help" and step.is_ours_only:
        line = b"+%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n" % step.words[0]
        return Reply(b"*", [Reply(b"+", line[1:-2], line)], line)
    return None if step.is_ours_only else theirs.perform(step)


def walk(client, words):
    """All that a walk with SCAN finds, sorted; or the error, or what is wrong with a cursor."""
    found, cursor = [], words[1]
    for _ in range(WALK_STEPS_MAX):
        reply = client.ask([words[0], cursor, *words[2:]])
        if isinstance(reply, Gone) or not reply.has_elements:
            return str(reply)
        cursor = reply.value[0].value
        if str(int(cursor)).encode() != cursor or int(cursor) >= 1 << 63:
            return "the cursor %r is not canonical" % cursor
        found += [one.raw for one in reply.value[1].value]
        if cursor == b"0":
            return sorted(found)
    return "the walk does not end"
