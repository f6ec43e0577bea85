/* queue.h - a request in its client's queue: its struct and its states.
 *
 * Thread: the worker's. Memory: requests come from proxy->requests and go back in reply.c only.
 * See also: internal.h (what every file of this room does with one), request.c (the states drawn).
 */
#ifndef KW_PROXY_QUEUE_H
#define KW_PROXY_QUEUE_H

#include "backend/call.h"
#include "base/buf.h"
#include "base/list.h"
#include "command/command.h"

#include <stddef.h>

struct kw_client;
struct kw_gather;
struct kw_leased;
struct kw_run;

enum kw_request_state {
    KW_REQUEST_INFLIGHT = 0, /* its call is on a link */
    KW_REQUEST_RETRYING,     /* in proxy->retrying until due_ms */
    KW_REQUEST_DEFERRED,     /* has no call: somebody else will bring its reply */
    KW_REQUEST_QUEUED,       /* redirected; waits for an earlier one of the same slot (O2) */
    KW_REQUEST_DONE          /* its whole reply is in parked, or delivered */
};

enum { KW_REPLY_SMALL_BYTES = 88 }; /* most replies that wait are smaller: no chunk for them */

/* Hundreds are in flight at once, more than the nearest cache holds: so what every request needs
 * comes first, in two lines of it, and the rest is not even cleared for those that don't need it.
 */
struct kw_request {
    struct kw_call call;      /* first: the call's callbacks cast back */
    struct kw_request *next;  /* of the same client, younger */
    struct kw_client *client; /* outlives its requests */
    const struct kw_command *command;
    uint64_t started_us;    /* of the loop: when it was put in the queue */
    uint64_t near_hash;     /* of its key, or what `near` says */
    uint16_t slot;          /* kw__request_get() clears from near_hash to gather */
    uint8_t small_len;      /* reply bytes that wait for older requests are in small[] ... */
    uint8_t state;          /* enum kw_request_state */
    uint8_t attempts;       /* redirections followed so far */
    uint8_t lost_links : 7; /* that it was on ... */
    uint8_t was_sent : 1;   /* ... and one of them has carried it: only of what may be sent twice */
    uint8_t owner_steps;    /* RETRYING: how often to look for another owner than to_node */
    uint8_t near;           /* enum kw_near_mark: what its reply is to the near cache */
    bool is_special;        /* the fields at the end are in use: set by whoever sets one of them */
    bool is_parked;         /* ... or in parked, which is in use; then small[] is not */
    bool is_asking : 1;     /* goes behind ASKING */
    bool needs_script : 1;  /* its script goes in front of it when it is sent again */
    bool is_push : 1;       /* no request: it holds what is pushed behind the oldest one's reply */
    bool is_gathered : 1;   /* gather is in use: it is a part, or what the parts answer */
    bool is_lead : 1;       /* others may wait for its reply: coalesce.h */
    bool is_follower : 1;   /* it waits for that of another one */
    bool is_told : 1;       /* ... of whoever follows: kw_coalesce_tell() knows of its reply */
    bool is_bunch : 1;      /* a part that is several commands, of a slot each: bunch.c */
    bool is_barrier : 1;    /* has several keys: see kw_turn_must_wait(); counted in the client */
    bool is_behind : 1;     /* in flight, and an older one of its slot is sent again: resend.h */
    bool is_redirecting;    /* holds back younger ones of the same slot; counted in the client */
    bool is_streaming;      /* part of its reply has reached the client's output */
    bool is_muted;          /* its reply is dropped: CLIENT REPLY OFF or SKIP */
    bool is_part;           /* its reply is one of several that make one: gather.c */

    struct kw_gather *gather; /* of those that are gathered, else NULL */
    uint32_t part;            /* of a part: its number in the gather */
    uint32_t keys_count;      /* of a part: how many keys it is about; of a bunch: commands */
    struct kw_buf parked;     /* in the third line, whose fields a bunch needs */
    char small[KW_REPLY_SMALL_BYTES];

    /* zero in the pool, and in all that are not special; so are call.replies_count, is_patient */
    struct kw_list retrying;  /* in proxy->retrying */
    struct kw_node *to_node;  /* held: send there, not to the slot's owner, the next time */
    struct kw_leased *leased; /* goes over a link of its own: leased.c; NULL: over the shared one */
    struct kw_run *run;       /* EXEC's: owned; transaction.c */
    struct kw_list followers; /* of a lead; of a follower: its place there */
    struct kw_request *lead;  /* of a follower */
    uint64_t deadline_ms;     /* no more retries after; 0 until the first one */
    uint64_t due_ms;          /* RETRYING: when to try again */
};

_Static_assert(offsetof(struct kw_request, gather) <= 128, "two lines of the cache");
_Static_assert(offsetof(struct kw_request, small) <= 192, "three for a bunch, small[] left out");

/* The call that brings REQUEST's reply: its own, or that of the one it follows. */
static inline const struct kw_call *kw__request_call(const struct kw_request *request)
{
    return request->is_follower ? &request->lead->call : &request->call;
}

/* Its parts, which stand before it, bring its reply, and speak for it. */
static inline bool kw__request_is_answer(const struct kw_request *request)
{
    return request->gather != NULL && !request->is_part;
}

#endif
