/* judge.c - replies: which register says what, and what is to be learned from it. */
#include "tests/consistency/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void release(struct reg *reg)
{
    if (--reg->writers_count == 0) {
        reg->writer = NULL;
    }
}

void op_fail(struct check *check, struct client *client, struct op *op, bool is_certain)
{
    if (op->shape == FLUSH) {
        flush_on_reply(check, client, !is_certain);
        return;
    }
    check->errors += op->shape != NOTHING;
    if (op->shape < WRITE) {
        return;
    }
    for (int i = 0; i < op->keys_count; i++) {
        struct reg *reg = &check->regs[op->keys[i]];
        release(reg);
        if (!is_certain) {
            reg->quiet_until_us = larger(reg->quiet_until_us, check->now_us + QUIET_US);
        }
        if (reg->kind == COUNTER && !op->is_shared) {
            (void)reg_draw_absent(reg, 0); /* begin again, above it */
        } else if (reg->kind == COUNTER && !is_certain) {
            reg->started += 2; /* it may have counted */
        }
    }
}

/* Errors after which nothing was done, from nodes and from keyway. */
static bool is_refusal(const struct leaf *text)
{
    static const char *const BEGINNINGS[] = {"MOVED ",   "ASK ",     "TRYAGAIN", "CLUSTERDOWN",
                                             "READONLY", "LOADING ", "OOM ",     "NOREPLICAS"};

    for (size_t i = 0; i < sizeof BEGINNINGS / sizeof BEGINNINGS[0]; i++) {
        size_t len = strlen(BEGINNINGS[i]);
        if (text->len >= len && memcmp(text->at, BEGINNINGS[i], len) == 0) {
            return true;
        }
    }
    return memmem(text->at, text->len, "nothing was sent", 16) != NULL;
}

/* "MOVED 1234 127.0.0.1:7001": ask there from now on. */
static void learn_owner(struct check *check, const struct op *op, const struct leaf *text)
{
    const char *colon = memchr(text->at, ':', text->len);

    if (text->len < 6 || memcmp(text->at, "MOVED ", 6) != 0 || colon == NULL) {
        return;
    }
    int port = (int)strtol(colon + 1, NULL, 10);
    for (int i = 0; i < check->options.nodes_count; i++) {
        if (check->options.nodes[i] == port) {
            for (int k = 0; k < op->keys_count; k++) {
                check->regs[op->keys[k]].owner = i;
            }
        }
    }
}

/* So that it can stand in JSON. */
static void text_clean(char *text)
{
    for (; *text != '\0'; text++) {
        *text = *text == '"' || *text == '\\' || (unsigned char)*text < ' ' ? '.' : *text;
    }
}

static void violation_report(struct check *check, const struct client *client, const struct op *op,
                             int key, const struct leaf *leaf, const struct verdict *verdict)
{
    const struct reg *reg = &check->regs[op->keys[key]];

    if (client->role == DIRECT) {
        check->servers_own++;
    } else {
        check->violations[verdict->violation]++;
    }
    if (check->examples_count == EXAMPLES_MAX) {
        return;
    }
    snprintf(check->examples[check->examples_count++], EXAMPLE_BYTES,
             "%s at %.3f s: %s %s through %s %d%s%s, op %d of %d: \"%.*s\", state %llu, needed "
             "%llu (by %s %.3f ms before it was sent), drawn %llu, stale for %.3f ms, round trip "
             "%.3f ms",
             VIOLATION_NAMES[verdict->violation], (double)(check->now_us - check->began_us) / 1e6,
             op->name, reg->name, client->role == DIRECT ? "node" : "keyway", client->place,
             client->is_bypass ? " (cache off)" : "", client->is_resp3 ? " (resp3)" : "",
             client->ops_done, client->ops_count, (int)(leaf->len < 40 ? leaf->len : 40),
             leaf->at == NULL ? "" : leaf->at, (unsigned long long)verdict->number,
             (unsigned long long)op->need[key],
             reg->floor_by[client->view] == NULL ? "nobody" : reg->floor_by[client->view],
             ((double)client->sent_us - (double)reg->floor_at_us[client->view]) / 1000,
             (unsigned long long)reg->started, (double)verdict->stale_us / 1000,
             (double)(check->now_us - client->sent_us) / 1000);
    text_clean(check->examples[check->examples_count - 1]);
}

/* CLIENT knows now that REG has reached NUMBER: later requests on it can't be told less. */
static void client_learn(struct check *check, struct client *client, const struct op *op, int key,
                         uint64_t number)
{
    struct reg *reg = &check->regs[op->keys[key]];

    if (client->role == DIRECT) {
        return;
    }
    reg_raise(reg, client->view, number, op->name, check->now_us);
    for (int i = client->ops_done; i < client->ops_count; i++) {
        struct op *later = &client->ops[i];
        for (int k = 0; k < later->keys_count && later != op; k++) {
            if (later->keys[k] == op->keys[key]) {
                later->need[k] = larger(later->need[k], number);
            }
        }
    }
}

