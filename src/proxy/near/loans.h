/* loans.h - large values leave by reference: their entries are held while clients read them.
 *
 * Thread: the worker's. Memory: what is lent counts towards the cache; kw__loans_recall() has
 * clients go on with copies.
 * See also: base/buf.h (loans), cache/cache.h (kw_cache_hold).
 */
#ifndef KW_PROXY_NEAR_LOANS_H
#define KW_PROXY_NEAR_LOANS_H

#include "proxy/near/shared.h"

/* Append what was FOUND to BUF, by reference when it is worth it. */
void kw__loans_append(struct kw_near *near, struct kw_buf *buf, const struct kw_cache_found *found);

/* Nothing of the cache is lent any more. */
void kw__loans_recall(struct kw_near *near);

#endif
