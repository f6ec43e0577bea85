/* pick_commands.c - ZRANDMEMBER ZSCAN. */
#include "store/zsets/zsets.h"

#include "base/mem.h"
#include "base/text.h"
#include "store/tables/pick.h"
#include "store/tables/scan_options.h"

#include <math.h>
#include <stdlib.h>

enum {
    PICK_FEW = 3 /* more than a third of the elements are chosen on a walk over all of them */
};

#define PICK_WHOLE_MAX 0x1p62 /* larger numbers redis keeps as doubles alone */

/* Where the elements of a scan go. */
struct zset_sink {
    const struct kw_scan_options *options;
    struct kw_buf elements; /* the reply's, without its header */
    size_t elements_count;
    int64_t seen_count;
};

static void pick_many(struct kw_exec *exec, bool has_scores);
static void pick_again(struct kw_exec *exec, const struct kw_zset *zset, uint64_t count,
                       bool has_scores);
static void pick_on_walk(struct kw_exec *exec, const struct kw_zset *zset, uint64_t count,
                         bool has_scores);
static void pick_by_ranks(struct kw_exec *exec, const struct kw_zset *zset, uint64_t count,
                          bool has_scores);
static void pick_item(const struct kw_zset *zset, uint64_t rank, struct kw_zset_item *item);
static void sink_put(struct zset_sink *sink, struct kw_bytes member, double score);
static void sink_put_flat(struct zset_sink *sink, const struct kw_zset_item *item);
static void sink_on_item(void *user, const struct kw_table_item *item);

void kw__do_zrandmember(struct kw_exec *exec)
{
    struct kw_zset *zset = NULL;
    struct kw_zset_item item;

    if (exec->argc > 2) {
        pick_many(exec, exec->argc > 3);
        return;
    }
    enum kw_found found = kw__zset_find(exec, exec->argv[1], &zset);
    if (found == KW_FOUND_NOTHING) {
        kw_reply_null(exec->out, exec->proto);
    } else if (found == KW_FOUND) {
        pick_item(zset, kw_table_random(kw__random(exec->worker), zset->count), &item);
        kw_reply_bulk(exec->out, item.member);
    }
}

void kw__do_zscan(struct kw_exec *exec)
{
    struct kw_scan_options options = {0};
    struct zset_sink sink = {.options = &options};
    struct kw_zset *zset = NULL;
    struct kw_zset_walk walk;
    struct kw_zset_item item;

    if (!kw__scan_cursor(exec, 2, &options.cursor) ||
        kw__zset_find(exec, exec->argv[1], &zset) == KW_FOUND_OTHER ||
        (zset != NULL && !kw__scan_options(exec, 3, false, &options))) {
        return;
    }
    uint64_t cursor = options.cursor;
    kw_buf_init(&sink.elements, exec->out->pool);
    if (zset != NULL && zset->is_marked) {
        do {
            cursor = kw_table_scan(&zset->large->table, cursor, sink_on_item, &sink);
        } while (cursor != 0 && sink.seen_count < options.count);
    } else {
        cursor = 0;
    }
    if (zset != NULL && !zset->is_marked) {
        kw_zset_walk_begin(&walk, zset, 0, false);
        while (kw_zset_walk_next(&walk, &item)) {
            sink_put_flat(&sink, &item);
        }
    }
    kw__scan_reply(exec, cursor, sink.elements_count, &sink.elements);
}

/* ZRANDMEMBER key count [WITHSCORES] */
static void pick_many(struct kw_exec *exec, bool has_scores)
{
    struct kw_zset *zset = NULL;
    int64_t count = 0;

    if (!kw__pick_count(exec, exec->argv[2], &count)) {
        return;
    }
    if (exec->argc > 4 || (has_scores && !kw_exec_is(exec, 3, KW_BYTES("withscores")))) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return;
    }
    if (has_scores && (count < -INT64_MAX / 2 || count > INT64_MAX / 2)) {
        kw_exec_error(exec, KW_ERROR_COUNT_TOO_BIG, NULL);
        return;
    }
    if (kw__zset_find(exec, exec->argv[1], &zset) == KW_FOUND_OTHER) {
        return;
    }
    if (zset == NULL || count == 0) {
        kw_reply_array(exec->out, 0);
    } else if (count < 0) {
        pick_again(exec, zset, (uint64_t)-count, has_scores);
    } else if ((uint64_t)count > zset->count / PICK_FEW) {
        uint64_t most = (uint64_t)count < zset->count ? (uint64_t)count : zset->count;
        pick_on_walk(exec, zset, most, has_scores);
    } else {
        pick_by_ranks(exec, zset, (uint64_t)count, has_scores);
    }
}

