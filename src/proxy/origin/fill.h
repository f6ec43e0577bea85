/* fill.h - fetching what is hot: from the worker whose client read it to the origin that asks.
 *
 * Thread: kw__fill_start() the reader's worker; all else the worker of the origin.
 * Memory: a fill belongs to the letter that carries it, then to the origin that has sent it.
 * See also: origin.h, cache/fill.c (promises).
 */
#ifndef KW_PROXY_ORIGIN_FILL_H
#define KW_PROXY_ORIGIN_FILL_H

#include "backend/node.h"
#include "proxy/crew.h"
#include "proxy/near/variant.h"

/* On its way to an origin, or sent there: the two commands CMD and PTTL, or a sign of life. */
struct kw_fill {
    struct kw_errand errand; /* first: errands cast back */
    struct kw_list sent;     /* in near->fills_later, then in the origin's list; oldest first */
    char node[KW_NODE_ID_LEN + KW_NODE_NAME_MAX]; /* which one: kw__fill_node_name() */
    uint64_t cache_number;                        /* that TOKEN is of */
    uint64_t token;
    uint64_t hash;
    uint64_t sent_us; /* before it was; of the clock, as a loop's time may be older than what was
                         seen, or wished, elsewhere */
    enum kw_near_role role;
    uint8_t proto;     /* of the clients that it is for, 2 or 3: WHOLE only */
    bool is_of_fields; /* of a hash, whose fields may be over on their own */
    uint32_t generation;
    uint16_t slot;
    uint16_t domain;  /* of the origin when it was sent */
    bool is_sign;     /* of life only: one reply, nothing to keep */
    bool is_tally;    /* the same, and the reply is for tally.h */
    bool is_blind;    /* asked in RESP2, of a node that can't tell of changes */
    bool has_reply;   /* the first of the two has come */
    bool is_useless;  /* ... and can't be kept */
    bool is_given_up; /* its promise is broken; its replies are still to come */
    char *reply;      /* owned */
    size_t reply_len;
    size_t name_len;
    size_t variant_len;
    size_t command_len;
    char bytes[]; /* name, variant, command in multibulk form */
};

/* What READ asks for is hot: fetch it, unless that is under way or must not be now. KEY is its key;
 * its command in multibulk form is COUNT pieces of WIRE.
 */
void kw__fill_start(struct kw_near *near, const struct kw_near_read *read,
                    const struct kw_near_key *key, const struct kw_bytes *wire, size_t count);

/* The same, but it can wait: it leaves with others, within a heartbeat. */
void kw__fill_start_later(struct kw_near *near, const struct kw_near_read *read,
                          const struct kw_near_key *key, const struct kw_bytes *wire, size_t count);

/* Those that wait leave now; or never. */
void kw__fills_depart(struct kw_near *near);
void kw__fills_forget(struct kw_near *near);

/* Entries of DOMAIN, of SLOT's node, can't be used before the node is heard of: ask it for a sign,
 * unless it has been asked.
 */
void kw__fill_wish(struct kw_near *near, uint16_t slot, uint16_t domain);

struct kw_bytes kw__fill_name(const struct kw_fill *fill);
struct kw_bytes kw__fill_command(const struct kw_fill *fill);

/* The first reply has come; then the second, the time to live. The second ends FILL, which goes. */
void kw__fill_take(struct kw_near *near, struct kw_fill *fill, struct kw_bytes reply);
void kw__fill_end(struct kw_near *near, struct kw_fill *fill, struct kw_bytes ttl);

/* Nothing will come of FILL, which stays until its replies have come. */
void kw__fill_give_up(struct kw_near *near, struct kw_fill *fill);

/* Nothing will come of FILL, which goes. */
void kw__fill_drop(struct kw_near *near, struct kw_fill *fill);

#endif
