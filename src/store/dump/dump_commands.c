/* dump_commands.c - DUMP and RESTORE: values that go from one redis to another. */
#include "store/dump/rdb.h"
#include "store/hashes/hash.h"

#include <limits.h>
#include <stdio.h>

enum {
    FREQ_MAX = 255,
    BULK_HEADER_BYTES = 32,
    IDLE_MAX_S = 100000000 /* three years: more than is kept */
};

struct restore_options {
    int64_t idle_s;
    int64_t freq;
    bool is_replacing;
    bool is_absolute;
};

static bool dump_may_be(struct kw_exec *exec, const struct kw_cache_found *found);
static bool restore_options(struct kw_exec *exec, struct restore_options *options);
static bool option_value(struct kw_exec *exec, size_t at, int64_t max, enum kw_error error,
                         int64_t *value);
static bool restore_value(struct kw_exec *exec, uint64_t deadline_ms);
static bool restore_lacks(struct kw_exec *exec, unsigned type);
static void restore_usage(struct kw_exec *exec, const struct restore_options *options);
static void restore_nothing(struct kw_exec *exec, enum kw_kind kind, void *object);
static void restore_ready(struct kw_exec *exec, enum kw_kind kind);

void kw__do_dump(struct kw_exec *exec)
{
    struct kw_cache_key key = kw__key_of(exec->worker, exec->argv[1]);
    struct kw_cache_found found;
    struct kw_buf payload;
    char header[BULK_HEADER_BYTES];

    if (!kw__key_look(exec->worker, &key, true, &found)) {
        kw_reply_null(exec->out, exec->proto);
        return;
    }
    if (!dump_may_be(exec, &found)) {
        return;
    }
    kw_buf_init(&payload, exec->out->pool);
    kw__rdb_write(&payload, &found);
    int len = snprintf(header, sizeof header, "$%zu\r\n", payload.len);
    kw_buf_append(exec->out, header, (size_t)len);
    kw_buf_append_buf(exec->out, &payload);
    kw_buf_append(exec->out, "\r\n", 2);
}

/* RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ uses]
 *
 * IDLETIME counts with policies that know when a key was used, FREQ with those that know how often.
 */
void kw__do_restore(struct kw_exec *exec)
{
    struct restore_options options;
    struct kw_bytes name = exec->argv[1];
    int64_t ttl_ms = 0;

    if (!restore_options(exec, &options)) {
        return;
    }
    if (!options.is_replacing && kw_key_kind(exec, name) != KW_KIND_COUNT) {
        kw_exec_error(exec, KW_ERROR_BUSYKEY, NULL);
        return;
    }
    if (!kw_exec_int(exec, exec->argv[2], &ttl_ms)) {
        return;
    }
    if (ttl_ms < 0 || !kw__rdb_is_sound(exec->argv[3])) {
        kw_exec_error(exec, ttl_ms < 0 ? KW_ERROR_RESTORE_TTL : KW_ERROR_RESTORE_SUM, NULL);
        return;
    }
    uint64_t deadline_ms = (uint64_t)ttl_ms;
    if (ttl_ms != 0 && !options.is_absolute) {
        deadline_ms += exec->now_ms;
    }
    if (restore_value(exec, deadline_ms)) {
        restore_usage(exec, &options);
        kw_reply_status(exec->out, KW_BYTES("OK"));
    }
}

/* Payloads of this version have no deadlines of fields, and would lose them. False: the error is
 * written.
 */
static bool dump_may_be(struct kw_exec *exec, const struct kw_cache_found *found)
{
    const struct kw_hash *hash = found->kind == KW_KIND_HASH ? kw__object_of(found) : NULL;

    if (hash == NULL || hash->timed == NULL) {
        return true;
    }
    kw_exec_error(exec, KW_ERROR_DUMP_FIELDS, NULL);
    return false;
}

static bool restore_options(struct kw_exec *exec, struct restore_options *options)
{
    *options = (struct restore_options){.idle_s = -1, .freq = -1};
    for (size_t i = 4; i < exec->argc; i++) {
        bool has_value = i + 1 < exec->argc;
        if (kw_exec_is(exec, i, KW_BYTES("REPLACE"))) {
            options->is_replacing = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("ABSTTL"))) {
            options->is_absolute = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("IDLETIME")) && has_value && options->freq == -1) {
            if (!option_value(exec, ++i, INT64_MAX, KW_ERROR_RESTORE_IDLE, &options->idle_s)) {
                return false;
            }
        } else if (kw_exec_is(exec, i, KW_BYTES("FREQ")) && has_value && options->idle_s == -1) {
            if (!option_value(exec, ++i, FREQ_MAX, KW_ERROR_RESTORE_FREQ, &options->freq)) {
                return false;
            }
        } else {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
    }
    return true;
}

