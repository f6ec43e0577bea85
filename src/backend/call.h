/* call.h - one command, or one run of commands, on its way to one node: bytes out, replies back.
 *
 * A call is embedded in whatever waits for it (a request, a handshake). The link keeps it from
 * kw_link_send() until exactly one of: the last part of its reply, or on_fail. Its bytes stay
 * referenced until kw_call_release(), so that a redirected command can be sent again.
 *
 * A run (MULTI ... EXEC) is one call with several replies: its commands lie side by side in its
 * bytes, nothing comes between them on the wire (O4), and replies_count says how many replies they
 * make. It is over with the last part of the last one, or when kw_inflight_divide() makes calls of
 * what is left of it.
 *
 * Thread: the worker's. Memory: the call belongs to its user and must outlive its flight.
 * See also: link.h (what carries it).
 */
#ifndef KW_BACKEND_CALL_H
#define KW_BACKEND_CALL_H

#include "base/buf.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct kw_call;
struct kw_link;
struct kw_node;

/* A piece of a reply, in order. Small replies come in one piece that is first and last. */
struct kw_reply_part {
    struct kw_bytes bytes; /* borrowed for the call */
    char type;             /* first byte of the reply: + - : $ * ... */
    bool is_first;         /* ... and last part of this reply */
    bool is_last;
    uint32_t replies_left; /* of a run, behind this one; 0: the call is over when is_last is set */
    uint64_t left_bytes;   /* at least so many are still to come; 0 with is_last */
    struct kw_node *node;  /* who says so */
    const struct kw_link *link; /* which brought it; not to be used any more when is_last is set */
};

/* What the user of a call does with its outcome. */
struct kw_call_user {
    /* A part of a reply; with the last part of the last reply the call is no longer in flight. */
    void (*on_reply)(struct kw_call *call, const struct kw_reply_part *part);
    /* No (complete) reply will come from LINK, which is going. was_sent: bytes of the command may
     * have reached the node; of a run: all bytes, so that its last command may have run.
     */
    void (*on_fail)(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                    bool was_sent);
    /* NULL, or: COUNT whole replies of a run at once, the call's last one not among them. They are
     * arrays of one element and lie in DATA, each up to its place in ENDS. False when they are not
     * wanted so: then each comes by on_reply.
     */
    bool (*on_singles)(struct kw_call *call, const char *data, const uint32_t *ends,
                       uint32_t count);
};

struct kw_call {
    const struct kw_call_user *user; /* set once */
    struct kw_call *next;            /* in the link's queue */
    struct kw_link *link;            /* carries it now; NULL when not in flight */
    struct kw_chunk *chunk;          /* referenced: holds the command's bytes */
    size_t offset;                   /* of the bytes in the chunk */
    size_t len;
    uint64_t position;      /* of its first byte in the link's stream */
    uint32_t replies_count; /* of a run, set by its user; 0 is 1 */
    uint32_t replies_left;  /* still to come, the one under way included */
    int32_t lines_ahead;    /* how far away a later one of the queue lies: inflight.h; 0: unknown */
    bool is_reply_started;  /* parts of the reply under way have been handed over */
    bool is_patient;        /* set by its user: it may block, silence says nothing (leased links) */
};

/* Forget the command's bytes. Harmless when there are none. */
static inline void kw_call_release(struct kw_call *call)
{
    kw_chunk_unref(&call->chunk);
}

static inline struct kw_bytes kw_call_bytes(const struct kw_call *call)
{
    return kw_bytes_of(call->chunk->data + call->offset, call->len);
}

#endif
