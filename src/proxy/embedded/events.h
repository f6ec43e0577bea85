/* events.h - what happens to keys of the store, told to clients: tracking, notifications, and those
 * who block.
 *
 * While a command runs, and its keys are locked, what happens is only noted; it is told when the
 * command has been answered.
 *
 * Thread: the worker's. Memory: notes belong to the worker's half of the face.
 * See also: store/store.h (kw_store_watcher), herald.h, stall.h, pubsub/tracking.h.
 */
#ifndef KW_PROXY_EMBEDDED_EVENTS_H
#define KW_PROXY_EMBEDDED_EVENTS_H

#include "proxy/internal.h"
#include "proxy/pubsub/census.h"
#include "store/store.h"

/* The watcher that notes for PROXY. */
struct kw_store_watcher kw_events_watcher(struct kw_proxy *proxy);

/* Go by the configuration's notify-keyspace-events from now on. */
void kw_events_configure(struct kw_proxy *proxy);

/* Tell of what was noted, of a command of CLIENT (NULL: of nobody's). Not while a command runs. */
void kw_events_tell(struct kw_proxy *proxy, const struct kw_client *client);

/* The tick ends: tell what is told once in it. Before replies are written. */
void kw_events_tick(struct kw_proxy *proxy);

/* Read notify-keyspace-events; false when TEXT has a letter that is none. Write what it means as
 * redis does, at most KW_EVENTS_TEXT_MAX bytes with the NUL.
 */
enum { KW_EVENTS_TEXT_MAX = 20 };
bool kw_events_read(struct kw_bytes text, unsigned *classes);
void kw_events_write(unsigned classes, char *text);

/* Note TEXT, published to CHANNEL inside a batch: told in its turn. */
void kw_events_add_message(struct kw_proxy *proxy, enum kw_channel_kind kind,
                           struct kw_bytes channel, struct kw_bytes text);

/* Forget what was noted and is not told yet. */
void kw_events_drop(struct kw_embedded *embedded);

/* How many changes of keys were noted by all workers: one that comes later has a higher number. */
uint64_t kw_events_clock(const struct kw_proxy *proxy);

/* One more client with CLIENT TRACKING, or with -1 one less. */
void kw_events_count_trackers(struct kw_proxy *proxy, int delta);

#endif
