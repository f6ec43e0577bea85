"""Sockets of clients and fake nodes, moved by one background thread.

The script runs in the main thread, one line after the other. Bytes arrive and
leave here, whatever the script is waiting for, so a proxy that pushes back
never blocks the script, and "nothing arrived" is something a script can check.

Locking: one lock for everything, `Backstage.changed` (a condition). The main
thread takes it to look or to queue bytes; the thread takes it for each step.
"""
import collections
import selectors
import socket
import struct
import threading

READ_SIZE = 256 * 1024
JOINED_SIZE = 16 * 1024      # small sends that wait are joined up to this size


class Channel:
    """One TCP or unix connection. `inbuf` grows unless reading is paused."""

    def __init__(self, backstage, sock, label, on_bytes=None):
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.backstage = backstage
        self.sock = sock
        self.label = label
        self.on_bytes = on_bytes       # called under the lock after inbuf grew
        self.inbuf = bytearray()
        self.out = collections.deque()  # bytes; one item is one send() call
        self.out_sent = 0               # bytes of the first item that have left
        self.is_paused = False
        self.is_ended = False          # peer closed or reset
        self.is_reset = False          # ... by a reset
        self.is_closed = False         # by us
        backstage.add(self)

    def send(self, data, separately=False):
        """Queue DATA; the background thread writes it, SEPARATELY by a send() call of its own."""
        with self.backstage.changed:
            if self.is_closed:
                raise OSError("%s is closed" % self.label)
            if self.out and not separately and len(self.out[-1]) < JOINED_SIZE:
                self.out[-1] += data
            else:
                self.out.append(bytes(data))
            self.backstage.rearm(self)

    def pause(self, is_paused):
        with self.backstage.changed:
            self.is_paused = is_paused
            self.backstage.rearm(self)

    def close(self, with_reset=False):
        with self.backstage.changed:
            if self.is_closed:
                return
            self.is_closed = True
            self.backstage.remove(self)
            if with_reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()

    def half_close(self):
        with self.backstage.changed:
            self.sock.shutdown(socket.SHUT_WR)


class Backstage:
    """The thread that moves bytes."""

    def __init__(self):
        self.changed = threading.Condition(threading.RLock())
        self._selector = selectors.DefaultSelector()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, None)
        self._is_running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._is_running = False
        self._wake()
        self._thread.join(5)

    def wait_until(self, is_true, timeout_s):
        """Wait until IS_TRUE(); False when TIMEOUT_S passed first."""
        with self.changed:
            return self.changed.wait_for(is_true, timeout_s)

    # -- registration: called under the lock or before the thread knows the socket --

    def add(self, channel):
        with self.changed:
            self._selector.register(channel.sock, self._events_of(channel), channel)
            self._wake()

    def add_listener(self, sock, on_accept):
        sock.setblocking(False)
        with self.changed:
            self._selector.register(sock, selectors.EVENT_READ, on_accept)
            self._wake()

    def remove_listener(self, sock):
        with self.changed:
            self._selector.unregister(sock)
            sock.close()

    def rearm(self, channel):
        if channel.is_closed or channel.sock.fileno() < 0:
            return
        events = self._events_of(channel)
        is_known = channel.sock in self._selector.get_map()
        if events == 0:
            if is_known:
                self._selector.unregister(channel.sock)
        elif is_known:
            self._selector.modify(channel.sock, events, channel)
        else:
            self._selector.register(channel.sock, events, channel)
        self._wake()

    def remove(self, channel):
        if channel.sock.fileno() >= 0 and channel.sock in self._selector.get_map():
            self._selector.unregister(channel.sock)
        self._wake()

    # -- the thread --

    @staticmethod
    def _events_of(channel):
        events = 0
        if not channel.is_paused and not channel.is_ended:
            events |= selectors.EVENT_READ
        if channel.out and not channel.is_reset:
            events |= selectors.EVENT_WRITE
        return events

    def _wake(self):
        try:
            self._wake_out.send(b"w")
        except BlockingIOError:
            pass                       # a wake-up is pending already

    def _run(self):
        while self._is_running:
            ready = self._selector.select(1)
            with self.changed:
                for key, events in ready:
                    self._step(key, events)
                self.changed.notify_all()

    def _step(self, key, events):
        subject = key.data
        if subject is None:
            try:
                self._wake_in.recv(4096)
            except BlockingIOError:
                pass
        elif isinstance(subject, Channel):
            if not subject.is_closed:
                self._step_channel(subject, events)
        else:
            try:
                sock, _ = key.fileobj.accept()
            except OSError:
                return                 # the peer gave up, or the listener was closed
            subject(sock)

    def _step_channel(self, channel, events):
        try:
            if events & selectors.EVENT_WRITE and channel.out:
                self._write_one(channel)
            if events & selectors.EVENT_READ:
                self._read_some(channel)
        except BlockingIOError:
            return
        except OSError:
            channel.is_ended = True
            channel.is_reset = True
        if not channel.is_closed:
            self.rearm(channel)

    @staticmethod
    def _write_one(channel):
        item = channel.out[0]
        rest = memoryview(item)[channel.out_sent:]
        channel.out_sent += channel.sock.send(rest)
        if channel.out_sent == len(item):
            channel.out.popleft()
            channel.out_sent = 0

    @staticmethod
    def _read_some(channel):
        data = channel.sock.recv(READ_SIZE)
        if not data:
            channel.is_ended = True
            return
        channel.inbuf += data
        if channel.on_bytes is not None:
            channel.on_bytes(channel)
