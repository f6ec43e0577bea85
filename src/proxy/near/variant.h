/* variant.h - the key under which a reply is kept: the name, and what else decides the reply.
 *
 *   variant:  generation of the slot (4 bytes)   and for all but GET: command, version, arguments
 *
 * Thread: any. Memory: a kw_near_key borrows its name and has room for its variant.
 * See also: cache/cache.h (what a variant is).
 */
#ifndef KW_PROXY_NEAR_VARIANT_H
#define KW_PROXY_NEAR_VARIANT_H

#include "proxy/near/shared.h"

struct kw_near_key {
    struct kw_cache_key key;
    uint32_t generation;
    char room[KW_NEAR_VARIANT_MAX];
};

/* A read, as a client sends it. */
struct kw_near_read {
    const struct kw_command *command;
    enum kw_near_role role;
    const struct kw_bytes *argv;
    size_t argc;
    uint8_t proto;
    uint16_t slot;
};

/* The key of READ. False when its arguments are too long to be part of one. */
bool kw__variant_make(const struct kw_near *near, const struct kw_near_read *read,
                      struct kw_near_key *key);

/* REPLY, as a node sends it, as it is kept. */
struct kw_cache_value kw__variant_value(enum kw_near_role role, struct kw_bytes reply);

/* Cut COMMAND, a command in multibulk form, into at most MAX arguments. How many it has. */
size_t kw__variant_cut(struct kw_bytes command, struct kw_bytes *argv, size_t max);

#endif
