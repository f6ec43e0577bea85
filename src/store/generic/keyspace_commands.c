/* keyspace_commands.c - the keyspace as a whole: how many, and all away. */
#include "store/internal.h"

void kw__do_dbsize(struct kw_exec *exec)
{
    kw_reply_int(exec->out, (int64_t)kw_store_keys_count(exec->worker->store));
}

/* FLUSHALL, FLUSHDB [ASYNC | SYNC]: memory follows in small steps either way. */
void kw__do_flushall(struct kw_exec *exec)
{
    const struct kw_store_watcher *watcher = &exec->worker->watcher;
    bool is_known = exec->argc == 1 || kw_exec_is(exec, 1, KW_BYTES("ASYNC")) ||
                    kw_exec_is(exec, 1, KW_BYTES("SYNC"));

    if (exec->argc > 2 || !is_known) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return;
    }
    kw__tickets_break_all(exec->worker);
    kw_cache_flush(exec->worker->cache);
    if (watcher->on_flushed != NULL) {
        watcher->on_flushed(watcher->user);
    }
    kw_reply_status(exec->out, KW_BYTES("OK"));
}
