"""The command table against a redis-server: what COMMAND says, and where keys are.

Every command that the server has must be in the table with the same arity, flags, categories, tips
and key specifications; where the table follows a newer server on purpose the difference is in
KNOWN, with the reason. Then COMMAND GETKEYS is asked of both for requests made up from the
specifications, and for those of REQUESTS.
"""

import os
import re
import socket

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
TABLE = os.path.join(ROOT, "src", "command", "commands.def")
REPLY_S = 10
FIELDS = ["name", "arity", "flags", "first", "last", "step", "categories", "tips", "specs"]

# (command, field): why the table says something else than redis-server 7.0.
KNOWN = {
    ("command|getkeys", "arity"): "later versions take a request without arguments",
    ("command|getkeysandflags", "arity"): "later versions take a request without arguments",
    ("latency|reset", "tips"): "it answers a number, which is added up, as 7.2 advises",
    ("msetnx", "tips"): "it can't be split, whatever 7.0 advised",
    ("sinterstore", "specs"): "7.0 called the destination RW; it is overwritten",
    ("wait", "flags"): "it blocks; 7.0 did not say so",
    ("zrank", "arity"): "WITHSCORE came with 7.2",
    ("zrevrank", "arity"): "WITHSCORE came with 7.2",
}
# Requests that the server's table and the server's routing see differently; ours is as its routing.
ODD = {
    "pfmerge k0": "the sources are optional, the destination is a key all the same",
}
# Fields in which one redis differs from the next and which nothing depends on.
LOOSE = {
    "tips": "later versions add tips; ours must have those of the server",
    "flags": "later versions add flags; READ, WRITE and movablekeys must agree",
    "categories": "later versions add categories; ours must have those of the server",
}
STRICT_FLAGS = {"write", "readonly", "movablekeys", "denyoom", "blocking", "no_auth"}

# Requests whose keys must be found by other means than counting arguments.
REQUESTS = """
eval s 0|eval s 0 a b|eval s 2 a b c|evalsha s 1 a|eval_ro s 1 a b|evalsha_ro s 2 a b
fcall f 0|fcall f 2 a b c|fcall_ro f 1 a
xread streams a 0|xread count 1 block 0 streams a b 0 0|xreadgroup group g c streams a >
xreadgroup group g c count 2 block 5 noack streams a b > >
zunionstore d 2 a b weights 1 2|zinterstore d 1 a|zdiffstore d 3 a b c|zunion 2 a b withscores
zinter 2 a b|zdiff 1 a|zintercard 2 a b limit 1|sintercard 3 a b c
lmpop 2 a b left|zmpop 1 a min|blmpop 0 2 a b right count 2|bzmpop 1.5 2 a b max
georadius k 1 2 3 m|georadius k 1 2 3 m store d|georadius k 1 2 3 m withdist storedist d
georadiusbymember k m 3 m store d|georadius_ro k 1 2 3 m
sort k|sort k by w_* get # get d_* limit 0 1 store d|sort k store a store b|sort k limit store 1
sort k by store get store|sort_ro k by w_* get d_*
migrate h 1 k 0 5|migrate h 1 '' 0 5 keys a b|migrate h 1 '' 0 5 copy replace auth p keys a
bitop and d a b c|blpop a b c 0|brpop a 0|bzpopmin a b 1|mset a 1 b 2|msetnx a 1
lcs a b|lcs a b idx|pfmerge d a b|pfcount a b|object encoding k|memory usage k samples 1
xgroup create k g $|xinfo stream k full|copy a b replace|rename a b|getdel k|set k v get
zunion 0 a|zunion 3 a|zunionstore d 0|lmpop 9 a left|xread streams|xread streams a
get|mget|ping x|nosuchcommand x|client x y|object encoding|spublish c m|config get x
"""


def encode(*words):
    out = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word.encode()
        out.append(b"$%d\r\n%s\r\n" % (len(raw), raw))
    return b"".join(out)


class ErrorReply(str):
    """An error that a server answered."""


