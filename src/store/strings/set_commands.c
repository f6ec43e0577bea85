/* set_commands.c - strings that are put: SET and its kin, MSET. */
#include "base/text.h"
#include "store/internal.h"
#include "store/strings/options.h"

static bool set_old(struct kw_exec *exec, bool *is_there, struct kw_bytes *old);
static bool set_put(struct kw_exec *exec, struct kw_bytes value, uint64_t deadline_ms,
                    bool has_time);
static void set_timed(struct kw_exec *exec, enum kw_time_unit unit);
static bool mset_put(struct kw_exec *exec, size_t first, size_t end, uint64_t deadline_ms);

void kw__do_set(struct kw_exec *exec)
{
    struct kw_string_options options;
    uint64_t deadline_ms = KW_DEADLINE_NONE;
    struct kw_bytes old = {0};

    if (exec->argc == 3) { /* most are */
        if (set_put(exec, exec->argv[2], KW_DEADLINE_NONE, false)) {
            kw_reply_status(exec->out, KW_BYTES("OK"));
        }
        return;
    }
    if (!kw__string_options(exec, 3, false, &options) ||
        (options.has_time && !kw__string_deadline(exec, &options, &deadline_ms))) {
        return;
    }
    bool is_there = false;
    if (options.is_get) {
        if (!set_old(exec, &is_there, &old)) {
            return;
        }
    } else {
        is_there = kw_key_kind(exec, exec->argv[1]) != KW_KIND_COUNT;
    }
    bool is_kept = (options.is_nx && is_there) || (options.is_xx && !is_there);
    if (!is_kept &&
        !set_put(exec, exec->argv[2], options.keeps_deadline ? KW_DEADLINE_KEEP : deadline_ms,
                 options.has_time)) {
        return;
    }
    if (options.is_get && is_there) {
        kw_reply_bulk(exec->out, old);
    } else if (options.is_get || is_kept) {
        kw_reply_null(exec->out, exec->proto);
    } else {
        kw_reply_status(exec->out, KW_BYTES("OK"));
    }
}

void kw__do_setnx(struct kw_exec *exec)
{
    bool is_there = kw_key_kind(exec, exec->argv[1]) != KW_KIND_COUNT;

    if (is_there || set_put(exec, exec->argv[2], KW_DEADLINE_NONE, false)) {
        kw_reply_int(exec->out, is_there ? 0 : 1);
    }
}

void kw__do_setex(struct kw_exec *exec)
{
    set_timed(exec, KW_TIME_SECONDS);
}

void kw__do_psetex(struct kw_exec *exec)
{
    set_timed(exec, KW_TIME_MS);
}

void kw__do_getset(struct kw_exec *exec)
{
    struct kw_bytes old = {0};
    bool is_there = false;

    if (!set_old(exec, &is_there, &old) || !set_put(exec, exec->argv[2], KW_DEADLINE_NONE, false)) {
        return;
    }
    if (is_there) {
        kw_reply_bulk(exec->out, old);
    } else {
        kw_reply_null(exec->out, exec->proto);
    }
}

void kw__do_mset(struct kw_exec *exec)
{
    if (exec->argc % 2 == 0) {
        kw_exec_error(exec, KW_ERROR_ARITY, exec->command->name);
    } else if (mset_put(exec, 1, exec->argc, KW_DEADLINE_NONE)) {
        kw_reply_status(exec->out, KW_BYTES("OK"));
    }
}

void kw__do_msetnx(struct kw_exec *exec)
{
    if (exec->argc % 2 == 0) {
        kw_exec_error(exec, KW_ERROR_ARITY, exec->command->name);
        return;
    }
    for (size_t i = 1; i < exec->argc; i += 2) {
        if (kw_key_kind(exec, exec->argv[i]) != KW_KIND_COUNT) {
            kw_reply_int(exec->out, 0);
            return;
        }
    }
    if (mset_put(exec, 1, exec->argc, KW_DEADLINE_NONE)) {
        kw_reply_int(exec->out, 1);
    }
}

/* MSETEX numkeys key value [key value ...] [NX | XX] [EX | PX | EXAT | PXAT time | KEEPTTL] */
void kw__do_msetex(struct kw_exec *exec)
{
    struct kw_string_options options;
    uint64_t deadline_ms = KW_DEADLINE_NONE;
    int64_t count = 0;

    if (kw_text_to_int(exec->argv[1], &count) != KW_OK || count < 1 || count > INT32_MAX) {
        kw_exec_error(exec, KW_ERROR_MSETEX_NUMKEYS, NULL);
        return;
    }
    size_t end = 2 + 2 * (size_t)count;
    if (end > exec->argc) {
        kw_exec_error(exec, KW_ERROR_ARITY, exec->command->name);
        return;
    }
    if (!kw__string_options(exec, end, false, &options) ||
        (options.has_time && !kw__string_deadline(exec, &options, &deadline_ms))) {
        return;
    }
    for (size_t i = 2; i < end; i += 2) {
        bool is_there = kw_key_kind(exec, exec->argv[i]) != KW_KIND_COUNT;
        if ((options.is_nx && is_there) || (options.is_xx && !is_there)) {
            kw_reply_int(exec->out, 0);
            return;
        }
    }
    if (mset_put(exec, 2, end, options.keeps_deadline ? KW_DEADLINE_KEEP : deadline_ms)) {
        kw_reply_int(exec->out, 1);
    }
}

/* The string under argument 1, if there is one. False: the error is written. */
static bool set_old(struct kw_exec *exec, bool *is_there, struct kw_bytes *old)
{
    enum kw_found found = kw_key_string(exec, exec->argv[1], old);

    *is_there = found == KW_FOUND;
    if (found == KW_FOUND_NOTHING) {
        kw_key_missed(exec, exec->argv[1]);
    }
    return found != KW_FOUND_OTHER;
}

static bool set_put(struct kw_exec *exec, struct kw_bytes value, uint64_t deadline_ms,
                    bool has_time)
{
    if (!kw_key_put_string(exec, exec->argv[1], value, deadline_ms)) {
        return false;
    }
    kw_key_changed(exec, exec->argv[1], KW_STORE_STRING, "set");
    if (has_time) {
        kw_key_event(exec, exec->argv[1], KW_STORE_GENERIC, "expire");
    }
    return true;
}

/* SETEX key time value */
static void set_timed(struct kw_exec *exec, enum kw_time_unit unit)
{
    struct kw_string_options options = {.has_time = true, .unit = unit, .time = exec->argv[2]};
    uint64_t deadline_ms = 0;

    if (kw__string_deadline(exec, &options, &deadline_ms) &&
        set_put(exec, exec->argv[3], deadline_ms, true)) {
        kw_reply_status(exec->out, KW_BYTES("OK"));
    }
}

/* All of them; when the room ends in the middle, all of them once more. */
static bool mset_put(struct kw_exec *exec, size_t first, size_t end, uint64_t deadline_ms)
{
    for (size_t i = first; i < end; i += 2) {
        if (!kw_key_put_string(exec, exec->argv[i], exec->argv[i + 1], deadline_ms)) {
            return false;
        }
        kw_key_changed(exec, exec->argv[i], KW_STORE_STRING, "set");
    }
    return true;
}
