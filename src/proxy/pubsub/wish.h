/* wish.h - what a CLIENT TRACKING asks for, and whether it may have that.
 *
 * Thread: the worker's. Memory: the prefixes are a wish's own, until kw_wish_free() or until a
 *         tracker takes them.
 * See also: tracker.h (who grants it).
 */
#ifndef KW_PROXY_PUBSUB_WISH_H
#define KW_PROXY_PUBSUB_WISH_H

#include "proxy/pubsub/tracking.h"
#include "resp/errors.h"

#include <stdbool.h>
#include <stdint.h>

struct kw_argv;

struct kw_wish {
    struct kw_request *request; /* that is to be answered */
    uint64_t redirect_id;
    struct kw_prefix *prefixes; /* owned */
    uint32_t prefixes_count;
    bool is_on;
    bool is_bcast;
    bool is_optin;
    bool is_optout;
    bool is_noloop;
};

/* Read the options of CLIENT TRACKING in ARGV into WISH, which is all zero. False with *error when
 * they are no options; what was read by then is still to be freed.
 */
bool kw_wish_read(struct kw_wish *wish, const struct kw_argv *argv, enum kw_error *error);

/* Do the options go together, and with what CLIENT has? False with the error in LINE. */
bool kw_wish_fits(const struct kw_wish *wish, const struct kw_client *client, struct kw_buf *line);

/* The prefixes that nobody has taken. */
void kw_wish_free(struct kw_wish *wish);

#endif
