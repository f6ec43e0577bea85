/* exec.c - what commands have in common: errors, numbers, refusals. */
#include "store/exec.h"

#include "base/mem.h"
#include "base/text.h"
#include "store/internal.h"

void kw_exec_error(struct kw_exec *exec, enum kw_error error, const char *text)
{
    kw_reply_error_text(exec->out, error, text, NULL);
    exec->has_failed = true;
}

void kw_exec_block(struct kw_exec *exec)
{
    if (exec->is_batched) {
        kw_reply_null_array(exec->out, exec->proto);
    } else {
        exec->blocks = true;
    }
}

void kw_exec_short(struct kw_exec *exec)
{
    if (exec->may_retry || exec->out == NULL) {
        exec->is_short = true;
    } else {
        kw_exec_error(exec, KW_ERROR_STORE_OOM, NULL);
    }
}

char *kw__scratch(struct kw_exec *exec, size_t size_bytes)
{
    struct kw_store_worker *worker = exec->worker;

    if (worker->scratch_bytes < size_bytes || worker->scratch_bytes > KW_SCRATCH_KEPT_BYTES) {
        size_t wanted = size_bytes > KW_SCRATCH_KEPT_BYTES ? size_bytes : KW_SCRATCH_KEPT_BYTES;
        kw_free(worker->scratch);
        worker->scratch = kw_try_alloc(wanted);
        worker->scratch_bytes = worker->scratch != NULL ? wanted : 0;
    }
    if (worker->scratch == NULL) {
        kw_exec_short(exec);
    }
    return worker->scratch;
}

bool kw_exec_int(struct kw_exec *exec, struct kw_bytes bytes, int64_t *value)
{
    if (kw_text_to_int(bytes, value) == KW_OK) {
        return true;
    }
    kw_exec_error(exec, KW_ERROR_NOT_INTEGER, NULL);
    return false;
}

bool kw_exec_double(struct kw_exec *exec, struct kw_bytes bytes, double *value)
{
    if (kw_text_to_double(bytes, value) == KW_OK) {
        return true;
    }
    kw_exec_error(exec, KW_ERROR_NOT_FLOAT, NULL);
    return false;
}
