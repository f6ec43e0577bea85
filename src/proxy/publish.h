/* publish.h - PUBLISH and SPUBLISH, and counts of subscribers that mean what the user thinks.
 *
 * Thread: the worker's. Memory: none.
 * See also: census.h (where the counts come from).
 */
#ifndef KW_PROXY_PUBLISH_H
#define KW_PROXY_PUBLISH_H

#include "proxy/internal.h"

/* PUBLISH and SPUBLISH: to the owner of the channel's slot. */
enum kw_verdict kw_publish_start(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire);

#endif
