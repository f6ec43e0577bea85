/* key_commands.c - keys of any kind: there or not, of which kind, away with them. */
#include "store/internal.h"

void kw__do_del(struct kw_exec *exec)
{
    int64_t count = 0;

    for (size_t i = 1; i < exec->argc; i++) {
        if (kw_key_remove(exec, exec->argv[i])) {
            kw_key_changed(exec, exec->argv[i], KW_STORE_GENERIC, "del");
            count++;
        }
    }
    kw_reply_int(exec->out, count);
}

void kw__do_exists(struct kw_exec *exec)
{
    int64_t count = 0;

    for (size_t i = 1; i < exec->argc; i++) {
        count += kw_key_kind(exec, exec->argv[i]) != KW_KIND_COUNT ? 1 : 0;
    }
    kw_reply_int(exec->out, count);
}

void kw__do_touch(struct kw_exec *exec)
{
    int64_t count = 0;

    for (size_t i = 1; i < exec->argc; i++) {
        struct kw_cache_key key = kw__key_of(exec->worker, exec->argv[i]);
        struct kw_cache_found found;
        count += kw__key_look(exec->worker, &key, true, &found) ? 1 : 0;
    }
    kw_reply_int(exec->out, count);
}

void kw__do_type(struct kw_exec *exec)
{
    enum kw_kind kind = kw_key_kind(exec, exec->argv[1]);

    kw_reply_status(exec->out, kw_bytes_of_text(kw__kind_name(kind)));
}
