/* reply.h - in-order delivery: replies leave in the order of the requests, whatever made them (O1).
 *
 * Only the oldest unanswered request of a client writes to its output; the others park their bytes.
 *
 * Thread: the worker's. Memory: requests are put back to their pool here, and only here.
 */
#ifndef KW_PROXY_REPLY_H
#define KW_PROXY_REPLY_H

#include "proxy/internal.h"

/* Where a reply made by keyway itself is to be written: CLIENT's next one in order. Write all of
 * it, then call kw_reply_end().
 */
struct kw_buf *kw_reply_begin(struct kw_client *client);
void kw_reply_end(struct kw_client *client);

/* The whole of CLIENT's next reply in order: BYTES. */
void kw_reply_whole(struct kw_client *client, struct kw_bytes bytes);

/* Refuse CLIENT's next request in order with ERROR; FIRST and SECOND are for the %s of its row, or
 * NULL. Returns KW_REFUSED.
 */
enum kw_verdict kw_reply_refuse(struct kw_client *client, enum kw_error error, const char *first,
                                const char *second);

/* The same with bytes of the client's own for the first %s. */
enum kw_verdict kw_reply_refuse_bytes(struct kw_client *client, enum kw_error error,
                                      struct kw_bytes bytes);

/* Append REQUEST, in flight, to its client's queue. */
void kw_reply_expect(struct kw_request *request);

/* Put REQUEST, in flight, right behind BEFORE in its client's queue. */
void kw_reply_expect_behind(struct kw_request *request, struct kw_request *before);

/* Append a request whose reply comes later from somewhere else than a call of its own: the sum of
 * parts, another worker, a leased link. It counts as in flight until kw_reply_finish(). Returns it,
 * borrowed from the queue.
 *
 * gather  whose parts, NULL for all others
 */
struct kw_request *kw_reply_defer(struct kw_client *client, const struct kw_command *command,
                                  struct kw_gather *gather);

/* Where something that answers no request is to be written: between two replies of CLIENT, as early
 * as may be, behind what was pushed before (O5). Write all of it, then call kw_reply_end_push()
 * with what this returned.
 */
struct kw_buf *kw_reply_begin_push(struct kw_client *client);

/* The same, but behind the replies to what CLIENT has asked so far (not to what blocks: nobody
 * knows when that is answered).
 */
struct kw_buf *kw_reply_begin_push_behind(struct kw_client *client);
void kw_reply_end_push(struct kw_client *client, const struct kw_buf *buf, size_t added_bytes);

/* Finish all requests of CLIENT, which is gone: for the end of the process. */
void kw_reply_finish_all(struct kw_client *client);

/* A piece of REQUEST's reply. Dropped when the client is gone. */
void kw_reply_pass(struct kw_request *request, struct kw_bytes bytes);

/* The same with all of BUF, which is empty then. */
void kw_reply_pass_buf(struct kw_request *request, struct kw_buf *buf);

/* REQUEST's reply is complete: deliver what is in turn. The request may be gone after this. */
void kw_reply_finish(struct kw_request *request);

/* Answer REQUEST with ERROR; TEXT is for the %s of its row. Ends as kw_reply_finish(). */
void kw_reply_fail(struct kw_request *request, enum kw_error error, const char *text);

#endif
