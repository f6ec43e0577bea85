"""One plain redis-server, without a cluster: behind keyway, or what its answers are compared with."""
import contextlib
import random
import shutil
import subprocess
import tempfile

from local_cluster import PORTS, dies_with_us, port_is_free

from .client import Client
from .wait import until


@contextlib.contextmanager
def single_redis(*words):
    """The port of a redis-server, with WORDS among its arguments, that lives as long as the block."""
    folder = tempfile.mkdtemp(prefix="keyway-single-")
    port = random.choice([p for p in random.sample(PORTS, 50) if port_is_free(p)])
    server = subprocess.Popen(
        dies_with_us() + ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir",
                          folder, "--save", "", "--appendonly", "no", "--logfile", "log", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        try:
            with Client(port, 1) as client:
                return client.call("PING") == b"PONG"
        except OSError:
            return False
    try:
        until(answers, 10, "the plain redis-server answers")
        yield port
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
