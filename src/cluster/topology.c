/* topology.c - building, sharing and comparing pictures of the cluster.
 *
 * I1  slots_covered is the number of slots whose owner is not KW_NODE_NONE.
 * I2  an owner is an index below nodes_count.
 *
 * Comparing is O(nodes + slots) when the nodes come in the same order, as they do from the same
 * source, else O(nodes^2): a thousand nodes take a few milliseconds, on the control thread.
 */
#include "cluster/topology.h"

#include "base/assert.h"
#include "base/mem.h"

static bool node_is_equal(const struct kw_topology_node *a, const struct kw_topology_node *b);
static bool shards_are_equal(const struct kw_topology *a, const struct kw_topology *b,
                             const uint16_t *index_in_b);
static uint16_t topology_index_like(const struct kw_topology *topology,
                                    const struct kw_topology_node *node, uint16_t hint);

struct kw_topology *kw_topology_new(uint32_t nodes_count)
{
    struct kw_topology *topology = kw_alloc_zero(1, sizeof *topology);

    KW_ASSERT(nodes_count <= KW_NODES_MAX);
    atomic_init(&topology->refs, 1);
    topology->nodes_count = nodes_count;
    if (nodes_count > 0) {
        topology->nodes = kw_alloc_zero(nodes_count, sizeof *topology->nodes);
    }
    memset(topology->slot_owner, 0xff, sizeof topology->slot_owner); /* KW_NODE_NONE */
    return topology;
}

struct kw_topology *kw_topology_ref(const struct kw_topology *topology)
{
    struct kw_topology *shared = (struct kw_topology *)topology;
    uint32_t refs = atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);

    KW_ASSERT(refs > 0);
    return shared;
}

void kw_topology_unref(struct kw_topology **topology)
{
    struct kw_topology *released = *topology;

    *topology = NULL;
    if (released == NULL) {
        return;
    }
    uint32_t refs = atomic_fetch_sub_explicit(&released->refs, 1, memory_order_acq_rel);
    KW_ASSERT(refs > 0);
    if (refs == 1) {
        kw_free(released->nodes);
        kw_free(released);
    }
}

void kw_topology_assign(struct kw_topology *topology, uint16_t first, uint16_t last,
                        uint16_t node_index)
{
    KW_ASSERT(first <= last);
    KW_ASSERT(last < KW_SLOTS_COUNT);
    KW_ASSERT(node_index == KW_NODE_NONE || node_index < topology->nodes_count); /* I2 */
    for (uint32_t slot = first; slot <= last; slot++) {
        topology->slots_covered -= topology->slot_owner[slot] != KW_NODE_NONE;
        topology->slots_covered += node_index != KW_NODE_NONE; /* I1 */
        topology->slot_owner[slot] = node_index;
    }
}

bool kw_topology_equal(const struct kw_topology *a, const struct kw_topology *b)
{
    if (a == b) {
        return true;
    }
    if (a->nodes_count != b->nodes_count || a->slots_covered != b->slots_covered ||
        a->shards_count != b->shards_count || a->is_plain != b->is_plain) {
        return false;
    }
    bool is_equal = true;
    uint16_t *index_in_b = kw_alloc((a->nodes_count + 1) * sizeof *index_in_b);
    for (uint32_t i = 0; is_equal && i < a->nodes_count; i++) {
        index_in_b[i] = topology_index_like(b, &a->nodes[i], (uint16_t)i);
        is_equal = index_in_b[i] != KW_NODE_NONE;
    }
    for (uint32_t slot = 0; is_equal && slot < KW_SLOTS_COUNT; slot++) {
        uint16_t owner = a->slot_owner[slot];
        is_equal = b->slot_owner[slot] == (owner == KW_NODE_NONE ? owner : index_in_b[owner]);
    }
    is_equal = is_equal && shards_are_equal(a, b, index_in_b);
    kw_free(index_in_b);
    return is_equal;
}

/* The same nodes share a shard, however the shards are numbered; both have as many of them. */
static bool shards_are_equal(const struct kw_topology *a, const struct kw_topology *b,
                             const uint16_t *index_in_b)
{
    uint16_t *shard_in_b = kw_alloc((a->shards_count + 1) * sizeof *shard_in_b);
    bool is_equal = true;

    memset(shard_in_b, 0xff, (a->shards_count + 1) * sizeof *shard_in_b);
    for (uint32_t i = 0; is_equal && i < a->nodes_count; i++) {
        uint16_t *known = &shard_in_b[a->nodes[i].shard];
        uint16_t shard = b->nodes[index_in_b[i]].shard;
        is_equal = *known == UINT16_MAX || *known == shard;
        *known = shard;
    }
    kw_free(shard_in_b);
    return is_equal;
}

/* The index of the node that equals NODE, looked for at HINT first. */
static uint16_t topology_index_like(const struct kw_topology *topology,
                                    const struct kw_topology_node *node, uint16_t hint)
{
    if (node_is_equal(&topology->nodes[hint], node)) {
        return hint;
    }
    for (uint32_t i = 0; i < topology->nodes_count; i++) {
        if (node_is_equal(&topology->nodes[i], node)) {
            return (uint16_t)i;
        }
    }
    return KW_NODE_NONE;
}

static bool node_is_equal(const struct kw_topology_node *a, const struct kw_topology_node *b)
{
    return a->port == b->port && a->is_master == b->is_master && a->is_failing == b->is_failing &&
           strcmp(a->id, b->id) == 0 && strcasecmp(a->host, b->host) == 0 &&
           kw_address_equal(&a->address, &b->address);
}

bool kw_topology_is_ailing(const struct kw_topology *topology)
{
    if (topology->slots_covered < KW_SLOTS_COUNT) {
        return true;
    }
    for (uint32_t slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        if (topology->nodes[topology->slot_owner[slot]].is_failing) {
            return true;
        }
    }
    return false;
}

bool kw_topology_node_is_same(const struct kw_topology_node *a, const struct kw_topology_node *b)
{
    if (a->id[0] != '\0' && b->id[0] != '\0') {
        return strcmp(a->id, b->id) == 0;
    }
    return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

const struct kw_topology_node *kw_topology_find(const struct kw_topology *topology,
                                                struct kw_bytes host, uint16_t port)
{
    struct kw_address address;

    for (uint32_t i = 0; i < topology->nodes_count; i++) {
        const struct kw_topology_node *node = &topology->nodes[i];
        if (node->port == port && kw_bytes_equal_nocase(kw_bytes_of_text(node->host), host)) {
            return node;
        }
    }
    if (kw_address_parse(host, port, &address) != KW_OK) {
        return NULL;
    }
    for (uint32_t i = 0; i < topology->nodes_count; i++) {
        if (kw_address_equal(&topology->nodes[i].address, &address)) {
            return &topology->nodes[i];
        }
    }
    return NULL;
}

const struct kw_topology_node *kw_topology_find_id(const struct kw_topology *topology,
                                                   const char *id)
{
    for (uint32_t i = 0; id[0] != '\0' && i < topology->nodes_count; i++) {
        if (strcmp(topology->nodes[i].id, id) == 0) {
            return &topology->nodes[i];
        }
    }
    return NULL;
}
