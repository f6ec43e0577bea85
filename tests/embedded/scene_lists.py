"""Those who wait for lists and sorted sets, in all the ways that those come to be; and the events of
both. The same dialogue with keyway and with redis-server, as in scene_sessions.py.
"""

from scene_sessions import compare


def waits(block, *others):
    """Client a blocks, b does the rest; at the end a is served, and what is left is looked at."""
    lines = [("b", "FLUSHALL"), ("b", 1), ("a", *block.split()), ("blocked", 1)]
    for other in others:
        lines += [("b", *other.split()), ("b", 1)]
    return lines + [("a", 1), ("b", "LRANGE", "k", "0", "-1"), ("b", "ZRANGE", "k", "0", "-1"),
                    ("b", "LRANGE", "d", "0", "-1"), ("b", 3)]


WAITING = [line for lines in [
    waits("BLPOP k 0", "ZADD k 1 a", "DEL k", "RPUSH k x y"),
    waits("BZPOPMIN k 0", "RPUSH k a", "DEL k", "ZADD k 2 b 1 a"),
    waits("BZPOPMAX k 0", "ZADD k 2 b 1 a"),
    waits("BZPOPMAX k 0", "ZINCRBY k 2 b"),
    waits("BZPOPMAX k 0", "ZADD s 1 a", "ZUNIONSTORE k 1 s"),
    waits("BZPOPMAX k 0", "ZADD s 1 a", "ZRANGESTORE k s 0 -1"),
    waits("BZPOPMAX k 0", "ZADD s 1 a", "RENAME s k"),
    waits("BLPOP k 0", "RPUSH s a", "COPY s k"),
    waits("BLPOP k 0", "RPUSH s a", "LMOVE s k LEFT LEFT"),
    waits("BLMOVE k d LEFT RIGHT 0", "RPUSH k a b"),
    waits("BLMOVE k k LEFT RIGHT 0", "RPUSH k a b"),
    waits("BRPOPLPUSH k d 0", "RPUSH k a b"),
    waits("BLMPOP 0 2 j k LEFT COUNT 2", "RPUSH k a b c"),
    waits("BZMPOP 0 2 j k MAX COUNT 2", "ZADD k 1 a 2 b 3 c"),
    waits("BLPOP k 0", "MULTI", "RPUSH k a", "DEL k", "RPUSH k b c", "EXEC"),
    waits("BLPOP k 0", "MULTI", "RPUSH k a", "DEL k", "ZADD k 1 a", "EXEC", "DEL k", "LPUSH k q"),
] for line in lines]

# What b does, and how many events that makes.
HAPPENINGS = [
    ("RPUSH l a b c d a", 1), ("LPUSH l z", 1), ("LINSERT l BEFORE b x", 1), ("LSET l 0 y", 1),
    ("LREM l 0 a", 1), ("LREM l 0 none", 0), ("LTRIM l 0 2", 1), ("LPOP l", 1), ("RPOP l 0", 0),
    ("LMOVE l m LEFT RIGHT", 2), ("RPOPLPUSH l m", 3), ("LMPOP 1 m LEFT COUNT 9", 2),
    ("RPUSH l a", 1), ("LTRIM l 5 9", 2), ("LPUSHX l a", 0),
    ("ZADD z 1 a 2 b 3 c 4 d", 1), ("ZADD z 1 a", 0), ("ZADD z INCR 1 a", 1), ("ZINCRBY z 1 b", 1),
    ("ZREM z d none", 1), ("ZREMRANGEBYRANK z 0 0", 1), ("ZREMRANGEBYSCORE z 9 9", 0), ("ZPOPMAX z", 1),
    ("ZPOPMIN z 0", 0), ("ZUNIONSTORE y 1 z", 1), ("ZINTERSTORE y 1 z", 1), ("ZDIFFSTORE y 1 z", 1),
    ("ZRANGESTORE x y 0 -1", 1), ("ZDIFFSTORE y 2 z z", 1), ("ZMPOP 1 x MIN", 2),
    ("ZREMRANGEBYLEX z - +", 2), ("ZRANGESTORE none x 0 -1", 0),
]

EVENTS = [("b", "CONFIG", "SET", "notify-keyspace-events", "EA"), ("b", 1),
          ("s", "PSUBSCRIBE", "__keyevent*"), ("s", 1)]
for command, events_count in HAPPENINGS:
    EVENTS += [("b", *command.split()), ("b", 1)] + ([("s", events_count)] if events_count else [])
EVENTS += [("b", "SET", "last", "1"), ("b", 1), ("s", 1)]  # what comes too much comes before it


def those_who_wait_for_lists_and_sorted_sets(start):
    compare(start, WAITING)


def events_of_lists_and_sorted_sets(start):
    compare(start, EVENTS)


SCENES = [those_who_wait_for_lists_and_sorted_sets, events_of_lists_and_sorted_sets]
