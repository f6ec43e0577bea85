/* check.h - what the files of the checker share: clients, the operations they have under way, and
 * the whole of it. How it works is told at the top of main.c.
 *
 * Thread: one. Memory: fixed at the start, but for the clients' input.
 */
#ifndef KW_TESTS_CONSISTENCY_CHECK_H
#define KW_TESTS_CONSISTENCY_CHECK_H

#include "tests/consistency/register.h"
#include "tests/consistency/reply.h"

#include <stddef.h>

enum {
    KEYWAYS_MAX = VIEWS_MAX - 1,
    NODES_MAX = 16,
    CLIENTS_MAX = 512,
    OPS_MAX = 32,
    LENGTHS = 61, /* of values: prime, so that neighbours differ and a long cycle passes */
    LENGTH_MIN = 64,
    LENGTH_LONG = 2000,   /* more, for some */
    LENGTH_HUGE = 20000,  /* answered by reference */
    LENGTH_PARTS = 45000, /* replies that pass in parts */
    LONG_EVERY = 50,
    HUGE_EVERY = 3 * LONG_EVERY,  /* instead of long */
    PARTS_EVERY = 2 * HUGE_EVERY, /* instead of huge */
    VALUE_BYTES = 48 * 1024,
    KEYS_EACH = 3, /* of one operation, at most */
    OUT_BYTES = 256 * 1024,
    PROBES_EACH = 4, /* clients that only measure how late a keyway is; they spread over workers */
    QUIET_US = 3 * 1000 * 1000, /* a write whose outcome is unknown is over by then */
    RECONNECT_US = 20 * 1000,
    PROBE_US = 2000, /* between a probe's PINGs */
    HANG_US = 30 * 1000 * 1000,
    LAG_WINDOW_US = 500 * 1000,
    EXAMPLES_MAX = 12,
    EXAMPLE_BYTES = 400
};

enum role { CLIENT, PROBE, DIRECT };

enum shape {
    NOTHING, /* a handshake, a PING */
    READ,    /* leaf I of the reply is the value of key I */
    PART,    /* the beginning of the value */
    LENGTH,  /* how long it is, which says what it can be: value_length() */
    FIND,    /* the value is the leaf that looks like one: HGETALL */
    EXISTS,
    WRITE,       /* acknowledged, that is all */
    WRITE_READ,  /* and the leaf says what was there before: GETSET */
    WRITE_COUNT, /* the leaf is the new value: INCR */
    EXEC_READ,   /* the last leaf is what was just written */
    FLUSH
};

struct op {
    const char *name;
    enum shape shape;
    int keys[KEYS_EACH]; /* indexes of registers */
    int keys_count;
    uint64_t need[KEYS_EACH];
    uint64_t number[KEYS_EACH]; /* of the states that it writes; 0: none */
    uint64_t ttl_us;            /* of what it writes; 0: for ever */
    uint64_t epoch[KEYS_EACH];  /* of its registers, when it was sent */
    bool is_shared;             /* a write that may be under way with others of its kind */
    int replies_left;
};

struct client {
    int fd; /* -1: to be connected at connect_at_us */
    enum role role;
    int view;
    int place; /* index of its keyway or node */
    bool is_resp3;
    bool is_bypass;
    bool is_off;     /* its node is gone: it stays away */
    bool is_failed;  /* an error among the replies of the operation under way */
    bool is_certain; /* ... one that says that nothing was done */
    uint64_t connect_at_us;
    uint64_t sent_us;
    uint64_t epoch;
    struct op ops[OPS_MAX];
    int ops_count;
    int ops_done;
    char *in;
    size_t in_len;
    size_t in_size;
};

struct options {
    int keyways[KEYWAYS_MAX];
    int nodes[NODES_MAX];
    int keyways_count;
    int nodes_count;
    int clients;
    int bypass;
    int direct;
    int keys;
    int pipeline;
    int writes_permille;
    uint64_t lease_us;
    uint64_t absent_lease_us;
    uint64_t lag_us;
    bool has_counters;
    bool is_plain; /* one command reads a key, always the same */
    uint64_t seed;
};

struct check {
    struct options options;
    struct reg *regs; /* KINDS groups of options.keys */
    int regs_count;
    struct client clients[CLIENTS_MAX];
    int clients_count;
    int epoll_fd;
    uint64_t chance;
    uint64_t now_us;
    uint64_t began_us;
    bool is_over;

    int season_count; /* registers in a season */
    bool may_vanish;
    bool is_hold_wanted; /* until nothing is under way at what is held: "held" is owed */
    uint64_t epoch;      /* how many seasons have begun or ended */
    /* FLUSHALL */
    bool is_flush_wanted;
    int flush_place; /* of a keyway; -1: all nodes */
    int flush_left;  /* replies */
    bool is_flush_failed;

    uint64_t lag_us[KEYWAYS_MAX];
    uint64_t lag_before_us[KEYWAYS_MAX];
    uint64_t lag_turned_us;

    char *out;
    size_t out_len;
    char commands[4096]; /* from stdin */
    size_t commands_len;

    /* figures */
    uint64_t reads, writes, errors, unchecked, direct_reads, hangs, reconnects, seasons, flushes;
    uint64_t violations[VIOLATIONS];
    uint64_t servers_own; /* what direct clients were told, and should not have been */
    uint64_t stale_reads;
    uint64_t oldest_us; /* of the stale reads */
    char oldest_by[EXAMPLE_BYTES];
    char examples[EXAMPLES_MAX][EXAMPLE_BYTES];
    int examples_count;
    char last_error[128];
};

/* ---- main.c ---- */

extern const char *const VIOLATION_NAMES[VIOLATIONS];

_Noreturn void die(const char *what);
uint64_t clock_us(void);
uint64_t draw(struct check *check, uint64_t below); /* by chance, 0 .. BELOW - 1 */
uint64_t larger(uint64_t a, uint64_t b);

/* How late the clock of keyway PLACE may be: what its probes waited lately, or wait now. */
uint64_t lag_of(const struct check *check, int place);

/* ---- steer.c ---- */

/* What came from stdin. */
void commands_read(struct check *check);

/* "held" is said once nothing is under way at what is held. */
void hold_go_on(struct check *check);
void figures_print(const struct check *check);

/* ---- client.c ---- */

/* Connects, or sends the next batch, when it is time. */
void client_go_on(struct check *check, struct client *client);
void client_on_readable(struct check *check, struct client *client);

/* Closes it; what was under way may have been done or not. */
void client_lose(struct check *check, struct client *client);

/* ---- request.c ---- */

/* The next operations of CLIENT, and their bytes in check->out. None: nothing to do now. */
void client_make_batch(struct check *check, struct client *client);
struct op *op_add(struct client *client, const char *name, enum shape shape, int replies);

/* How long the value NUMBER of a register is. */
size_t value_length(uint64_t number);

/* ---- flush.c ---- */

/* CLIENT is idle and somebody asked for FLUSHALL: true when it has begun, or this client began it. */
bool flush_begin(struct check *check, struct client *client);
void flush_on_reply(struct check *check, const struct client *client, bool is_failed);

/* ---- judge.c ---- */

void op_on_reply(struct check *check, struct client *client, struct op *op,
                 const struct reply *reply);

/* OP has failed. is_certain: nothing was done. */
void op_fail(struct check *check, struct client *client, struct op *op, bool is_certain);

#endif
