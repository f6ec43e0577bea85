/* register.c - the rules, each in one place: see register.h for the words. */
#include "tests/consistency/register.h"

#include <stddef.h>

static uint64_t stale_us_of(const struct reg *reg, uint64_t number, uint64_t sent_us);
static uint64_t until_of(const struct reg *reg, uint64_t number);

uint64_t reg_draw_value(struct reg *reg)
{
    reg->started += 2 - reg->started % 2;
    return reg->started;
}

uint64_t reg_draw_absent(struct reg *reg, uint64_t not_before_us)
{
    unsigned at = reg->absents_count++ % MEMORY;

    reg->started += 1 + reg->started % 2;
    reg->absent_forgotten = reg->absents[at].number;
    reg->absents[at].number = reg->started;
    reg->absents[at].not_before_us = not_before_us;
    return reg->started;
}

void reg_acknowledge(struct reg *reg, uint64_t number, uint64_t at_us)
{
    unsigned at = reg->acks_count++ % MEMORY;

    reg->acks[at].number = number;
    reg->acks[at].at_us = at_us;
}

void reg_expire(struct reg *reg, uint64_t number, uint64_t until_us)
{
    unsigned at = reg->deadlines_count++ % MEMORY;

    reg->deadlines[at].number = number;
    reg->deadlines[at].until_us = until_us;
}

void reg_raise(struct reg *reg, int view, uint64_t number, const char *by, uint64_t at_us)
{
    if (number > reg->floor[view]) {
        reg->floor[view] = number;
        reg->floor_by[view] = by;
        reg->floor_at_us[view] = at_us;
    }
}

void reg_season_set(struct reg *reg, bool is_season)
{
    reg->is_season = is_season;
    reg->epoch++;
    for (int view = 0; view < VIEWS_MAX; view++) {
        reg->floor[view] = 0;
    }
    reg->acks_count = 0;
    for (int i = 0; i < MEMORY; i++) {
        reg->acks[i].number = 0;
    }
}

void reg_settle(struct reg *reg, uint64_t number, uint64_t now_us)
{
    if (number == 0) {
        number = reg_draw_absent(reg, now_us);
        reg_acknowledge(reg, number, now_us);
    } else if (reg->kind != COUNTER) { /* whose numbers are made again after a loss */
        reg->settled = number;
        reg->settled_last = reg->started;
        reg->settled_at_us = now_us;
    }
    for (int view = 0; view < VIEWS_MAX; view++) {
        reg_raise(reg, view, number, "the look", now_us);
    }
}

struct verdict reg_judge_value(const struct reg *reg, const struct answer *answer, uint64_t number)
{
    struct verdict verdict = {.is_violated = true, .number = number};
    uint64_t until_us = until_of(reg, number);

    verdict.stale_us = stale_us_of(reg, number, answer->sent_us);
    /* A counter may be ahead of what is known: others count, too, and are not answered yet. */
    if (number > reg->started && reg->kind != COUNTER) {
        verdict.violation = FROM_NOWHERE;
    } else if (until_us != 0 && answer->sent_us > until_us + answer->lag_us) {
        verdict.violation = EXPIRED;
    } else if (verdict.stale_us > answer->lease_us + answer->lag_us) {
        verdict.violation = STALE;
    } else if (number < answer->need) {
        verdict.violation = WENT_BACK;
    } else if (number > reg->settled && number <= reg->settled_last &&
               answer->sent_us > reg->settled_at_us) {
        verdict.violation = UNDONE;
    } else {
        verdict.is_violated = false;
    }
    return verdict;
}

struct verdict reg_judge_in_season(const struct reg *reg, const struct answer *answer,
                                   uint64_t number)
{
    struct verdict verdict = {.number = number};
    uint64_t until_us = until_of(reg, number);

    if (number > reg->started && reg->kind != COUNTER) {
        verdict.is_violated = true;
        verdict.violation = FROM_NOWHERE;
    } else if (until_us != 0 && answer->sent_us > until_us + answer->lag_us) {
        verdict.is_violated = true;
        verdict.violation = EXPIRED;
    }
    return verdict;
}

struct verdict reg_judge_absent(const struct reg *reg, const struct answer *answer)
{
    struct verdict verdict = {.is_violated = false};
    uint64_t newest = reg->absent_forgotten; /* when it began isn't known any more */
    uint64_t oldest = UINT64_MAX;

    if (answer->may_vanish) {
        return verdict;
    }
    for (unsigned i = 0; i < MEMORY && i < reg->absents_count; i++) {
        uint64_t number = reg->absents[i].number;
        if (reg->absents[i].not_before_us <= answer->came_us) {
            newest = number > newest ? number : newest;
            oldest = number >= answer->need && number < oldest ? number : oldest;
        }
    }
    /* Which absence it was is unknown: for the lease the newest counts, for the floor the oldest. */
    verdict.stale_us = stale_us_of(reg, newest, answer->sent_us);
    if (verdict.stale_us > answer->lease_us + answer->lag_us) {
        verdict.is_violated = true;
        verdict.violation = STALE;
        verdict.number = newest;
    } else if (newest < answer->need) {
        verdict.is_violated = true;
        verdict.violation = WENT_BACK;
        verdict.number = newest;
    } else {
        verdict.number = reg->absents_count <= MEMORY ? oldest : answer->need;
    }
    return verdict;
}

static uint64_t stale_us_of(const struct reg *reg, uint64_t number, uint64_t sent_us)
{
    uint64_t first_us = UINT64_MAX;

    for (unsigned i = 0; i < MEMORY && i < reg->acks_count; i++) {
        if (reg->acks[i].number > number && reg->acks[i].at_us < first_us) {
            first_us = reg->acks[i].at_us;
        }
    }
    return first_us < sent_us ? sent_us - first_us : 0;
}

static uint64_t until_of(const struct reg *reg, uint64_t number)
{
    uint64_t until_us = 0;

    for (unsigned i = 0; i < MEMORY && i < reg->deadlines_count; i++) {
        if (reg->deadlines[i].number == number &&
            (until_us == 0 || reg->deadlines[i].until_us < until_us)) {
            until_us = reg->deadlines[i].until_us;
        }
    }
    return until_us;
}