/* A season of the register was, is or began while OP was under way. */
static bool is_in_season(const struct check *check, const struct op *op, int key)
{
    const struct reg *reg = &check->regs[op->keys[key]];

    return reg->is_season || reg->epoch != op->epoch[key];
}

/* The newest value that is as long as LEAF says. False: there is none since the last absence
 * or what was needed, and it can't be absent either. */
static bool length_number(const struct reg *reg, const struct leaf *leaf, uint64_t need,
                          uint64_t *number)
{
    uint64_t length = strtoull(leaf->at, NULL, 10);

    *number = 0;
    if (length == 0) {
        return true;
    }
    for (*number = reg->started - reg->started % 2;
         *number >= 2 && *number + (uint64_t)2 * LENGTHS * PARTS_EVERY > need; *number -= 2) {
        if (value_length(*number) == length) {
            return true;
        }
    }
    return false;
}

/* True, and NUMBER is what LEAF says of REG; 0 for absent. False: it says nothing of REG. */
static bool leaf_number(const struct reg *reg, const struct leaf *leaf, bool is_part,
                        uint64_t *number)
{
    char *end = NULL;
    size_t name_len = strlen(reg->name);

    *number = 0;
    if (leaf->at == NULL || leaf->len == 0) {
        return true;
    }
    if (reg->kind == COUNTER) {
        *number = strtoull(leaf->at, &end, 10) * 2;
        return end == leaf->at + leaf->len;
    }
    if (leaf->at[0] != 'v') {
        return false;
    }
    *number = strtoull(leaf->at + 1, &end, 10);
    if (is_part) {
        return *end == ':';
    }
    return *end == ':' && (size_t)(leaf->at + leaf->len - end) > name_len + 1 &&
           memcmp(end + 1, reg->name, name_len) == 0 && end[1 + name_len] == ':';
}

static struct answer answer_of(const struct check *check, const struct client *client,
                               const struct op *op, int key)
{
    bool is_direct = client->role == DIRECT;

    return (struct answer){.view = client->view,
                           .is_direct = is_direct,
                           .need = op->need[key],
                           .sent_us = client->sent_us,
                           .came_us = check->now_us,
                           .lease_us = is_direct ? 0 : check->options.lease_us,
                           .lag_us =
                               is_direct ? check->options.lag_us : lag_of(check, client->place),
                           .may_vanish = check->may_vanish,
                           .by = op->name};
}

/* LEAF says what key KEY of OP was when it was executed. */
static void judge(struct check *check, struct client *client, struct op *op, int key,
                  const struct leaf *leaf)
{
    struct reg *reg = &check->regs[op->keys[key]];
    struct answer answer = answer_of(check, client, op, key);
    struct verdict verdict;
    uint64_t number = 0;

    bool is_understood = op->shape == LENGTH ? length_number(reg, leaf, answer.need, &number)
                                             : leaf_number(reg, leaf, op->shape == PART, &number);
    if (!is_understood) {
        verdict = (struct verdict){.is_violated = true, .violation = FROM_NOWHERE};
    } else if (is_in_season(check, op, key)) {
        verdict = reg_judge_in_season(reg, &answer, number);
        reg->started = reg->kind == COUNTER ? larger(reg->started, number) : reg->started;
    } else if (number == 0) {
        answer.lease_us = client->role == DIRECT ? 0 : check->options.absent_lease_us;
        verdict = reg_judge_absent(reg, &answer);
    } else {
        verdict = reg_judge_value(reg, &answer, number);
        reg->started = reg->kind == COUNTER ? larger(reg->started, number) : reg->started;
    }
    check->stale_reads += verdict.stale_us > 0 && client->role != DIRECT;
    if (verdict.stale_us > check->oldest_us && client->role != DIRECT) {
        check->oldest_us = verdict.stale_us;
        snprintf(check->oldest_by, EXAMPLE_BYTES, "%s %s at %.3f s", op->name, reg->name,
                 (double)(check->now_us - check->began_us) / 1e6);
    }
    if (verdict.is_violated) {
        violation_report(check, client, op, key, leaf, &verdict);
        return;
    }
    if (op->shape != LENGTH && !is_in_season(check, op, key)) {
        client_learn(check, client, op, key, verdict.number);
    }
}

/* "1" for EXISTS, or its TYPE: some value there must have been. */
static void judge_exists(struct check *check, struct client *client, struct op *op,
                         const struct leaf *leaf)
{
    struct reg *reg = &check->regs[op->keys[0]];
    struct leaf nil = {NULL, 0};

    if (is_in_season(check, op, 0)) {
        return;
    }
    bool is_none = leaf->len == 4 && memcmp(leaf->at, "none", 4) == 0;
    if (is_none || (leaf->len == 1 && leaf->at[0] == '0')) {
        judge(check, client, op, 0, &nil);
    } else if (op->need[0] % 2 == 1 && reg->started == op->need[0] && client->role != DIRECT) {
        struct verdict verdict = {.is_violated = true, .violation = WENT_BACK};
        violation_report(check, client, op, 0, leaf, &verdict);
    }
}

