/* link.h - one connection from one worker to one node.
 *
 * A link sends calls in order and matches replies by position: the n-th reply on the wire belongs
 * to the n-th call written (O3). Its states are drawn in link.c.
 *
 * Thread: a link belongs to one worker for life.
 * Memory: kw_link_open() returns an owned pointer; kw_link_close() takes it back and clears it.
 *         Calls are borrowed while in flight.
 * See also: call.h (what is sent), inflight.h (the queue of calls), handshake.h (what happens
 *           first), node.h (who picks a link).
 */
#ifndef KW_BACKEND_LINK_H
#define KW_BACKEND_LINK_H

#include "backend/call.h"
#include "net/stream.h"
#include "resp/reply_parser.h"

struct kw_backend;
struct kw_lease;
struct kw_node;

enum kw_link_state { KW_LINK_CLOSED = 0, KW_LINK_CONNECTING, KW_LINK_HANDSHAKE, KW_LINK_READY };

enum { KW_INFLIGHT_AHEAD = 4 /* calls: about what is handled while memory is waited for */ };

struct kw_link {
    struct kw_stream stream;    /* first: stream callbacks cast back */
    struct kw_backend *backend; /* set once */
    struct kw_node *node;       /* set once */
    int proto;                  /* 2 or 3, set once */
    uint32_t db;                /* its database, set once */
    uint64_t serial;            /* of no other link of its backend, set once */
    enum kw_link_state state;
    int handshake_step;

    struct kw_call *oldest; /* written or waiting, unanswered */
    struct kw_call *newest;
    uint32_t inflight_count;
    uint32_t pushes_count;                     /* of the queue */
    struct kw_call *pushed[KW_INFLIGHT_AHEAD]; /* those pushed last, by their number: inflight.h */

    struct kw_buf waiting;   /* commands that wait for the handshake */
    uint64_t appended_bytes; /* of all calls ever queued here */
    struct kw_reply_parser parser;
    struct kw_chunk *leftover; /* start of a reply that is not whole; referenced */
    size_t leftover_scanned;   /* bytes of it that the parser has seen */

    uint64_t progress_ms;  /* when the node last gave a sign, or began to owe one */
    uint32_t silences;     /* node-timeout-ms passed so often since then */
    bool is_delivering;    /* inside on_readable: must not be freed */
    bool is_retired;       /* carries a big reply: takes no new calls */
    bool is_private;       /* for one command: side.h */
    uint64_t paused_at_ms; /* reading is paused since; 0 when it is not */
    struct kw_link *next;  /* in the node's list of retired, or of side links */

    /* a leased link's: lease.c */
    bool is_leased;         /* set once: one client's at a time, never shared */
    bool is_given_up;       /* closed on purpose: no news */
    bool is_making;         /* counts in making_count */
    struct kw_lease *lease; /* who has it now, or NULL */
    struct kw_list leased;  /* in one of the lists of the node's pool */
    uint64_t idle_since_ms;
    struct kw_call id_call; /* asks for its CLIENT ID */
    int64_t id_at_node;     /* 0 until that is answered */

    enum kw_status failure; /* why it is on the backend's list of failed links; KW_OK: is not */
    struct kw_link *next_failed; /* in that list */
};

/* Start to connect to NODE, for database DB. Failure is reported through kw_node_on_link_failed(),
 * later or before this returns; calls may be sent at once and wait.
 */
struct kw_link *kw_link_open(struct kw_backend *backend, struct kw_node *node, int proto,
                             uint32_t db);

/* Close; calls in flight fail with STATUS. Clears the pointer. Not while delivering (asserted). */
void kw_link_close(struct kw_link **link, enum kw_status status);

/* Queue BYTES as CALL's command; they leave when the tick ends.
 *
 * call   borrowed until its user is told the outcome; gains a reference to its bytes (release it
 *        with kw_call_release() when they are not needed again)
 * bytes  copied when small; when large they must lie in CHUNK, which is referenced instead
 * chunk  where bytes lie, or NULL when they must be copied
 * Returns KW_OK; KW_E_FULL when too many calls wait already; KW_E_MEMORY (nothing queued, the user
 *         will not be called).
 */
KW_CHECK enum kw_status kw_link_send(struct kw_link *link, struct kw_call *call,
                                     struct kw_bytes bytes, struct kw_chunk *chunk);

/* Where ROOM bytes of a command may be written before it is sent, so that they need not be copied:
 * nothing else may be sent meanwhile. NULL: nowhere.
 */
static inline char *kw_link_spare(const struct kw_link *link, size_t room)
{
    return kw_buf_spare(link->state == KW_LINK_READY ? &link->stream.out : &link->waiting, room);
}

/* Queue CALL's own bytes again, after a redirection. As kw_link_send(). */
KW_CHECK enum kw_status kw_link_resend(struct kw_link *link, struct kw_call *call);

/* True when silence of the node would be a fault now: it owes a reply, or the connection. */
bool kw_link_is_owing(const struct kw_link *link);

/* KW_OK when two more commands of LEN bytes together can be queued, else KW_E_FULL. */
KW_CHECK enum kw_status kw_link_has_room(const struct kw_link *link, size_t len);

/* Queue a command whose reply nobody needs (ASKING), adjacent to what is queued next (O4). */
KW_CHECK enum kw_status kw_link_send_prefix(struct kw_link *link, struct kw_bytes bytes);

/* The handshake is over: what waited may leave. For handshake.c only. */
void kw_link_make_ready(struct kw_link *link);

/* Bytes of commands that were written and are not answered. */
uint64_t kw_link_owed_bytes(const struct kw_link *link);

/* Stop reading until kw_link_resume(): the reader of the reply at the front is slow. */
void kw_link_pause(struct kw_link *link);
void kw_link_resume(struct kw_link *link);

/* The link can't be trusted or used any more: it is closed before this tick writes anything. */
void kw_link_fail(struct kw_link *link, enum kw_status status);

#endif
