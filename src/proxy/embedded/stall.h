/* stall.h - BLPOP and its kind where the store is in this process: clients that wait for a key.
 *
 * Those who wait are known to all workers. Whoever puts elements into a key serves them, oldest
 * first, before its own next command; the replies go to their workers by letter.
 *
 * Thread: kw_stalls_new() and _free() are for the thread that owns the workers; a stall belongs to
 *         its client's worker, except while it is being served.
 * Memory: a stall lives as long as its request.
 * See also: session/blocked.h (the same in front of a cluster), store/store.h.
 */
#ifndef KW_PROXY_EMBEDDED_STALL_H
#define KW_PROXY_EMBEDDED_STALL_H

#include "proxy/internal.h"

struct kw_stalls;

struct kw_stalls *kw_stalls_new(void);
void kw_stalls_free(struct kw_stalls **stalls);

/* True while anybody waits. For whoever holds the stripe of a key: one who is about to wait looks
 * at the key once more after this says true.
 */
bool kw_stalls_has_any(const struct kw_stalls *stalls);

/* CLIENT's COMMAND, whose bytes are WIRE, found nothing: it waits. Returns KW_SENT. */
enum kw_verdict kw_stall_start(struct kw_client *client, const struct kw_command *command,
                               struct kw_bytes wire);

/* WAIT: there are no replicas to wait for, but the time is. As a stage. */
enum kw_verdict kw_stall_wait(struct kw_client *client, const struct kw_command *command,
                              struct kw_bytes wire);

/* NAME has got elements: serve who waits for it. Not while a command runs. */
void kw_stalls_serve(struct kw_proxy *proxy, struct kw_bytes name);

/* CLIENT UNBLOCK: end the wait as if its time were over, or with -UNBLOCKED. */
void kw_stall_unblock(struct kw_client *client, bool is_error);

/* CLIENT is being closed. */
void kw_stall_drop(struct kw_client *client);

#endif
