/* remove_commands.c - ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREMRANGEBYLEX. */
#include "store/zsets/zsets.h"

static void remove_range(struct kw_exec *exec, enum kw_zset_range_kind kind, const char *event);

void kw__do_zrem(struct kw_exec *exec)
{
    struct kw_zset *zset = NULL;
    int64_t removed_count = 0;

    if (kw__zset_find(exec, exec->argv[1], &zset) == KW_FOUND_OTHER) {
        return;
    }
    for (size_t i = 2; i < exec->argc && zset != NULL && zset->count > 0; i++) {
        removed_count += kw_zset_remove(exec->worker, zset, exec->argv[i]) ? 1 : 0;
    }
    if (removed_count > 0) {
        kw__zset_shrunk(exec, exec->argv[1], zset, "zrem");
    }
    kw_reply_int(exec->out, removed_count);
}

void kw__do_zremrangebyrank(struct kw_exec *exec)
{
    remove_range(exec, KW_ZSET_BY_RANK, "zremrangebyrank");
}

void kw__do_zremrangebyscore(struct kw_exec *exec)
{
    remove_range(exec, KW_ZSET_BY_SCORE, "zremrangebyscore");
}

void kw__do_zremrangebylex(struct kw_exec *exec)
{
    remove_range(exec, KW_ZSET_BY_LEX, "zremrangebylex");
}

static void remove_range(struct kw_exec *exec, enum kw_zset_range_kind kind, const char *event)
{
    struct kw_zset_range range;
    struct kw_zset *zset = NULL;
    uint64_t rank = 0;

    if (!kw__zset_parse_range(exec, kind, exec->argv[2], exec->argv[3], &range) ||
        kw__zset_find(exec, exec->argv[1], &zset) == KW_FOUND_OTHER) {
        return;
    }
    uint64_t count = zset == NULL ? 0 : kw__zset_range_count(zset, &range, false, &rank);
    if (count > 0) {
        kw_zset_remove_range(exec->worker, zset, rank, count);
        kw__zset_shrunk(exec, exec->argv[1], zset, event);
    }
    kw_reply_int(exec->out, (int64_t)count);
}
