"""A load that checks every value it reads against what it wrote, in program order.

Each client owns its keys, so it knows what every reply must be before it sends
the request: keyway has no excuse. A pipeline mixes GET, SET, INCR, DEL, GETSET,
same-slot MSET and MGET, and ECHO with a token of its own, which shows a shifted
reply at once; a strict load also has MGETs of keys of all tags. Values name
their key ("{t3}:c1:k2=17"), so a reply meant for somebody else is recognised as
such.

strict   every reply must be exactly right; an error reply counts as an error
lenient  for crashes: errors are counted, lost writes are the cluster's affair,
         but a reply must still fit its request: its own key, no value that was
         never written, numbers where numbers are due
"""
import collections
import multiprocessing
import random
import time

from .client import Client, ErrorReply

KEYS_PER_TAG = 4
LONGEST_PIPELINE = 24
KEPT_EXAMPLES = 5


class Outcome:
    """What a load saw; outcomes of its processes add up."""

    def __init__(self):
        self.replies = 0
        self.wrong = []                    # texts: replies that do not fit their requests
        self.wrong_count = 0
        self.errors = collections.Counter()     # first 60 characters -> times
        self.error_times = []              # (when, tag), time.monotonic()
        self.lost_connections = []         # texts
        self.slowest_s = 0.0

    def add(self, other):
        self.replies += other.replies
        self.wrong = (self.wrong + other.wrong)[:KEPT_EXAMPLES]
        self.wrong_count += other.wrong_count
        self.errors += other.errors
        self.error_times += other.error_times
        self.lost_connections += other.lost_connections
        self.slowest_s = max(self.slowest_s, other.slowest_s)

    @property
    def error_count(self):
        return sum(self.errors.values())

    def assert_flawless(self):
        self.assert_fitting()
        assert not self.errors, "error replies: %r" % dict(self.errors)

    def assert_fitting(self):
        assert self.replies > 0, "the load did nothing"
        assert not self.wrong_count, "%d wrong replies, such as:\n%s" % (
            self.wrong_count, "\n".join(self.wrong))
        assert not self.lost_connections, self.lost_connections[:KEPT_EXAMPLES]


class Load:
    """A load in processes of its own. start(), then stop() for its Outcome."""

    def __init__(self, port, tags, clients=8, processes=1, is_strict=True, seed=None, pause_s=0.0):
        self.seed = random.randrange(1 << 30) if seed is None else seed
        self._stopping = multiprocessing.Event()
        self._replies = multiprocessing.Value("q", 0)
        self._workers = []
        for number in range(processes):
            mine, theirs = multiprocessing.Pipe()
            names = ["c%d" % n for n in range(clients) if n % processes == number]
            process = multiprocessing.Process(
                target=_work, daemon=True,
                args=(port, names, tags, is_strict, self.seed + number, pause_s,
                      self._stopping, self._replies, theirs))
            self._workers.append((process, mine))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self._stopping.set()
        for process, _ in self._workers:
            process.join(20)
            if process.is_alive():
                process.kill()

    def start(self):
        for process, _ in self._workers:
            process.start()
        return self

    def replies_so_far(self):
        return self._replies.value

    def stop(self, timeout_s=60):
        self._stopping.set()
        total = Outcome()
        for process, pipe in self._workers:
            assert pipe.poll(timeout_s), \
                "a load process hangs: a reply never came (seed %d)" % self.seed
            outcome = pipe.recv()
            process.join(timeout_s)
            assert not isinstance(outcome, str), outcome
            total.add(outcome)
        return total


def _work(port, names, tags, is_strict, seed, pause_s, stopping, replies, pipe):
    """The body of one process: all its clients have a pipeline in flight at the same time."""
    import traceback
    outcome = Outcome()
    try:
        rng = random.Random(seed)
        speakers = [Speaker(name, tags, rng, is_strict, outcome) for name in names]
        for speaker in speakers:
            speaker.connect(port)
        while not stopping.is_set():
            for speaker in speakers:
                speaker.ask()
            for speaker in speakers:
                speaker.hear()
            with replies.get_lock():
                replies.value += sum(speaker.heard for speaker in speakers)
            if pause_s:
                stopping.wait(pause_s)
        pipe.send(outcome)
    except Exception:              # the parent must learn of it whatever it is
        pipe.send(traceback.format_exc())


