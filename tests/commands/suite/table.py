"""The table: *.rows, one row for each command, and the steps that a row is made of.

    name    step ; step ; step -- reason          lines that begin with blanks continue the row

README.md describes steps.
"""
import glob
import os
import re

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SWITCHES = ("no-types", "no-multi", "no-arity")
NORMALISERS = ("kind", "types", "sorted", "near", "map", "names", "scan", "help")
CROSSSLOT = b"-CROSSSLOT Keys in request don't hash to the same slot\r\n"
REFUSED = "-ERR '%s' is not available through keyway: send it to a node directly\r\n"
UNSUPPORTED = "-ERR '%s' is not supported by this version of keyway\r\n"
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
VERB = re.compile(r"(?:([a-z])\b)?(:|>|<|)$")


class TableError(Exception):
    """The table does not read; the text says where."""


class Step:
    """One request, one reply that is awaited, or one wait."""

    def __init__(self, text, verb, client, words, normaliser=None, answer=None, is_ours_only=False):
        self.text = text
        self.verb = verb                # ask, send, read, blocked, gone
        self.client = client            # "a" unless it says another one
        self.words = words
        self.normaliser = normaliser
        self.answer = answer            # what keyway answers, when that is not what redis does
        self.is_ours_only = is_ours_only

    @property
    def is_plain(self):
        """A request of the first client without what other steps left: can be asked anywhere."""
        return (self.verb == "ask" and self.client == "a" and not self.is_ours_only
                and not any(b"$" in word for word in self.words))


class Row:
    def __init__(self, name, steps, switches, reason, place):
        self.name = name
        self.steps = steps
        self.switches = switches
        self.reason = reason
        self.place = place              # "keys.rows:3"

    def own_steps(self):
        """The steps that are this row's command."""
        words = self.name.upper().encode().split(b"|")
        return [step for step in self.steps if step.is_plain
                and [word.upper() for word in step.words[:len(words)]] == words]


def load():
    """Every row of every file, in their order."""
    rows = []
    for path in sorted(glob.glob(os.path.join(HERE, "*.rows"))):
        for number, text in joined_lines(path):
            rows.append(row_of(text, "%s:%d" % (os.path.basename(path), number)))
    return rows


def joined_lines(path):
    """(number, text) of each line, with those that continue it."""
    found = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or line.startswith("#"):
                continue
            if line[0].isspace():
                found[-1][1] += " " + line.strip()
            else:
                found.append([number, line.strip()])
    return found


def row_of(text, place):
    name, _, rest = text.partition(" ")
    rest, _, reason = rest.partition(" -- ")
    tokens = rest.split()
    switches = []
    while tokens and tokens[0] in SWITCHES:
        switches.append(tokens.pop(0))
        rest = rest.strip().partition(" ")[2]
    try:
        steps = [step_of(part, name) for part in split_steps(rest)]
    except ValueError as error:
        raise TableError("%s: %s: %s" % (place, name, error)) from None
    is_normalised = switches or any(
        step.normaliser or step.answer or step.is_ours_only for step in steps)
    if is_normalised and not reason:
        raise TableError("%s: %s differs from redis and gives no reason (-- ...)" % (place, name))
    if not steps:
        raise TableError("%s: %s has no step" % (place, name))
    return Row(name, steps, switches, reason.strip(), place)


def split_steps(text):
    """TEXT cut at each semicolon that stands alone and outside of quotes."""
    parts, start = [], 0
    for token in TOKEN.finditer(text):
        if token.group(2) == ";":
            parts.append(text[start:token.start()].strip())
            start = token.end()
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def step_of(text, name):
    rest, arrow, answer = text.partition(" => ")
    is_ours_only = rest.startswith("!")
    rest = rest.lstrip("!")
    normaliser = None
    if rest.startswith("~"):
        normaliser, _, rest = rest[1:].partition(" ")
        if normaliser not in NORMALISERS:
            raise ValueError("no normaliser is called ~%s" % normaliser)
    verb, client = "ask", "a"
    first, _, behind = rest.partition(" ")
    match = VERB.match(first)
    if match and first:
        client, verb = match.group(1) or "a", {":": "ask", ">": "send", "<": "read"}.get(
            match.group(2), "ask")
        rest = behind
    if rest == "blocked" or rest == "gone":
        verb, rest = rest, ""
    words = [word_of(token) for token in TOKEN.finditer(rest)]
    if verb in ("ask", "send") and not words:
        raise ValueError("an empty step")
    return Step(text, verb, client, words, normaliser,
                answer_of(answer.strip(), name) if arrow else None, is_ours_only)


def word_of(token):
    quoted, plain = token.groups()
    text = plain if quoted is None else quoted.encode().decode("unicode_escape")
    return text.encode("latin-1")


def answer_of(text, name):
    """The bytes that keyway answers."""
    if text in ("refused", "unsupported"):
        sentence = REFUSED if text == "refused" else UNSUPPORTED
        return (sentence % name.upper().replace("|", " ")).encode()
    if text == "crossslot":
        return CROSSSLOT
    if text.startswith('"'):
        return text[1:-1].encode().decode("unicode_escape").encode("latin-1")
    return text.encode() + b"\r\n"
