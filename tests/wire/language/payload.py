"""From the text of a script line to bytes: words, escapes, reply notations.

    words          GET "a b" @fill(10,x) @words(1000,k)     a command
    raw            raw "+OK\\r\\n" "x" x1000                  exactly these bytes
    line           +OK   -ERR no   :5   #t   _               the line and CR LF
    bulk           bulk hello                                one bulk string
    nil            nil   nil array                           RESP2 nulls
    value          value ["a" 1 nil ["b"]]                   nested replies
"""
import codecs
import re

from . import resp

LINE_STARTS = "+-:_#,("
WORD = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(\S+))')
PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)(?:\.(\w+))?\}")
TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([*%~>|]?\[)|(\])|([^\s\[\]"]+))')


class BadPayload(Exception):
    """The text is not in the language."""


def unescape(text):
    """The bytes of a quoted text: \\r \\n \\t \\0 \\xHH \\" \\\\, everything else as UTF-8."""
    return codecs.escape_decode(text.encode("utf-8"))[0]


def fill_placeholders(text, look_up):
    """Replace {NAME} and {NAME.field} where LOOK_UP knows them; hash tags stay as they are."""
    def one(match):
        value = look_up(match.group(1), match.group(2))
        return match.group(0) if value is None else str(value)
    return PLACEHOLDER.sub(one, text)


def words(text):
    """Split TEXT as a command; returns a list of bytes."""
    out = []
    at = 0
    while text[at:].strip():
        match = WORD.match(text, at)
        if match is None:
            raise BadPayload("cannot read words in: " + text[at:])
        at = match.end()
        if match.group(1) is not None:
            out.append(unescape(match.group(1)))
        else:
            out += _bare_word(match.group(2))
    return out


def _bare_word(word):
    made = re.fullmatch(r"@(fill|words)\((\d+),(.*)\)", word)
    if made is None:
        return [word.encode("utf-8")]
    count = int(made.group(2))
    if made.group(1) == "fill":
        return [made.group(3).encode() * count]
    return [b"%s%d" % (made.group(3).encode(), n) for n in range(count)]


def request(text):
    """What a client sends: words, `inline ...` or `raw ...`."""
    if text.startswith("raw "):
        return raw(text[4:])
    if text.startswith("inline "):
        return text[7:].encode("utf-8") + b"\r\n"
    return resp.command(*words(text))


def raw(text):
    """One or more quoted strings, each may be repeated: "abc" x100."""
    out = []
    at = 0
    while text[at:].strip():
        match = re.compile(r'\s*"((?:[^"\\]|\\.)*)"(?:\s+x(\d+))?').match(text, at)
        if match is None:
            raise BadPayload("raw bytes must be quoted: " + text[at:])
        at = match.end()
        out.append(unescape(match.group(1)) * int(match.group(2) or 1))
    return b"".join(out)


def reply(text):
    """What a node answers or a client receives."""
    if text.startswith("raw "):
        return raw(text[4:])
    if text == "nil":
        return b"$-1\r\n"
    if text == "nil array":
        return b"*-1\r\n"
    if text.startswith("bulk "):
        (word,) = words(text[5:])
        return resp.bulk(word)
    if text.startswith("value "):
        return value(text[6:])
    if text[:1] and text[0] in LINE_STARTS:
        return text.encode("utf-8") + b"\r\n"
    raise BadPayload("not a reply: %r" % text)


def value(text):
    """Nested replies: ["a" 1 nil %[k v] +OK]. Returns the bytes of exactly one value."""
    stack = [[b"", []]]          # (opening, encoded children), the outermost first
    at = 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            raise BadPayload("cannot read value at: " + text[at:])
        at = match.end()
        quoted, opening, closing, bare = match.groups()
        if opening is not None:
            stack.append([opening[:-1].encode() or b"*", []])
        elif closing is not None:
            if len(stack) == 1:
                raise BadPayload("a ] too many")
            kind, children = stack.pop()
            count = len(children) // (2 if kind in (b"%", b"|") else 1)
            stack[-1][1].append(b"%s%d\r\n%s" % (kind, count, b"".join(children)))
        else:
            stack[-1][1].append(resp.bulk(unescape(quoted)) if quoted is not None
                                else _bare_value(bare))
    if len(stack) != 1 or len(stack[0][1]) != 1:
        raise BadPayload("value must be one balanced value")
    return stack[0][1][0]


def _bare_value(text):
    if re.fullmatch(r"-?\d+", text):
        return b":%s\r\n" % text.encode()
    if text == "nil":
        return b"$-1\r\n"
    if text == "nil-array":
        return b"*-1\r\n"
    if text[0] in "+_#,(":
        return text.encode() + b"\r\n"
    (word,) = _bare_word(text)
    return resp.bulk(word)
