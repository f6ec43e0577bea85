/* object_commands.c - what a value is like inside: OBJECT, MEMORY USAGE. */
#include "base/text.h"
#include "store/internal.h"

#include <limits.h>

enum {
    EMBEDDED_MAX_LEN = 44,        /* redis's, of strings that lie in their object */
    NUMBER_MAX_LEN = 20,          /* of strings that redis keeps as numbers */
    SHARED_NUMBERS_COUNT = 10000, /* which redis keeps once */
    SAMPLES_COUNT = 5             /* elements that MEMORY USAGE looks at */
};

static bool object_look(struct kw_exec *exec, struct kw_cache_found *found);
static const char *string_encoding(const struct kw_cache_found *found, int64_t *number);
static bool is_lfu(const struct kw_exec *exec);

void kw__do_object_encoding(struct kw_exec *exec)
{
    struct kw_cache_found found;
    int64_t number = 0;

    if (!object_look(exec, &found)) {
        return;
    }
    enum kw_kind kind = kw__kind_of(&found);
    const char *encoding = kind == KW_KIND_STRING
                               ? string_encoding(&found, &number)
                               : kw_object_kind(kind)->encoding(kw__object_of(&found));
    kw_reply_bulk(exec->out, kw_bytes_of_text(encoding));
}

/* As if small numbers were shared, which is what redis says then. */
void kw__do_object_refcount(struct kw_exec *exec)
{
    struct kw_cache_found found;
    int64_t number = -1;

    if (!object_look(exec, &found)) {
        return;
    }
    bool is_number = kw__kind_of(&found) == KW_KIND_STRING &&
                     strcmp(string_encoding(&found, &number), "int") == 0;
    bool is_shared = is_number && number >= 0 && number < SHARED_NUMBERS_COUNT;
    kw_reply_int(exec->out, is_shared ? INT_MAX : 1);
}

void kw__do_object_idletime(struct kw_exec *exec)
{
    struct kw_cache_found found;
    struct kw_cache_usage usage;

    if (!object_look(exec, &found)) {
        return;
    }
    kw_cache_usage(exec->worker->cache, &found, &usage);
    if (is_lfu(exec)) {
        kw_exec_error(exec, KW_ERROR_OBJECT_LFU, NULL);
    } else {
        kw_reply_int(exec->out, usage.has_idle ? (int64_t)(usage.idle_ms / 1000) : 0);
    }
}

void kw__do_object_freq(struct kw_exec *exec)
{
    struct kw_cache_found found;
    struct kw_cache_usage usage;

    if (!object_look(exec, &found)) {
        return;
    }
    kw_cache_usage(exec->worker->cache, &found, &usage);
    if (!is_lfu(exec)) {
        kw_exec_error(exec, KW_ERROR_OBJECT_NOT_LFU, NULL);
    } else {
        kw_reply_int(exec->out, usage.has_uses ? usage.uses_count : 0);
    }
}

/* MEMORY USAGE key [SAMPLES count] */
void kw__do_memory_usage(struct kw_exec *exec)
{
    struct kw_cache_found found;
    int64_t samples = SAMPLES_COUNT;

    for (size_t i = 3; i < exec->argc; i += 2) {
        if (!kw_exec_is(exec, i, KW_BYTES("SAMPLES")) || i + 1 == exec->argc) {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return;
        }
        if (!kw_exec_int(exec, exec->argv[i + 1], &samples)) {
            return;
        }
        if (samples < 0) {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return;
        }
    }
    if (!object_look(exec, &found)) {
        return;
    }
    size_t bytes = kw_cache_entry_bytes(exec->argv[2].len, found.value.len);
    if (kw__kind_of(&found) != KW_KIND_STRING) {
        const struct kw_object_kind *kind = kw_object_kind(kw__kind_of(&found));
        bytes += kind->bytes(kw__object_of(&found), (size_t)samples);
    }
    kw_reply_int(exec->out, (int64_t)bytes);
}

/* What is under argument 2; false: null is written. */
static bool object_look(struct kw_exec *exec, struct kw_cache_found *found)
{
    struct kw_cache_key key = kw__key_of(exec->worker, exec->argv[2]);

    exec->worker->is_reading = false; /* it looks at keys from outside: none is missed */
    if (kw__key_look(exec->worker, &key, false, found)) {
        return true;
    }
    kw_reply_null(exec->out, exec->proto);
    return false;
}

/* What redis would say; NUMBER is set when it is one. */
static const char *string_encoding(const struct kw_cache_found *found, int64_t *number)
{
    if (found->kind == KW_FORM_RAW) {
        return "raw";
    }
    if (found->kind == KW_FORM_PLAIN && found->value.len <= NUMBER_MAX_LEN &&
        kw_text_to_int(found->value, number) == KW_OK) {
        return "int";
    }
    return found->value.len <= EMBEDDED_MAX_LEN ? "embstr" : "raw";
}

static bool is_lfu(const struct kw_exec *exec)
{
    return atomic_load_explicit(&exec->worker->store->is_lfu, memory_order_relaxed);
}
