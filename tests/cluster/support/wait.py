"""Bounded waiting: a test never sleeps for a fixed time and hopes."""
import time

from language.machine import slowness


def until(is_true, timeout_s, what):
    """Call IS_TRUE() until it is; returns the seconds it took. AssertionError when it never is,
    within TIMEOUT_S of an idle machine."""
    started = time.monotonic()
    while True:
        try:
            result = is_true()
        except (OSError, ConnectionError):
            result = False
        elapsed = time.monotonic() - started
        if result:
            return elapsed
        assert elapsed < timeout_s or elapsed < timeout_s * slowness(), "not within %.1f s: %s" % (timeout_s, what)
        time.sleep(0.01)