class Client:
    """A RESP2 connection: one request, one reply."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=REPLY_S)
        self.file = self.socket.makefile("rb")

    def ask(self, *words):
        self.socket.sendall(encode(*words))
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("the connection was closed")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"+":
            return rest
        if kind == b"-":
            return ErrorReply(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return None if rest == "-1" else [self.read() for _ in range(int(rest))]
        raise OSError(f"unexpected reply {line!r}")

    def close(self):
        self.file.close()
        self.socket.close()


def as_map(flat):
    return dict(zip(flat[::2], flat[1::2]))


def spec_of(raw):
    """One key specification, its notes left out and its flags in one order."""
    spec = as_map(raw)
    parts = []
    for part in ("begin_search", "find_keys"):
        found = as_map(spec[part])
        parts.append((found["type"], tuple(sorted(as_map(found["spec"]).items()))))
    return (tuple(sorted(spec["flags"])), *parts)


def row_of(raw):
    """COMMAND INFO's element as a dict; and its subcommands."""
    row = dict(zip(FIELDS, raw))
    for field in ("flags", "categories", "tips"):
        row[field] = set(row[field])
    row["specs"] = [spec_of(spec) for spec in row["specs"]]
    return row, raw[9]


def rows_of(client):
    """{name: row} of all commands and subcommands that CLIENT lists."""
    rows = {}
    todo = client.ask("COMMAND")
    while todo:
        row, subcommands = row_of(todo.pop())
        rows[row["name"]] = row
        todo.extend(subcommands)
    return rows


def table_of(path):
    """{name: (arity, route)} of commands.def, for commands that keyway does not list."""
    with open(path, encoding="utf-8") as table:
        found = re.findall(r'^KW_COMMAND\("([^"]+)", *"[^"]*", *(-?\d+), *(\w+),', table.read(),
                           flags=re.MULTILINE)
    return {name: (int(arity), route) for name, arity, route in found}


def differences(name, ours, theirs):
    """What is wrong with our row, as texts."""
    wrong = []
    for field in FIELDS[1:]:
        mine, other = ours[field], theirs[field]
        if field in LOOSE:
            if field == "flags":
                mine, other = mine & STRICT_FLAGS, other & STRICT_FLAGS
            else:
                mine = mine & other
        if mine != other and (name, field) not in KNOWN:
            wrong.append(f"{field}: {ours[field]}, the server says {theirs[field]}")
    return wrong


def compare_rows(tests, keyway, server):
    ours, theirs, table = rows_of(keyway), rows_of(server), table_of(TABLE)
    for name in sorted(theirs):
        if name in ours:
            tests.check(name, differences(name, ours[name], theirs[name]))
        elif name in table:
            arity, route = table[name]
            same = arity == theirs[name]["arity"] or (name, "arity") in KNOWN
            tests.check(name, [] if same else [f"arity {arity} ({route})"])
        else:
            tests.check(name, ["not in commands.def"])
    return [theirs[name] for name in sorted(theirs) if name in table]


def made_up(row):
    """Requests that fit ROW: as many arguments as it needs, and one and two more."""
    least = abs(row["arity"])
    words = row["name"].split("|")
    for more in (0, 1, 2) if row["arity"] < 0 else (0,):
        yield words + [f"k{i}" for i in range(least + more - len(words))]


def compare_keys(tests, keyway, server, rows):
    requests = [line.split() for text in REQUESTS.strip().split("\n") for line in text.split("|")]
    requests = [[word.replace("''", "") for word in request] for request in requests]
    for row in rows:
        is_plain = row["specs"] and "movablekeys" not in row["flags"]
        requests += list(made_up(row)) if is_plain else []
    for request in requests:
        asked = ["COMMAND", "GETKEYS", *request]
        mine, other = keyway.ask(*asked), server.ask(*asked)
        if isinstance(other, ErrorReply):
            same = isinstance(mine, ErrorReply)
        else:
            same = mine == other
        if request[0].startswith("mset") and len(request) % 2 == 0:
            same = isinstance(mine, ErrorReply)  # a key without its value is no request
        same = same or " ".join(request) in ODD
        tests.check(" ".join(asked), [] if same else [f"{mine}, the server says {other}"])


def arities_of(port):
    """{name: arity} of all commands and subcommands of the server."""
    client = Client(("127.0.0.1", port))
    found = {name: row["arity"] for name, row in rows_of(client).items()}
    client.close()
    return found


def compare(tests, keyway_port, server_port):
    keyway, server = Client(("127.0.0.1", keyway_port)), Client(("127.0.0.1", server_port))
    rows = compare_rows(tests, keyway, server)
    compare_keys(tests, keyway, server, rows)
    keyway.close()
    server.close()
