/* register.h - what is known of one key, and whether what a client was told of it can be true.
 *
 * Each state of a key has a number, and later states have larger ones. Even numbers are values,
 * odd ones are "absent". Who writes draws the number before it sends; a counter's numbers are made
 * by the server (twice its value). Writes whose order at the server could be another than that of
 * their numbers are never under way together: check.c sees to that.
 *
 *     view    one keyway, or all clients that talk to nodes directly
 *     floor   of a view: the oldest state that a request sent now may still be told
 *     season  of a register: a fault may be losing acknowledged writes of it. What is told of it can
 *             be told from what never was, and no more; nothing is learned
 *     held    nobody writes to it for a while
 *     settled what it was when it was held and everybody told the same: of all that had been drawn
 *             until then nothing else can come back, whatever was lost
 *
 * Thread: one. Memory: fixed.
 */
#ifndef KW_TESTS_CONSISTENCY_REGISTER_H
#define KW_TESTS_CONSISTENCY_REGISTER_H

#include <stdbool.h>
#include <stdint.h>

enum { VIEWS_MAX = 5, NAME_MAX_BYTES = 32, MEMORY = 64 };

enum kind { TEXT, EXPIRING, COUNTER, HASH, KINDS };

enum violation {
    WENT_BACK,    /* an older state than one that the view had told before */
    STALE,        /* a state that was over, elsewhere, for longer than the lease */
    EXPIRED,      /* a value after its deadline */
    FROM_NOWHERE, /* a state that never was, or is not yet */
    UNDONE,       /* a state that was lost with its master, after everybody had seen it lost */
    VIOLATIONS
};

struct reg {
    char name[NAME_MAX_BYTES];
    enum kind kind;
    uint64_t started; /* the largest number drawn */
    uint64_t floor[VIEWS_MAX];
    const char *floor_by[VIEWS_MAX]; /* what raised it, and when */
    uint64_t floor_at_us[VIEWS_MAX];
    /* rings, the oldest overwritten */
    struct {
        uint64_t number, at_us; /* a state, and when somebody knew that it was reached */
    } acks[MEMORY];
    struct {
        uint64_t number, not_before_us; /* an absence, and when it can have begun */
    } absents[MEMORY];
    uint64_t absent_forgotten; /* the newest that was overwritten */
    struct {
        uint64_t number, until_us; /* a value, and when it must be over */
    } deadlines[MEMORY];
    unsigned acks_count, absents_count, deadlines_count;
    bool is_season;
    bool is_held;
    uint64_t epoch;   /* how many seasons have begun or ended */
    uint64_t settled; /* of the numbers up to settled_last this is the only one left ... */
    uint64_t settled_last;
    uint64_t settled_at_us; /* ... since */
    /* who writes; kept by request.c and judge.c */
    const void *writer; /* serial writes: whose */
    unsigned writers_count;
    uint64_t quiet_until_us; /* a write's outcome is unknown: none is sent before */
    int owner;               /* index of the node that direct clients ask */
};

/* What is being judged: one answer about one register. */
struct answer {
    int view;
    bool is_direct;
    uint64_t need; /* no older than this */
    uint64_t sent_us, came_us;
    uint64_t lease_us; /* how long another's write may go unseen */
    uint64_t lag_us;   /* how late this view's clock may be */
    bool may_vanish;   /* eviction: absent is always possible */
    const char *by;    /* the command */
};

struct verdict {
    bool is_violated;
    enum violation violation;
    uint64_t number;   /* of the state that was told; for an absence the oldest that it can be */
    uint64_t stale_us; /* for how long, at least, it had been over when the request was sent */
};

/* The number of the next value, or of the next absence. */
uint64_t reg_draw_value(struct reg *reg);
uint64_t reg_draw_absent(struct reg *reg, uint64_t not_before_us);

/* NUMBER was reached, as somebody was told AT. */
void reg_acknowledge(struct reg *reg, uint64_t number, uint64_t at_us);

/* The value NUMBER ends before UNTIL. */
void reg_expire(struct reg *reg, uint64_t number, uint64_t until_us);

/* The view was told NUMBER: nothing older from now on. */
void reg_raise(struct reg *reg, int view, uint64_t number, const char *by, uint64_t at_us);

/* A season begins or ends: of what was, nothing is known to be any more. */
void reg_season_set(struct reg *reg, bool is_season);

/* REG is held, and everybody has told NUMBER; 0: that it is absent. */
void reg_settle(struct reg *reg, uint64_t number, uint64_t now_us);

struct verdict reg_judge_value(const struct reg *reg, const struct answer *answer, uint64_t number);
struct verdict reg_judge_absent(const struct reg *reg, const struct answer *answer);

/* In a season: can there ever have been such a value, and is it not past its deadline? */
struct verdict reg_judge_in_season(const struct reg *reg, const struct answer *answer,
                                   uint64_t number);

#endif
