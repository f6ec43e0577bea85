/* hash_commands.c - hashes, the plain commands: HSET, HGET and their kin. */
#include "base/text.h"
#include "store/hashes/hash.h"
#include "store/internal.h"

#include <math.h>

enum hash_parts { FIELDS = 1, VALUES = 2 };

static bool set_all(struct kw_exec *exec, int64_t *new_count);
static void reply_field(struct kw_exec *exec, const struct kw_hash *hash, struct kw_bytes field);
static void reply_all(struct kw_exec *exec, unsigned parts);

void kw__do_hset(struct kw_exec *exec)
{
    int64_t new_count = 0;

    if (set_all(exec, &new_count)) {
        kw_reply_int(exec->out, new_count);
    }
}

void kw__do_hmset(struct kw_exec *exec)
{
    int64_t new_count = 0;

    if (set_all(exec, &new_count)) {
        kw_reply_status(exec->out, KW_BYTES("OK"));
    }
}

void kw__do_hsetnx(struct kw_exec *exec)
{
    struct kw_hash_edit edit;
    struct kw_bytes field = exec->argv[2];

    if (!kw__hash_open(exec, exec->argv[1], &edit)) {
        return;
    }
    bool is_set = !kw_table_find(&edit.hash->fields, field, NULL);
    if (is_set) {
        kw__hash_set(exec->worker, edit.hash, field, exec->argv[3], false);
    }
    if (kw__hash_close(exec, &edit, is_set ? "hset" : NULL)) {
        kw_reply_int(exec->out, is_set);
    }
}

void kw__do_hget(struct kw_exec *exec)
{
    struct kw_hash *hash;

    if (kw__hash_find(exec, exec->argv[1], &hash) != KW_FOUND_OTHER) {
        reply_field(exec, hash, exec->argv[2]);
    }
}

void kw__do_hmget(struct kw_exec *exec)
{
    struct kw_hash *hash;

    if (kw__hash_find(exec, exec->argv[1], &hash) == KW_FOUND_OTHER) {
        return;
    }
    kw_reply_array(exec->out, exec->argc - 2);
    for (size_t i = 2; i < exec->argc; i++) {
        reply_field(exec, hash, exec->argv[i]);
    }
}

void kw__do_hgetall(struct kw_exec *exec)
{
    reply_all(exec, FIELDS | VALUES);
}

void kw__do_hkeys(struct kw_exec *exec)
{
    reply_all(exec, FIELDS);
}

void kw__do_hvals(struct kw_exec *exec)
{
    reply_all(exec, VALUES);
}

void kw__do_hlen(struct kw_exec *exec)
{
    struct kw_hash *hash;

    if (kw__hash_find(exec, exec->argv[1], &hash) != KW_FOUND_OTHER) {
        kw_reply_int(exec->out, hash == NULL ? 0 : hash->fields.count);
    }
}

void kw__do_hexists(struct kw_exec *exec)
{
    struct kw_hash *hash;

    if (kw__hash_find(exec, exec->argv[1], &hash) != KW_FOUND_OTHER) {
        kw_reply_int(exec->out, hash != NULL && kw_table_find(&hash->fields, exec->argv[2], NULL));
    }
}

void kw__do_hstrlen(struct kw_exec *exec)
{
    struct kw_table_item item = {0};
    struct kw_hash *hash;

    if (kw__hash_find(exec, exec->argv[1], &hash) == KW_FOUND_OTHER) {
        return;
    }
    bool is_found = hash != NULL && kw_table_find(&hash->fields, exec->argv[2], &item);
    kw_reply_int(exec->out, is_found ? (int64_t)item.value.len : 0);
}

void kw__do_hdel(struct kw_exec *exec)
{
    struct kw_hash *hash;
    int64_t count = 0;

    if (kw__hash_find(exec, exec->argv[1], &hash) == KW_FOUND_OTHER) {
        return;
    }
    for (size_t i = 2; hash != NULL && i < exec->argc; i++) {
        count += kw__hash_remove(exec->worker, hash, exec->argv[i]) ? 1 : 0;
    }
    if (count > 0) {
        kw__hash_shrunk(exec, exec->argv[1], hash, "hdel");
    }
    kw_reply_int(exec->out, count);
}

