/* object.h - what every kind of object can do for the keyspace.
 *
 * Thread: who holds the key's stripe; _free(): anybody, when nobody can see the object any more.
 */
#ifndef KW_STORE_OBJECT_H
#define KW_STORE_OBJECT_H

#include "store/keyspace.h"

struct kw_object_kind {
    const char *type; /* as TYPE says: "hash" */
    void (*free)(struct kw_store_worker *worker, void *object);
    /* As free, but at most about STEPS elements of it; true when all is gone. May be NULL. */
    bool (*free_some)(struct kw_store_worker *worker, void *object, size_t steps);
    void *(*copy)(struct kw_store_worker *worker, const void *object); /* COPY */
    size_t (*bytes)(const void *object, size_t samples_count);         /* MEMORY USAGE; 0: all */
    size_t (*count)(const void *object);         /* of elements, for lazy freeing */
    const char *(*encoding)(const void *object); /* OBJECT ENCODING, redis 7.0's names */
    /* When a part of it ends by itself, UINT64_MAX for never. May be NULL. */
    uint64_t (*due_ms)(const void *object);
    /* Snapshots and DUMP: append all of it to OUT; make one of BYTES, NULL if they are damaged. */
    void (*save)(const void *object, struct kw_buf *out);
    void *(*load)(struct kw_store_worker *worker, struct kw_bytes bytes);
};

/* The row of KIND; not for strings. */
const struct kw_object_kind *kw_object_kind(enum kw_kind kind);

extern const struct kw_object_kind kw_hash_kind;
extern const struct kw_object_kind kw_list_kind;
extern const struct kw_object_kind kw_set_kind;
extern const struct kw_object_kind kw_zset_kind;

#endif
