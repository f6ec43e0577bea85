/* turn.h - may a request be sent now, or does an earlier one of its client hold it?
 *
 * Thread: the worker's. Memory: none.
 * See also: request.c (O2), resend.h (those that have been sent before).
 */
#ifndef KW_PROXY_TURN_H
#define KW_PROXY_TURN_H

#include "proxy/internal.h"
#include "proxy/route.h"

/* Would COMMAND for TARGET overtake an earlier request of CLIENT, if it were sent now? (O2) */
bool kw_turn_must_wait(const struct kw_client *client, const struct kw_command *command,
                       const struct kw_target *target);

#endif
