/* transaction.h - MULTI: commands are queued here and sent as one run at EXEC (C3).
 *
 * Without WATCH no connection is taken for it: MULTI ... EXEC leaves as one contiguous call on the
 * client's shared link, so nothing comes between (O4), and the reply to EXEC is the client's.
 *
 * Thread: the worker's. Memory: a kw_transaction belongs to its client, from MULTI or WATCH on.
 * See also: watch.h (the other half), session.h.
 */
#ifndef KW_PROXY_SESSION_TRANSACTION_H
#define KW_PROXY_SESSION_TRANSACTION_H

#include "base/blob.h"
#include "proxy/internal.h"
#include "proxy/session/leased.h"

struct kw_transaction {
    struct kw_leased watch; /* first: WATCH's link; watch.c */
    uint16_t watch_slot;
    uint32_t watched_count; /* keys */
    bool is_watching;       /* the link's node watches keys for us */
    bool is_watch_lost;     /* it did, and can't be asked any more: EXEC must not succeed */
    bool is_watch_asking; /* the keys were watched behind ASKING, so EXEC is asked behind it, too */
    bool is_answering;    /* WATCH's reply is being passed on */
    bool is_executing;    /* EXEC is on the link of WATCH */
    bool is_clean;        /* ... and its reply says that the node has forgotten the keys */

    struct kw_blob tickets; /* of the embedded store, struct kw_store_ticket *: bundle.c */

    struct kw_chunk *run;     /* MULTI and what was queued; NULL outside of MULTI */
    uint32_t count;           /* of commands queued */
    uint32_t db;              /* that its SELECTs lead to */
    struct kw_guests *guests; /* those that are more than the node's; NULL: none */
    uint16_t slot;       /* of their keys and the watched ones, KW_SLOT_NONE until there are some */
    bool is_flagged;     /* one was refused: EXEC must fail */
    bool is_read_only;   /* so that it may be sent twice */
    bool is_flushing;    /* there is a FLUSHALL in it */
    bool is_subscribing; /* there is a SUBSCRIBE in it */
    bool has_order;      /* one of it must not overtake what was asked before it: bundle.c */
    bool has_scripts;    /* there is an EVALSHA or FCALL in it */
    bool has_new_proto;  /* there is a HELLO in it that changes how values are written */
};

/* What EXEC's request keeps of its transaction. */
struct kw_run {
    struct kw_guests *guests; /* owned; NULL: none */
    bool is_read_only;
    bool is_flushing;
    uint8_t error_len; /* of the first error that was not EXEC's: why nothing was executed */
    char error[248];
};

/* A stage of MULTI mode: queue COMMAND, unless it is one that ends or changes the mode. */
enum kw_verdict kw_transaction_check(struct kw_client *client, const struct kw_command *command,
                                     struct kw_bytes wire);

/* MULTI, EXEC, DISCARD. As a stage. */
enum kw_verdict kw_transaction_start(struct kw_client *client, const struct kw_command *command,
                                     struct kw_bytes wire);

/* COMMAND is EXEC: refused, it says EXECABORT, also outside of MULTI. */
bool kw_transaction_ends_by(const struct kw_command *command);

/* EXEC has arguments: as a server, the transaction ends with this error. Returns KW_REFUSED. */
enum kw_verdict kw_transaction_abort(struct kw_client *client);

/* A command was refused inside MULTI. */
void kw_transaction_flag(struct kw_client *client);

/* Forget everything about CLIENT's transaction: DISCARD, RESET, or it is being closed. Its link is
 * given back clean, or closed. One that is being executed ends by itself.
 */
void kw_transaction_drop(struct kw_client *client);

/* Commands queued by CLIENT, or being executed for it, -1 outside of MULTI; keys that it watches:
 * CLIENT LIST.
 */
int kw_transaction_queued(const struct kw_client *client);
unsigned kw_transaction_watched(const struct kw_client *client);

/* Bytes that it holds. */
size_t kw_transaction_bytes(const struct kw_client *client);

/* For watch.c: the client's transaction, made when there is none. */
struct kw_transaction *kw__transaction_of(struct kw_client *client);

/* For watch.c: free it, without the link. */
void kw__transaction_free(struct kw_client *client);

/* For watch.c: what EXEC's REQUEST keeps of it. */
void kw__transaction_hand_over(struct kw_transaction *transaction, struct kw_request *request);

/* Free what EXEC's REQUEST has kept, and clear it. */
void kw_run_free(struct kw_request *request);

/* For watch.c: the end of the transaction's run. False: no memory. */
bool kw__run_close(struct kw_client *client);

/* For watch.c: queue on LINK what loads the scripts that the transaction runs. */
KW_CHECK enum kw_status kw__run_load_scripts(const struct kw_transaction *transaction,
                                             struct kw_link *link);

/* For watch.c: how many replies the run gets, closed. */
uint32_t kw__run_replies(const struct kw_client *client);

/* What the call of a run over the shared link is told: run.c. */
extern const struct kw_call_user kw__run_user;

/* For watch.c: PART of EXEC's reply says that the node did not even take MULTI. */
bool kw__run_lacks_multi(const struct kw_reply_part *part);

/* For watch.c: is PART of RUN's EXEC about a place where it did not run (R1)? The line that says
 * so, or an empty one.
 */
struct kw_bytes kw__run_note(struct kw_run *run, const struct kw_reply_part *part);

#endif
