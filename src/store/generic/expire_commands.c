/* expire_commands.c - when keys end: EXPIRE and its kin, TTL and its kin, PERSIST. */
#include "store/internal.h"

#include <limits.h>

enum { NX = 1, XX = 2, GT = 4, LT = 8 };

static void expire(struct kw_exec *exec, int64_t base_ms, int64_t unit_ms);
static bool expire_flags(struct kw_exec *exec, unsigned *flags);
static bool expire_when(struct kw_exec *exec, int64_t base_ms, int64_t unit_ms, int64_t *when_ms);
static bool expire_is_wanted(unsigned flags, int64_t when_ms, uint64_t now_has_ms);
static void ttl(struct kw_exec *exec, bool is_absolute, bool is_ms);

void kw__do_expire(struct kw_exec *exec)
{
    expire(exec, (int64_t)exec->now_ms, 1000);
}

void kw__do_pexpire(struct kw_exec *exec)
{
    expire(exec, (int64_t)exec->now_ms, 1);
}

void kw__do_expireat(struct kw_exec *exec)
{
    expire(exec, 0, 1000);
}

void kw__do_pexpireat(struct kw_exec *exec)
{
    expire(exec, 0, 1);
}

void kw__do_ttl(struct kw_exec *exec)
{
    ttl(exec, false, false);
}

void kw__do_pttl(struct kw_exec *exec)
{
    ttl(exec, false, true);
}

void kw__do_expiretime(struct kw_exec *exec)
{
    ttl(exec, true, false);
}

void kw__do_pexpiretime(struct kw_exec *exec)
{
    ttl(exec, true, true);
}

void kw__do_persist(struct kw_exec *exec)
{
    bool is_timed = kw_key_deadline(exec, exec->argv[1]) != KW_DEADLINE_NONE;

    if (is_timed) {
        kw_key_expire_at(exec, exec->argv[1], KW_DEADLINE_NONE);
        kw_key_changed(exec, exec->argv[1], KW_STORE_GENERIC, "persist");
    }
    kw_reply_int(exec->out, is_timed ? 1 : 0);
}

/* key time [NX | XX | GT | LT] */
static void expire(struct kw_exec *exec, int64_t base_ms, int64_t unit_ms)
{
    struct kw_bytes name = exec->argv[1];
    unsigned flags = 0;
    int64_t when_ms = 0;

    if (!expire_flags(exec, &flags) || !expire_when(exec, base_ms, unit_ms, &when_ms)) {
        return;
    }
    bool is_there = kw_key_kind(exec, name) != KW_KIND_COUNT;
    if (!is_there || !expire_is_wanted(flags, when_ms, kw_key_deadline(exec, name))) {
        kw_reply_int(exec->out, 0);
        return;
    }
    if (when_ms <= (int64_t)exec->now_ms) {
        kw_key_remove(exec, name);
        kw_key_changed(exec, name, KW_STORE_GENERIC, "del");
    } else {
        kw_key_expire_at(exec, name, (uint64_t)when_ms);
        kw_key_changed(exec, name, KW_STORE_GENERIC, "expire");
    }
    kw_reply_int(exec->out, 1);
}

static bool expire_flags(struct kw_exec *exec, unsigned *flags)
{
    for (size_t i = 3; i < exec->argc; i++) {
        if (kw_exec_is(exec, i, KW_BYTES("NX"))) {
            *flags |= NX;
        } else if (kw_exec_is(exec, i, KW_BYTES("XX"))) {
            *flags |= XX;
        } else if (kw_exec_is(exec, i, KW_BYTES("GT"))) {
            *flags |= GT;
        } else if (kw_exec_is(exec, i, KW_BYTES("LT"))) {
            *flags |= LT;
        } else {
            kw_reply_error_bytes(exec->out, KW_ERROR_EXPIRE_OPTION, exec->argv[i]);
            exec->has_failed = true;
            return false;
        }
    }
    if ((*flags & NX) != 0 && (*flags & (XX | GT | LT)) != 0) {
        kw_exec_error(exec, KW_ERROR_EXPIRE_NX, NULL);
        return false;
    }
    if ((*flags & GT) != 0 && (*flags & LT) != 0) {
        kw_exec_error(exec, KW_ERROR_EXPIRE_GT_LT, NULL);
        return false;
    }
    return true;
}

/* Argument 2 as a time of the clock; in the past is allowed. */
static bool expire_when(struct kw_exec *exec, int64_t base_ms, int64_t unit_ms, int64_t *when_ms)
{
    int64_t given = 0;

    if (!kw_exec_int(exec, exec->argv[2], &given)) {
        return false;
    }
    if (__builtin_mul_overflow(given, unit_ms, when_ms) ||
        __builtin_add_overflow(*when_ms, base_ms, when_ms)) {
        kw_exec_error(exec, KW_ERROR_EXPIRE_TIME, exec->command->name);
        return false;
    }
    return true;
}

/* A key without a deadline counts as one that ends never. */
static bool expire_is_wanted(unsigned flags, int64_t when_ms, uint64_t now_has_ms)
{
    bool is_timed = now_has_ms != KW_DEADLINE_NONE;

    if (((flags & NX) != 0 && is_timed) || ((flags & XX) != 0 && !is_timed)) {
        return false;
    }
    if ((flags & GT) != 0 && (!is_timed || when_ms <= (int64_t)now_has_ms)) {
        return false;
    }
    return (flags & LT) == 0 || !is_timed || when_ms < (int64_t)now_has_ms;
}

static void ttl(struct kw_exec *exec, bool is_absolute, bool is_ms)
{
    struct kw_cache_key key = kw__key_of(exec->worker, exec->argv[1]);
    struct kw_cache_found found;

    if (!kw__key_look(exec->worker, &key, false, &found)) {
        kw_reply_int(exec->out, -2);
        return;
    }
    if (found.deadline_ms == KW_DEADLINE_NONE) {
        kw_reply_int(exec->out, -1);
        return;
    }
    uint64_t shown = found.deadline_ms;
    if (!is_absolute) {
        shown = shown > exec->now_ms ? shown - exec->now_ms : 0;
    }
    kw_reply_int(exec->out, (int64_t)(is_ms ? shown : (shown + 500) / 1000));
}
