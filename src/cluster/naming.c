/* naming.c - all lookups of a topology at once, then one callback.
 *
 * I1  waiting_count is the number of lookups that have not answered, plus one while they are being
 *     started: answers that come at once must not end it early.
 */
#include "cluster/naming.h"

#include "base/assert.h"
#include "base/mem.h"
#include "net/resolve.h"

/* One node being named. */
struct named_node {
    struct kw_naming *naming;
    struct kw_lookup *lookup; /* NULL when answered */
    uint32_t node_index;
};

struct kw_naming {
    struct kw_topology *topology; /* one reference */
    void (*on_named)(void *arg, struct kw_topology *taken);
    void *arg;
    uint32_t waiting_count; /* I1 */
    uint32_t nodes_count;
    struct named_node nodes[]; /* as many as the topology's */
};

static void named_node_on_address(void *arg, enum kw_status status,
                                  const struct kw_address *addresses, uint32_t count);
static bool naming_release(struct kw_naming *naming);

struct kw_naming *kw_naming_start(struct kw_resolver *resolver, struct kw_topology *taken,
                                  void (*on_named)(void *arg, struct kw_topology *taken), void *arg)
{
    size_t size_bytes = sizeof(struct kw_naming) + taken->nodes_count * sizeof(struct named_node);
    struct kw_naming *naming = kw_alloc_zero(1, size_bytes);

    naming->topology = taken;
    naming->on_named = on_named;
    naming->arg = arg;
    naming->nodes_count = taken->nodes_count;
    naming->waiting_count = 1; /* I1 */
    for (uint32_t i = 0; i < taken->nodes_count; i++) {
        const struct kw_topology_node *node = &taken->nodes[i];
        naming->nodes[i].naming = naming;
        naming->nodes[i].node_index = i;
        if (!kw_address_is_resolved(&node->address)) {
            naming->waiting_count++;
            naming->nodes[i].lookup = kw_resolver_lookup(resolver, node->host, node->port,
                                                         named_node_on_address, &naming->nodes[i]);
        }
    }
    return naming_release(naming) ? NULL : naming;
}

static void named_node_on_address(void *arg, enum kw_status status,
                                  const struct kw_address *addresses, uint32_t count)
{
    struct named_node *named = arg;
    struct kw_naming *naming = named->naming;

    named->lookup = NULL;
    if (status == KW_OK) {
        KW_ASSERT(count > 0);
        naming->topology->nodes[named->node_index].address = addresses[0];
    }
    naming_release(naming);
}

/* One less to wait for. True when it was the last: NAMING is then gone. */
static bool naming_release(struct kw_naming *naming)
{
    KW_ASSERT(naming->waiting_count > 0);
    naming->waiting_count--;
    if (naming->waiting_count > 0) {
        return false;
    }
    void (*on_named)(void *arg, struct kw_topology *taken) = naming->on_named;
    void *arg = naming->arg;
    struct kw_topology *topology = naming->topology;
    kw_free(naming);
    on_named(arg, topology);
    return true;
}

void kw_naming_cancel(struct kw_naming **naming)
{
    struct kw_naming *cancelled = *naming;

    if (cancelled == NULL) {
        return;
    }
    for (uint32_t i = 0; i < cancelled->nodes_count; i++) {
        kw_lookup_cancel(&cancelled->nodes[i].lookup);
    }
    kw_topology_unref(&cancelled->topology);
    kw_free(cancelled);
    *naming = NULL;
}
