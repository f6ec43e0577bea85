"""A crowd of clients in processes of their own, and what it has seen; links that are killed meanwhile.

    crowd = Crowd(work, [(port, "a"), (port, "b")])     # work(stop, port, tag) -> whatever it saw
    outcome = crowd.finish(Background(kill_links, t, crowd.stop, 0.05, 60))

The work lasts as long as the disturbance: so many kills, so many moves, on a busy machine, too. A worker that breaks is no news of its own: finish() tells of it, after the disturbance's own
failure, when all others have ended. So nobody is cut off by the test's end and blamed for it.
"""
import multiprocessing
import time
import traceback

HANG_S = 60
DISTURBANCE_S = 120      # at most


class Crowd:
    def __init__(self, work, arguments):
        """One process for each element of ARGUMENTS: WORK(stop, *element)."""
        self.stop = multiprocessing.Event()
        self._workers = []
        for words in arguments:
            mine, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=_run, daemon=True,
                                              args=(work, self.stop, words, theirs))
            process.start()
            theirs.close()
            self._workers.append((process, mine))

    def finish(self, disturbing):
        """When DISTURBING is over, stop all; [what each worker returned]. Raises what went wrong:
        DISTURBING's problem first.
        """
        disturbing.wait(DISTURBANCE_S)
        self.stop.set()
        outcome = [_outcome(process, pipe) for process, pipe in self._workers]
        disturbing.join(HANG_S)
        broken = [text for is_fine, text in outcome if not is_fine]
        assert not broken, "%d of %d workers broke; the first:\n%s" % (
            len(broken), len(outcome), broken[0])
        return [seen for _, seen in outcome]


def _run(work, stop, words, pipe):
    started = time.monotonic()
    try:
        pipe.send((True, work(stop, *words)))
    except Exception:
        pipe.send((False, "after %.1f s: %s" % (time.monotonic() - started,
                                                traceback.format_exc())))


def _outcome(process, pipe):
    if not pipe.poll(HANG_S):
        process.kill()
        return False, "it hangs: a reply never came"
    try:
        outcome = pipe.recv()
    except EOFError:
        outcome = False, "it ended without a word"
    process.join(HANG_S)
    return outcome


def kill_links(t, stop, pause_s, times):
    """Have all masters kill all their clients' connections, so many TIMES, PAUSE_S apart."""
    ports = [node["port"] for node, _ in t.masters()]
    for _ in range(times):
        if stop.wait(pause_s):
            return
        for port in ports:
            t.cluster.call(port, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
