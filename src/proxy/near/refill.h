/* refill.h - what becomes of values that were kept: was it worth it, are they fetched again?
 *
 * Thread: the worker's. Memory: a near's; names are copied.
 * See also: refill.c (why, and when), writes.c and origin.c, who end them.
 */
#ifndef KW_PROXY_NEAR_REFILL_H
#define KW_PROXY_NEAR_REFILL_H

#include "base/list.h"
#include "proxy/near/shared.h"

/* NAME has changed, or is about to, and what is kept of it goes: call it before that. True: its
 * value was used often, so that fetching it again at once pays.
 */
bool kw__refill_judge(struct kw_near *near, struct kw_bytes name, uint64_t hash, uint16_t slot);

/* The write of NAME is answered, and its value was worth it. */
void kw__refill_soon(struct kw_near *near, struct kw_bytes name, uint16_t slot);

/* The node has told that NAME has changed, and its value was worth it. */
void kw__refill_now(struct kw_near *near, struct kw_bytes name, uint16_t slot);

/* A tick ends: fetch what has waited for one. */
void kw__refill_tick(struct kw_near *near);

void kw__refill_init(struct kw_near *near);
void kw__refill_deinit(struct kw_near *near);

#endif
