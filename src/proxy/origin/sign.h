/* sign.h - what a node is asked for so that it is heard: does it live, what does it not tell of?
 *
 * Thread: the origin's. Memory: what is sent joins origin->sent.
 * See also: origin.c O2 (what a sign is good for), tally.h.
 */
#ifndef KW_PROXY_ORIGIN_SIGN_H
#define KW_PROXY_ORIGIN_SIGN_H

#include "proxy/origin/origin.h"

/* Ask for a sign of life, a read of a key of the node's own; the next one is due after a while. */
void kw__origin_sign(struct kw_origin *origin);

/* Ask a plain server how often it has exchanged its databases, when that is due. */
void kw__origin_count_swaps(struct kw_origin *origin);

#endif
