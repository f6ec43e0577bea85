/* round.h - a request whose answer takes an errand round all workers.
 *
 * Thread: the worker's. Memory: a round is its maker's, on the heap; on_end() frees it.
 * See also: crew.h (errands), reply.h (deferred replies).
 */
#ifndef KW_PROXY_ROUND_H
#define KW_PROXY_ROUND_H

#include "proxy/crew.h"
#include "proxy/internal.h"

struct kw_round {
    struct kw_errand errand; /* first; its visit is set by the maker */
    /* Write the reply to BUF; CLIENT may be gone by now. NULL: +OK. */
    void (*on_answer)(struct kw_client *client, struct kw_round *round, struct kw_buf *buf);
    void (*on_end)(struct kw_round *round); /* free it */
    struct kw_request *request;
};

/* Send TAKEN round for CLIENT's COMMAND. Returns KW_SENT; all may be over then. */
enum kw_verdict kw_round_start(struct kw_client *client, const struct kw_command *command,
                               struct kw_round *taken);

#endif
