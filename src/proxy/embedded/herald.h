/* herald.h - PUBLISH and PUBSUB where there is no node to publish at: messages go round.
 *
 * Thread: the worker's. Memory: a message is copied, and freed when all workers have seen it.
 * See also: pubsub/subscribe.h (who gets it), crew.h (the way round).
 */
#ifndef KW_PROXY_EMBEDDED_HERALD_H
#define KW_PROXY_EMBEDDED_HERALD_H

#include "proxy/internal.h"
#include "proxy/pubsub/census.h"

/* PUBLISH and SPUBLISH: answered when every worker has delivered. Returns KW_SENT.
 *
 * is_told  the message was sent before, by kw_herald_note(): it is only counted who got it
 */
enum kw_verdict kw_herald_publish(struct kw_client *client, const struct kw_command *command,
                                  bool is_told);

/* PUBSUB CHANNELS, NUMSUB, NUMPAT and their kin for shard channels; NEXT: another command. */
enum kw_verdict kw_herald_answer(struct kw_client *client, const struct kw_command *command);

/* Inside a batch: the message of COMMAND, in proxy->argv, is a note among those of what happens to
 * keys, and sent in its turn when the batch has ended. It is answered behind it.
 */
void kw_herald_note(struct kw_proxy *proxy, const struct kw_command *command);

/* Deliver TEXT to all who listen to CHANNEL: KIND PLAIN, by name or by pattern; or SHARD. */
void kw_herald_send(struct kw_proxy *proxy, enum kw_channel_kind kind, struct kw_bytes channel,
                    struct kw_bytes text);

/* False when nobody listens to any channel or pattern. */
bool kw_herald_is_heard(struct kw_proxy *proxy);

#endif
