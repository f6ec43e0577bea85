"""Reads a .wire file and runs it, one line after the other.

The first word of a line says who acts (`node`, `client`, `topology`, `proxy`,
`for`, or the name of a node or a client), the following words say what it
does. The verbs are in node_verbs.py, client_verbs.py and proxy_verbs.py: each
is a function whose `verb` decoration is the phrase that a script writes.
"""
import time

from . import payload
from .client_verbs import CLIENT_VERBS
from .keyway import KeywayFailure
from .node_verbs import NODE_VERBS
from .proxy_verbs import PROXY_VERBS, declare_client, declare_node, move_slots, promote
from .verbs import Line, find_verb
from .world import Failed, World

DECLARATIONS = {"node": declare_node, "client": declare_client, "topology": move_slots,
                "promote": promote}


class ScriptError(Exception):
    """The script itself is wrong."""


class Result:
    def __init__(self, path, seconds, failure=None):
        self.path = path
        self.seconds = seconds
        self.failure = failure         # None, or the text to print


def read_lines(path):
    """[(number, text)]: no comments, no blank lines, continuations joined."""
    lines = []
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            if text.lstrip().startswith("#") or not text.strip():
                continue
            text = text.strip()
            if lines and lines[-1][1].endswith(" \\"):
                lines[-1] = (lines[-1][0], lines[-1][1][:-1] + text)
            else:
                lines.append((number, text))
    return lines


def run(path, binary, patience=1.0, counts_memory=True):
    """Run the script at PATH against BINARY in a world of its own.

    counts_memory  False under a sanitizer, where the size of the process says nothing
    """
    started = time.monotonic()
    world = World(binary, patience, counts_memory)
    runner = Runner(world)
    try:
        lines = read_lines(path)
        runner.run_block(lines, {})
        runner.line = None
        world.finish()
        failure = None
    except (Failed, KeywayFailure) as problem:
        failure = explain(path, runner.line, str(problem), world)
    except Exception as problem:       # a mistake in the script or in this runner
        failure = explain(path, runner.line, "%s: %s" % (type(problem).__name__, problem), world)
    finally:
        world.clean_up()
    return Result(path, time.monotonic() - started, failure)


def explain(path, line, problem, world):
    where = "%s:%d: %s" % (path, line[0], line[1]) if line else "%s: at its end" % path
    parts = ["FAIL " + where, "  " + problem.replace("\n", "\n  ")]
    parts += ["  what happened:"] + ["    " + event for event in world.trace.lines()]
    if world.proxy is not None:
        parts += ["  " + world.proxy.last_words()]
    return "\n".join(parts)


class Runner:
    def __init__(self, world):
        self.world = world
        self.line = None

    def run_block(self, lines, variables):
        at = 0
        while at < len(lines):
            number, text = lines[at]
            if text.startswith("for "):
                end = _matching_end(lines, at)
                for value in _loop_values(text):
                    name = text.split()[1]
                    self.run_block(lines[at + 1:end], dict(variables, **{name: value}))
                at = end + 1
                continue
            self.line = (number, text)
            self.run_line(text, variables)
            self.world.check_late_failures()
            at += 1

    def run_line(self, text, variables):
        text = payload.fill_placeholders(text, lambda name, field: self.look_up(
            name, field, variables))
        subject, _, rest = text.partition(" ")
        line = Line(self.world, subject, rest.strip())
        if subject in DECLARATIONS:
            if subject != "node" and self.world.proxy is None and subject == "client":
                self.world.start_proxy()
            DECLARATIONS[subject](line)
            return
        self._run_verb(line, self._verbs_of(subject))

    def _verbs_of(self, subject):
        if subject == "proxy":
            return PROXY_VERBS
        if subject == "all" or subject in self.world.nodes:
            return NODE_VERBS
        if subject in self.world.clients:
            return CLIENT_VERBS
        raise ScriptError("nobody is called %r" % subject)

    @staticmethod
    def _run_verb(line, verbs):
        verb, rest = find_verb(verbs, line.text)
        if verb is None:
            raise ScriptError("%s has no verb for: %s" % (line.subject, line.text))
        line.text = rest
        verb(line)

    def look_up(self, name, field, variables):
        if field is None:
            return {"dir": self.world.folder, **variables}.get(name)
        if name == "proxy" and field == "port":
            return self.world.proxy.port
        node = self.world.nodes.get(name)
        if node is None:
            return None
        return {"port": node.port, "host": node.host, "id": node.id}.get(field)


def _matching_end(lines, start):
    depth = 0
    for at in range(start, len(lines)):
        depth += lines[at][1].startswith("for ")
        depth -= lines[at][1] == "end"
        if depth == 0:
            return at
    raise ScriptError("line %d: `for` without `end`" % lines[start][0])


def _loop_values(text):
    """`for i in 1..5` counts; `for x in a "b c"` goes through texts, escapes left alone."""
    _, _, _, values = text.split(None, 3)
    low, dots, high = values.partition("..")
    if dots and low.isdigit():
        return range(int(low), int(high) + 1)
    return [quoted or bare for quoted, bare in payload.WORD.findall(values)]
