/* set_algebra_commands.c - several sets at once: SINTER, SUNION, SDIFF, and what stores them.
 *
 * Members of the first set (of the smallest one, to intersect) are looked up in the others. What
 * comes out goes to a sink: a reply, a new set, or a count.
 */
#include "base/mem.h"
#include "store/internal.h"
#include "store/sets/set.h"

struct sources {
    const struct kw_set **sets; /* in the order of the keys; NULL: there is no such key */
    size_t count;
};

struct sink {
    struct kw_exec *exec;
    struct kw_set *result;  /* members go there, unless it is NULL */
    struct kw_buf *replies; /* else there, unless it is NULL */
    size_t count;
    size_t limit; /* SINTERCARD stops here; 0: never */
};

typedef void algebra_run(const struct sources *sources, struct sink *sink);

static void reply_of(struct kw_exec *exec, algebra_run *run);
static void store_of(struct kw_exec *exec, algebra_run *run, const char *event);
static bool sources_find(struct kw_exec *exec, size_t first, size_t count, struct sources *sources);
static void run_intersection(const struct sources *sources, struct sink *sink);
static void run_difference(const struct sources *sources, struct sink *sink);
static void run_union(const struct sources *sources, struct sink *sink);
static bool sink_take(struct sink *sink, struct kw_bytes member);
static bool sintercard_read(struct kw_exec *exec, size_t *count, size_t *limit);

void kw__do_sinter(struct kw_exec *exec)
{
    reply_of(exec, run_intersection);
}

void kw__do_sinterstore(struct kw_exec *exec)
{
    store_of(exec, run_intersection, "sinterstore");
}

void kw__do_sintercard(struct kw_exec *exec)
{
    struct sink sink = {.exec = exec};
    struct sources sources;
    size_t count = 0;

    if (!sintercard_read(exec, &count, &sink.limit) || !sources_find(exec, 2, count, &sources)) {
        return;
    }
    run_intersection(&sources, &sink);
    kw_free(sources.sets);
    kw_reply_int(exec->out, (int64_t)sink.count);
}

void kw__do_sunion(struct kw_exec *exec)
{
    reply_of(exec, run_union);
}

void kw__do_sunionstore(struct kw_exec *exec)
{
    store_of(exec, run_union, "sunionstore");
}

void kw__do_sdiff(struct kw_exec *exec)
{
    reply_of(exec, run_difference);
}

void kw__do_sdiffstore(struct kw_exec *exec)
{
    store_of(exec, run_difference, "sdiffstore");
}

static void reply_of(struct kw_exec *exec, algebra_run *run)
{
    struct sink sink = {.exec = exec};
    struct sources sources;
    struct kw_buf replies;

    if (!sources_find(exec, 1, exec->argc - 1, &sources)) {
        return;
    }
    if (run == run_intersection) {
        kw_buf_init(&replies, exec->out->pool);
        sink.replies = &replies;
        run(&sources, &sink);
        kw_reply_set(exec->out, sink.count, exec->proto);
        kw_buf_append_buf(exec->out, &replies);
    } else {
        /* By way of a set, as in redis: so numbers come out in order. */
        sink.result = kw__set_new(exec->worker);
        run(&sources, &sink);
        kw__set_reply(exec, sink.result);
        kw__set_free(exec->worker, sink.result);
    }
    kw_free(sources.sets);
}

static void store_of(struct kw_exec *exec, algebra_run *run, const char *event)
{
    struct sink sink = {.exec = exec};
    struct kw_bytes name = exec->argv[1];
    struct sources sources;

    if (!sources_find(exec, 2, exec->argc - 2, &sources)) {
        return;
    }
    sink.result = kw__set_new(exec->worker);
    run(&sources, &sink);
    kw_free(sources.sets);
    if (sink.count == 0) {
        kw__set_free(exec->worker, sink.result);
        if (kw_key_remove(exec, name)) {
            kw_key_changed(exec, name, KW_STORE_GENERIC, "del");
        }
    } else if (kw_key_put_object(exec, name, KW_KIND_SET, sink.result, KW_DEADLINE_NONE)) {
        kw_key_changed(exec, name, KW_STORE_SET, event);
    } else {
        return;
    }
    kw_reply_int(exec->out, (int64_t)sink.count);
}

