/* variant.h - the key under which a reply is kept: the name, and what else decides the reply.
 *
 *   variant:  generation of the slot (4 bytes)   and for all but GET: command, version, arguments
 *
 * Thread: any. Memory: a kw_near_key borrows its name and has room for its variant, which its `key`
 *         points to: it is not to be copied.
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
    struct kw_bytes name;
    const struct kw_bytes *argv; /* the whole request; of a GET nobody looks at it */
    size_t argc;
    uint8_t proto;
    uint16_t slot;
    uint64_t hash; /* of the name; 0: not known */
};

/* The key of GET NAME, which has HASH, in a slot of GENERATION: borrows both. */
static inline struct kw_cache_key kw__variant_of_get(struct kw_bytes name, uint64_t hash,
                                                     const uint32_t *generation)
{
    return (struct kw_cache_key){.name = name,
                                 .variant =
                                     kw_bytes_of((const char *)generation, sizeof *generation),
                                 .hash = hash};
}

/* The key of READ. False when its arguments are too long to be part of one. */
bool kw__variant_make(const struct kw_near *near, const struct kw_near_read *read,
                      struct kw_near_key *key);

/* GET NAME from a client of PROTO. */
struct kw_near_read kw__variant_get(const struct kw_near *near, struct kw_bytes name,
                                    uint8_t proto);

/* REPLY, as a node sends it, as it is kept. */
struct kw_cache_value kw__variant_value(enum kw_near_role role, struct kw_bytes reply);

/* REPLY in RESP3 to a read of ROLE as the same node would say it in RESP2, into BUFFER, which has
 * room for kw__variant_converted_max(reply.len). Its length; 0: it can't be said.
 */
size_t kw__variant_convert(struct kw_bytes reply, char *buffer);

static inline size_t kw__variant_converted_max(size_t len)
{
    return 2 * len + 32;
}

/* True when REPLY is what is said of a key that isn't there. */
bool kw__variant_is_of_none(struct kw_bytes reply);

/* A command in multibulk form, or an array of bulks, argument by argument. It is keyway's own, or
 * has been checked.
 */
struct kw_near_walk {
    const char *at;
    size_t left_count;
};

struct kw_near_walk kw__walk_begin(struct kw_bytes bytes);

/* The next one; data is NULL for a null. *WHOLE: with its head. */
struct kw_bytes kw__walk_next(struct kw_near_walk *walk, struct kw_bytes *whole);

/* Argument NUMBER of COMMAND, which has it: mostly its key. */
struct kw_bytes kw__variant_argument(struct kw_bytes command, uint32_t number);

/* Cut COMMAND into at most MAX arguments. How many it has. */
size_t kw__variant_cut(struct kw_bytes command, struct kw_bytes *argv, size_t max);

#endif
