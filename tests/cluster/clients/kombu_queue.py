"""A task queue that talks as kombu's redis transport and celery's result store do.

Priorities are lists, taken with one BRPOP over all of them; a message that was taken is in a hash
and a sorted set until it is acknowledged; broadcasts go over PUBLISH; results are kept and
announced in one MULTI. All keys have one hash tag, which kombu adds when told to (global_keyprefix).
"""
import json
import sys
import threading
import time
import uuid

import redis

PORT = int(sys.argv[1])
PREFIX = "{celery}"
PRIORITIES = (0, 3, 6, 9)
SEPARATOR = "\x06\x16"
TASKS, WORKERS = 200, 4
UNACKED, UNACKED_INDEX, MUTEX = PREFIX + "unacked", PREFIX + "unacked_index", PREFIX + "unacked_mutex"


def queue_key(priority):
    return PREFIX + "jobs" + (SEPARATOR + str(priority) if priority else "")


def result_key(task):
    return PREFIX + "celery-task-meta-" + task


class Worker(threading.Thread):
    """Takes messages, acknowledges them, stores results; the first one drops a message half done."""

    def __init__(self, failures, is_clumsy):
        super().__init__()
        self.redis = redis.Redis(port=PORT)
        self.blocking = redis.Redis(port=PORT)
        self.failures = failures
        self.is_clumsy = is_clumsy
        self.done = []
        self.is_told_to_end = False

    def run(self):
        try:
            while not self.is_told_to_end:
                taken = self.blocking.brpop([queue_key(priority) for priority in PRIORITIES], timeout=1)
                if taken is not None:
                    self.handle(taken[1])
        except Exception as error:      # shown by the main thread
            self.failures.append(repr(error))

    def handle(self, message):
        tag = json.loads(message)["tag"]
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.zadd(UNACKED_INDEX, {tag: time.time()}).hset(UNACKED, tag, message)
            assert pipe.execute() == [1, 1]
        if self.is_clumsy and not self.done:
            self.is_clumsy = False      # forgets to acknowledge: somebody must restore it
            return
        self.done.append(tag)
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.zrem(UNACKED_INDEX, tag).hdel(UNACKED, tag)
            assert pipe.execute() == [1, 1]
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.setex(result_key(tag), 100, "done").publish(result_key(tag), "done")
            pipe.execute()


def restore(client):
    """What kombu does with messages that nobody acknowledged in time."""
    token = str(uuid.uuid4())
    assert client.set(MUTEX, token, nx=True, ex=300) is True
    restored = 0
    for tag in client.zrevrangebyscore(UNACKED_INDEX, time.time() + 1, 0, start=0, num=10):
        def transaction(pipe, tag=tag):
            message = pipe.hget(UNACKED, tag)
            pipe.multi()
            pipe.zrem(UNACKED_INDEX, tag).hdel(UNACKED, tag)
            if message is not None:
                pipe.rpush(queue_key(json.loads(message)["priority"]), message)
        client.transaction(transaction, UNACKED)
        restored += 1
    with client.pipeline() as pipe:
        pipe.watch(MUTEX)
        assert pipe.get(MUTEX).decode() == token
        pipe.multi()
        pipe.delete(MUTEX)
        assert pipe.execute() == [1]
    return restored


def main():
    client = redis.Redis(port=PORT)
    failures = []

    # Bindings and broadcasts.
    client.sadd(PREFIX + "_kombu.binding.jobs", "jobs" + SEPARATOR + SEPARATOR + "jobs")
    assert len(client.smembers(PREFIX + "_kombu.binding.jobs")) == 1
    fanout = redis.Redis(port=PORT).pubsub()
    fanout.psubscribe("/0.celery.pidbox*")
    assert fanout.get_message(timeout=5)["type"] == "psubscribe"
    assert client.publish("/0.celery.pidbox/all", "ping") == 1
    message = fanout.get_message(timeout=5)
    assert (message["channel"], message["data"]) == (b"/0.celery.pidbox/all", b"ping"), message

    # One result is awaited by subscription, as AsyncResult.get() does.
    awaited = redis.Redis(port=PORT).pubsub()
    tasks = ["task-%d" % n for n in range(TASKS)]
    awaited.subscribe(result_key(tasks[-1]))
    assert awaited.get_message(timeout=5)["type"] == "subscribe"

    workers = [Worker(failures, n == 0) for n in range(WORKERS)]
    for worker in workers:
        worker.start()
    for n, task in enumerate(tasks):
        priority = PRIORITIES[n % len(PRIORITIES)]
        client.lpush(queue_key(priority), json.dumps({"tag": task, "priority": priority}))
    deadline = time.monotonic() + 20
    while sum(len(worker.done) for worker in workers) < TASKS - 1:
        assert time.monotonic() < deadline and not failures, failures
        time.sleep(0.01)                # bounded by the deadline

    message = awaited.get_message(timeout=5)
    assert message is None or message["data"] == b"done"
    assert client.zcard(UNACKED_INDEX) == 1 and restore(client) == 1
    while sum(len(worker.done) for worker in workers) < TASKS:
        assert time.monotonic() < deadline and not failures, failures
        time.sleep(0.01)                # bounded by the deadline
    for worker in workers:
        worker.is_told_to_end = True
    for worker in workers:
        worker.join()

    done = [tag for worker in workers for tag in worker.done]
    assert not failures, failures
    assert sorted(done) == sorted(tasks), "a task was lost or done twice"
    assert client.mget([result_key(task) for task in tasks]) == [b"done"] * TASKS
    assert client.zcard(UNACKED_INDEX) == client.hlen(UNACKED) == 0
    print("ok")


main()
