/* hash_option_commands.c - several fields at once, with options: HGETEX, HSETEX, HGETDEL. */
#include "base/text.h"
#include "store/hashes/field_options.h"
#include "store/internal.h"

struct getex_options {
    bool has_time;
    bool is_persist;
    uint64_t deadline_ms;
    struct kw_field_list fields;
};

struct setex_options {
    bool has_time;
    bool is_kept; /* KEEPTTL */
    bool is_fnx;
    bool is_fxx;
    uint64_t deadline_ms;
    struct kw_field_list fields; /* count: pairs */
};

static bool getex_options_read(struct kw_exec *exec, struct getex_options *options);
static bool reply_value(struct kw_exec *exec, const struct kw_hash *hash, struct kw_bytes field);
static bool setex_options_read(struct kw_exec *exec, struct setex_options *options);
static bool setex_time_read(struct kw_exec *exec, size_t *at, struct kw_field_time time,
                            struct setex_options *options);
static bool setex_fields_read(struct kw_exec *exec, size_t at, struct kw_field_list *fields);
static bool setex_may(const struct kw_exec *exec, const struct setex_options *options,
                      const struct kw_hash *hash);

void kw__do_hgetdel(struct kw_exec *exec)
{
    struct kw_field_list fields;
    struct kw_hash *hash;
    size_t count = 0;

    if (kw__hash_find(exec, exec->argv[1], &hash) == KW_FOUND_OTHER ||
        !kw__fields_read(exec, 2, KW_ERROR_FIELDS_COUNT, &fields)) {
        return;
    }
    kw_reply_array(exec->out, fields.count);
    for (size_t i = fields.first; i < exec->argc; i++) {
        if (reply_value(exec, hash, exec->argv[i])) {
            count += kw__hash_remove(exec->worker, hash, exec->argv[i]) ? 1 : 0;
        }
    }
    if (count > 0) {
        kw__hash_shrunk(exec, exec->argv[1], hash, "hdel");
    }
}

void kw__do_hgetex(struct kw_exec *exec)
{
    struct getex_options options = {0};
    struct kw_hash *hash;
    size_t removed_count = 0;
    size_t changed_count = 0;

    if (kw__hash_find(exec, exec->argv[1], &hash) == KW_FOUND_OTHER ||
        !getex_options_read(exec, &options)) {
        return;
    }
    kw_reply_array(exec->out, options.fields.count);
    for (size_t i = options.fields.first; i < exec->argc; i++) {
        struct kw_bytes field = exec->argv[i];
        if (!reply_value(exec, hash, field)) {
            continue;
        }
        if (options.is_persist && kw__hash_deadline(hash, field) != 0) {
            kw__hash_expire_at(exec->worker, hash, field, 0);
            changed_count++;
        } else if (options.has_time) {
            bool is_removed = kw__field_expire_at(exec, hash, field, options.deadline_ms,
                                                  KW_FIELD_ALWAYS) == KW_FIELD_REMOVED;
            removed_count += is_removed ? 1 : 0;
            changed_count += is_removed ? 0 : 1;
        }
    }
    if (changed_count > 0) {
        kw__hash_shrunk(exec, exec->argv[1], hash, options.is_persist ? "hpersist" : "hexpire");
    } else if (removed_count > 0) {
        kw__hash_shrunk(exec, exec->argv[1], hash, "hdel");
    }
}

void kw__do_hsetex(struct kw_exec *exec)
{
    struct setex_options options = {0};
    struct kw_hash_edit edit;
    bool is_removed = false;

    if (!setex_options_read(exec, &options) || !kw__hash_open(exec, exec->argv[1], &edit)) {
        return;
    }
    if (!setex_may(exec, &options, edit.hash)) {
        (void)kw__hash_close(exec, &edit, NULL);
        kw_reply_int(exec->out, 0);
        return;
    }
    for (size_t i = options.fields.first; i < exec->argc; i += 2) {
        struct kw_bytes field = exec->argv[i];
        kw__hash_set(exec->worker, edit.hash, field, exec->argv[i + 1],
                     options.is_kept || options.has_time);
        if (options.has_time) {
            is_removed = kw__field_expire_at(exec, edit.hash, field, options.deadline_ms,
                                             KW_FIELD_ALWAYS) == KW_FIELD_REMOVED;
        }
    }
    if (options.has_time) {
        edit.second = is_removed ? "hdel" : "hexpire";
    }
    if (kw__hash_close(exec, &edit, "hset")) {
        kw_reply_int(exec->out, 1);
    }
}

