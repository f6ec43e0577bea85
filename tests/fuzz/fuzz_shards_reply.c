/* fuzz_shards_reply.c - anything a node may answer to CLUSTER SHARDS, SLOTS and NODES.
 *
 * The first byte picks the reader, the rest is RESP. A topology that comes out must be whole: the
 * data path uses it without checks.
 */
#include "base/assert.h"
#include "cluster/shards_reply.h"
#include "tests/unit/cluster/value_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void topology_check(const struct kw_topology *topology)
{
    uint32_t covered = 0;

    KW_ASSERT(topology->nodes_count <= KW_NODES_MAX);
    for (uint32_t i = 0; i < topology->nodes_count; i++) {
        const struct kw_topology_node *node = &topology->nodes[i];
        KW_ASSERT(node->port != 0);
        KW_ASSERT(strnlen(node->host, KW_HOST_MAX) - 1 < KW_HOST_MAX - 1);
        KW_ASSERT(strnlen(node->id, KW_NODE_ID_LEN + 1) <= KW_NODE_ID_LEN);
        KW_ASSERT(node->shard < topology->shards_count);
    }
    for (uint32_t slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        const struct kw_topology_node *owner = kw_topology_node_of_slot(topology, (uint16_t)slot);
        if (owner != NULL) {
            KW_ASSERT(topology->slot_owner[slot] < topology->nodes_count);
            KW_ASSERT(owner->is_master);
            covered++;
        }
    }
    KW_ASSERT(covered == topology->slots_covered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct value_reader reader;
    struct kw_topology *topology = NULL;
    enum kw_status status = KW_E_PROTOCOL;

    if (size == 0) {
        return 0;
    }
    const struct kw_bytes text = kw_bytes_of((const char *)data + 1, size - 1);
    if (data[0] == 'n') {
        const struct kw_value value = {.type = KW_VALUE_BYTES, .bytes = text};
        KW_ASSERT(kw_nodes_reply_epoch(&value) <= INT64_MAX);
        return 0;
    }
    const struct kw_value *value = value_reader_read(&reader, text);
    if (value != NULL) {
        status = data[0] == 's' ? kw_slots_reply_read(value, "127.0.0.1", &topology)
                                : kw_shards_reply_read(value, "127.0.0.1", &topology);
    }
    KW_ASSERT((topology != NULL) == (status == KW_OK));
    if (topology != NULL) {
        topology_check(topology);
        KW_ASSERT(kw_topology_equal(topology, topology));
        (void)kw_topology_is_ailing(topology);
    }
    kw_topology_unref(&topology);
    value_reader_free(&reader);
    return 0;
}
