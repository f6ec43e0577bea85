"""Popular client libraries with their default options, each a small script under clients/."""
import os
import sys

from support.programs import CLIENTS, run_node_script, run_script
from support.testing import test


@test()
def python3_redis(t):
    run_script(t, sys.executable, os.path.join(CLIENTS, "python3_redis.py"))


@test()
def ioredis(t):
    run_node_script(t, "ioredis.mjs")


@test()
def node_redis(t):
    run_node_script(t, "redis.mjs")


@test()
def valkey_glide(t):
    run_node_script(t, "valkey-glide.mjs")
