/* derived.h - reads that the kept reply of GET answers: STRLEN, GETRANGE, SUBSTR, TYPE, EXISTS.
 *
 * What GET says of a key is the whole value, or that there is none: so these need no entry, no fill
 * and no node. (A key of another type has no entry of GET: its reply is an error.)
 *
 * Thread: the worker's. See also: answer.c, who may be answered at all.
 */
#ifndef KW_PROXY_NEAR_DERIVED_H
#define KW_PROXY_NEAR_DERIVED_H

#include "proxy/near/variant.h"

/* KEY is READ's own: find what GET has brought instead. False when there is nothing, or it doesn't
 * tell.
 */
bool kw__derived_find(struct kw_near *near, const struct kw_near_read *read,
                      const struct kw_near_key *key, struct kw_cache_found *found);

/* Answer READ from what was FOUND so. False when only the node can: wrong numbers. */
bool kw__derived_answer(struct kw_client *client, const struct kw_near_read *read,
                        const struct kw_cache_found *found);

#endif
