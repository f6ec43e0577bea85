/* finale.h - what is left to do of a transaction when its node has executed the run.
 *
 * Guests that take time, or change what comes behind them, are started one after the other, each
 * when the one before is answered: SUBSCRIBE, CLIENT LIST, CONFIG SET ... So are the parts of the
 * other masters in DBSIZE, FLUSHALL and their kin. Their replies and the node's own are the rest of
 * EXEC's array.
 *
 * Thread: the worker's. Memory: a finale belongs to its client.
 * See also: guests.h (who is what), transaction.h.
 */
#ifndef KW_PROXY_SESSION_FINALE_H
#define KW_PROXY_SESSION_FINALE_H

#include "proxy/session/guests.h"

/* The last byte of the array in reply to REQUEST, an EXEC that is about to be finished, has come
 * from the node NAME. Takes the guests of its run.
 */
void kw_finale_begin(struct kw_request *request, const char *name);

/* The same where the store is in this process: its elements are in TAKEN_GUESTS, from the first
 * guest on; what is in front of it is in CLIENT's output, or behind its earlier requests.
 */
void kw_finale_begin_here(struct kw_client *client, struct kw_guests *taken_guests);

/* Go on as far as may be. False while something is left to be done. CLIENT has a finale. */
bool kw_finale_advance(struct kw_client *client);

/* Where pushes to CLIENT, which has a finale, wait for the end of the array. */
struct kw_buf *kw_finale_pushes(struct kw_client *client);

/* Commands of the transaction whose finale CLIENT has. */
uint32_t kw_finale_count(const struct kw_client *client);

/* Everything ends: forget what is left. */
void kw_finale_drop(struct kw_client *client);

#endif
