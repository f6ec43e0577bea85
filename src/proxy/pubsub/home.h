/* home.h - which channel is asked for at which node.
 *
 * A channel has a home: it is subscribed to at the owner of its slot, or, when that is out of
 * reach, at another master (the nodes of a cluster pass PUBLISH on to each other). It stays there
 * for as long as that node stays: moving costs messages. A shard channel is at the owner of its
 * slot, always. Channels of keyspace notifications are asked for at every master: each tells only
 * of its own keys. With pubsub-in-order all but shard channels have the same home.
 *
 * Thread: the worker's. Memory: see channels.h.
 * See also: inlet.h (how it is asked for).
 */
#ifndef KW_PROXY_PUBSUB_HOME_H
#define KW_PROXY_PUBSUB_HOME_H

#include "proxy/pubsub/channels.h"

/* See that CHANNEL is asked for where it should be, and nowhere when nobody subscribes to it (it
 * may be freed then).
 */
void kw_channel_align(struct kw_channels *channels, struct kw_channel *channel);

/* True when the nodes have confirmed CHANNEL: a message published from now on arrives. */
bool kw_channel_is_settled(const struct kw_channel *channel);

/* Look at all channels soon: the topology has changed. */
void kw_channels_align_soon(struct kw_channels *channels);

/* Make sure that the timer of CHANNELS runs; what it does. */
void kw_channels_watch(struct kw_channels *channels);
void kw_channels_on_timer(void *arg);

#endif
