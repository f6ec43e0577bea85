/* leased.h - a request that goes over a link of its own, and what a client has that link for.
 *
 * Blocking commands and WATCH share this: take a leased link to the slot's node, or wait for one;
 * send; follow redirections to another node's; give the link back. While such a request is
 * unanswered nothing else of its client starts (KW_MODE_LEASED), and it starts only when nothing
 * else of the client is in flight, so that order holds across two links (O2).
 *
 * Thread: the worker's. Memory: embedded in its owner, which is told when the request has ended.
 * See also: backend/lease.h, blocked.h, watch.h (the owners), resend.h.
 */
#ifndef KW_PROXY_SESSION_LEASED_H
#define KW_PROXY_SESSION_LEASED_H

#include "backend/lease.h"
#include "proxy/internal.h"

struct kw_leased;

struct kw_leased_user {
    /* Right before the request's bytes are sent, which it may change (kw_leased_set_bytes()). False
     * when they need not be: it has been answered. NULL: always.
     */
    bool (*before_send)(struct kw_leased *leased);
    /* No node can be given the request now. True: it is tried again, kw_leased_try_later() was
     * called. NULL: the client gets the error.
     */
    bool (*on_refused)(struct kw_leased *leased);
    /* The link was lost. A request in flight on it fails next. NULL: never mind. */
    void (*on_lost)(struct kw_leased *leased);
    /* The request was answered, somehow; nothing is in flight. May free the owner. */
    void (*on_finished)(struct kw_leased *leased);
};

struct kw_leased {
    struct kw_lease lease; /* first: leases cast back */
    const struct kw_leased_user *user;
    struct kw_client *client;
    struct kw_request *request; /* unanswered, over this link; or NULL */
    struct kw_list waiting;     /* in proxy->lease_waiting or lease_retrying */
    uint64_t due_ms;            /* until then */
    bool is_asking;             /* the request went behind ASKING */
};

void kw_leased_init(struct kw_leased *leased, struct kw_client *client,
                    const struct kw_leased_user *user);

/* A request of COMMAND over LEASED for SLOT, with CALLS as its call's user: append it to the
 * client's queue and send WIRE (copied), now or when there is a link. Nothing else of the client is
 * in flight. Returns KW_SENT (it may have been answered with an error already) or KW_REFUSED.
 */
enum kw_verdict kw_leased_start(struct kw_leased *leased, const struct kw_command *command,
                                const struct kw_call_user *calls, uint16_t slot, bool is_patient,
                                struct kw_bytes wire);

/* REQUEST is sent over LEASED: nothing else of its client starts until it is answered. */
void kw_leased_bind(struct kw_leased *leased, struct kw_request *request);

/* Replace the bytes of LEASED's request, which is not in flight, by BYTES. */
KW_CHECK enum kw_status kw_leased_set_bytes(struct kw_leased *leased, const struct kw_bytes *pieces,
                                            size_t count);

/* For resend.c: REQUEST was answered, it need not be sent any more. */
bool kw_leased_is_over(struct kw_request *request);

/* For resend.c: send REQUEST to NODE over its leased link, or queue for one (KW_OK, too). */
KW_CHECK enum kw_status kw_leased_put(struct kw_request *request, struct kw_node *node);

/* Put LEASED's request, which is in flight nowhere, aside for longer than kw_resend_later() does:
 * thousands may be waiting for a new owner of their slot.
 */
void kw_leased_try_later(struct kw_leased *leased);

/* For resend.c: REQUEST can't be sent now. True when it is tried again. */
bool kw_leased_is_refused(struct kw_request *request);

/* For reply.c: REQUEST is answered. */
void kw_leased_finish(struct kw_request *request);

/* The client goes: close the link, end the request. */
void kw_leased_drop(struct kw_leased *leased);

/* Refuse those that have waited for a link too long, and send those that were put aside. */
void kw_leased_check(struct kw_proxy *proxy, uint64_t now_ms);

#endif
