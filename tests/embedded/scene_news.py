"""Events that are off by default: names that are new (n), and those that were not found (m)."""

from scene_sessions import compare


def told(letters, happenings):
    """What b does, and how many events s hears of it."""
    lines = [("b", "FLUSHALL"), ("b", "CONFIG", "SET", "notify-keyspace-events", letters), ("b", 2),
             ("b", "CONFIG", "GET", "notify-keyspace-events"), ("b", 1)]
    for command, count in happenings:
        lines += [("b", *command.split()), ("b", 1)] + ([("s", count)] if count else [])
    return lines


NEW = [
    ("SET a 1", 2), ("SET a 2", 1), ("MSET a 3 b 4 b 5", 4), ("RENAME a b", 3), ("COPY b c", 2),
    ("COPY b c REPLACE", 2), ("RENAMENX b d", 3), ("RPUSH l 1 2", 2), ("RPUSH l 3", 1),
    ("LMOVE l m LEFT LEFT", 3), ("LMOVE l m LEFT LEFT", 2), ("LMOVE l l LEFT RIGHT", 2),
    ("SADD s x y", 2), ("SMOVE s t x", 3), ("SMOVE s t y", 3), ("SUNIONSTORE u t", 2),
    ("SUNIONSTORE u t", 1), ("SUNIONSTORE a t", 2), ("DEL u", 1), ("SETBIT bits 3 1", 2),
    ("BITOP NOT nots bits", 2), ("INCR i", 2), ("INCRBYFLOAT f 1", 2), ("HSET h f v", 2),
    ("HINCRBY g f 1", 2), ("ZADD z 1 a", 2), ("ZADD z 2 a", 1), ("ZUNIONSTORE y 1 z", 2),
    ("ZRANGESTORE x z 0 -1", 2), ("SETRANGE r 3 v", 2), ("APPEND p q", 2), ("GETSET o v", 2),
    ("SETEX e 100 v", 3), ("PFCOUNT", 0), ("SORT l STORE n", 2), ("SORT l STORE n", 1),
    ("BITFIELD q INCRBY u2 0 9 OVERFLOW FAIL INCRBY u2 0 9", 2),
    ("BITFIELD w OVERFLOW FAIL SET u2 0 9", 1), ("EXISTS w", 0), ("SET last 1", 2),
]

MISSED = [
    ("GET a", 1), ("MGET a b c", 3), ("EXISTS a a", 2), ("TTL a", 1), ("TYPE a", 1), ("TOUCH a b", 2),
    ("OBJECT ENCODING a", 0), ("MEMORY USAGE a", 0), ("DEL a", 0), ("INCR a", 1), ("GETDEL b", 1),
    ("GETEX b", 1), ("SET b 1 GET", 2), ("GETSET c 1", 2), ("SINTERSTORE d e f", 2),
    ("SORT e BY w* GET *", 1), ("COPY e f", 1), ("RENAME e f", 0), ("LCS e f", 2), ("EXPIRE e 1", 0),
    ("PERSIST e", 0), ("HGET e f", 1), ("LPOP e", 0), ("LRANGE e 0 1", 1), ("SPOP e", 0),
    ("SRANDMEMBER e", 1), ("ZADD e XX 1 a", 0), ("BITOP AND d e f", 2), ("BITFIELD e GET u1 0", 1),
    ("BITFIELD_RO e GET u1 0", 1), ("SINTERCARD 2 e f", 2), ("ZUNION 2 e f", 2),
    ("ZRANGESTORE d e 0 1", 1), ("SCAN 0 MATCH none", 0), ("HSCAN e 0", 1), ("SET last 1", 1),
]


def names_that_are_new(start):
    compare(start, [("s", "PSUBSCRIBE", "__keyevent*"), ("s", 1)] + told("EAn", NEW))


def names_that_are_missed(start):
    compare(start, [("s", "PSUBSCRIBE", "__keyevent*"), ("s", 1)] + told("EAm", MISSED))


SCENES = [names_that_are_new, names_that_are_missed]
