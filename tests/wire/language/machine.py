"""How slow is this machine now? Promises of time are made for an idle one."""
import os
import time

SPIN_ROUNDS = 400_000
SPIN_IDLE_S = 0.016        # twice what they take on an idle machine of 2023
MOST = 20.0
KEPT_S = 1.0               # a measurement counts for so long
_last = {"at": 0.0, "factor": 1.0}


def slowness():
    """1 on an idle machine; else by how much everything may take longer, at most MOST."""
    now = time.monotonic()
    if now - _last["at"] > KEPT_S:
        waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
        spun = _spin_s() / SPIN_IDLE_S
        _last["factor"] = min(MOST, max(1.0, waiting, spun))
        _last["at"] = now
    return _last["factor"]


def _spin_s():
    started = time.perf_counter()
    total = 0
    for number in range(SPIN_ROUNDS):
        total += number
    return time.perf_counter() - started
