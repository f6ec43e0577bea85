"""Slots move back and forth under load: not one error, not one wrong or reordered reply (Q4)."""
import time

from language.slots import slot_of
from support.load import Load
from support.testing import FRESH, test
from support.topology import Mover, owner_of, tags_served_by

RESHARD_S = 24


@test(cluster=FRESH, replicas=0, arguments=["--threads", "2"])
def slots_move_back_and_forth_under_pipelined_load(t):
    """Pipelines of single-key and same-slot multi-key requests, program order checked."""
    masters = [node for node, _ in t.masters()]
    tags = [tag for node in masters for tag in tags_served_by(node, 4)]
    mover = Mover(t.cluster, t.direct)

    with Load(t.keyway.port, tags, clients=12, processes=2) as load:
        move_until(time.monotonic() + RESHARD_S, t, mover, tags)
        outcome = load.stop()

    outcome.assert_flawless()
    assert mover.moves > 100, "only %d slots were moved" % mover.moves
    assert outcome.slowest_s < 1.0 * t.patience, "a stall of %.1f s" % outcome.slowest_s
    print("     (%d replies checked, %d slots moved, slowest pipeline %.0f ms)" % (
        outcome.replies, mover.moves, outcome.slowest_s * 1000))


def move_until(deadline, t, mover, tags):
    """Each tag's slot to another master, round after round."""
    places = {tag: owner_of(t.cluster, slot_of(tag)) for tag in tags}
    ring = [node for node, _ in t.masters()]
    while time.monotonic() < deadline:
        for tag in tags:
            source = places[tag]
            target = ring[(ring.index(source) + 1) % len(ring)]
            mover.move(slot_of(tag), source, target, batch=2, pause_s=0.002)
            places[tag] = target
