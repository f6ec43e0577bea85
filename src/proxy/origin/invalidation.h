/* invalidation.h - what a node tells of keys that have changed.
 *
 * Thread: the origin's. Memory: what it is given is borrowed.
 * See also: origin.c (who gets it), near/refill.h (what is fetched again at once).
 */
#ifndef KW_PROXY_ORIGIN_INVALIDATION_H
#define KW_PROXY_ORIGIN_INVALIDATION_H

#include "proxy/near/shared.h"

/* Drop what is kept of the keys that PUSH names, and break promises of it. *IS_OF_ALL: it names
 * none, all of the node's may have changed. Pushes that say something else are nothing to us.
 * Returns KW_OK; KW_E_PROTOCOL when it can't be read: then anything may have changed.
 */
KW_CHECK enum kw_status kw__invalidation_take(struct kw_near *near, struct kw_bytes push,
                                              bool *is_of_all);

#endif
