/* shards.h - the masters that own slots, in an order that every keyway sees alike.
 *
 * The order is that of the lowest slot each of them owns. A picture is kept and made anew only when
 * the backend's map has changed. Masters without slots have no keys: they are not among them.
 *
 * Thread: the worker's. Memory: kw_shards_deinit() frees what a kw_shards has grown to.
 */
#ifndef KW_PROXY_GATHER_SHARDS_H
#define KW_PROXY_GATHER_SHARDS_H

#include "backend/backend.h"

struct kw_shard {
    uint16_t slot; /* the lowest it owns: what requests for it are routed by */
    uint16_t node; /* its place in the backend */
};

struct kw_shards {
    struct kw_shard *items; /* owned */
    uint32_t count;
    uint32_t size;        /* that there is room for */
    uint64_t version;     /* of the map they were made from */
    uint64_t fingerprint; /* of who owns which slot: alike wherever the map is */
};

void kw_shards_deinit(struct kw_shards *shards);

/* Bring SHARDS up to date with the backend's map. */
void kw_shards_refresh(struct kw_shards *shards, struct kw_backend *backend);

/* The lowest slot that the owner of SLOT has, KW_SLOT_NONE when nobody owns SLOT. */
uint16_t kw_shards_lowest_slot(const struct kw_shards *shards, const struct kw_backend *backend,
                               uint16_t slot);

#endif
