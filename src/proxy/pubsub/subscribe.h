/* subscribe.h - the client's side of subscriptions: SUBSCRIBE and its family, messages.
 *
 * Thread: the worker's. Memory: a subscriber belongs to its client, which has one from its first
 *         SUBSCRIBE on.
 * See also: channels.h (the registry), session.h (who calls this).
 */
#ifndef KW_PROXY_PUBSUB_SUBSCRIBE_H
#define KW_PROXY_PUBSUB_SUBSCRIBE_H

#include "proxy/pubsub/channels.h"

/* [P|S]SUBSCRIBE and [P|S]UNSUBSCRIBE. */
enum kw_verdict kw_subscribe_start(struct kw_client *client, const struct kw_command *command,
                                   struct kw_bytes wire);

/* May COMMAND go on (KW_MODE_SUBSCRIBED)? Not while a SUBSCRIBE is unanswered; in RESP2 few may. */
enum kw_verdict kw_subscribe_check(struct kw_client *client, const struct kw_command *command,
                                   struct kw_bytes wire);

/* End all subscriptions of CLIENT: it is closed, or RESET. */
void kw_subscribe_drop(struct kw_client *client);

/* How many of KIND CLIENT has: CLIENT LIST. */
uint32_t kw_subscriber_count(const struct kw_client *client, enum kw_channel_kind kind);

/* True when CLIENT speaks RESP2 and has subscriptions: PING has another shape then. */
bool kw_subscriber_is_resp2(const struct kw_client *client);

/* For inlet.c: CHANNEL is settled, whoever waited for it may be answered. */
void kw_subscribers_advance(struct kw_channel *channel);

/* For inlet.c: a node refuses CHANNEL with LINE, an error reply: who waits for it gets that. */
void kw_subscribers_refuse(struct kw_channels *channels, struct kw_channel *channel,
                           struct kw_bytes line);

/* For inlet.c: VALUE, a message as RESP2 has it, for all who subscribe to CHANNEL. CHUNK is where
 * it lies when it may be referenced, or NULL. How many got it.
 */
uint32_t kw_subscribers_deliver(struct kw_channels *channels, struct kw_channel *channel,
                                struct kw_bytes value, struct kw_chunk *chunk);

/* How many get what is published to CHANNEL: those whose subscription is confirmed. */
uint32_t kw_subscribers_count(const struct kw_channel *channel);

/* Answer those who have waited too long with an error. */
void kw_subscribers_check(struct kw_channels *channels, uint64_t now_ms);

/* All who wait get an error: everything ends. */
void kw_subscribers_fail(struct kw_channels *channels);

#endif