static void acknowledge(struct check *check, struct client *client, struct op *op)
{
    for (int i = 0; i < op->keys_count; i++) {
        struct reg *reg = &check->regs[op->keys[i]];
        if (op->ttl_us > 0) {
            reg_expire(reg, op->number[i], check->now_us + op->ttl_us);
        }
        if (is_in_season(check, op, i)) {
            continue;
        }
        reg_acknowledge(reg, op->number[i], check->now_us);
        if (op->ttl_us > 0) {
            reg_acknowledge(reg, op->number[i] + 1,
                            check->now_us + op->ttl_us + check->options.lag_us);
        }
        client_learn(check, client, op, i, op->number[i]);
    }
}

/* INCR: the reply is the new value, and what was there before is one less. */
static void acknowledge_count(struct check *check, struct client *client, struct op *op,
                              const struct leaf *leaf)
{
    struct reg *reg = &check->regs[op->keys[0]];
    struct answer answer = answer_of(check, client, op, 0);

    op->number[0] = strtoull(leaf->at, NULL, 10) * 2;
    if (op->number[0] <= op->need[0] && !is_in_season(check, op, 0)) {
        struct verdict verdict = reg_judge_value(reg, &answer, op->number[0]);
        verdict.violation = WENT_BACK;
        violation_report(check, client, op, 0, leaf, &verdict);
    }
    reg->started = larger(reg->started, op->number[0]);
    acknowledge(check, client, op);
}

static void op_judge(struct check *check, struct client *client, struct op *op,
                     const struct reply *reply)
{
    const struct leaf nil = {NULL, 0};
    const struct leaf *leaf = reply->leaves_count > 0 ? &reply->leaves[0] : &nil;

    switch (op->shape) {
    case READ:
    case PART:
    case LENGTH:
        for (int i = 0; i < op->keys_count; i++) {
            judge(check, client, op, i, (unsigned)i < reply->leaves_count ? leaf + i : &nil);
        }
        break;
    case FIND:
        for (unsigned i = 1; i < reply->leaves_count && (leaf->at == NULL || *leaf->at != 'v');
             i++) {
            leaf++;
        }
        judge(check, client, op, 0, leaf);
        break;
    case EXISTS:
        judge_exists(check, client, op, leaf);
        break;
    case WRITE:
        acknowledge(check, client, op);
        break;
    case WRITE_READ:
        judge(check, client, op, 0, leaf);
        acknowledge(check, client, op);
        break;
    case WRITE_COUNT:
        acknowledge_count(check, client, op, leaf);
        break;
    case EXEC_READ:
        acknowledge(check, client, op);
        op->need[0] = larger(op->need[0], op->number[0]);
        judge(check, client, op, 0, &reply->leaves[reply->leaves_count - 1]);
        break;
    case NOTHING:
    case FLUSH:
        break;
    }
}

void op_on_reply(struct check *check, struct client *client, struct op *op,
                 const struct reply *reply)
{
    if (reply->is_error) {
        const struct leaf *text = &reply->leaves[0];
        client->is_failed = true;
        client->is_certain = is_refusal(text) && op->replies_left == 1;
        if (op->shape != NOTHING && !client->is_certain) {
            snprintf(check->last_error, sizeof check->last_error, "%.*s",
                     (int)(text->len < 100 ? text->len : 100), text->at);
            text_clean(check->last_error);
        }
        if (client->role == DIRECT) {
            learn_owner(check, op, text);
        }
    }
    if (--op->replies_left > 0) {
        return;
    }
    client->ops_done++;
    bool is_failed = client->is_failed;
    bool is_certain = client->is_certain;
    client->is_failed = client->is_certain = false;
    if (client->role == PROBE) {
        uint64_t *lag_us = &check->lag_us[client->place];
        *lag_us = larger(*lag_us, check->now_us - client->sent_us);
        return;
    }
    if (is_failed) {
        op_fail(check, client, op, is_certain);
        return;
    }
    if (op->shape == FLUSH) {
        flush_on_reply(check, client, false);
        return;
    }
    check->reads += op->shape > NOTHING && op->shape < WRITE;
    check->direct_reads += client->role == DIRECT && op->shape < WRITE;
    check->writes += op->shape >= WRITE;
    for (int i = 0; i < op->keys_count; i++) {
        if (is_in_season(check, op, i)) {
            check->unchecked++;
            break;
        }
    }
    op_judge(check, client, op, reply);
    for (int i = 0; i < op->keys_count && op->shape >= WRITE; i++) {
        release(&check->regs[op->keys[i]]);
    }
}
