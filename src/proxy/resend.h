/* resend.h - sending a request again: when its turn comes, when a moment has passed.
 *
 * A request that was redirected, or lost its link, holds back the younger ones of its client and
 * slot until it is answered (O2). Who decides that it is sent again is request.c.
 *
 * Thread: the worker's. Memory: requests may be answered, and so be gone, inside these calls.
 * See also: request.c (the states), reply.h.
 */
#ifndef KW_PROXY_RESEND_H
#define KW_PROXY_RESEND_H

#include "proxy/internal.h"

/* From now until it is answered REQUEST holds back what is younger. */
void kw_resend_hold(struct kw_request *request);

/* REQUEST will be sent again: what is in flight behind it, and may be about its key, has run before
 * it, or will. Its answer may come when REQUEST's second one is there already, and is out of turn
 * all the same.
 */
void kw_resend_mark_behind(const struct kw_request *request);

/* For those who divide a request that is marked so: the same for REQUEST, in flight. */
void kw_resend_mark(struct kw_request *request);

/* True when an earlier one of the same client and slot is on its way again. O(older requests), but
 * O(1) while nothing is.
 */
bool kw_resend_is_held(const struct kw_request *request);

/* REQUEST, which has just been answered: True when such a one may be about its key. */
bool kw_resend_overtook(const struct kw_request *request);

/* Send the bytes of REQUEST, which is held and in flight nowhere, to its to_node or to the owner of
 * its slot; put it aside when that is not known yet; answer it with an error when it can't be done.
 */
void kw_resend_now(struct kw_request *request);

/* Put REQUEST aside for a moment. False when its time is up: nothing was done. */
KW_CHECK bool kw_resend_later(struct kw_request *request);

/* REQUEST is said to have moved away from FROM, to a node that nobody knows: send it again when its
 * slot has another owner, answer it with an error when that does not happen within a moment. False
 * when its time is up: nothing was done.
 */
KW_CHECK bool kw_resend_when_moved(struct kw_request *request, struct kw_node *from);

/* Send the client's held requests whose turn has come, in one walk over its queue. */
void kw_resend_queued(struct kw_client *client);

/* Send what was put aside long enough; called by the retry timer. */
void kw_resend_due(struct kw_proxy *proxy, uint64_t now_ms);

/* Why a node can't be given a request, as its client is told. */
enum kw_error kw_resend_error(enum kw_status status);

#endif