class Speaker:
    """One client connection and what it knows about its own keys."""

    def __init__(self, name, tags, rng, is_strict, outcome):
        self.name = name
        self.tags = tags
        self.rng = rng
        self.is_strict = is_strict
        self.outcome = outcome
        self.values = {}           # key -> bytes, as the program order makes it
        self.counters = {}         # key -> int
        self.sequence = 0
        self.sent = []             # (words, expected, tag)
        self.heard = 0
        self.client = None
        self.port = None

    def connect(self, port):
        self.port = port
        self.client = Client(port, 30)

    def ask(self):
        self.sent = [self._make_request() for _ in range(self.rng.randint(1, LONGEST_PIPELINE))]
        self.asked_at = time.monotonic()
        try:
            self.client.send_all([words for words, _, _ in self.sent])
        except OSError as error:
            self._lost(error)

    def hear(self):
        self.heard = 0
        for words, expected, tag in self.sent:
            try:
                reply = self.client.read()
            except (OSError, ConnectionError) as error:
                self._lost(error)
                return
            self.heard += 1
            self._check(words, expected, tag, reply)
        self.outcome.replies += self.heard
        self.outcome.slowest_s = max(self.outcome.slowest_s, time.monotonic() - self.asked_at)

    def _lost(self, error):
        self.outcome.lost_connections.append("%s: %r after %r" % (self.name, error, self.sent[:2]))
        self.sent = []
        self.client.close()
        self.connect(self.port)

    # -- requests --

    def _make_request(self):
        tag = self.rng.choice(self.tags)
        key = self._key(tag)
        return self.rng.choice(STRICT if self.is_strict else REQUESTS)(self, key, tag)

    def _key(self, tag):
        return "{%s}:%s:k%d" % (tag, self.name, self.rng.randrange(KEYS_PER_TAG))

    def _next_value(self, key):
        self.sequence += 1
        return ("%s=%d" % (key, self.sequence)).encode()

    def _set(self, key, tag):
        self.values[key] = self._next_value(key)
        return ("SET", key, self.values[key]), b"OK", tag

    def _get(self, key, tag):
        return ("GET", key), self.values.get(key), tag

    def _getset(self, key, tag):
        old = self.values.get(key)
        self.values[key] = self._next_value(key)
        return ("GETSET", key, self.values[key]), old, tag

    def _del(self, key, tag):
        return ("DEL", key), int(self.values.pop(key, None) is not None), tag

    def _incr(self, key, tag):
        key += ":n"
        self.counters[key] = self.counters.get(key, 0) + 1
        return ("INCR", key), self.counters[key], tag

    def _mset(self, key, tag):
        keys = [key, self._key(tag)]
        words = ["MSET"]
        for one in keys:
            self.values[one] = self._next_value(one)
            words += [one, self.values[one]]
        return tuple(words), b"OK", tag

    def _mget(self, key, tag):
        keys = [key] + [self._key(tag) for _ in range(2)]
        return ("MGET", *keys), [self.values.get(one) for one in keys], tag

    def _mget_all_over(self, _key, tag):
        keys = [self._key(self.rng.choice(self.tags)) for _ in range(10)]
        return ("MGET", *keys), [self.values.get(one) for one in keys], tag

    def _echo(self, _key, tag):
        self.sequence += 1
        token = ("%s-%d" % (self.name, self.sequence)).encode()
        return ("ECHO", token), token, tag

    # -- replies --

    def _check(self, words, expected, tag, reply):
        if isinstance(reply, ErrorReply):
            self.outcome.errors[reply.text[:60]] += 1
            self.outcome.error_times.append((time.monotonic(), tag))
        elif self.is_strict:
            if reply != expected:
                self._wrong(words, expected, reply)
        elif not self._fits(words, expected, reply):
            self._wrong(words, expected, reply)

    def _wrong(self, words, expected, reply):
        self.outcome.wrong_count += 1
        if len(self.outcome.wrong) < KEPT_EXAMPLES:
            self.outcome.wrong.append("%.150r: expected %.150r, got %.150r" % (
                words, expected, reply))

    def _fits(self, words, expected, reply):
        """Could this be the reply to this request, had some writes been lost?"""
        name = words[0]
        if name in ("SET", "MSET", "ECHO"):
            return reply == expected
        if name in ("INCR", "DEL"):
            return isinstance(reply, int) and 0 <= reply <= max(1, self.counters.get(words[1], 1))
        if name == "MGET":
            return isinstance(reply, list) and len(reply) == len(words) - 1 and all(
                self._is_value_of(key, value) for key, value in zip(words[1:], reply))
        return self._is_value_of(words[1], reply)

    def _is_value_of(self, key, value):
        if value is None:
            return True
        if not isinstance(value, bytes) or not value.startswith(key.encode() + b"="):
            return False
        return int(value.rpartition(b"=")[2]) <= self.sequence


REQUESTS = ([Speaker._set] * 5 + [Speaker._get] * 8 + [Speaker._incr] * 3 + [Speaker._mset] * 2
            + [Speaker._mget] * 2 + [Speaker._del, Speaker._getset, Speaker._echo])
STRICT = REQUESTS + [Speaker._mget_all_over] * 3
