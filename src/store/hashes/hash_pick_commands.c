/* hash_pick_commands.c - some fields of a hash: HRANDFIELD, HSCAN. */
#include "store/hashes/hash.h"
#include "store/internal.h"
#include "store/tables/pick.h"
#include "store/tables/scan_options.h"

struct picker {
    struct kw_exec *exec;
    bool has_values;
};

static bool count_read(struct kw_exec *exec, int64_t *count, bool *has_values);
static void reply_picked(void *user, const struct kw_table_item *item);
static void reply_again_and_again(struct picker *picker, const struct kw_hash *hash, size_t count);

void kw__do_hrandfield(struct kw_exec *exec)
{
    struct picker picker = {.exec = exec};
    struct kw_table_item item;
    struct kw_hash *hash;
    int64_t count = 0;

    if ((exec->argc > 2 && !count_read(exec, &count, &picker.has_values)) ||
        kw__hash_find(exec, exec->argv[1], &hash) == KW_FOUND_OTHER) {
        return;
    }
    if (exec->argc == 2) {
        if (hash == NULL) {
            kw_reply_null(exec->out, exec->proto);
            return;
        }
        kw_table_pick(&hash->fields, kw__random(exec->worker), &item);
        kw_reply_bulk(exec->out, item.key);
        return;
    }
    size_t wanted = hash == NULL ? 0 : (size_t)(count < 0 ? -count : count);
    if (count > 0 && hash != NULL && wanted > hash->fields.count) {
        wanted = hash->fields.count;
    }
    bool is_flat = picker.has_values && exec->proto == 2;
    kw_reply_array(exec->out, is_flat ? wanted * 2 : wanted);
    if (wanted == 0) {
        return;
    }
    if (count < 0) {
        reply_again_and_again(&picker, hash, wanted);
        return;
    }
    kw__table_pick_some(exec->worker, &hash->fields, kw__random(exec->worker), wanted, reply_picked,
                        &picker);
}

void kw__do_hscan(struct kw_exec *exec)
{
    struct kw_scan_options options = {0};
    struct kw_hash *hash;

    if (!kw__scan_cursor(exec, 2, &options.cursor) ||
        kw__hash_find(exec, exec->argv[1], &hash) == KW_FOUND_OTHER) {
        return;
    }
    if (hash == NULL) {
        struct kw_table none;
        kw_table_init(&none, 0, true);
        kw__scan_table(exec, &options, &none);
    } else if (kw__scan_options(exec, 3, true, &options)) {
        if (!hash->fields.is_marked) { /* all of a listpack at once, as redis does */
            options.cursor = 0;
            options.count = INT64_MAX;
        }
        kw__scan_table(exec, &options, &hash->fields);
    }
}

/* The count, and WITHVALUES behind it. */
static bool count_read(struct kw_exec *exec, int64_t *count, bool *has_values)
{
    if (!kw__pick_count(exec, exec->argv[2], count)) {
        return false;
    }
    *has_values = exec->argc == 4 && kw_exec_is(exec, 3, KW_BYTES("WITHVALUES"));
    if (exec->argc > 4 || (exec->argc == 4 && !*has_values)) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return false;
    }
    if (*has_values && *count > INT64_MAX / 2) {
        kw_exec_error(exec, KW_ERROR_COUNT_TOO_BIG, NULL);
        return false;
    }
    return true;
}

static void reply_picked(void *user, const struct kw_table_item *item)
{
    struct picker *picker = user;

    if (picker->has_values && picker->exec->proto == 3) {
        kw_reply_array(picker->exec->out, 2);
    }
    kw_reply_bulk(picker->exec->out, item->key);
    if (picker->has_values) {
        kw_reply_bulk(picker->exec->out, item->value);
    }
}

static void reply_again_and_again(struct picker *picker, const struct kw_hash *hash, size_t count)
{
    struct kw_table_item item;

    for (; count > 0; count--) {
        kw_table_pick(&hash->fields, kw__random(picker->exec->worker), &item);
        reply_picked(picker, &item);
    }
}
