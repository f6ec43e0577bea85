/* request.c - what clients send: reads and writes of all kinds, drawn by chance.
 *
 * A register is written to in one of two ways. Serially: one client at a time draws the next
 * number, and may pipeline more; order at the server is order of numbers. Or, a counter, by
 * everybody at once with INCR: the server makes the numbers; only its deletion and the new
 * beginning after that are serial.
 */
#include "tests/consistency/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_read(struct check *check, struct client *client, struct reg *reg);
static bool make_write(struct check *check, struct client *client, struct reg *reg);

/* One command, its words as text. */
static void put_command(struct check *check, int count, ...)
{
    va_list words;
    size_t *len = &check->out_len;

    *len += (size_t)snprintf(check->out + *len, OUT_BYTES - *len, "*%d\r\n", count);
    va_start(words, count);
    for (int i = 0; i < count; i++) {
        const char *word = va_arg(words, const char *);
        *len += (size_t)snprintf(check->out + *len, OUT_BYTES - *len, "$%zu\r\n%s\r\n",
                                 strlen(word), word);
    }
    va_end(words);
}

/* "v17:{t1}:text:9:xxxx": mostly short, sometimes so long that it is not one of the small ones. */
static void value_text(const struct reg *reg, uint64_t number, char *text)
{
    size_t length = value_length(number);
    int len = sprintf(text, "v%llu:%s:", (unsigned long long)number, reg->name);

    memset(text + len, 'x', length - (size_t)len);
    text[length] = '\0';
}

size_t value_length(uint64_t number)
{
    size_t length = LENGTH_MIN + (number / 2) % LENGTHS;

    if ((number / 2) % LONG_EVERY != 0) {
        return length;
    }
    if ((number / 2) % HUGE_EVERY != 0) {
        return length + LENGTH_LONG;
    }
    return length + ((number / 2) % PARTS_EVERY == 0 ? LENGTH_PARTS : LENGTH_HUGE);
}

struct op *op_add(struct client *client, const char *name, enum shape shape, int replies)
{
    struct op *op = &client->ops[client->ops_count++];

    *op = (struct op){.name = name, .shape = shape, .replies_left = replies};
    return op;
}

static void op_add_key(struct check *check, struct client *client, struct op *op, struct reg *reg)
{
    op->need[op->keys_count] = client->role == DIRECT ? 0 : reg->floor[client->view];
    op->epoch[op->keys_count] = reg->epoch;
    op->keys[op->keys_count++] = (int)(reg - check->regs);
}

/* A few keys are asked for much more often than others. */
static struct reg *reg_draw(struct check *check)
{
    uint64_t a = draw(check, 1000);
    uint64_t b = draw(check, 1000);
    int index = (int)(a * b * (uint64_t)check->options.keys / 1000 / 1000);
    int kind = (int)draw(check, KINDS);

    if (kind == COUNTER && !check->options.has_counters) {
        kind = TEXT;
    }
    return &check->regs[kind * check->options.keys + index];
}

void client_make_batch(struct check *check, struct client *client)
{
    client->ops_count = 0;
    client->ops_done = 0;
    if (client->role == PROBE) {
        (void)op_add(client, "PING", NOTHING, 1);
        put_command(check, 1, "PING");
        return;
    }
    if (check->is_flush_wanted && flush_begin(check, client)) {
        return;
    }
    int count = 1 + (int)draw(check, (uint64_t)check->options.pipeline);
    for (int i = 0; i < count && check->out_len < OUT_BYTES / 2; i++) {
        struct reg *reg = reg_draw(check);
        if (client->role == DIRECT && reg->owner != client->place) {
            continue;
        }
        bool is_write = draw(check, 1000) < (uint64_t)check->options.writes_permille;
        if (!is_write || !make_write(check, client, reg)) {
            make_read(check, client, reg);
        }
    }
}

/* ---- reads ---- */

/* Another register that a command may have beside REG: of the same slot, or of any. */
static struct reg *reg_beside(struct check *check, const struct reg *reg, bool is_same_slot)
{
    static const enum kind KINDS_BESIDE[] = {TEXT, EXPIRING, COUNTER};
    int keys = check->options.keys;
    int index = is_same_slot ? (int)(reg - check->regs) % keys : (int)draw(check, (uint64_t)keys);
    enum kind kind = KINDS_BESIDE[draw(check, check->options.has_counters ? 3 : 2)];

    return &check->regs[(int)kind * keys + index];
}

