"""A thread whose exception reaches the test."""
import threading


class Background:
    """Runs FUNCTION(*ARGUMENTS) beside the test; join() raises what it raised."""

    def __init__(self, function, *arguments):
        self._function = function
        self._arguments = arguments
        self._problem = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self._function(*self._arguments)
        except Exception as problem:       # raised again by join()
            self._problem = problem

    def wait(self, timeout_s):
        """Until it is over, well or not; True when it is."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def join(self, timeout_s=20):
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "%s does not end" % self._function.__name__
        if self._problem is not None:
            raise self._problem
