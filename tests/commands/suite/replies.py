"""Replies as they came: the bytes, and what they are made of.

A Reply has `raw`, its bytes; `kind`, the first of them; and `value`: bytes, or a list of Replies
for the kinds that have elements (a map's keys and values one after the other).
"""

AGGREGATES = b"*~>%"


class Reply:
    def __init__(self, kind, value, raw):
        self.kind = kind
        self.value = value
        self.raw = raw

    @property
    def has_elements(self):
        return isinstance(self.value, list)

    @property
    def is_error(self):
        return self.kind in (b"-", b"!")

    @property
    def is_push(self):
        return self.kind == b">"

    def __str__(self):
        text = self.raw.decode("latin-1").encode("unicode_escape").decode()
        return text if len(text) <= 400 else text[:400] + "... (%d bytes)" % len(self.raw)


class Gone:
    """In place of a reply: the connection ended, or nothing came in time."""

    kind = b""
    value = b""
    has_elements = is_error = is_push = False

    def __init__(self, why):
        self.raw = b"(" + why.encode() + b")"

    def __str__(self):
        return self.raw.decode()


def read_reply(file):
    """The next Reply of FILE. ConnectionError at its end."""
    line = file.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the connection was closed")
    kind, rest = line[:1], line[1:-2]
    if kind in b"$=!":
        size = int(rest)
        if size < 0:
            return Reply(kind, None, line)
        body = file.read(size + 2)
        if len(body) != size + 2 or body[-2:] != b"\r\n":
            raise ConnectionError("a bulk without its end: %r" % (line + body)[:200])
        return Reply(kind, body[:-2], line + body)
    if kind in AGGREGATES:
        count = int(rest) * (2 if kind == b"%" else 1)
        if count < 0:
            return Reply(kind, None, line)
        elements = [read_reply(file) for _ in range(count)]
        return Reply(kind, elements, line + b"".join(one.raw for one in elements))
    if kind not in b"+-:_#,(":
        raise ConnectionError("no reply begins with %r" % line)
    return Reply(kind, rest, line)


def encode(words):
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