/* COUNT elements, the same ones perhaps. */
static void pick_again(struct kw_exec *exec, const struct kw_zset *zset, uint64_t count,
                       bool has_scores)
{
    uint64_t *random = kw__random(exec->worker);
    struct kw_zset_item item;

    kw__zset_reply_header(exec, count, has_scores);
    for (; count > 0; count--) {
        pick_item(zset, kw_table_random(random, zset->count), &item);
        kw__zset_reply_item(exec, &item, has_scores);
    }
}

/* COUNT different elements: each one that the walk comes to is taken with the chance that leaves
 * all choices equal.
 */
static void pick_on_walk(struct kw_exec *exec, const struct kw_zset *zset, uint64_t count,
                         bool has_scores)
{
    uint64_t *random = kw__random(exec->worker);
    uint64_t left = zset->count;
    struct kw_zset_walk walk;
    struct kw_zset_item item;

    kw__zset_reply_header(exec, count, has_scores);
    kw_zset_walk_begin(&walk, zset, 0, false);
    for (; count > 0 && kw_zset_walk_next(&walk, &item); left--) {
        if (kw_table_random(random, left) < count) {
            kw__zset_reply_item(exec, &item, has_scores);
            count--;
        }
    }
}

static int rank_compare(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;

    return (first > second) - (first < second);
}

/* COUNT different elements of many more: ranks are drawn until so many are different. */
static void pick_by_ranks(struct kw_exec *exec, const struct kw_zset *zset, uint64_t count,
                          bool has_scores)
{
    uint64_t *random = kw__random(exec->worker);
    uint64_t *ranks = kw_alloc(count * sizeof *ranks);
    uint64_t ranks_count = 0;
    struct kw_zset_item item;

    while (ranks_count < count) {
        for (; ranks_count < count; ranks_count++) {
            ranks[ranks_count] = kw_table_random(random, zset->count);
        }
        qsort(ranks, count, sizeof *ranks, rank_compare);
        ranks_count = 1;
        for (uint64_t i = 1; i < count; i++) {
            if (ranks[i] != ranks[ranks_count - 1]) {
                ranks[ranks_count++] = ranks[i];
            }
        }
    }
    kw__zset_reply_header(exec, count, has_scores);
    for (uint64_t i = 0; i < count; i++) {
        pick_item(zset, ranks[i], &item);
        kw__zset_reply_item(exec, &item, has_scores);
    }
    kw_free(ranks);
}

static void pick_item(const struct kw_zset *zset, uint64_t rank, struct kw_zset_item *item)
{
    struct kw_zset_walk walk;

    kw_zset_walk_begin(&walk, zset, rank, false);
    bool is_there = kw_zset_walk_next(&walk, item);
    KW_ASSERT(is_there);
}

static void sink_put(struct zset_sink *sink, struct kw_bytes member, double score)
{
    if (kw__scan_matches(sink->options, member)) {
        kw_reply_bulk(&sink->elements, member);
        kw_reply_double(&sink->elements, score, 2); /* a bulk, also in RESP3 */
        sink->elements_count += 2;
    }
}

/* Of a flat set redis scans whole scores as integers: 100000000000000000, not 1e+17. */
static void sink_put_flat(struct zset_sink *sink, const struct kw_zset_item *item)
{
    char text[KW_TEXT_INT_MAX];

    if (item->score < -PICK_WHOLE_MAX || item->score > PICK_WHOLE_MAX ||
        item->score != floor(item->score)) {
        sink_put(sink, item->member, item->score);
    } else if (kw__scan_matches(sink->options, item->member)) {
        size_t len = kw_text_from_int((int64_t)item->score, text);
        kw_reply_bulk(&sink->elements, item->member);
        kw_reply_bulk(&sink->elements, kw_bytes_of(text, len));
        sink->elements_count += 2;
    }
}

static void sink_on_item(void *user, const struct kw_table_item *item)
{
    struct zset_sink *sink = user;
    double score = 0;

    sink->seen_count++;
    memcpy(&score, item->extra, sizeof score);
    sink_put(sink, item->key, score);
}
