/* guests.h - what in a transaction is more than a command for the node that executes it.
 *
 *   queued:  SET a 1    CLIENT ID    DBSIZE           GET a    CLIENT LIST
 *   run:     SET a 1    ECHO ""      DBSIZE           GET a    ECHO ""          to the node
 *   EXEC:    +OK        $0           :7               $1 1     $0               from the node
 *            +OK        :7           :7 and others'   $1 1     lines            to the client
 *
 * A guest takes part in its transaction: it is answered when EXEC's reply says that the transaction
 * was executed, in its place, and not at all when EXEC is refused or null.
 *
 * Thread: the worker's. Memory: guests belong to a transaction, from EXEC on to its request's run,
 *         or to the client's finale.
 * See also: transaction.h, finale.h (guests that take time), local.h (who answers).
 */
#ifndef KW_PROXY_SESSION_GUESTS_H
#define KW_PROXY_SESSION_GUESTS_H

#include "backend/call.h"
#include "base/blob.h"
#include "proxy/internal.h"
#include "resp/reply_parser.h"

/* What a command is to the run of its transaction. */
enum kw_guest_kind {
    KW_GUEST_NONE = 0, /* no guest: the node executes it, and what it says is the answer */
    KW_GUEST_WRITTEN,  /* keyway answers it as soon as its place in the array is reached */
    KW_GUEST_ACTING,   /* started like a request of its own when the node has executed the rest */
    KW_GUEST_SHARED,   /* the node executes it, all other masters when the node has executed all */
    KW_GUEST_TOLD,     /* PUBLISH on the embedded store whose message was sent in its place */
    KW_GUEST_SELECT    /* the node executes it, and the client's database is another one then */
};

struct kw_guest {
    const struct kw_command *command;
    size_t wire_len;
    uint32_t index; /* of its element */
    uint8_t kind;   /* enum kw_guest_kind, never NONE */
};

struct kw_guests {
    struct kw_blob wires;  /* the guests' own bytes, one after the other */
    struct kw_blob places; /* struct kw_guest */
    uint32_t count;        /* elements that the client is to get: its commands */
    bool is_undone;        /* one more is behind them: SELECT of the database that the link has */

    /* while EXEC's reply passes, and in the finale */
    struct kw_reply_parser parser;
    struct kw_blob rest; /* the node's elements, from the first guest on that takes time */
    size_t rest_used;
    size_t next_place; /* G1 in guests.c */
    size_t wires_used;
    uint64_t announced; /* by the array's own line, as far as it has come */
    uint32_t index;     /* of the element that comes */
    uint8_t proto;      /* of the node's elements */
    bool is_inside;     /* the array's own line is over */
    bool is_null;       /* ... and says that nothing was executed */
    bool is_kept;       /* elements go to rest */
};

/* What COMMAND, which is in proxy->argv, is to the client's transaction. When it can't be part of
 * one, *error says why (its %s is the command's name); KW_ERROR_COUNT otherwise.
 */
enum kw_guest_kind kw_guests_kind(const struct kw_client *client, const struct kw_command *command,
                                  enum kw_error *error);

/* COMMAND, of KIND and in proxy->argv, is queued by CLIENT; WIRE are its bytes. Returns what stands
 * in the run for it.
 */
struct kw_bytes kw_guests_add(struct kw_client *client, const struct kw_command *command,
                              enum kw_guest_kind kind, struct kw_bytes wire);

/* Bytes that GUESTS, which may be NULL, holds. */
size_t kw_guests_bytes(const struct kw_guests *guests);

/* Pass PART of the reply to REQUEST, an EXEC, on to its client, with the answers of its guests, if
 * it has any.
 */
void kw_guests_pass(struct kw_request *request, const struct kw_reply_part *part,
                    struct kw_link *link);

/* For finale.c: the guest whose element comes; NULL: it is the node's alone. */
const struct kw_guest *kw__guests_due(const struct kw_guests *guests);

/* For finale.c: cut the bytes of the guest that is due into proxy->argv. */
struct kw_bytes kw__guests_cut(const struct kw_guests *guests, struct kw_proxy *proxy);

/* For finale.c: the element is over. */
void kw__guests_step(struct kw_guests *guests);

/* For finale.c: write the answer of a guest of kind WRITTEN, in proxy->argv, to BUF. */
void kw__guests_write(struct kw_client *client, const struct kw_command *command,
                      struct kw_buf *buf);

/* Free and clear. NULL inside is allowed. */
void kw_guests_free(struct kw_guests **guests);

#endif
