/* control.h - one asynchronous control connection to one node, for discovery and probes.
 *
 * It connects, authenticates in a round trip of its own, and then carries one command at a time.
 * Whatever goes wrong (refused, silent, wrong password, bytes nobody asked for) ends it: there is
 * no reconnect here, the owner opens another one. Requests of clients never travel on it.
 *
 * Thread: the loop's. Callbacks run on the loop, never before the function that caused them has
 *         returned. kw_control_close() may be called at any time, also in a callback; after it no
 *         callback runs. The process must ignore SIGPIPE.
 * Memory: kw_control_open() returns an owned pointer. Reply values are borrowed in the callback.
 * See also: value.h, address.h.
 */
#ifndef KW_NET_CONTROL_H
#define KW_NET_CONTROL_H

#include "base/status.h"
#include "net/address.h"
#include "net/value.h"

#include <stdbool.h>
#include <stdint.h>

struct kw_control;
struct kw_loop;

struct kw_control_options {
    struct kw_address address; /* resolved */
    const char *auth_user;     /* "" = AUTH with the password alone; copied */
    const char *auth_pass;     /* "" = no AUTH; copied */
    uint32_t timeout_ms;       /* for connecting and AUTH together */

    /* Connected and authenticated: commands may be sent. */
    void (*on_ready)(void *arg);

    /* Failed, at whatever stage; only kw_control_close() is useful from now on. Runs once, after
     * the on_reply of a command that was waiting. KW_E_AUTH when the credentials were rejected. */
    void (*on_down)(void *arg, enum kw_status status);
    void *arg;
};

/* STATUS is KW_OK and REPLY what the node said (its errors too), or a failure and REPLY is NULL. */
typedef void kw_control_on_reply(void *arg, enum kw_status status, const struct kw_value *reply);

/* Start connecting. Failures are reported by on_down only. */
struct kw_control *kw_control_open(struct kw_loop *loop, const struct kw_control_options *options);

/* True when a command can be sent now: ready, and none is waiting. */
bool kw_control_is_idle(const struct kw_control *control);

/* Send the command TEXT, words parted by single spaces. CONTROL must be idle.
 *
 * timeout_ms  without a whole reply by then the connection is closed with KW_E_TIMEOUT
 * on_reply    runs exactly once with ARG, unless kw_control_close() comes first
 */
void kw_control_send(struct kw_control *control, const char *text, uint32_t timeout_ms,
                     kw_control_on_reply *on_reply, void *arg);

/* Close, free and clear. NULL inside is allowed. No callback runs any more. */
void kw_control_close(struct kw_control **control);

#endif
