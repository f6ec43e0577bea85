"""Links die all the time: nothing is executed twice, nothing acknowledged is lost (R2, Q2)."""

from support.background import Background
from support.client import Client, ErrorReply
from support.crowd import Crowd, kill_links
from support.testing import FRESH, test
from support.topology import move_around, rounds, tags_served_by

MOVE_ROUNDS, KILLS = 20, 150  # of six slots; of all links
PIPELINE = 20
# Between pipelines. Links are to be killed while they carry writes; but where slots move, lists
# must stay so short that MIGRATE, which blocks a server, moves one in milliseconds.
PAUSE_KILLING_S = 0.002
PAUSE_MOVING_S = 0.02


@test(cluster=FRESH, replicas=0, arguments=["--threads", "2"])
def no_write_is_executed_twice_or_lost_while_links_are_killed(t):
    """Each client appends numbers to a list of its own, in pipelines, while the servers kill all
    their connections thirty times a second. Afterwards a list holds every number that was
    acknowledged, none twice, all in program order; besides them only numbers of unknown result.
    """
    tags = [tag for node, _ in t.masters() for tag in tags_served_by(node, 2)]
    outcome = run_appenders(t, tags, disturb=kill_all_links, pause_s=PAUSE_KILLING_S)

    check_lists(t, outcome)
    unknown = sum(len(unknown) for _, _, unknown, _ in outcome)
    acknowledged = sum(len(acknowledged) for _, acknowledged, _, _ in outcome)
    assert unknown > 0, "no link was killed while it carried a write"
    assert acknowledged > 5000
    print("     (%d acknowledged, %d of unknown result)" % (acknowledged, unknown))


@test(cluster=FRESH, replicas=0, arguments=["--threads", "2"])
def no_write_is_executed_twice_or_lost_while_slots_move(t):
    """The same while slots move: here not even an unknown result is allowed."""
    tags = [tag for node, _ in t.masters() for tag in tags_served_by(node, 2)]
    outcome = run_appenders(t, tags, disturb=move_slots, pause_s=PAUSE_MOVING_S)

    check_lists(t, outcome)
    errors = [(key, unknown[:2], refused[:2]) for key, _, unknown, refused in outcome
              if unknown or refused]
    assert not errors, "errors while slots moved: %r" % errors


def run_appenders(t, tags, disturb, pause_s):
    """[(key, acknowledged, unknown, refused)] of one appender for each tag."""
    crowd = Crowd(append, [(t.keyway.port, "{%s}list" % tag, pause_s) for tag in tags])
    return crowd.finish(Background(disturb, t, tags, crowd.stop))


def append(stop, port, key, pause_s):
    acknowledged, unknown, refused = [], [], []
    number = 0
    client = Client(port, 30)
    while not stop.is_set():
        numbers = range(number, number + PIPELINE)
        number += PIPELINE
        for one, reply in zip(numbers, client.pipeline([("RPUSH", key, n) for n in numbers])):
            if not isinstance(reply, ErrorReply):
                acknowledged.append(one)
            elif reply.code == "UNKNOWNRESULT":
                unknown.append(one)
            else:
                refused.append((one, reply.text))
        stop.wait(pause_s)
    return key, acknowledged, unknown, refused


def kill_all_links(t, tags, stop):
    kill_links(t, stop, 0.03, KILLS)


def move_slots(t, tags, stop):
    move_around(t.cluster, t.direct, tags, rounds(MOVE_ROUNDS))


def check_lists(t, outcome):
    client = t.client()
    for key, acknowledged, unknown, refused in outcome:
        numbers = [int(element) for element in client.call("LRANGE", key, 0, -1)]
        assert len(set(numbers)) == len(numbers), "%s: something was executed twice" % key
        assert numbers == sorted(numbers), "%s: out of program order" % key
        assert set(acknowledged) <= set(numbers), "%s: acknowledged but lost: %r" % (
            key, sorted(set(acknowledged) - set(numbers))[:5])
        surprising = set(numbers) - set(acknowledged) - set(unknown)
        assert not surprising, "%s: refused as not executed, yet there: %r" % (
            key, [text for one, text in refused if one in surprising][:3])
