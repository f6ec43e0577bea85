/* range_commands.c - ZRANGE and its older forms, ZRANGESTORE. */
#include "store/zsets/zsets.h"

/* What a command of this family asks for. */
struct zset_query {
    size_t at; /* the argument that is the key; the range follows it */
    bool is_store;
    bool may_choose; /* BYSCORE, BYLEX and REV are options */
    bool is_reverse;
    bool has_kind;
    bool has_scores;
    enum kw_zset_range_kind kind;
    int64_t offset; /* LIMIT */
    int64_t limit;  /* below 0: all */
    struct kw_zset_range range;
};

static void query_run(struct kw_exec *exec, struct zset_query *query);
static bool query_parse(struct kw_exec *exec, struct zset_query *query);
static bool query_parse_word(struct kw_exec *exec, struct zset_query *query, size_t at);
static bool query_fits(struct kw_exec *exec, const struct zset_query *query);
static uint64_t query_begin(const struct kw_zset *zset, const struct zset_query *query,
                            struct kw_zset_walk *walk);

void kw__do_zrange(struct kw_exec *exec)
{
    query_run(exec, &(struct zset_query){.at = 1, .may_choose = true});
}

void kw__do_zrangestore(struct kw_exec *exec)
{
    query_run(exec, &(struct zset_query){.at = 2, .may_choose = true, .is_store = true});
}

void kw__do_zrevrange(struct kw_exec *exec)
{
    query_run(exec, &(struct zset_query){.at = 1, .is_reverse = true});
}

void kw__do_zrangebyscore(struct kw_exec *exec)
{
    query_run(exec, &(struct zset_query){.at = 1, .kind = KW_ZSET_BY_SCORE});
}

void kw__do_zrevrangebyscore(struct kw_exec *exec)
{
    query_run(exec, &(struct zset_query){.at = 1, .kind = KW_ZSET_BY_SCORE, .is_reverse = true});
}

void kw__do_zrangebylex(struct kw_exec *exec)
{
    query_run(exec, &(struct zset_query){.at = 1, .kind = KW_ZSET_BY_LEX});
}

void kw__do_zrevrangebylex(struct kw_exec *exec)
{
    query_run(exec, &(struct zset_query){.at = 1, .kind = KW_ZSET_BY_LEX, .is_reverse = true});
}

static void query_run(struct kw_exec *exec, struct zset_query *query)
{
    struct kw_zset *zset = NULL;
    struct kw_zset_walk walk;
    struct kw_zset_item item;

    if (!query_parse(exec, query) ||
        kw__zset_find(exec, exec->argv[query->at], &zset) == KW_FOUND_OTHER) {
        return;
    }
    if (zset == NULL) {
        kw_key_missed(exec, exec->argv[query->at]);
    }
    uint64_t count = zset == NULL ? 0 : query_begin(zset, query, &walk);
    if (!query->is_store) {
        kw__zset_reply_header(exec, count, query->has_scores);
        for (; count > 0 && kw_zset_walk_next(&walk, &item); count--) {
            kw__zset_reply_item(exec, &item, query->has_scores);
        }
        return;
    }
    struct kw_zset *result = kw_zset_new(exec->worker);
    for (; count > 0 && kw_zset_walk_next(&walk, &item); count--) {
        kw_zset_put(exec->worker, result, item.member, item.score);
    }
    kw__zset_store(exec, exec->argv[1], result, "zrangestore");
}

static bool query_parse(struct kw_exec *exec, struct zset_query *query)
{
    query->limit = -1;
    for (size_t i = query->at + 3; i < exec->argc; i++) {
        if (kw_exec_is(exec, i, KW_BYTES("limit")) && exec->argc - i > 2) {
            if (!kw_exec_int(exec, exec->argv[i + 1], &query->offset) ||
                !kw_exec_int(exec, exec->argv[i + 2], &query->limit)) {
                return false;
            }
            i += 2;
        } else if (!query_parse_word(exec, query, i)) {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
    }
    if (!query_fits(exec, query)) {
        return false;
    }
    struct kw_bytes min = exec->argv[query->at + 1];
    struct kw_bytes max = exec->argv[query->at + 2];
    bool is_swapped = query->is_reverse && query->kind != KW_ZSET_BY_RANK;
    return kw__zset_parse_range(exec, query->kind, is_swapped ? max : min, is_swapped ? min : max,
                                &query->range);
}

/* An option without argument. False: it is none, or is there twice. */
static bool query_parse_word(struct kw_exec *exec, struct zset_query *query, size_t at)
{
    if (!query->is_store && kw_exec_is(exec, at, KW_BYTES("withscores"))) {
        query->has_scores = true;
        return true;
    }
    if (query->may_choose && !query->is_reverse && kw_exec_is(exec, at, KW_BYTES("rev"))) {
        query->is_reverse = true;
        return true;
    }
    bool is_score = kw_exec_is(exec, at, KW_BYTES("byscore"));
    if (query->may_choose && !query->has_kind &&
        (is_score || kw_exec_is(exec, at, KW_BYTES("bylex")))) {
        query->kind = is_score ? KW_ZSET_BY_SCORE : KW_ZSET_BY_LEX;
        query->has_kind = true;
        return true;
    }
    return false;
}

static bool query_fits(struct kw_exec *exec, const struct zset_query *query)
{
    if (query->limit != -1 && query->kind == KW_ZSET_BY_RANK) {
        kw_exec_error(exec, KW_ERROR_ZRANGE_LIMIT, NULL);
        return false;
    }
    if (query->has_scores && query->kind == KW_ZSET_BY_LEX) {
        kw_exec_error(exec, KW_ERROR_ZRANGE_LEX_SCORES, NULL);
        return false;
    }
    return true;
}

/* Begin the walk over what the query asks for. Returns the count of elements. */
static uint64_t query_begin(const struct kw_zset *zset, const struct zset_query *query,
                            struct kw_zset_walk *walk)
{
    uint64_t rank = 0;
    uint64_t count = kw__zset_range_count(zset, &query->range, query->is_reverse, &rank);

    if (query->kind != KW_ZSET_BY_RANK) {
        if (query->offset < 0 || (uint64_t)query->offset >= count) {
            return 0;
        }
        count -= (uint64_t)query->offset;
        rank += query->is_reverse ? 0 : (uint64_t)query->offset;
        if (query->limit >= 0 && (uint64_t)query->limit < count) {
            rank += query->is_reverse ? count - (uint64_t)query->limit : 0;
            count = (uint64_t)query->limit;
        }
    }
    if (count > 0) {
        kw_zset_walk_begin(walk, zset, query->is_reverse ? rank + count - 1 : rank,
                           query->is_reverse);
    }
    return count;
}
