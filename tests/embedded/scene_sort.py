"""SORT in full, one command at a time: numbers, weights, ties, STORE; its events, and those it wakes."""

from scene_sessions import compare

FILL = [
    "RPUSH nums 3 1 -2 1e2 0x10 1.5 inf -inf 3", "RPUSH words banana apple cherry Apple 10 9 apple",
    "SADD ids 1 2 3 4 5", "ZADD z 3 one 1 two 2 three", "SET w1 30", "SET w2 10", "SET w3 20", "SET w4 abc",
    "SET w_1 9", "HSET u1 name ann age 40", "HSET u2 name bob age 30", "HSET u3 name cid age 35",
    "SET u4 string", "RPUSH none_number 1 two 3", "RPUSH huge 1 1e400", "RPUSH small 1 1e-320",
    "RPUSH nan 1 nan", "SADD set_words c a b", "HSET h f v", "SET s v", "RPUSH twice 2 1 2 1",
]

# What leaves a set in the order in which it lies is left out.
ASKED = [
    "SORT nums", "SORT nums DESC", "SORT nums ALPHA", "SORT words", "SORT words ALPHA",
    "SORT words ALPHA DESC", "SORT words ALPHA LIMIT 1 2", "SORT nums LIMIT -1 3", "SORT nums LIMIT 2 -1",
    "SORT nums LIMIT 100 1", "SORT nums LIMIT 0 0", "SORT nums LIMIT a 1", "SORT nums LIMIT 1",
    "SORT nums LIMIT 9223372036854775807 9223372036854775807", "SORT nums LIMIT 9223372036854775808 1",
    "SORT ids BY w* LIMIT 0 3", "SORT ids BY w* ALPHA DESC LIMIT 0 1", "SORT ids DESC",
    "SORT ids BY u*->age LIMIT 1 9", "SORT ids BY u*->age GET # GET u*->name GET w*", "SORT z ALPHA",
    "OBJECT ENCODING z", "SORT z BY nosort", "SORT z BY nosort DESC LIMIT 0 2", "SORT z BY nosort LIMIT 1 1",
    "SORT z BY nosort LIMIT 3 1", "SORT z BY nosort LIMIT 0 0", "SORT nums BY nosort DESC LIMIT 1 3",
    "SORT nums BY nosort GET #", "SORT none_number", "SORT none_number STORE d", "SORT nan", "SORT h", "SORT s", "SORT nothing", "SORT nothing STORE d",
    "SORT nums STORE d", "LRANGE d 0 -1", "TYPE d", "SORT nothing STORE d", "EXISTS d",
    "SORT ids DESC STORE d", "LRANGE d 0 -1", "SORT ids BY u*->age DESC GET u*->name GET x* STORE d",
    "LRANGE d 0 -1", "SORT ids BY nosort STORE d", "LRANGE d 0 -1", "SORT set_words BY nosort DESC STORE d",
    "LRANGE d 0 -1", "SORT words ALPHA STORE words", "LRANGE words 0 -1", "EXPIRE d 1000",
    "SORT ids STORE d", "TTL d", "SORT ids GET w* GET", "SORT ids NOPE", "SORT ids STORE", "SORT ids BY",
    "SORT_RO ids DESC", "SORT_RO ids STORE d", "SORT_RO ids BY w* GET w*", "SORT", "SORT_RO",
    "SORT twice BY w* DESC", "SORT ids ASC DESC ASC",
    "SORT ids GET w", "SORT ids GET *->name LIMIT 0 1", "SORT ids GET u*-> LIMIT 0 1",
    "SORT ids GET u*->name->x LIMIT 0 1", "SORT twice",
    "MULTI", "SET w9 1", "RPUSH m 9 1", "SORT m BY w* GET w*", "SORT m BY w* STORE n", "LRANGE n 0 -1",
    "EXEC",
]


def dialogue(name, commands):
    return [line for command in commands for line in ((name, *command.split()), (name, 1))]


SORTS = dialogue("a", FILL) + dialogue("a", ASKED) + dialogue("3", FILL[:1] + [
    "SORT ids GET x* GET #", "SORT nums", "SORT ids BY w* STORE d3", "SORT none_number",
    "SORT small", "SORT huge"])  # last: redis does not forget that there was a number out of range

WAKES = [("b", "RPUSH", "l", "2", "1"), ("b", 1), ("a", "BLPOP", "d", "0"),
         ("blocked", 1), ("b", "SORT", "l", "STORE", "d"), ("b", 1), ("a", 1)]

EVENTS = [("b", "CONFIG", "SET", "notify-keyspace-events", "EA"), ("b", 1),
          ("s", "PSUBSCRIBE", "__keyevent*"), ("s", 1), ("b", "RPUSH", "l", "2", "1"), ("b", 1),
          ("s", 1), ("b", "SORT", "l", "STORE", "d"), ("b", 1), ("s", 1),
          ("b", "SORT", "none", "STORE", "d"), ("b", 1), ("s", 1)]


def sorts(start):
    compare(start, SORTS)


def sort_stores_and_wakes_those_who_wait(start):
    compare(start, WAKES + EVENTS)


SCENES = [sorts, sort_stores_and_wakes_those_who_wait]
