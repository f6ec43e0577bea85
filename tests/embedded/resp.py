"""RESP as it is on the wire: cut replies, keep their bytes, compare them."""

import socket


class Connection:
    """One client; commands go out as they are, replies come back as bytes."""

    def __init__(self, port, protocol=2, timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = b""
        if protocol == 3:
            self.send(["HELLO", "3"])
            self.read()

    def send(self, *commands):
        self.socket.sendall(b"".join(encode(command) for command in commands))

    def read(self):
        """The bytes of the next reply."""
        while True:
            end = reply_end(self.input, 0)
            if end is not None:
                reply, self.input = self.input[:end], self.input[end:]
                return reply
            more = self.socket.recv(1 << 20)
            if not more:
                raise EOFError("the connection was closed")
            self.input += more

    def ask(self, *arguments):
        """One command, its reply as a value."""
        self.send(arguments)
        return value_of(self.read())

    def close(self):
        self.socket.close()


def encode(arguments):
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def reply_end(data, at):
    """Where the reply that begins at AT ends; None: not all of it is there."""
    line_end = data.find(b"\r\n", at)
    if line_end < 0:
        return None
    kind, rest, after = data[at:at + 1], data[at + 1:line_end], line_end + 2
    if kind in b"$=!":
        if rest == b"-1":
            return after
        end = after + int(rest) + 2
        return end if end <= len(data) else None
    if kind in b"*%~>":
        count = int(rest) * (2 if kind == b"%" else 1)
        for _ in range(count):
            after = reply_end(data, after)
            if after is None:
                return None
        return after
    return after


class Error(str):
    """An error reply."""


def value_of(data):
    return parse(data, 0)[0]


def parse(data, at):
    """The value at AT, and where it ends. Maps are lists of pairs."""
    line_end = data.index(b"\r\n", at)
    kind, rest, after = data[at:at + 1], data[at + 1:line_end], line_end + 2
    if kind in b"$=":
        if rest == b"-1":
            return None, after
        length = int(rest)
        return data[after:after + length], after + length + 2
    if kind in b"*%~>":
        if rest == b"-1":
            return None, after
        values = []
        for _ in range(int(rest) * (2 if kind == b"%" else 1)):
            value, after = parse(data, after)
            values.append(value)
        if kind == b"%":
            values = [[values[i], values[i + 1]] for i in range(0, len(values), 2)]
        return values, after
    if kind == b":":
        return int(rest), after
    if kind == b"_":
        return None, after
    if kind == b"-":
        return Error(rest.decode(errors="replace")), after
    return rest, after


EXACT, UNORDERED, NEAR, SHAPE, SCANNED, NUMBERS = range(6)
NEAR_MS = 3000


def is_of_an_old_errno(compare, left, right):
    """Did only redis refuse to sort? Errno of an earlier command is still ERANGE, and 7.0 looks at it."""
    return compare == NUMBERS and left != right and right.startswith(b"-ERR One or more scores")


def same(compare, left, right):
    """Do two replies say the same?"""
    if left == right or is_of_an_old_errno(compare, left, right):
        return True
    if compare == NUMBERS:
        compare = UNORDERED
    if compare == EXACT or left[:1] != right[:1]:
        return False
    if compare == SHAPE:
        return left[:1] != b"-"
    if compare == NEAR:
        return (left[:1] == b":" and int(left[1:-2]) > 0 and int(right[1:-2]) > 0 and
                abs(int(left[1:-2]) - int(right[1:-2])) <= NEAR_MS)
    if compare == SCANNED:
        left_value, right_value = value_of(left), value_of(right)
        return isinstance(left_value, list) and left_value[0] == right_value[0] and \
            in_order(left_value[1], b"*") == in_order(right_value[1], b"*")
    return left[:left.index(b"\r\n")] == right[:right.index(b"\r\n")] and \
        in_order(value_of(left), left[:1]) == in_order(value_of(right), right[:1])


def in_order(value, kind):
    """Without the order of the outermost level; of RESP2's flat maps pairs stay whole."""
    if not isinstance(value, list):
        return value
    return sorted(value, key=repr)
