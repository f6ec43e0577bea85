/* shards.c - one walk over the slot map. */
#include "proxy/gather/shards.h"

#include "backend/node.h"
#include "base/hash.h"
#include "base/mem.h"

static void shards_add(struct kw_shards *shards, uint16_t slot, uint16_t node);
static uint64_t owner_hash(const struct kw_backend *backend, uint16_t node, uint16_t slot,
                           uint64_t seed);

void kw_shards_deinit(struct kw_shards *shards)
{
    kw_free(shards->items);
}

void kw_shards_refresh(struct kw_shards *shards, struct kw_backend *backend)
{
    uint64_t seen[KW_NODES_MAX / 64] = {0};
    uint16_t previous = KW_NODE_NONE;

    if (shards->version == backend->slots_version && shards->items != NULL) {
        return;
    }
    shards->version = backend->slots_version;
    shards->count = 0;
    shards->fingerprint = 0;
    for (uint32_t slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        uint16_t node = backend->slot_node[slot];
        if (node == previous && slot > 0) {
            continue;
        }
        previous = node;
        shards->fingerprint = owner_hash(backend, node, (uint16_t)slot, shards->fingerprint);
        if (node != KW_NODE_NONE && (seen[node / 64] & 1ull << (node % 64)) == 0) {
            seen[node / 64] |= 1ull << (node % 64);
            shards_add(shards, (uint16_t)slot, node);
        }
    }
}

uint16_t kw_shards_lowest_slot(const struct kw_shards *shards, const struct kw_backend *backend,
                               uint16_t slot)
{
    for (uint32_t i = 0; i < shards->count; i++) {
        if (shards->items[i].node == backend->slot_node[slot]) {
            return shards->items[i].slot;
        }
    }
    return KW_SLOT_NONE;
}

static void shards_add(struct kw_shards *shards, uint16_t slot, uint16_t node)
{
    if (shards->count == shards->size) {
        shards->size = shards->size == 0 ? 16 : shards->size * 2;
        shards->items = kw_realloc(shards->items, shards->size * sizeof *shards->items);
    }
    shards->items[shards->count++] = (struct kw_shard){.slot = slot, .node = node};
}

/* From SLOT on the owner is NODE: by its id, which all keyways know, else by its address. */
static uint64_t owner_hash(const struct kw_backend *backend, uint16_t node, uint16_t slot,
                           uint64_t seed)
{
    const struct kw_node *owner = node == KW_NODE_NONE ? NULL : backend->nodes[node];
    const char *name = owner == NULL ? "" : owner->id[0] != '\0' ? owner->id : owner->name;

    return kw_hash(kw_bytes_of_text(name), seed * 31 + slot);
}
