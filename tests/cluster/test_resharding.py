"""Slots move back and forth under load: not one error, not one wrong or reordered reply (Q4)."""
from support.load import Load
from support.testing import FRESH, test
from support.topology import move_around, rounds, tags_served_by

ROUNDS = 10         # of twelve slots


@test(cluster=FRESH, replicas=0, arguments=["--threads", "2"])
def slots_move_back_and_forth_under_pipelined_load(t):
    """Pipelines of single-key and same-slot multi-key requests, program order checked."""
    masters = [node for node, _ in t.masters()]
    tags = [tag for node in masters for tag in tags_served_by(node, 4)]

    with Load(t.keyway.port, tags, clients=12, processes=2) as load:
        moves = move_around(t.cluster, t.direct, tags, rounds(ROUNDS))
        outcome = load.stop()

    outcome.assert_flawless()
    seen = statistics_of(t)
    for name in ("redirects_moved", "redirects_ask"):
        assert seen[name] > 0, "the load never met this: %s" % name
    assert outcome.slowest_s < 1.0 * t.patience, "a stall of %.1f s" % outcome.slowest_s
    print("     (%d replies checked, %d slots moved, %d MOVED, %d ASK, slowest"
          " pipeline %.0f ms)" % (outcome.replies, moves, seen["redirects_moved"],
                                  seen["redirects_ask"], outcome.slowest_s * 1000))


def statistics_of(t):
    """The numbers of INFO, by name."""
    lines = t.client().call("INFO").decode().splitlines()
    pairs = [line.split(":", 1) for line in lines if ":" in line]
    return {name: int(value) for name, value in pairs if value.isdigit()}
