"""What a client of the proxy can do in a script."""
import re
import time

from . import payload, resp
from .verbs import verb
from .world import Failed

CLIENT_VERBS = {}
DEFAULT_WAIT_S = 20.0
QUIET_S = 0.05           # long enough for a proxy on this machine to do the wrong thing


def _client(line):
    return line.world.clients[line.subject]


def _send(line, data):
    line.world.trace.add(line.subject, "sends", data)
    _client(line).send(data)


@verb(CLIENT_VERBS, "sends")
def sends(line):
    _send(line, payload.request(line.text))


@verb(CLIENT_VERBS, "sends byte by byte")
def sends_byte_by_byte(line):
    """After each byte a PING elsewhere makes sure that the proxy has read it."""
    _send_in_parts(line, [bytes([byte]) for byte in payload.request(line.text)])


@verb(CLIENT_VERBS, "sends cut after")
def sends_cut_after(line):
    """`sends cut after N bytes REQUEST`: two parts, the proxy reads the first alone.

    N is taken modulo the length, so a script can count up without counting bytes.
    """
    count, _, text = line.text.partition(" bytes ")
    data = payload.request(text)
    at = int(count) % len(data)
    _send_in_parts(line, [data[:at], data[at:]])


def _send_in_parts(line, parts):
    for part in parts:
        if part:
            _send(line, part)
            line.world.proxy.ping()


@verb(CLIENT_VERBS, "sends first")
def sends_first(line):
    """`sends first N bytes of REQUEST`"""
    count, _, text = line.text.partition(" bytes of ")
    _send(line, payload.request(text)[:int(count)])


@verb(CLIENT_VERBS, "sends rest after")
def sends_rest_after(line):
    """`sends rest after N bytes of REQUEST`"""
    count, _, text = line.text.partition(" bytes of ")
    _send(line, payload.request(text)[int(count):])


@verb(CLIENT_VERBS, "receives")
def receives(line):
    wait_s = line.take_seconds("within", DEFAULT_WAIT_S)
    if line.take_option("reply matching"):
        receives_reply_matching(line, wait_s)
        return
    expect_bytes(line, payload.reply(line.text), wait_s)


def expect_bytes(line, expected, wait_s):
    world, channel = line.world, _client(line)
    equal = 0                # bytes compared already, so that 64 MiB are compared once

    def is_decided():
        nonlocal equal
        end = min(len(channel.inbuf), len(expected))
        if channel.inbuf[equal:end] != expected[equal:end]:
            return True
        equal = end
        return equal == len(expected) or channel.is_ended

    world.backstage.wait_until(is_decided, wait_s)
    with world.backstage.changed:
        got = bytes(channel.inbuf[:len(expected)])
        if got != expected:
            raise Failed(difference(expected, bytes(channel.inbuf), channel))
        del channel.inbuf[:len(expected)]
    world.trace.add(line.subject, "receives", got)


def difference(expected, got, channel):
    at = next((i for i, (e, g) in enumerate(zip(expected, got)) if e != g),
              min(len(expected), len(got)))
    ending = " (reset)" if channel.is_reset else " (closed)" if channel.is_ended else ""
    return "expected %s\ngot      %s%s\nfirst difference at byte %d" % (
        resp.show(expected), resp.show(got), ending, at)


@verb(CLIENT_VERBS, "receives reply matching")
def receives_reply_matching(line, wait_s=None):
    """One whole RESP reply whose bytes match the regular expression."""
    reply = take_reply(line, wait_s or DEFAULT_WAIT_S * line.world.patience)
    if re.search(line.text.encode("utf-8"), reply, re.DOTALL) is None:
        raise Failed("no match of /%s/ in %s" % (line.text, resp.show(reply)))


def take_reply(line, wait_s):
    world, channel = line.world, _client(line)
    world.backstage.wait_until(
        lambda: resp.frame_end(channel.inbuf) is not None or channel.is_ended, wait_s)
    with world.backstage.changed:
        end = resp.frame_end(channel.inbuf)
        if end is None:
            raise Failed("no whole reply; got %s%s" % (
                resp.show(channel.inbuf), " (ended)" if channel.is_ended else ""))
        reply = bytes(channel.inbuf[:end])
        del channel.inbuf[:end]
    world.trace.add(line.subject, "receives", reply)
    return reply


