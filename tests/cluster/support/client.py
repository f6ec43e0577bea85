"""A blocking RESP client for tests: sends what it is told, returns decoded replies.

Replies become bytes, int, float, bool, list, dict, None; an error reply becomes
an ErrorReply object (not raised: tests look at errors).
"""
import socket


class ErrorReply:
    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return "ErrorReply(%r)" % self.text

    def __eq__(self, other):
        return isinstance(other, ErrorReply) and other.text == self.text

    @property
    def code(self):
        return self.text.split(" ", 1)[0]


def encode(words):
    out = [b"*%d\r\n" % len(words)]
    for word in words:
        if not isinstance(word, bytes):
            word = str(word).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(out)


class Client:
    def __init__(self, address, timeout_s=30.0):
        """ADDRESS is a port of 127.0.0.1, a (host, port) pair, or the path of a unix socket."""
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout_s)
            self.sock.connect(address)
        else:
            pair = address if isinstance(address, tuple) else ("127.0.0.1", address)
            self.sock = socket.create_connection(pair, timeout_s)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb", 65536)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def send(self, *words):
        self.sock.sendall(encode(words))

    def send_all(self, commands):
        self.sock.sendall(b"".join(encode(words) for words in commands))

    def call(self, *words):
        self.send(*words)
        return self.read()

    def pipeline(self, commands):
        self.send_all(commands)
        return [self.read() for _ in commands]

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection ended after %r" % line)
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return ErrorReply(rest.decode("utf-8", "replace"))
        if kind in b":(":
            return int(rest)
        if kind in b"$=!":
            return self._read_blob(kind, int(rest))
        if kind in b"*~>":
            count = int(rest)
            return None if count < 0 else [self.read() for _ in range(count)]
        if kind == b"%":
            return {_hashable(self.read()): self.read() for _ in range(int(rest))}
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b",":
            return float(rest)
        raise ConnectionError("no RESP type begins with %r" % line)

    def _read_blob(self, kind, length):
        if length < 0:
            return None
        data = self.file.read(length + 2)
        if data[-2:] != b"\r\n" or len(data) != length + 2:
            raise ConnectionError("a bulk is not followed by CR LF: %r" % data[-20:])
        if kind == b"!":
            return ErrorReply(data[:-2].decode())
        return data[4:-2] if kind == b"=" else data[:-2]


def _hashable(key):
    return tuple(key) if isinstance(key, list) else key
