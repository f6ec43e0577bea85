/* look_commands.c - ZCARD ZCOUNT ZLEXCOUNT ZSCORE ZMSCORE ZRANK ZREVRANK. */
#include "store/zsets/zsets.h"

static void count_range(struct kw_exec *exec, enum kw_zset_range_kind kind);
static void reply_score(struct kw_exec *exec, const struct kw_zset *zset, struct kw_bytes member);
static void reply_rank(struct kw_exec *exec, bool is_reverse);

void kw__do_zcard(struct kw_exec *exec)
{
    struct kw_zset *zset = NULL;

    if (kw__zset_find(exec, exec->argv[1], &zset) != KW_FOUND_OTHER) {
        kw_reply_int(exec->out, zset == NULL ? 0 : zset->count);
    }
}

void kw__do_zcount(struct kw_exec *exec)
{
    count_range(exec, KW_ZSET_BY_SCORE);
}

void kw__do_zlexcount(struct kw_exec *exec)
{
    count_range(exec, KW_ZSET_BY_LEX);
}

void kw__do_zscore(struct kw_exec *exec)
{
    struct kw_zset *zset = NULL;

    if (kw__zset_find(exec, exec->argv[1], &zset) != KW_FOUND_OTHER) {
        reply_score(exec, zset, exec->argv[2]);
    }
}

void kw__do_zmscore(struct kw_exec *exec)
{
    struct kw_zset *zset = NULL;

    if (kw__zset_find(exec, exec->argv[1], &zset) == KW_FOUND_OTHER) {
        return;
    }
    kw_reply_array(exec->out, exec->argc - 2);
    for (size_t i = 2; i < exec->argc; i++) {
        reply_score(exec, zset, exec->argv[i]);
    }
}

void kw__do_zrank(struct kw_exec *exec)
{
    reply_rank(exec, false);
}

void kw__do_zrevrank(struct kw_exec *exec)
{
    reply_rank(exec, true);
}

static void count_range(struct kw_exec *exec, enum kw_zset_range_kind kind)
{
    struct kw_zset_range range;
    struct kw_zset *zset = NULL;
    uint64_t rank = 0;

    if (!kw__zset_parse_range(exec, kind, exec->argv[2], exec->argv[3], &range) ||
        kw__zset_find(exec, exec->argv[1], &zset) == KW_FOUND_OTHER) {
        return;
    }
    uint64_t count = zset == NULL ? 0 : kw__zset_range_count(zset, &range, false, &rank);
    kw_reply_int(exec->out, (int64_t)count);
}

static void reply_score(struct kw_exec *exec, const struct kw_zset *zset, struct kw_bytes member)
{
    double score = 0;

    if (zset != NULL && kw_zset_score(zset, member, &score)) {
        kw_reply_double(exec->out, score, exec->proto);
    } else {
        kw_reply_null(exec->out, exec->proto);
    }
}

/* Z[REV]RANK key member [WITHSCORE] */
static void reply_rank(struct kw_exec *exec, bool is_reverse)
{
    bool has_score = exec->argc > 3;
    struct kw_zset *zset = NULL;
    uint64_t rank = 0;
    double score = 0;

    if (exec->argc > 4) {
        kw_exec_error(exec, KW_ERROR_ARITY, exec->command->name);
        return;
    }
    if (has_score && !kw_exec_is(exec, 3, KW_BYTES("withscore"))) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return;
    }
    if (kw__zset_find(exec, exec->argv[1], &zset) == KW_FOUND_OTHER) {
        return;
    }
    if (zset == NULL || !kw_zset_rank(zset, exec->argv[2], &rank, &score)) {
        if (has_score) {
            kw_reply_null_array(exec->out, exec->proto);
        } else {
            kw_reply_null(exec->out, exec->proto);
        }
        return;
    }
    if (has_score) {
        kw_reply_array(exec->out, 2);
    }
    kw_reply_int(exec->out, (int64_t)(is_reverse ? zset->count - 1 - rank : rank));
    if (has_score) {
        kw_reply_double(exec->out, score, exec->proto);
    }
}
