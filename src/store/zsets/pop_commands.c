/* pop_commands.c - ZPOPMIN ZPOPMAX ZMPOP BZPOPMIN BZPOPMAX BZMPOP.
 *
 * What may block runs once: with nothing to pop it says so (kw_exec_block()), and is run again when
 * one of its keys has got elements.
 */
#include "store/zsets/zsets.h"

/* How the popped elements are answered. */
enum zset_pop_reply {
    ZSET_POP_FLAT = 0, /* member, score, ... */
    ZSET_POP_PAIRS,    /* an array of arrays */
    ZSET_POP_KEY_FLAT, /* key, member, score */
    ZSET_POP_KEY_PAIRS /* key, an array of arrays */
};

/* Names, the first of which that has a sorted set is popped from. */
struct zset_pop {
    const struct kw_bytes *names;
    size_t names_count;
    bool is_max;
    bool may_block;
    enum zset_pop_reply reply;
    int64_t max; /* elements */
};

static void pop_from(struct kw_exec *exec, bool is_max);
static void pop_many(struct kw_exec *exec, size_t at, bool may_block);
static bool pop_parse_many(struct kw_exec *exec, size_t at, struct zset_pop *pop);
static void pop_waiting(struct kw_exec *exec, bool is_max);
static void pop_first_of(struct kw_exec *exec, const struct zset_pop *pop);
static void pop_nothing(struct kw_exec *exec, const struct zset_pop *pop);
static void pop_reply(struct kw_exec *exec, const struct zset_pop *pop, struct kw_bytes name,
                      const struct kw_zset *zset, uint64_t count);

void kw__do_zpopmin(struct kw_exec *exec)
{
    pop_from(exec, false);
}

void kw__do_zpopmax(struct kw_exec *exec)
{
    pop_from(exec, true);
}

void kw__do_zmpop(struct kw_exec *exec)
{
    pop_many(exec, 1, false);
}

void kw__do_bzmpop(struct kw_exec *exec)
{
    pop_many(exec, 2, true);
}

void kw__do_bzpopmin(struct kw_exec *exec)
{
    pop_waiting(exec, false);
}

void kw__do_bzpopmax(struct kw_exec *exec)
{
    pop_waiting(exec, true);
}

/* ZPOP(MIN|MAX) key [count] */
static void pop_from(struct kw_exec *exec, bool is_max)
{
    struct zset_pop pop = {.names = exec->argv + 1, .names_count = 1, .is_max = is_max, .max = 1};

    if (exec->argc > 3) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return;
    }
    if (exec->argc == 3) {
        if (!kw_exec_int_from(exec, exec->argv[2], 0, KW_ERROR_COUNT_NEGATIVE, &pop.max)) {
            return;
        }
        pop.reply = exec->proto == 2 ? ZSET_POP_FLAT : ZSET_POP_PAIRS;
    }
    pop_first_of(exec, &pop);
}

/* ZMPOP numkeys key ... MIN|MAX [COUNT count], its numkeys at AT */
static void pop_many(struct kw_exec *exec, size_t at, bool may_block)
{
    struct zset_pop pop = {.reply = ZSET_POP_KEY_PAIRS, .may_block = may_block, .max = -1};

    if (pop_parse_many(exec, at, &pop) && (!may_block || kw_exec_timeout(exec, exec->argv[1]))) {
        pop_first_of(exec, &pop);
    }
}

