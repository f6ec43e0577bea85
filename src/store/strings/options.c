/* options.c - SET key value [NX | XX] [GET] [EX | PX | EXAT | PXAT time | KEEPTTL], and GETEX's. */
#include "store/strings/options.h"

#include <limits.h>

#include "store/internal.h"

static bool option_read(struct kw_exec *exec, size_t *at, bool is_getex,
                        struct kw_string_options *options);
static bool option_time(struct kw_exec *exec, size_t *at, struct kw_string_options *options);

bool kw__string_options(struct kw_exec *exec, size_t first, bool is_getex,
                        struct kw_string_options *options)
{
    *options = (struct kw_string_options){0};
    for (size_t at = first; at < exec->argc; at++) {
        if (!option_read(exec, &at, is_getex, options)) {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
    }
    return true;
}

bool kw__string_deadline(struct kw_exec *exec, const struct kw_string_options *options,
                         uint64_t *deadline_ms)
{
    int64_t given = 0;
    bool is_seconds = options->unit == KW_TIME_SECONDS;

    if (!kw_exec_int(exec, options->time, &given)) {
        return false;
    }
    if (given <= 0 || (is_seconds && given > LLONG_MAX / 1000)) {
        kw_exec_error(exec, KW_ERROR_EXPIRE_TIME, exec->command->name);
        return false;
    }
    uint64_t ms = (uint64_t)given * (is_seconds ? 1000 : 1);
    ms += options->is_absolute ? 0 : exec->now_ms;
    if (ms > (uint64_t)LLONG_MAX) {
        kw_exec_error(exec, KW_ERROR_EXPIRE_TIME, exec->command->name);
        return false;
    }
    *deadline_ms = ms;
    return true;
}

/* The option at *AT, with its argument; false when it is none here. */
static bool option_read(struct kw_exec *exec, size_t *at, bool is_getex,
                        struct kw_string_options *options)
{
    bool is_timed = options->has_time || options->keeps_deadline || options->is_persist;

    if (!is_getex && kw_exec_is(exec, *at, KW_BYTES("NX")) && !options->is_xx) {
        options->is_nx = true;
    } else if (!is_getex && kw_exec_is(exec, *at, KW_BYTES("XX")) && !options->is_nx) {
        options->is_xx = true;
    } else if (!is_getex && kw_exec_is(exec, *at, KW_BYTES("GET"))) {
        options->is_get = true;
    } else if (!is_getex && kw_exec_is(exec, *at, KW_BYTES("KEEPTTL")) && !options->has_time) {
        options->keeps_deadline = true;
    } else if (is_getex && kw_exec_is(exec, *at, KW_BYTES("PERSIST")) && !options->has_time) {
        options->is_persist = true;
    } else {
        return (!is_timed || options->has_time) && option_time(exec, at, options);
    }
    return true;
}

/* EX, PX, EXAT or PXAT: once, or the same again. */
static bool option_time(struct kw_exec *exec, size_t *at, struct kw_string_options *options)
{
    static const struct {
        struct kw_bytes word;
        bool is_absolute;
        enum kw_time_unit unit;
    } words[] = {
        {{"EX", 2}, false, KW_TIME_SECONDS},
        {{"PX", 2}, false, KW_TIME_MS},
        {{"EXAT", 4}, true, KW_TIME_SECONDS},
        {{"PXAT", 4}, true, KW_TIME_MS},
    };

    if (*at + 1 >= exec->argc) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        bool is_other = options->has_time && (options->is_absolute != words[i].is_absolute ||
                                              options->unit != words[i].unit);
        if (kw_exec_is(exec, *at, words[i].word) && !is_other) {
            options->has_time = true;
            options->is_absolute = words[i].is_absolute;
            options->unit = words[i].unit;
            options->time = exec->argv[++*at];
            return true;
        }
    }
    return false;
}
