"""What happened, in order, for the reader of a failure."""
import collections
import time

from . import resp


class Trace:
    def __init__(self, limit=60):
        self._events = collections.deque(maxlen=limit)
        self._start = time.monotonic()

    def add(self, actor, what, data):
        elapsed_ms = (time.monotonic() - self._start) * 1000
        text = resp.show(data, 300) if data else ""
        self._events.append("%9.1f ms  %-8s %s %s" % (elapsed_ms, actor, what, text))

    def lines(self):
        return list(self._events)
