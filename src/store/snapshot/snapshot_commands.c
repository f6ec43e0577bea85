/* snapshot_commands.c - SAVE, BGSAVE, LASTSAVE. */
#include "base/clock.h"
#include "store/internal.h"
#include "store/snapshot/snapshot.h"

static bool snapshot_find(struct kw_exec *exec, struct kw_snapshot **snapshot);

void kw__do_save(struct kw_exec *exec)
{
    struct kw_snapshot *snapshot;
    enum kw_status status = KW_OK;

    if (exec->is_batched) {
        kw_exec_error(exec, KW_ERROR_NO_MULTI, NULL); /* snapshot.c N1 */
        return;
    }
    if (!snapshot_find(exec, &snapshot)) {
        return;
    }
    if (!kw__snapshot_ask(snapshot, true, &status)) {
        kw_exec_error(exec, KW_ERROR_SNAPSHOT_BUSY, NULL);
    } else if (status != KW_OK) {
        kw_exec_error(exec, KW_ERROR_SNAPSHOT_FAILED, NULL);
    } else {
        kw_reply_status(exec->out, KW_BYTES("OK"));
    }
}

void kw__do_bgsave(struct kw_exec *exec)
{
    struct kw_snapshot *snapshot;
    enum kw_status status;

    if (exec->argc > 2 || (exec->argc == 2 && !kw_exec_is(exec, 1, KW_BYTES("SCHEDULE")))) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return;
    }
    if (!snapshot_find(exec, &snapshot)) {
        return;
    }
    if (kw__snapshot_ask(snapshot, false, &status)) {
        kw_reply_status(exec->out, KW_BYTES("Background saving started"));
    } else {
        kw_exec_error(exec, KW_ERROR_SNAPSHOT_BUSY, NULL);
    }
}

/* Without a snapshot-file: never, which redis does not know; so the time of the start is not it. */
void kw__do_lastsave(struct kw_exec *exec)
{
    struct kw_snapshot *snapshot = exec->worker->store->snapshot;

    kw_reply_int(exec->out,
                 snapshot == NULL ? 0 : (int64_t)(kw__snapshot_last_ms(snapshot) / 1000));
}

static bool snapshot_find(struct kw_exec *exec, struct kw_snapshot **snapshot)
{
    *snapshot = exec->worker->store->snapshot;
    if (*snapshot == NULL) {
        kw_exec_error(exec, KW_ERROR_NO_SNAPSHOT, NULL);
    }
    return *snapshot != NULL;
}