static void make_mget(struct check *check, struct client *client, struct reg *reg)
{
    struct reg *other = reg_beside(check, reg, client->role == DIRECT || draw(check, 2) == 0);

    struct op *op = op_add(client, "MGET", READ, 1);
    op_add_key(check, client, op, reg);
    op_add_key(check, client, op, other);
    put_command(check, 3, "MGET", reg->name, other->name);
}

static void make_read(struct check *check, struct client *client, struct reg *reg)
{
    static const struct read {
        const char *name;
        enum shape shape;
        int words;
        const char *rest[3];
    } TEXT_READS[] = {{"GET", READ, 2, {0}},
                      {"GET", READ, 2, {0}},
                      {"GET", READ, 2, {0}},
                      {"GETRANGE", READ, 4, {"0", "-1"}},
                      {"GETRANGE", PART, 4, {"0", "23"}},
                      {"STRLEN", LENGTH, 2, {0}},
                      {"EXISTS", EXISTS, 2, {0}},
                      {"TYPE", EXISTS, 2, {0}},
                      {"SUBSTR", PART, 4, {"0", "23"}}},
      HASH_READS[] = {
          {"HGET", READ, 3, {"f"}},       {"HGET", READ, 3, {"f"}}, {"HGETALL", FIND, 2, {0}},
          {"HMGET", READ, 4, {"f", "g"}}, {"HVALS", FIND, 2, {0}},  {"HSTRLEN", LENGTH, 3, {"f"}},
          {"HEXISTS", EXISTS, 3, {"f"}},  {"TYPE", EXISTS, 2, {0}}, {"HGET", READ, 3, {"f"}}};
    uint64_t which = draw(check, sizeof TEXT_READS / sizeof TEXT_READS[0]);

    _Static_assert(sizeof TEXT_READS == sizeof HASH_READS, "one draw for both");

    if (check->options.is_plain) {
        which = 0;
    } else if (reg->kind != HASH && draw(check, 8) == 0) {
        make_mget(check, client, reg);
        return;
    }
    which = reg->kind == COUNTER ? 0 : which;
    const struct read *read = reg->kind == HASH ? &HASH_READS[which] : &TEXT_READS[which];
    struct op *op = op_add(client, read->name, read->shape, 1);
    op_add_key(check, client, op, reg);
    put_command(check, read->words, read->name, reg->name, read->rest[0], read->rest[1]);
}

/* ---- writes ---- */

/* May CLIENT write to REG now? Serial writes: one client at a time; it may pipeline them. */
static bool write_may(struct check *check, const struct client *client, const struct reg *reg,
                      bool is_shared)
{
    if (check->is_flush_wanted || reg->is_held || check->now_us < reg->quiet_until_us) {
        return false;
    }
    if (is_shared) {
        return reg->writer == NULL;
    }
    return reg->writers_count == 0 || (reg->kind != COUNTER && reg->writer == client);
}

static struct op *write_begin(struct check *check, struct client *client, struct reg *reg,
                              const char *name, enum shape shape, int replies)
{
    struct op *op = op_add(client, name, shape, replies);

    op_add_key(check, client, op, reg);
    reg->writer = client;
    reg->writers_count++;
    return op;
}

static void make_delete(struct check *check, struct client *client, struct reg *reg)
{
    static const char *const NAMES[] = {"DEL", "UNLINK", "GETDEL"};
    bool is_text = reg->kind == TEXT || reg->kind == EXPIRING;
    const char *name = NAMES[draw(check, is_text ? 3 : 2)];
    enum shape shape = strcmp(name, "GETDEL") == 0 ? WRITE_READ : WRITE;
    struct op *op = write_begin(check, client, reg, name, shape, 1);

    op->number[0] = reg_draw_absent(reg, check->now_us);
    put_command(check, 2, name, reg->name);
}