/* The sets under COUNT names from argument FIRST on. False: one is no set, the error is written. */
static bool sources_find(struct kw_exec *exec, size_t first, size_t count, struct sources *sources)
{
    struct kw_set *set;

    sources->sets = kw_alloc(count * sizeof sources->sets[0]);
    sources->count = count;
    for (size_t i = 0; i < count; i++) {
        if (kw__set_find(exec, exec->argv[first + i], &set) == KW_FOUND_OTHER) {
            kw_free(sources->sets);
            return false;
        }
        if (set == NULL) {
            kw_key_missed(exec, exec->argv[first + i]);
        }
        sources->sets[i] = set;
    }
    return true;
}

static void run_intersection(const struct sources *sources, struct sink *sink)
{
    const struct kw_set *smallest = sources->sets[0];
    struct kw_set_walk walk;
    struct kw_bytes member;

    for (size_t i = 0; i < sources->count; i++) {
        if (sources->sets[i] == NULL) {
            return;
        }
        if (kw__set_count(sources->sets[i]) < kw__set_count(smallest)) {
            smallest = sources->sets[i];
        }
    }
    kw__set_walk_begin(&walk, smallest);
    while (kw__set_walk_next(&walk, &member)) {
        bool is_everywhere = true;
        for (size_t i = 0; i < sources->count && is_everywhere; i++) {
            is_everywhere = sources->sets[i] == smallest || kw__set_has(sources->sets[i], member);
        }
        if (is_everywhere && !sink_take(sink, member)) {
            return;
        }
    }
}

static void run_difference(const struct sources *sources, struct sink *sink)
{
    struct kw_set_walk walk;
    struct kw_bytes member;

    if (sources->sets[0] == NULL) {
        return;
    }
    kw__set_walk_begin(&walk, sources->sets[0]);
    while (kw__set_walk_next(&walk, &member)) {
        bool is_elsewhere = false;
        for (size_t i = 1; i < sources->count && !is_elsewhere; i++) {
            is_elsewhere = sources->sets[i] != NULL && kw__set_has(sources->sets[i], member);
        }
        if (!is_elsewhere) {
            sink_take(sink, member);
        }
    }
}

static void run_union(const struct sources *sources, struct sink *sink)
{
    struct kw_set_walk walk;
    struct kw_bytes member;

    for (size_t i = 0; i < sources->count; i++) {
        if (sources->sets[i] == NULL) {
            continue;
        }
        kw__set_walk_begin(&walk, sources->sets[i]);
        while (kw__set_walk_next(&walk, &member)) {
            sink_take(sink, member);
        }
    }
}

/* False: that is enough. */
static bool sink_take(struct sink *sink, struct kw_bytes member)
{
    if (sink->result != NULL && !kw__set_add(sink->exec->worker, sink->result, member)) {
        return true;
    }
    if (sink->replies != NULL) {
        kw_reply_bulk(sink->replies, member);
    }
    sink->count++;
    return sink->limit == 0 || sink->count < sink->limit;
}

static bool sintercard_read(struct kw_exec *exec, size_t *count, size_t *limit)
{
    int64_t number = 0;

    if (kw_text_to_int(exec->argv[1], &number) != KW_OK || number < 1) {
        kw_exec_error(exec, KW_ERROR_NUMKEYS, NULL);
        return false;
    }
    if ((uint64_t)number > exec->argc - 2) {
        kw_exec_error(exec, KW_ERROR_NUMKEYS_TOO_BIG, NULL);
        return false;
    }
    *count = (size_t)number;
    for (size_t i = 2 + *count; i < exec->argc; i++) {
        if (!kw_exec_is(exec, i, KW_BYTES("LIMIT")) || i + 1 == exec->argc) {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
        i++;
        if (kw_text_to_int(exec->argv[i], &number) != KW_OK || number < 0) {
            kw_exec_error(exec, KW_ERROR_LIMIT_NEGATIVE, NULL);
            return false;
        }
        *limit = (size_t)number;
    }
    return true;
}
