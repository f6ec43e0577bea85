/* redirect.h - which error replies of a node are no answers: redirections and "not now" (R1).
 *
 * Pure. Thread: any. Memory: slices point into the line.
 */
#ifndef KW_PROXY_REDIRECT_H
#define KW_PROXY_REDIRECT_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum kw_redirect_kind {
    KW_REDIRECT_MOVED,   /* the slot lives elsewhere from now on */
    KW_REDIRECT_ASK,     /* this key does, while the slot moves */
    KW_REDIRECT_NOWHERE, /* a MOVED or ASK that names no slot of ours or no place */
    KW_REDIRECT_LATER    /* the same node, or the new owner, will do it in a moment */
};

struct kw_redirect {
    enum kw_redirect_kind kind;
    struct kw_bytes host; /* may be empty: the node that was asked */
    uint16_t port;
};

/* Read LINE, a whole error reply to a request for SLOT. True when the server did not execute the
 * request and says who will. A MOVED or ASK that can't be followed is KW_REDIRECT_NOWHERE: a client
 * must never see it, it would go to the nodes itself.
 */
bool kw_redirect_classify(struct kw_bytes line, uint16_t slot, struct kw_redirect *redirect);

/* True when LINE, which was classified as KW_REDIRECT_LATER, is word for word what a server says. A
 * script may return an error of its own that begins like one, after it has changed keys: asking it
 * again would change them twice (R2).
 */
bool kw_redirect_is_servers_own(struct kw_bytes line);

#endif
