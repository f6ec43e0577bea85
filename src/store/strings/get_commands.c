/* get_commands.c - strings that are read: GET and its kin. */
#include "base/text.h"
#include "store/internal.h"
#include "store/strings/options.h"

static bool get_reply(struct kw_exec *exec, struct kw_bytes *value);

void kw__do_get(struct kw_exec *exec)
{
    struct kw_bytes value;

    if (get_reply(exec, &value)) {
        kw_reply_bulk(exec->out, value);
    }
}

void kw__do_getdel(struct kw_exec *exec)
{
    struct kw_bytes value;

    if (get_reply(exec, &value)) {
        kw_key_remove(exec, exec->argv[1]);
        kw_key_changed(exec, exec->argv[1], KW_STORE_GENERIC, "del");
        kw_reply_bulk(exec->out, value);
    }
}

void kw__do_getex(struct kw_exec *exec)
{
    struct kw_string_options options;
    struct kw_bytes name = exec->argv[1];
    struct kw_bytes value;
    uint64_t deadline_ms = 0;

    if (!kw__string_options(exec, 2, true, &options) || !get_reply(exec, &value) ||
        (options.has_time && !kw__string_deadline(exec, &options, &deadline_ms))) {
        return;
    }
    if (options.has_time && options.is_absolute && deadline_ms <= exec->now_ms) {
        kw_key_remove(exec, name);
        kw_key_changed(exec, name, KW_STORE_GENERIC, "del");
    } else if (options.has_time) {
        kw_key_expire_at(exec, name, deadline_ms);
        kw_key_changed(exec, name, KW_STORE_GENERIC, "expire");
    } else if (options.is_persist && kw_key_deadline(exec, name) != KW_DEADLINE_NONE) {
        kw_key_expire_at(exec, name, KW_DEADLINE_NONE);
        kw_key_changed(exec, name, KW_STORE_GENERIC, "persist");
    }
    kw_reply_bulk(exec->out, value);
}

void kw__do_mget(struct kw_exec *exec)
{
    kw_reply_array(exec->out, exec->argc - 1);
    for (size_t i = 1; i < exec->argc; i++) {
        struct kw_cache_key key = kw__key_of(exec->worker, exec->argv[i]);
        struct kw_cache_found found;
        if (kw__key_look(exec->worker, &key, true, &found) &&
            kw__kind_of(&found) == KW_KIND_STRING) {
            kw_reply_bulk(exec->out, found.value);
        } else {
            kw_reply_null(exec->out, exec->proto);
        }
    }
}

void kw__do_strlen(struct kw_exec *exec)
{
    struct kw_bytes value = {0};

    if (kw_key_string(exec, exec->argv[1], &value) != KW_FOUND_OTHER) {
        kw_reply_int(exec->out, (int64_t)value.len);
    }
}

void kw__do_getrange(struct kw_exec *exec)
{
    struct kw_bytes value = {0};
    int64_t first = 0;
    int64_t last = 0;

    if (!kw_exec_int(exec, exec->argv[2], &first) || !kw_exec_int(exec, exec->argv[3], &last) ||
        kw_key_string(exec, exec->argv[1], &value) == KW_FOUND_OTHER) {
        return;
    }
    kw_reply_bulk(exec->out, kw_text_range(value, first, last));
}

/* The string under argument 1; false: null or an error is written. */
static bool get_reply(struct kw_exec *exec, struct kw_bytes *value)
{
    enum kw_found found = kw_key_string(exec, exec->argv[1], value);

    if (found == KW_FOUND_NOTHING) {
        kw_key_missed(exec, exec->argv[1]);
        kw_reply_null(exec->out, exec->proto);
    }
    return found == KW_FOUND;
}