void kw__do_hincrby(struct kw_exec *exec)
{
    char text[KW_TEXT_INT_MAX];
    struct kw_bytes field = exec->argv[2];
    struct kw_hash_edit edit;
    struct kw_table_item item;
    enum kw_error error = KW_ERROR_COUNT;
    int64_t value = 0;
    int64_t by = 0;

    if (!kw_exec_int(exec, exec->argv[3], &by) || !kw__hash_open(exec, exec->argv[1], &edit)) {
        return;
    }
    if (kw_table_find(&edit.hash->fields, field, &item) &&
        kw_text_to_int(item.value, &value) != KW_OK) {
        error = KW_ERROR_HASH_NOT_INTEGER;
    } else if (__builtin_add_overflow(value, by, &value)) {
        error = KW_ERROR_INCR_OVERFLOW;
    }
    if (error != KW_ERROR_COUNT) {
        (void)kw__hash_close(exec, &edit, NULL);
        kw_exec_error(exec, error, NULL);
        return;
    }
    kw__hash_set(exec->worker, edit.hash, field, kw_bytes_of(text, kw_text_from_int(value, text)),
                 true);
    if (kw__hash_close(exec, &edit, "hincrby")) {
        kw_reply_int(exec->out, value);
    }
}

void kw__do_hincrbyfloat(struct kw_exec *exec)
{
    char text[KW_TEXT_LONG_DOUBLE_MAX];
    struct kw_bytes field = exec->argv[2];
    struct kw_hash_edit edit;
    struct kw_table_item item;
    enum kw_error error = KW_ERROR_COUNT;
    long double value = 0;
    long double by = 0;

    if (kw_text_to_long_double(exec->argv[3], &by) != KW_OK) {
        kw_exec_error(exec, KW_ERROR_NOT_FLOAT, NULL);
        return;
    }
    if (isnan(by) || isinf(by)) {
        kw_exec_error(exec, KW_ERROR_NAN_OR_INFINITY, NULL);
        return;
    }
    if (!kw__hash_open(exec, exec->argv[1], &edit)) {
        return;
    }
    if (kw_table_find(&edit.hash->fields, field, &item) &&
        kw_text_to_long_double(item.value, &value) != KW_OK) {
        error = KW_ERROR_HASH_NOT_FLOAT;
    }
    value += by;
    if (error == KW_ERROR_COUNT && (isnan(value) || isinf(value))) {
        error = KW_ERROR_INCR_NAN;
    }
    if (error != KW_ERROR_COUNT) {
        (void)kw__hash_close(exec, &edit, NULL);
        kw_exec_error(exec, error, NULL);
        return;
    }
    struct kw_bytes shown = kw_bytes_of(text, kw_text_from_long_double(value, text));
    kw__hash_set(exec->worker, edit.hash, field, shown, true);
    if (kw__hash_close(exec, &edit, "hincrbyfloat")) {
        kw_reply_bulk(exec->out, shown);
    }
}

/* HSET and HMSET but for the reply. False: it is written, or there is no memory. */
static bool set_all(struct kw_exec *exec, int64_t *new_count)
{
    struct kw_hash_edit edit;

    if (exec->argc % 2 != 0) {
        kw_exec_error(exec, KW_ERROR_ARITY, exec->command->name);
        return false;
    }
    if (!kw__hash_open(exec, exec->argv[1], &edit)) {
        return false;
    }
    for (size_t i = 2; i < exec->argc; i += 2) {
        bool is_new =
            kw__hash_set(exec->worker, edit.hash, exec->argv[i], exec->argv[i + 1], false);
        *new_count += is_new ? 1 : 0;
    }
    return kw__hash_close(exec, &edit, "hset");
}

static void reply_field(struct kw_exec *exec, const struct kw_hash *hash, struct kw_bytes field)
{
    struct kw_table_item item;

    if (hash != NULL && kw_table_find(&hash->fields, field, &item)) {
        kw_reply_bulk(exec->out, item.value);
    } else {
        kw_reply_null(exec->out, exec->proto);
    }
}

static void reply_all(struct kw_exec *exec, unsigned parts)
{
    struct kw_table_walk walk;
    struct kw_table_item item;
    struct kw_hash *hash;

    if (kw__hash_find(exec, exec->argv[1], &hash) == KW_FOUND_OTHER) {
        return;
    }
    size_t count = hash == NULL ? 0 : hash->fields.count;
    if (parts == (FIELDS | VALUES)) {
        kw_reply_map(exec->out, count, exec->proto);
    } else {
        kw_reply_array(exec->out, count);
    }
    if (hash == NULL) {
        return;
    }
    kw_table_walk_begin(&walk, &hash->fields);
    while (kw_table_walk_next(&walk, &item)) {
        if ((parts & FIELDS) != 0) {
            kw_reply_bulk(exec->out, item.key);
        }
        if ((parts & VALUES) != 0) {
            kw_reply_bulk(exec->out, item.value);
        }
    }
}
