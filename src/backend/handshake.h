/* handshake.h - what a new link says before any call: AUTH, HELLO 3 or PING, SELECT.
 *
 * Each step has a round trip of its own: a server may swallow replies behind a failing AUTH. There
 * is always at least one, so that a READY link is one whose node has answered: a process that hangs
 * still accepts connections.
 *
 * Thread: the link's. Memory: none.
 */
#ifndef KW_BACKEND_HANDSHAKE_H
#define KW_BACKEND_HANDSHAKE_H

#include "base/apart.h"
#include "base/bytes.h"
#include "base/status.h"

struct kw_buf;
struct kw_config;
struct kw_link;

/* Append the AUTH of CONFIG, which has a cluster-auth-pass. */
void kw_handshake_write_auth(struct kw_buf *buf, const struct kw_config *config);

/* Send the first step. The link is in KW_LINK_HANDSHAKE. */
void kw_handshake_start(struct kw_link *link);

/* Take the reply to the current step and send the next one, or make the link READY.
 * Returns KW_OK; KW_E_AUTH when the node rejects the credentials; KW_E_PROTOCOL when it does not
 * speak the link's protocol version; KW_E_INVALID when it does not have the link's database.
 */
KW_CHECK KW_APART enum kw_status kw_handshake_on_reply(struct kw_link *link, struct kw_bytes reply);

#endif
