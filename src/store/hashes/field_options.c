/* field_options.c - see field_options.h. */
#include "store/hashes/field_options.h"

#include "base/assert.h"
#include "base/text.h"

/* The latest time that redis lets a field have: 46 bits of milliseconds. */
#define DEADLINE_MAX_MS ((INT64_C(1) << 46) - 1)

static bool condition_holds(enum kw_field_condition condition, uint64_t old_ms, uint64_t new_ms);

bool kw__fields_read(struct kw_exec *exec, size_t at, enum kw_error count_error,
                     struct kw_field_list *fields)
{
    int64_t count = 0;

    if (at >= exec->argc || !kw_exec_is(exec, at, KW_BYTES("FIELDS"))) {
        kw_exec_error(exec, KW_ERROR_FIELDS_MISSING, NULL);
        return false;
    }
    if (at + 1 >= exec->argc || kw_text_to_int(exec->argv[at + 1], &count) != KW_OK || count < 1) {
        kw_exec_error(exec, count_error, NULL);
        return false;
    }
    if ((uint64_t)count != exec->argc - at - 2) {
        kw_exec_error(exec, KW_ERROR_FIELDS_MATCH, NULL);
        return false;
    }
    *fields = (struct kw_field_list){.first = at + 2, .count = (size_t)count};
    return true;
}

bool kw__field_time_read(struct kw_exec *exec, size_t at, struct kw_field_time time,
                         uint64_t *deadline_ms)
{
    int64_t base_ms = time.is_absolute ? 0 : (int64_t)exec->now_ms;
    int64_t unit_ms = time.is_ms ? 1 : 1000;
    int64_t value = 0;

    if (!kw_exec_int(exec, exec->argv[at], &value)) {
        return false;
    }
    if (value < 0) {
        kw_exec_error(exec, KW_ERROR_FIELD_TIME_NEGATIVE, NULL);
        return false;
    }
    if (value > DEADLINE_MAX_MS / unit_ms || value * unit_ms > DEADLINE_MAX_MS - base_ms) {
        kw_exec_error(exec, KW_ERROR_EXPIRE_TIME, exec->command->name);
        return false;
    }
    *deadline_ms = (uint64_t)(value * unit_ms + base_ms);
    return true;
}

bool kw__field_time_word(struct kw_bytes word, struct kw_field_time *time)
{
    static const struct {
        struct kw_bytes word;
        struct kw_field_time time;
    } words[] = {
        {{"EX", 2}, {false, false}},
        {{"PX", 2}, {false, true}},
        {{"EXAT", 4}, {true, false}},
        {{"PXAT", 4}, {true, true}},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (kw_bytes_equal_nocase(word, words[i].word)) {
            *time = words[i].time;
            return true;
        }
    }
    return false;
}

enum kw_field_outcome kw__field_expire_at(struct kw_exec *exec, struct kw_hash *hash,
                                          struct kw_bytes field, uint64_t deadline_ms,
                                          enum kw_field_condition condition)
{
    if (!kw_table_find(&hash->fields, field, NULL)) {
        return KW_FIELD_MISSING;
    }
    if (!condition_holds(condition, kw__hash_deadline(hash, field), deadline_ms)) {
        return KW_FIELD_UNMET;
    }
    if (deadline_ms <= exec->now_ms) {
        kw__hash_remove(exec->worker, hash, field);
        return KW_FIELD_REMOVED;
    }
    kw__hash_expire_at(exec->worker, hash, field, deadline_ms);
    return KW_FIELD_SET;
}

static bool condition_holds(enum kw_field_condition condition, uint64_t old_ms, uint64_t new_ms)
{
    switch (condition) {
    case KW_FIELD_ALWAYS:
        return true;
    case KW_FIELD_NX:
        return old_ms == 0;
    case KW_FIELD_XX:
        return old_ms != 0;
    case KW_FIELD_GT:
        return old_ms != 0 && new_ms > old_ms;
    case KW_FIELD_LT:
        return old_ms == 0 || new_ms < old_ms;
    }
    KW_UNREACHABLE();
}
