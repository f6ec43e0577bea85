/* hearing.h - what a node was asked to tell of, and when its word is known to be complete.
 *
 *   near-cache-broadcast no   CLIENT TRACKING ON: the node tells of keys that were fetched. What it
 *                             says stands in the order of execution, so an answer says that all
 *                             that was changed before its command was sent is known
 *   near-cache-broadcast yes  CLIENT TRACKING ON BCAST: it tells of every key that is written (and
 *                             begins with one of near-cache-prefix), at the end of a round of its
 *                             event loop, behind answers that are younger. So an answer says so
 *                             only when another one has come, to what was sent after the first
 *
 * Thread: the origin's. Memory: embedded in its origin; kw__hearing_end() gives back what it owns.
 * See also: origin.c O2, O5.
 * Source: redis 7.0 server.c beforeSleep(): broadcasts, then what clients are to be sent.
 */
#ifndef KW_PROXY_ORIGIN_HEARING_H
#define KW_PROXY_ORIGIN_HEARING_H

#include "base/blob.h"

#include <stdbool.h>
#include <stdint.h>

struct kw_config;

struct kw_hearing {
    bool is_broadcast;
    bool is_broadcast_wanted; /* if the node can tell of anything */
    struct kw_blob prefixes;  /* near-cache-prefix as the node was told; of a broadcast */
    struct kw_blob greeting;  /* what asks for it, in multibulk form */
    uint64_t heard_us;        /* all that changed before has been told */
    /* Of a broadcast, the command whose answer counts with a later one: when it was sent, and
     * answered.
     */
    uint64_t asked_us;
    uint64_t answered_us;
};

/* Make the greeting that CONFIG asks for. IS_BLIND: of a node that can't tell. What HEARING was
 * before ends.
 */
void kw__hearing_begin(struct kw_hearing *hearing, const struct kw_config *config, bool is_blind);
void kw__hearing_end(struct kw_hearing *hearing);

/* Is it what CONFIG asks for? */
bool kw__hearing_suits(const struct kw_hearing *hearing, const struct kw_config *config);

/* Is the node going to tell of NAME, once it has been fetched? */
bool kw__hearing_covers(const struct kw_hearing *hearing, struct kw_bytes name);

/* A command has been answered: it was sent at SENT_US, and it is NOW_US, both of kw_clock_us().
 * Returns a moment: all that changed before it has been told.
 */
uint64_t kw__hearing_answer(struct kw_hearing *hearing, uint64_t sent_us, uint64_t now_us);

/* Somebody wishes for a later moment than WISHED_US. Returns after when a command must be sent so
 * that its answer brings that nearer.
 */
uint64_t kw__hearing_ask_after(const struct kw_hearing *hearing, uint64_t wished_us);

#endif
