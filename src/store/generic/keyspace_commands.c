/* keyspace_commands.c - the keyspace as a whole: how many, which ones, all away. */
#include "base/text.h"
#include "store/internal.h"

enum {
    SCAN_COUNT = 10,        /* keys a SCAN without COUNT */
    SCAN_BUCKETS_SHARE = 10 /* buckets it looks into at most, for each key of COUNT */
};

/* What KEYS and SCAN look for, and where they put it. */
struct search {
    struct kw_bytes pattern;
    bool is_all;
    struct kw_bytes type; /* empty: any */
    struct kw_buf names;
    size_t count;
    size_t seen_count;
};

static void search_on_entry(void *user, struct kw_bytes name, const struct kw_cache_found *found);
static bool scan_options(struct kw_exec *exec, struct search *search, int64_t *count);
static bool scan_cursor(struct kw_bytes text, uint64_t *cursor);

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

void kw__do_randomkey(struct kw_exec *exec)
{
    struct kw_cache_found found;
    struct kw_bytes name;

    if (kw_cache_random(exec->worker->cache, &name, &found)) {
        kw_reply_bulk(exec->out, name);
    } else {
        kw_reply_null(exec->out, exec->proto);
    }
}

void kw__do_keys(struct kw_exec *exec)
{
    struct kw_bytes pattern = exec->argv[1];
    struct search search = {.pattern = pattern, .is_all = kw_bytes_equal(pattern, KW_BYTES("*"))};
    uint64_t cursor = 0;

    kw_buf_init(&search.names, exec->out->pool);
    do {
        cursor = kw_cache_scan(exec->worker->cache, cursor, search_on_entry, &search);
    } while (cursor != 0);
    kw_reply_array(exec->out, search.count);
    kw_buf_append_buf(exec->out, &search.names);
}

/* SCAN cursor [MATCH pattern] [COUNT count] [TYPE type] */
void kw__do_scan(struct kw_exec *exec)
{
    struct search search = {.is_all = true};
    char text[KW_TEXT_INT_MAX];
    uint64_t cursor = 0;
    int64_t count = SCAN_COUNT;

    if (!scan_cursor(exec->argv[1], &cursor)) {
        kw_exec_error(exec, KW_ERROR_INVALID_CURSOR, NULL);
        return;
    }
    if (!scan_options(exec, &search, &count)) {
        return;
    }
    kw_buf_init(&search.names, exec->out->pool);
    int64_t buckets =
        count > INT64_MAX / SCAN_BUCKETS_SHARE ? INT64_MAX : count * SCAN_BUCKETS_SHARE;
    do {
        cursor = kw_cache_scan(exec->worker->cache, cursor, search_on_entry, &search);
    } while (cursor != 0 && search.seen_count < (size_t)count && --buckets > 0);
    kw_reply_array(exec->out, 2);
    kw_reply_bulk(exec->out, kw_bytes_of(text, kw_text_from_int((int64_t)cursor, text)));
    kw_reply_array(exec->out, search.count);
    kw_buf_append_buf(exec->out, &search.names);
}

static void search_on_entry(void *user, struct kw_bytes name, const struct kw_cache_found *found)
{
    struct search *search = user;

    search->seen_count++;
    if (search->type.len > 0 &&
        !kw_bytes_equal_nocase(search->type, kw_bytes_of_text(kw__kind_name(kw__kind_of(found))))) {
        return;
    }
    if (search->is_all || kw_text_glob(search->pattern, name, false)) {
        kw_reply_bulk(&search->names, name);
        search->count++;
    }
}

static bool scan_options(struct kw_exec *exec, struct search *search, int64_t *count)
{
    for (size_t i = 2; i < exec->argc; i += 2) {
        bool has_value = i + 1 < exec->argc;
        if (has_value && kw_exec_is(exec, i, KW_BYTES("COUNT"))) {
            if (!kw_exec_int(exec, exec->argv[i + 1], count)) {
                return false;
            }
            if (*count < 1) {
                kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
                return false;
            }
        } else if (has_value && kw_exec_is(exec, i, KW_BYTES("MATCH"))) {
            search->pattern = exec->argv[i + 1];
            search->is_all = kw_bytes_equal(search->pattern, KW_BYTES("*"));
        } else if (has_value && kw_exec_is(exec, i, KW_BYTES("TYPE"))) {
            search->type = exec->argv[i + 1].len > 0 ? exec->argv[i + 1] : KW_BYTES("?");
        } else {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
    }
    return true;
}

/* Digits, as many as 64 bits hold. */
static bool scan_cursor(struct kw_bytes text, uint64_t *cursor)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *cursor = value;
    return true;
}
