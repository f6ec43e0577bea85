"""The real proxy as a child process: start, wait until it answers, measure, end."""
import ctypes
import os
import random
import signal
import socket
import subprocess
import time

from . import resp
from .machine import slowness

SANITIZER_MARKS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
                   "UndefinedBehaviorSanitizer", "runtime error:", "KW_ASSERT", "assertion")


PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent():
    """In the child: nothing of a test run that was killed may stay behind."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class KeywayFailure(Exception):
    """The proxy did not start, ended early, or ended badly."""


def free_port():
    """A port nobody listens on now, below the range the kernel gives to clients."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def is_sanitized(binary):
    """Built with a sanitizer? Then it is slow, and its memory says nothing."""
    with open(binary, "rb") as file:
        content = file.read()
    return any(mark in content for mark in (b"__asan_init", b"__tsan_init", b"__ubsan_handle"))


class Keyway:
    """`build/keyway` with ARGUMENTS (a list of words) on a port of its own."""

    def __init__(self, binary, arguments, folder, config_file=None, env=None, patience=1.0,
                 has_port=True, prefix=()):
        self.port = free_port() if has_port else 0
        self.folder = folder
        self.patience = patience
        self.log_path = os.path.join(folder, "keyway-%d.log" % self.port)
        words = [os.path.abspath(binary)]
        if config_file is not None:
            words.append(config_file)
        words += ["--port", str(self.port), "--bind", "127.0.0.1"] + list(arguments)
        self.words = list(prefix) + words
        self._log = open(self.log_path, "wb")
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(self.words, stdout=self._log, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, cwd=folder,
                                        preexec_fn=_die_with_parent,
                                        env=dict(os.environ, **(env or {})))

    @property
    def pid(self):
        return self.process.pid

    def connect(self, timeout_s=20.0):
        return socket.create_connection(("127.0.0.1", self.port), timeout_s * self.patience)

    def wait_until_it_answers(self, timeout_s=20.0):
        """Until PING is answered; returns the milliseconds since the start."""
        deadline = time.monotonic() + timeout_s * self.patience
        while True:
            if self.process.poll() is not None:
                raise KeywayFailure("keyway ended with status %d at its start:\n%s"
                                    % (self.process.returncode, self.log_tail()))
            try:
                self.ping()
                return (time.monotonic() - self.started_at) * 1000
            except OSError:
                if time.monotonic() > deadline:
                    raise KeywayFailure("keyway does not answer PING:\n"
                                        + self.log_tail()) from None
                time.sleep(0.001)      # bounded by the deadline above

    def ask_and_leave(self, command, timeout_s=20.0):
        """The reply to COMMAND on a connection of its own, which keyway has closed when it is told:
        scripts that count clients count none of the runner's.
        """
        with self.connect(timeout_s) as sock:
            sock.sendall(command)
            reply = sock.recv(1000)
            try:
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(1000):
                    pass
            except TimeoutError:
                raise
            except OSError:
                pass                   # keyway was the first to close it
        return reply

    def ping(self, timeout_s=20.0):
        reply = self.ask_and_leave(resp.command("PING"), timeout_s)
        if reply != b"+PONG\r\n":
            raise KeywayFailure("PING on a fresh connection got %r" % reply)

    def rss_bytes(self):
        with open("/proc/%d/status" % self.pid) as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise KeywayFailure("keyway has no RSS: it ended")

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def log_text(self):
        with open(self.log_path, "rb") as log:
            return log.read().decode("utf-8", "replace")

    def log_tail(self, lines=25):
        return "\n".join("    | " + line for line in self.log_text().splitlines()[-lines:])

    def last_words(self, lines=25):
        """For the report of a failure: does it still run, and what did it log?"""
        status = self.process.poll()
        ending = "still runs" if status is None else "had ended with status %d" % status
        return "keyway %s, its log:\n%s" % (ending, self.log_tail(lines))

    def end(self, timeout_s=10.0):
        """SIGTERM and wait_for_end(). An end before that counts by its status, too."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.wait_for_end(timeout_s)

    def wait_for_end(self, timeout_s=10.0):
        """Its end after SIGTERM: in time, with status 0, and nothing said by a sanitizer."""
        try:
            self.process.wait(timeout_s * self.patience * slowness())
        except subprocess.TimeoutExpired:
            self.kill()
            raise KeywayFailure("keyway did not end within %.0f s of SIGTERM" % timeout_s) from None
        self._log.close()
        log = self.log_text()
        marks = [mark for mark in SANITIZER_MARKS if mark in log]
        if marks or self.process.returncode != 0:
            raise KeywayFailure("keyway ended with status %s%s:\n%s" % (
                self.process.returncode, ", its log says " + marks[0] if marks else "",
                self.log_tail(60)))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if not self._log.closed:
            self._log.close()
