"""Whole applications with real libraries: queues, locks, transactions, bulk loads.

What each does is in its program under clients/; it ends with "ok" when every check held.
"""
import os
import subprocess
import sys

from support.client import encode
from support.programs import CLIENTS, run_node_script, run_script
from support.testing import test

PIPED_COMMANDS = 1_000_000
THREADS = ["--threads", "2"]


def run_python(t, name):
    run_script(t, sys.executable, os.path.join(CLIENTS, name))


@test(arguments=THREADS)
def a_bullmq_queue_loses_no_job_and_does_none_twice(t):
    run_node_script(t, "bullmq.mjs")


@test(arguments=THREADS)
def trap_19_a_kombu_queue_loses_no_task_and_does_none_twice(t):
    run_python(t, "kombu_queue.py")


@test(arguments=THREADS)
def trap_19_a_redisson_lock_holds_is_renewed_and_wakes_its_waiters(t):
    run_python(t, "redisson_lock.py")


@test(arguments=THREADS)
def trap_19_an_application_of_python3_redis_with_transactional_pipelines(t):
    run_python(t, "python3_redis_application.py")


@test(arguments=THREADS)
def an_application_of_ioredis(t):
    run_node_script(t, "ioredis_application.mjs", "ioredis")


@test(arguments=THREADS)
def an_application_of_iovalkey(t):
    run_node_script(t, "ioredis_application.mjs", "iovalkey")


@test(arguments=THREADS)
def an_application_of_node_redis(t):
    run_node_script(t, "redis_application.mjs")


@test(arguments=THREADS)
def an_application_of_valkey_glide(t):
    run_node_script(t, "valkey-glide_application.mjs")


@test(arguments=THREADS)
def trap_18_redis_cli_pipe_loads_a_million_commands(t):
    """It ends with an ECHO of a random text, which must come back behind all replies."""
    process = subprocess.Popen(["redis-cli", "-p", str(t.keyway.port), "--pipe"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False)
    for first in range(0, PIPED_COMMANDS, 10_000):
        process.stdin.write(b"".join(encode(("SET", "key:%d" % n, n))
                                     for n in range(first, first + 10_000)))
    output, _ = process.communicate(timeout=120 * t.patience)
    assert b"errors: 0, replies: %d" % PIPED_COMMANDS in output, output
    written = sum(t.cluster.call(node["port"], "DBSIZE") for node, _ in t.masters())
    assert written == PIPED_COMMANDS, written
