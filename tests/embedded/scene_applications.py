"""What applications do with a cache, in their own clients. Those of node run where the cluster tests have
installed them (build/cluster-clients)."""

import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
INSTALLED = os.path.join(HERE, "../../build/cluster-clients")
TIME_S = 120


def run(words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIME_S, check=False)
    assert done.returncode == 0 and done.stdout.endswith("ok\n"), done.stdout + done.stderr


def an_application_of_python3_redis(start):
    run(["/usr/bin/python3", os.path.join(HERE, "clients/cache_python3_redis.py"), str(start("--threads", "2").port)])


def run_node(start, script, *words):
    if words and not os.path.isdir(os.path.join(INSTALLED, "node_modules", words[0])):
        return
    shutil.copy(os.path.join(HERE, "clients", script), INSTALLED)  # beside its node_modules
    run(["node", os.path.join(INSTALLED, script), str(start("--threads", "2").port), *words])


def an_application_of_ioredis(start):
    run_node(start, "cache_ioredis.mjs", "ioredis")


def an_application_of_iovalkey(start):
    run_node(start, "cache_ioredis.mjs", "iovalkey")


def an_application_of_node_redis(start):
    run_node(start, "cache_redis.mjs", "redis")


SCENES = [an_application_of_python3_redis, an_application_of_ioredis, an_application_of_iovalkey,
          an_application_of_node_redis]
