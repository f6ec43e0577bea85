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
    KW_REDIRECT_MOVED, /* the slot lives elsewhere from now on */
    KW_REDIRECT_ASK,   /* this key does, while the slot moves */
    KW_REDIRECT_LATER  /* the same node, or the new owner, will do it in a moment */
};

struct kw_redirect {
    enum kw_redirect_kind kind;
    struct kw_bytes host; /* may be empty: the node that was asked */
    uint16_t port;
};

/* Read LINE, a whole error reply to a request for SLOT. True when the server did not execute the
 * request and says who will. A MOVED or ASK for another slot is an answer like any other: a script
 * may return such text.
 */
bool kw_redirect_classify(struct kw_bytes line, uint16_t slot, struct kw_redirect *redirect);

#endif
