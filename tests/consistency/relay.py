#!/usr/bin/python3
"""relay.py PORT UPSTREAM MILLISECONDS KIND: a proxy with a cache that is wrong, on purpose.

It answers GET from what it was told up to so many MILLISECONDS ago. The checker must notice.

deaf     whatever is written meanwhile
selfish  until somebody writes to the key through the relay itself
"""
import socket
import socketserver
import sys
import time

READS = {b"GET", b"MGET", b"GETRANGE", b"EXISTS", b"HGET", b"HGETALL", b"HMGET", b"HVALS", b"PING",
         b"HELLO", b"PROXY"}


def main():
    port, upstream, milliseconds, kind = sys.argv[1:]
    server = Relay(("127.0.0.1", int(port)), Visit)
    server.upstream = ("127.0.0.1", int(upstream))
    server.keep_s = float(milliseconds) / 1000
    server.is_deaf = kind == "deaf"
    server.kept = {}                # key -> (until, reply to GET)
    server.serve_forever()


class Relay(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100


class Visit(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        with socket.create_connection(self.server.upstream) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection.makefile("rb") as replies:
                while True:
                    raw, words = read_command(self.rfile)
                    if raw is None:
                        return
                    self.wfile.write(self.answer(connection, replies, raw, words))

    def answer(self, connection, replies, raw, words):
        kept, now = self.server.kept, time.monotonic()
        is_get = words[0] == b"GET" and len(words) == 2
        if is_get and kept.get(words[1], (0, b""))[0] > now:
            return kept[words[1]][1]
        connection.sendall(raw)
        reply = read_reply(replies)
        if is_get and reply[:1] == b"$":
            kept[words[1]] = (now + self.server.keep_s, reply)
        elif words[0] not in READS and not self.server.is_deaf:
            for word in words[1:]:
                kept.pop(word, None)
        return reply


def read_command(file):
    line = file.readline()
    if not line.startswith(b"*"):
        return (line or None), line.split()
    raw, words = [line], []
    for _ in range(int(line[1:])):
        head = file.readline()
        word = file.read(int(head[1:]) + 2)
        raw += [head, word]
        words.append(word[:-2])
    return b"".join(raw), words


def read_reply(file):
    line = file.readline()
    if not line:
        raise ConnectionError("the server closed the connection")
    if line[:1] in b"$=" and line[1:2] != b"-":
        return line + file.read(int(line[1:]) + 2)
    if line[:1] in b"*%~>" and line[1:2] != b"-":
        count = int(line[1:]) * (2 if line[:1] == b"%" else 1)
        return line + b"".join(read_reply(file) for _ in range(count))
    return line


main()
