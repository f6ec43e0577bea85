/* hash_time_commands.c - fields with deadlines: HEXPIRE, HTTL, HPERSIST and their kin. */
#include "store/hashes/field_options.h"
#include "store/internal.h"

enum { NO_FIELD = -2, NO_DEADLINE = -1 }; /* as redis replies them */

static void expire_fields(struct kw_exec *exec, struct kw_field_time time);
static size_t condition_read(struct kw_bytes word, enum kw_field_condition *condition);
static void reply_times(struct kw_exec *exec, struct kw_field_time time);
static void reply_each(struct kw_exec *exec, size_t count, int64_t value);

void kw__do_hexpire(struct kw_exec *exec)
{
    expire_fields(exec, (struct kw_field_time){.is_absolute = false, .is_ms = false});
}

void kw__do_hpexpire(struct kw_exec *exec)
{
    expire_fields(exec, (struct kw_field_time){.is_absolute = false, .is_ms = true});
}

void kw__do_hexpireat(struct kw_exec *exec)
{
    expire_fields(exec, (struct kw_field_time){.is_absolute = true, .is_ms = false});
}

void kw__do_hpexpireat(struct kw_exec *exec)
{
    expire_fields(exec, (struct kw_field_time){.is_absolute = true, .is_ms = true});
}

void kw__do_httl(struct kw_exec *exec)
{
    reply_times(exec, (struct kw_field_time){.is_absolute = false, .is_ms = false});
}

void kw__do_hpttl(struct kw_exec *exec)
{
    reply_times(exec, (struct kw_field_time){.is_absolute = false, .is_ms = true});
}

void kw__do_hexpiretime(struct kw_exec *exec)
{
    reply_times(exec, (struct kw_field_time){.is_absolute = true, .is_ms = false});
}

void kw__do_hpexpiretime(struct kw_exec *exec)
{
    reply_times(exec, (struct kw_field_time){.is_absolute = true, .is_ms = true});
}

void kw__do_hpersist(struct kw_exec *exec)
{
    struct kw_field_list fields;
    struct kw_hash *hash;
    size_t count = 0;

    if (kw__hash_find(exec, exec->argv[1], &hash) == KW_FOUND_OTHER ||
        !kw__fields_read(exec, 2, KW_ERROR_FIELDS_COUNT, &fields)) {
        return;
    }
    if (hash == NULL) {
        reply_each(exec, fields.count, NO_FIELD);
        return;
    }
    kw_reply_array(exec->out, fields.count);
    for (size_t i = fields.first; i < exec->argc; i++) {
        struct kw_bytes field = exec->argv[i];
        if (!kw_table_find(&hash->fields, field, NULL)) {
            kw_reply_int(exec->out, NO_FIELD);
        } else if (kw__hash_deadline(hash, field) == 0) {
            kw_reply_int(exec->out, NO_DEADLINE);
        } else {
            kw__hash_expire_at(exec->worker, hash, field, 0);
            kw_reply_int(exec->out, 1);
            count++;
        }
    }
    if (count > 0) {
        kw_key_changed(exec, exec->argv[1], KW_STORE_HASH, "hpersist");
    }
}

static void expire_fields(struct kw_exec *exec, struct kw_field_time time)
{
    enum kw_field_condition condition = KW_FIELD_ALWAYS;
    struct kw_field_list fields;
    struct kw_hash *hash;
    uint64_t deadline_ms = 0;
    size_t counts[KW_FIELD_REMOVED + 1] = {0};

    if (kw__hash_find(exec, exec->argv[1], &hash) == KW_FOUND_OTHER ||
        !kw__field_time_read(exec, 2, time, &deadline_ms)) {
        return;
    }
    size_t at = 3 + condition_read(exec->argv[3], &condition);
    if (!kw__fields_read(exec, at, KW_ERROR_FIELDS_COUNT_HEXPIRE, &fields)) {
        return;
    }
    if (hash == NULL) {
        reply_each(exec, fields.count, NO_FIELD);
        return;
    }
    kw_reply_array(exec->out, fields.count);
    for (size_t i = fields.first; i < exec->argc; i++) {
        enum kw_field_outcome outcome =
            kw__field_expire_at(exec, hash, exec->argv[i], deadline_ms, condition);
        counts[outcome == KW_FIELD_MISSING ? KW_FIELD_UNMET : outcome]++;
        kw_reply_int(exec->out, outcome);
    }
    if (counts[KW_FIELD_REMOVED] + counts[KW_FIELD_SET] > 0) {
        kw__hash_shrunk(exec, exec->argv[1], hash,
                        counts[KW_FIELD_REMOVED] > 0 ? "hdel" : "hexpire");
    }
}

/* How many words the condition takes: 1, or 0 when WORD is none. */
static size_t condition_read(struct kw_bytes word, enum kw_field_condition *condition)
{
    static const struct {
        struct kw_bytes word;
        enum kw_field_condition condition;
    } words[] = {
        {{"NX", 2}, KW_FIELD_NX},
        {{"XX", 2}, KW_FIELD_XX},
        {{"GT", 2}, KW_FIELD_GT},
        {{"LT", 2}, KW_FIELD_LT},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (kw_bytes_equal_nocase(word, words[i].word)) {
            *condition = words[i].condition;
            return 1;
        }
    }
    return 0;
}

static void reply_times(struct kw_exec *exec, struct kw_field_time time)
{
    struct kw_field_list fields;
    struct kw_hash *hash;

    if (kw__hash_find(exec, exec->argv[1], &hash) == KW_FOUND_OTHER ||
        !kw__fields_read(exec, 2, KW_ERROR_FIELDS_COUNT, &fields)) {
        return;
    }
    if (hash == NULL) {
        reply_each(exec, fields.count, NO_FIELD);
        return;
    }
    kw_reply_array(exec->out, fields.count);
    for (size_t i = fields.first; i < exec->argc; i++) {
        uint64_t deadline_ms = kw__hash_deadline(hash, exec->argv[i]);
        if (deadline_ms == 0) {
            bool is_there = kw_table_find(&hash->fields, exec->argv[i], NULL);
            kw_reply_int(exec->out, is_there ? NO_DEADLINE : NO_FIELD);
            continue;
        }
        uint64_t time_ms = time.is_absolute ? deadline_ms : deadline_ms - exec->now_ms;
        kw_reply_int(exec->out, (int64_t)(time.is_ms ? time_ms : (time_ms + 999) / 1000));
    }
}

static void reply_each(struct kw_exec *exec, size_t count, int64_t value)
{
    kw_reply_array(exec->out, count);
    for (size_t i = 0; i < count; i++) {
        kw_reply_int(exec->out, value);
    }
}
