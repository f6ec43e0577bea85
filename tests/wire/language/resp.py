"""RESP in the few shapes that tests need: encode commands and values, cut frames.

Nothing here knows a socket. Everything works on bytes, so a test can say
exactly what was on the wire.
"""

LINE_TYPES = b"+-:_#,("          # one line each
BLOB_TYPES = b"$!="              # length, then bytes
COUNT_TYPES = {                  # count, then count * factor frames
    ord("*"): 1, ord("~"): 1, ord(">"): 1, ord("%"): 2, ord("|"): 2,
}


class MalformedFrame(Exception):
    """The bytes cannot be the beginning of a RESP frame."""


def to_bytes(word):
    return word if isinstance(word, bytes) else str(word).encode("utf-8")


def command(*words):
    """The canonical multibulk encoding of a command."""
    out = [b"*%d\r\n" % len(words)]
    for word in words:
        word = to_bytes(word)
        out.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(out)


def bulk(word):
    word = to_bytes(word)
    return b"$%d\r\n%s\r\n" % (len(word), word)


def encode(value):
    """Encode a nested Python value as RESP2; dicts become flat arrays."""
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, bool):
        return b":%d\r\n" % value
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, (list, tuple)):
        return b"*%d\r\n" % len(value) + b"".join(encode(item) for item in value)
    return bulk(value)


def frame_end(data, start=0):
    """Where the RESP2/RESP3 frame beginning at START ends, or None when it is not all there."""
    missing = 1                  # frames still to be cut; nesting is just more of them
    at = start
    while missing > 0:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return None
        kind = data[at]
        after = line_end + 2
        missing -= 1
        if kind in LINE_TYPES:
            at = after
        elif kind in BLOB_TYPES:
            length = _number(data, at, line_end)
            at = after if length < 0 else after + length + 2
            if at > len(data):
                return None
        elif kind in COUNT_TYPES:
            count = _number(data, at, line_end)
            missing += max(count, 0) * COUNT_TYPES[kind]
            if kind == ord("|"):
                missing += 1     # an attribute precedes the frame it describes
            at = after
        else:
            raise MalformedFrame("no RESP type begins with %r" % bytes(data[at:at + 20]))
    return at


def _number(data, at, line_end):
    try:
        return int(bytes(data[at + 1:line_end]))
    except ValueError:
        raise MalformedFrame("bad length %r" % bytes(data[at:line_end])) from None


def cut_command(data):
    """Cut one canonical multibulk command off the front of bytearray DATA.

    Returns the list of words, or None when more bytes are needed. Anything but
    the canonical encoding raises: a proxy must re-encode what it forwards.
    """
    if len(data) == 0:
        return None
    if data[0] != ord("*"):
        raise MalformedFrame("a node was sent %r, not a command" % bytes(data[:60]))
    line_end = data.find(b"\r\n")
    if line_end < 0:
        return None
    count = _number(data, 0, line_end)
    at = line_end + 2
    words = []
    for _ in range(count):
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return None
        if data[at] != ord("$"):
            raise MalformedFrame("expected a bulk, a node was sent %r" % bytes(data[at:at + 60]))
        length = _number(data, at, line_end)
        at = line_end + 2
        if len(data) < at + length + 2:
            return None
        words.append(bytes(data[at:at + length]))
        at += length + 2
    if bytes(data[:at]) != command(*words):
        raise MalformedFrame("a node was sent a non-canonical command: %r" % bytes(data[:at])[:200])
    del data[:at]
    return words


def show(data, limit=400):
    """Bytes as a reader of a failure wants them: escaped, cut in the middle."""
    text = repr(bytes(data))[1:]
    if len(text) > limit:
        half = limit // 2
        text = "%s ...(%d bytes in all)... %s" % (text[:half], len(data), text[-half:])
    return text
