/* loans.c - see loans.h.
 *
 * An entry that was evicted, invalidated or flushed while it is lent keeps its memory until the
 * last client has read it. The cache's ceiling stands: others find less room meanwhile. So what is
 * lent is bounded, a share of the cache for each worker; above it values are copied as small ones
 * are.
 *
 * INVARIANTS
 * V1  lent_bytes is the sum of what is in near->loans.
 */
#include "proxy/near/loans.h"

enum { LENT_SHARE = 4 /* a quarter of the cache, for all workers together */ };

static void loan_on_return(struct kw_loan *loan);

void kw__loans_append(struct kw_near *near, struct kw_buf *buf, const struct kw_cache_found *found)
{
    size_t lent_max =
        near->proxy->config->cache_max_memory_bytes / LENT_SHARE / near->shared->workers_count;

    if (near->lent_bytes + found->value.len > lent_max || !kw_cache_hold(near->worker, found)) {
        kw_buf_append_bytes(buf, found->value);
        return;
    }
    struct kw_loan *loan = kw_buf_append_loan(buf, found->value, loan_on_return);
    loan->lender = near;
    loan->item = found->entry;
    kw_list_append(&near->loans, &loan->all);
    near->lent_bytes += found->value.len; /* V1 */
}

void kw__loans_recall(struct kw_near *near)
{
    while (!kw_list_is_empty(&near->loans)) {
        kw_loan_copy(KW_LIST_ENTRY(near->loans.next, struct kw_loan, all));
    }
    KW_ASSERT(near->lent_bytes == 0); /* V1 */
}

static void loan_on_return(struct kw_loan *loan)
{
    struct kw_near *near = loan->lender;

    KW_ASSERT(near->lent_bytes >= loan->chunk->cap); /* V1 */
    near->lent_bytes -= loan->chunk->cap;
    kw_list_remove(&loan->all);
    kw_cache_release(near->worker, loan->item);
}