static void make_text_write(struct check *check, struct client *client, struct reg *reg)
{
    static const char SCRIPT[] = "return redis.call('SET', KEYS[1], ARGV[1])";
    char text[VALUE_BYTES];
    char other_text[VALUE_BYTES];
    uint64_t which = draw(check, 10);
    struct reg *other = which == 0 ? reg_beside(check, reg, true) : NULL;
    uint64_t number = reg_draw_value(reg);
    struct op *op = NULL;

    value_text(reg, number, text);
    if (other != NULL && other != reg && other->kind != COUNTER &&
        write_may(check, client, other, false)) {
        op = write_begin(check, client, reg, "MSET", WRITE, 1);
        op_add_key(check, client, op, other);
        other->writer = client;
        other->writers_count++;
        op->number[1] = reg_draw_value(other);
        value_text(other, op->number[1], other_text);
        put_command(check, 5, "MSET", reg->name, text, other->name, other_text);
    } else if (which == 1) {
        op = write_begin(check, client, reg, "GETSET", WRITE_READ, 1);
        put_command(check, 3, "GETSET", reg->name, text);
    } else if (which == 2) {
        op = write_begin(check, client, reg, "EVAL", WRITE, 1);
        put_command(check, 5, "EVAL", SCRIPT, "1", reg->name, text);
    } else if (which == 3) {
        op = write_begin(check, client, reg, "MULTI SET GET EXEC", EXEC_READ, 4);
        put_command(check, 1, "MULTI");
        put_command(check, 3, "SET", reg->name, text);
        put_command(check, 2, "GET", reg->name);
        put_command(check, 1, "EXEC");
    } else {
        op = write_begin(check, client, reg, "SET", WRITE, 1);
        put_command(check, 3, "SET", reg->name, text);
    }
    op->number[0] = number;
}

static void make_expiring_write(struct check *check, struct client *client, struct reg *reg)
{
    char text[VALUE_BYTES];
    char ms[24];
    uint64_t ttl_ms = 20 + draw(check, 400);
    uint64_t number = reg_draw_value(reg);
    struct op *op = write_begin(check, client, reg, "SET PX", WRITE, 1);

    value_text(reg, number, text);
    snprintf(ms, sizeof ms, "%llu", (unsigned long long)ttl_ms);
    op->number[0] = number;
    op->ttl_us = ttl_ms * 1000;
    if (draw(check, 2) == 0) {
        put_command(check, 5, "SET", reg->name, text, "PX", ms);
    } else {
        op->name = "PSETEX";
        put_command(check, 4, "PSETEX", reg->name, ms, text);
    }
    (void)reg_draw_absent(reg, clock_us() + op->ttl_us);
}

/* A count that others may make at the same time; after a deletion a beginning above all before. */
static void make_counter_write(struct check *check, struct client *client, struct reg *reg)
{
    static const char SCRIPT[] = "return redis.call('INCR', KEYS[1])";
    char base[24];

    if (reg->started % 2 == 1) {
        struct op *op = write_begin(check, client, reg, "SET", WRITE, 1);
        op->number[0] = reg_draw_value(reg);
        snprintf(base, sizeof base, "%llu", (unsigned long long)op->number[0] / 2);
        put_command(check, 3, "SET", reg->name, base);
        return;
    }
    struct op *op = write_begin(check, client, reg, "INCR", WRITE_COUNT, 1);
    reg->writer = NULL;
    op->is_shared = true;
    if (draw(check, 8) == 0) {
        op->name = "EVAL INCR";
        put_command(check, 4, "EVAL", SCRIPT, "1", reg->name);
    } else {
        put_command(check, 2, "INCR", reg->name);
    }
}

static void make_hash_write(struct check *check, struct client *client, struct reg *reg)
{
    char text[VALUE_BYTES];
    uint64_t number = reg_draw_value(reg);
    struct op *op = NULL;

    value_text(reg, number, text);
    if (draw(check, 4) == 0) {
        op = write_begin(check, client, reg, "MULTI DEL HSET EXEC", WRITE, 4);
        put_command(check, 1, "MULTI");
        put_command(check, 2, "DEL", reg->name);
        put_command(check, 4, "HSET", reg->name, "f", text);
        put_command(check, 1, "EXEC");
    } else {
        op = write_begin(check, client, reg, "HSET", WRITE, 1);
        put_command(check, 6, "HSET", reg->name, "f", text, "g", "1");
    }
    op->number[0] = number;
}

static bool make_write(struct check *check, struct client *client, struct reg *reg)
{
    bool is_count = reg->kind == COUNTER && reg->started % 2 == 0 && draw(check, 50) != 0;

    if (!write_may(check, client, reg, is_count)) {
        return false;
    }
    if (!is_count && draw(check, 12) == 0 && reg->started % 2 == 0) {
        make_delete(check, client, reg);
    } else if (reg->kind == TEXT) {
        make_text_write(check, client, reg);
    } else if (reg->kind == EXPIRING) {
        make_expiring_write(check, client, reg);
    } else if (reg->kind == HASH) {
        make_hash_write(check, client, reg);
    } else if (is_count || reg->started % 2 == 1) {
        make_counter_write(check, client, reg);
    } else {
        make_delete(check, client, reg);
    }
    return true;
}