static bool getex_options_read(struct kw_exec *exec, struct getex_options *options)
{
    struct kw_field_time time;
    size_t at = 2;

    if (kw__field_time_word(exec->argv[2], &time)) {
        options->has_time = true;
        at = 4;
        if (!kw__field_time_read(exec, 3, time, &options->deadline_ms)) {
            return false;
        }
    } else if (kw_exec_is(exec, 2, KW_BYTES("PERSIST"))) {
        options->is_persist = true;
        at = 3;
    }
    return kw__fields_read(exec, at, KW_ERROR_FIELDS_COUNT, &options->fields);
}

/* The value of FIELD, or null and false. HASH may be NULL. */
static bool reply_value(struct kw_exec *exec, const struct kw_hash *hash, struct kw_bytes field)
{
    struct kw_table_item item;

    if (hash == NULL || !kw_table_find(&hash->fields, field, &item)) {
        kw_reply_null(exec->out, exec->proto);
        return false;
    }
    kw_reply_bulk(exec->out, item.value);
    return true;
}

static bool setex_options_read(struct kw_exec *exec, struct setex_options *options)
{
    struct kw_field_time time;

    for (size_t i = 2; i < exec->argc; i++) {
        if (kw_exec_is(exec, i, KW_BYTES("FIELDS"))) {
            return setex_fields_read(exec, i, &options->fields);
        }
        bool is_time = kw__field_time_word(exec->argv[i], &time);
        bool is_fnx = kw_exec_is(exec, i, KW_BYTES("FNX"));
        if (is_time || kw_exec_is(exec, i, KW_BYTES("KEEPTTL"))) {
            if (options->has_time || options->is_kept) {
                kw_exec_error(exec, KW_ERROR_HSETEX_EXPIRY, NULL);
                return false;
            }
            options->is_kept = !is_time;
            if (is_time && !setex_time_read(exec, &i, time, options)) {
                return false;
            }
        } else if (is_fnx || kw_exec_is(exec, i, KW_BYTES("FXX"))) {
            if (options->is_fnx || options->is_fxx) {
                kw_exec_error(exec, KW_ERROR_HSETEX_CONDITION, NULL);
                return false;
            }
            options->is_fnx = is_fnx;
            options->is_fxx = !is_fnx;
        } else {
            kw_reply_error_bytes(exec->out, KW_ERROR_UNKNOWN_ARGUMENT, exec->argv[i]);
            exec->has_failed = true;
            return false;
        }
    }
    kw_exec_error(exec, KW_ERROR_FIELDS_MISSING, NULL);
    return false;
}

/* The time behind the word at *AT, which moves on to it. */
static bool setex_time_read(struct kw_exec *exec, size_t *at, struct kw_field_time time,
                            struct setex_options *options)
{
    if (*at + 1 >= exec->argc) {
        kw_exec_error(exec, KW_ERROR_HSETEX_NO_TIME, NULL);
        return false;
    }
    *at += 1;
    options->has_time = true;
    return kw__field_time_read(exec, *at, time, &options->deadline_ms);
}

static bool setex_fields_read(struct kw_exec *exec, size_t at, struct kw_field_list *fields)
{
    int64_t count = 0;

    if (at + 3 >= exec->argc) {
        kw_exec_error(exec, KW_ERROR_ARITY, exec->command->name);
        return false;
    }
    if (kw_text_to_int(exec->argv[at + 1], &count) != KW_OK || count < 1 || count > INT32_MAX) {
        kw_exec_error(exec, KW_ERROR_HSETEX_COUNT, NULL);
        return false;
    }
    if ((uint64_t)count * 2 != exec->argc - at - 2) {
        kw_exec_error(exec, KW_ERROR_ARITY, exec->command->name);
        return false;
    }
    *fields = (struct kw_field_list){.first = at + 2, .count = (size_t)count};
    return true;
}

/* FNX wants none of the fields to be there, FXX all of them. */
static bool setex_may(const struct kw_exec *exec, const struct setex_options *options,
                      const struct kw_hash *hash)
{
    for (size_t i = options->fields.first; i < exec->argc; i += 2) {
        bool is_there = kw_table_find(&hash->fields, exec->argv[i], NULL);
        if (is_there ? options->is_fnx : options->is_fxx) {
            return false;
        }
    }
    return true;
}