@verb(CLIENT_VERBS, "receives anything")
def receives_anything(line):
    """One whole reply, whatever it says."""
    take_reply(line, DEFAULT_WAIT_S * line.world.patience)


@verb(CLIENT_VERBS, "receives nothing")
def receives_nothing(line):
    world, channel = line.world, _client(line)
    wait_s = line.take_seconds("for", QUIET_S)
    world.backstage.wait_until(lambda: channel.inbuf or channel.is_ended, wait_s)
    if channel.inbuf or channel.is_ended:
        raise Failed("got %s%s, nothing was due" % (
            resp.show(channel.inbuf), " and the end" if channel.is_ended else ""))


@verb(CLIENT_VERBS, "is closed")
def is_closed(line):
    world, channel = line.world, _client(line)
    wait_s = line.take_seconds("within", DEFAULT_WAIT_S)
    world.backstage.wait_until(lambda: channel.is_ended, wait_s)
    if not channel.is_ended or channel.inbuf:
        raise Failed("%s, unread bytes: %s" % (
            "closed" if channel.is_ended else "not closed", resp.show(channel.inbuf)))
    world.trace.add(line.subject, "is closed", b"")


@verb(CLIENT_VERBS, "is closed after some bytes")
def is_closed_after_some_bytes(line):
    """Closed, but what came before does not matter."""
    world, channel = line.world, _client(line)
    if not world.backstage.wait_until(lambda: channel.is_ended, DEFAULT_WAIT_S * world.patience):
        raise Failed("not closed, %d unread bytes" % len(channel.inbuf))


@verb(CLIENT_VERBS, "asks")
def asks(line):
    """`asks COMMAND until REPLY`, or `until reply matching REGEX`: for things that heal."""
    command_text, _, reply_text = line.text.rpartition(" until ")
    if reply_text.startswith("reply matching "):
        pattern = re.compile(reply_text[len("reply matching "):].encode(), re.DOTALL)
        is_wanted = pattern.search
    else:
        is_wanted = payload.reply(reply_text).__eq__
    deadline = time.monotonic() + DEFAULT_WAIT_S * line.world.patience
    while True:
        _client(line).send(payload.request(command_text))
        got = take_reply(line, DEFAULT_WAIT_S * line.world.patience)
        if is_wanted(got):
            return
        if time.monotonic() > deadline:
            raise Failed("still %s" % resp.show(got))
        time.sleep(0.01)         # bounded by the deadline above


@verb(CLIENT_VERBS, "closes")
def closes(line):
    _client(line).close()


@verb(CLIENT_VERBS, "resets")
def resets(line):
    _client(line).close(with_reset=True)


@verb(CLIENT_VERBS, "half-closes")
def half_closes(line):
    """No more requests; replies can still come. Waits until what was sent has left."""
    channel = _client(line)
    line.world.backstage.wait_until(lambda: not channel.out, DEFAULT_WAIT_S)
    channel.half_close()


@verb(CLIENT_VERBS, "stops reading")
def stops_reading(line):
    _client(line).pause(True)


@verb(CLIENT_VERBS, "reads again")
def reads_again(line):
    _client(line).pause(False)


@verb(CLIENT_VERBS, "reconnects")
def reconnects(line):
    _client(line).close()
    line.world.add_client(line.subject)


@verb(CLIENT_VERBS, "cannot send any more")
def cannot_send_any_more(line):
    """What was sent is still waiting here: the proxy has stopped reading (back-pressure)."""
    channel = _client(line)
    left = None
    while left != sum(map(len, channel.out)):       # until nothing moves for a while
        left = sum(map(len, channel.out))
        line.world.backstage.wait_until(lambda: False, QUIET_S * 2)
    if left == 0:
        raise Failed("the proxy has read everything")


@verb(CLIENT_VERBS, "forgets what it received")
def forgets(line):
    with line.world.backstage.changed:
        _client(line).inbuf.clear()