static bool pop_parse_many(struct kw_exec *exec, size_t at, struct zset_pop *pop)
{
    int64_t count = 0;

    if (!kw_exec_int_from(exec, exec->argv[at], 1, KW_ERROR_NUMKEYS, &count)) {
        return false;
    }
    pop->names = exec->argv + at + 1;
    pop->names_count = (size_t)count;
    size_t next = at + 1 + pop->names_count;
    bool is_there = pop->names_count < exec->argc - at - 1;
    pop->is_max = is_there && kw_exec_is(exec, next, KW_BYTES("max"));
    if (!is_there || (!pop->is_max && !kw_exec_is(exec, next, KW_BYTES("min")))) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return false;
    }
    for (next++; next < exec->argc; next += 2) {
        if (pop->max > 0 || !kw_exec_is(exec, next, KW_BYTES("count")) || next + 1 == exec->argc) {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
        if (!kw_exec_int_from(exec, exec->argv[next + 1], 1, KW_ERROR_COUNT_ABOVE, &pop->max)) {
            return false;
        }
    }
    pop->max = pop->max < 0 ? 1 : pop->max;
    return true;
}

/* BZPOP(MIN|MAX) key ... timeout */
static void pop_waiting(struct kw_exec *exec, bool is_max)
{
    struct zset_pop pop = {.names = exec->argv + 1,
                           .names_count = exec->argc - 2,
                           .is_max = is_max,
                           .may_block = true,
                           .max = 1,
                           .reply = ZSET_POP_KEY_FLAT};

    if (kw_exec_timeout(exec, exec->argv[exec->argc - 1])) {
        pop_first_of(exec, &pop);
    }
}

static void pop_first_of(struct kw_exec *exec, const struct zset_pop *pop)
{
    struct kw_zset *zset = NULL;
    enum kw_found found = KW_FOUND_NOTHING;
    size_t i = 0;

    for (; i < pop->names_count && found == KW_FOUND_NOTHING; i++) {
        found = kw__zset_find(exec, pop->names[i], &zset);
    }
    if (found == KW_FOUND_NOTHING) {
        pop_nothing(exec, pop);
    }
    if (found != KW_FOUND) {
        return;
    }
    struct kw_bytes name = pop->names[i - 1];
    uint64_t max = (uint64_t)pop->max;
    uint64_t count = max < zset->count ? max : zset->count;

    if (count == 0) {
        kw_reply_array(exec->out, 0);
        return;
    }
    pop_reply(exec, pop, name, zset, count);
    kw_zset_remove_range(exec->worker, zset, pop->is_max ? zset->count - count : 0, count);
    kw__zset_shrunk(exec, name, zset, pop->is_max ? "zpopmax" : "zpopmin");
}

static void pop_nothing(struct kw_exec *exec, const struct zset_pop *pop)
{
    if (pop->may_block) {
        kw_exec_block(exec);
    } else if (pop->reply == ZSET_POP_KEY_PAIRS) {
        kw_reply_null_array(exec->out, exec->proto);
    } else {
        kw_reply_array(exec->out, 0);
    }
}

static void pop_reply(struct kw_exec *exec, const struct zset_pop *pop, struct kw_bytes name,
                      const struct kw_zset *zset, uint64_t count)
{
    bool has_pairs = pop->reply == ZSET_POP_PAIRS || pop->reply == ZSET_POP_KEY_PAIRS;
    struct kw_zset_walk walk;
    struct kw_zset_item item;

    if (pop->reply == ZSET_POP_KEY_PAIRS) {
        kw_reply_array(exec->out, 2);
        kw_reply_bulk(exec->out, name);
    }
    if (has_pairs) {
        kw_reply_array(exec->out, count);
    } else if (pop->reply == ZSET_POP_KEY_FLAT) {
        kw_reply_array(exec->out, count * 2 + 1);
        kw_reply_bulk(exec->out, name);
    } else {
        kw_reply_array(exec->out, count * 2);
    }
    kw_zset_walk_begin(&walk, zset, pop->is_max ? zset->count - 1 : 0, pop->is_max);
    for (; count > 0 && kw_zset_walk_next(&walk, &item); count--) {
        if (has_pairs) {
            kw_reply_array(exec->out, 2);
        }
        kw_reply_bulk(exec->out, item.member);
        kw_reply_double(exec->out, item.score, exec->proto);
    }
}