/* A number from 0 to MAX; false: the error is written. */
static bool option_value(struct kw_exec *exec, size_t at, int64_t max, enum kw_error error,
                         int64_t *value)
{
    if (!kw_exec_int(exec, exec->argv[at], value)) {
        return false;
    }
    if (*value < 0 || *value > max) {
        kw_exec_error(exec, error, NULL);
        return false;
    }
    return true;
}

/* False: the error is written, or there is no room. */
static bool restore_value(struct kw_exec *exec, uint64_t deadline_ms)
{
    struct kw_bytes name = exec->argv[1];
    struct kw_bytes payload = exec->argv[3];
    struct kw_rdb rdb = {.rest = kw_bytes_of(payload.data, payload.len - KW_RDB_FOOTER_BYTES)};
    struct kw_rdb_text text = {.bytes = KW_BYTES("")};
    enum kw_kind kind = KW_KIND_STRING;
    void *object = NULL;
    const char *first = kw__rdb_take(&rdb, 1);
    unsigned type = first == NULL ? UINT_MAX : (unsigned char)*first;

    if (restore_lacks(exec, type)) {
        return false;
    }
    if (type == KW_RDB_STRING) {
        kw__rdb_text(&rdb, &text);
    } else {
        object = kw__rdb_object(exec->worker, &rdb, type, &kind);
    }
    bool is_damaged = rdb.is_damaged || (type != KW_RDB_STRING && object == NULL);
    if (is_damaged) {
        kw_exec_error(exec, KW_ERROR_RESTORE_DATA, NULL);
    }
    bool is_over = (int64_t)deadline_ms < 0 || (deadline_ms != 0 && deadline_ms <= exec->now_ms);
    bool is_done = !is_damaged && is_over;
    if (is_done) {
        restore_nothing(exec, kind, object);
    } else if (!is_damaged) {
        exec->news = KW_NEWS_SURE;
        is_done = kind == KW_KIND_STRING ? kw_key_put_string(exec, name, text.bytes, deadline_ms)
                                         : kw_key_put_object(exec, name, kind, object, deadline_ms);
        if (is_done) {
            kw_key_changed(exec, name, KW_STORE_GENERIC, "restore");
            restore_ready(exec, kind);
        }
    }
    kw__rdb_text_deinit(&text);
    return is_done;
}

/* True, and the error is written: TYPE is of a kind that this store has not. */
static bool restore_lacks(struct kw_exec *exec, unsigned type)
{
    bool is_stream = type == KW_RDB_STREAM || type == KW_RDB_STREAM_2;
    bool is_module = type == KW_RDB_MODULE_FIRST || type == KW_RDB_MODULE_LAST;

    if (is_stream || is_module) {
        kw_reply_error_text(exec->out, KW_ERROR_STORE_LACKS, "RESTORE",
                            is_stream ? "streams" : "modules");
        exec->has_failed = true;
    }
    return is_stream || is_module;
}

static void restore_usage(struct kw_exec *exec, const struct restore_options *options)
{
    struct kw_cache_usage usage = {.has_idle = options->idle_s >= 0,
                                   .has_uses = options->freq >= 0,
                                   .idle_ms = UINT64_MAX,
                                   .uses_count = (unsigned)options->freq};

    if (options->idle_s <= IDLE_MAX_S) {
        usage.idle_ms = (uint64_t)options->idle_s * 1000;
    }
    if (usage.has_idle || usage.has_uses) {
        struct kw_cache_key key = kw__key_of(exec->worker, exec->argv[1]);
        kw_cache_set_usage(exec->worker->cache, &key, &usage);
    }
}

/* What is over is not kept, and OBJECT neither; what it was to replace goes. */
static void restore_nothing(struct kw_exec *exec, enum kw_kind kind, void *object)
{
    if (object != NULL) {
        kw_object_kind(kind)->free(exec->worker, object);
    }
    if (kw_key_remove(exec, exec->argv[1])) {
        kw_key_changed(exec, exec->argv[1], KW_STORE_GENERIC, "del");
    }
}

static void restore_ready(struct kw_exec *exec, enum kw_kind kind)
{
    if (kind == KW_KIND_LIST || kind == KW_KIND_ZSET) {
        kw_key_ready(exec, exec->argv[1]);
    }
}
