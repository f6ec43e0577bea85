/* backend.c - the worker's picture of the cluster.
 *
 * INVARIANTS
 * I1  slot_node only names places of nodes that are not NULL.
 * I2  a link that failed is closed at the end of the tick it failed in, before anything is written;
 *     nobody closes a link inside its own callback.
 * I3  the timer runs while any call is unanswered, any link is being made or any node is down.
 * I4  block_node names the owner of a block only while all slots of it are that one's.
 */
#include "backend/backend.h"

#include "backend/link.h"
#include "backend/node.h"
#include "backend/side.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/timer.h"

#include <stdio.h>

enum {
    CHECK_MIN_MS = 5,
    CHECK_MAX_MS = 50,
    UNKNOWN_KEEP_MS = 10000, /* nodes outside the topology: a MOVED may run ahead of it */
    IGNORED_CALLS_MAX = 1024
};

struct ignored_call {
    struct kw_call call; /* first */
    struct kw_backend *backend;
};

static void backend_give(struct kw_backend *backend, uint16_t slot, uint16_t place);
static void backend_sum_up(struct kw_backend *backend);
static void backend_on_timer(void *arg);
static bool endpoint_read(struct kw_topology_node *wanted, struct kw_bytes host, uint16_t port,
                          const struct kw_node *asked);
static struct kw_node *node_find(const struct kw_backend *backend,
                                 const struct kw_topology_node *wanted);
static struct kw_node *node_add(struct kw_backend *backend);
static void node_update(struct kw_node *node, const struct kw_topology_node *from);
static void node_remove(struct kw_node *node);
static bool node_is_idle_unknown(const struct kw_node *node, uint64_t now_ms);
static void ignored_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static void ignored_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                            bool was_sent);

static const struct kw_call_user ignored_user = {.on_reply = ignored_on_reply,
                                                 .on_fail = ignored_on_fail};

struct kw_backend *kw_backend_new(struct kw_loop *loop, const struct kw_config *config,
                                  struct kw_stats *stats, struct kw_chunk_pool *chunks,
                                  char *scratch)
{
    struct kw_backend *backend = kw_alloc_zero(1, sizeof *backend);

    backend->loop = loop;
    backend->stats = stats;
    backend->chunks = chunks;
    backend->scratch = scratch;
    kw_backend_reconfigure(backend, config);
    backend->leased_links_max = config->leased_links_per_node;
    backend->random = kw_clock_us() | 1;
    backend->timer = kw_timer_new(loop, backend_on_timer, backend);
    kw_stream_set_init(&backend->streams);
    kw_pool_init(&backend->ignored_calls, sizeof(struct ignored_call), IGNORED_CALLS_MAX);
    for (unsigned slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        backend->slot_node[slot] = KW_NODE_NONE;
    }
    backend_sum_up(backend);
    return backend;
}

void kw_backend_reconfigure(struct kw_backend *backend, const struct kw_config *config)
{
    backend->config = config;
    backend->queue_limit_bytes =
        config->node_queue_limit_bytes != 0 ? config->node_queue_limit_bytes : UINT64_MAX;
}

void kw_backend_free(struct kw_backend **backend)
{
    for (uint32_t i = 0; i < (*backend)->nodes_count; i++) {
        if ((*backend)->nodes[i] != NULL) {
            node_remove((*backend)->nodes[i]);
        }
    }
    kw_topology_unref(&(*backend)->topology);
    kw_resolver_free(&(*backend)->resolver);
    kw_timer_free(&(*backend)->timer);
    kw_pool_deinit(&(*backend)->ignored_calls);
    kw_free(*backend);
    *backend = NULL;
}

void kw_backend_apply(struct kw_backend *backend, const struct kw_topology *topology)
{
    uint64_t now_ms = kw_loop_now_ms(backend->loop);
    uint16_t *places = kw_alloc((topology->nodes_count + 1) * sizeof *places);

    for (uint32_t i = 0; i < backend->nodes_count; i++) {
        struct kw_node *node = backend->nodes[i];
        if (node != NULL && node->is_known) {
            node->is_known = false;
            node->unknown_since_ms = now_ms;
        }
    }
    for (uint32_t i = 0; i < topology->nodes_count; i++) {
        struct kw_node *node = node_find(backend, &topology->nodes[i]);
        node = node == NULL ? node_add(backend) : node;
        places[i] = KW_NODE_NONE;
        if (node != NULL) {
            node_update(node, &topology->nodes[i]);
            places[i] = node->index;
        }
    }
    for (unsigned slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        uint16_t owner = topology->slot_owner[slot];
        uint16_t place = owner == KW_NODE_NONE ? KW_NODE_NONE : places[owner];
        if (backend->slot_node[slot] != place) {
            backend_give(backend, (uint16_t)slot, place);
            if (backend->has_topology && backend->on_slot_moved != NULL) {
                backend->on_slot_moved(backend->on_node_change_arg, (uint16_t)slot);
            }
        }
    }
    backend_sum_up(backend);
    kw_free(places);
    backend->slots_version++;
    backend->has_topology = true;
    kw_topology_unref(&backend->topology);
    backend->topology = kw_topology_ref(topology);
    KW_STAT_ADD(backend->stats, topologies_applied, 1);
    kw_backend_watch(backend);
    kw_backend_node_changed(backend);
}

/* Make the node at PLACE the owner of SLOT, whoever has the rest of its block. */
static void backend_give(struct kw_backend *backend, uint16_t slot, uint16_t place)
{
    uint16_t *of_block = &backend->block_node[slot / KW_SLOTS_BLOCK];

    backend->slot_node[slot] = place;                       /* I1 */
    *of_block = *of_block == place ? place : KW_NODE_MIXED; /* I4 */
}

static void backend_sum_up(struct kw_backend *backend)
{
    for (unsigned block = 0; block < KW_SLOTS_COUNT / KW_SLOTS_BLOCK; block++) {
        const uint16_t *slots = &backend->slot_node[block * KW_SLOTS_BLOCK];
        unsigned alike = 1;
        while (alike < KW_SLOTS_BLOCK && slots[alike] == slots[0]) {
            alike++;
        }
        backend->block_node[block] = alike == KW_SLOTS_BLOCK ? slots[0] : KW_NODE_MIXED; /* I4 */
    }
}

void kw_backend_node_changed(struct kw_backend *backend)
{
    if (backend->on_node_change != NULL) {
        backend->on_node_change(backend->on_node_change_arg);
    }
}

struct kw_node *kw_backend_find_node(struct kw_backend *backend, struct kw_bytes host,
                                     uint16_t port, const struct kw_node *asked)
{
    struct kw_topology_node wanted;

    return endpoint_read(&wanted, host, port, asked) ? node_find(backend, &wanted) : NULL;
}

struct kw_node *kw_backend_node_at(struct kw_backend *backend, struct kw_bytes host, uint16_t port,
                                   const struct kw_node *asked)
{
    struct kw_topology_node wanted;

    if (!endpoint_read(&wanted, host, port, asked)) {
        return NULL;
    }
    struct kw_node *node = node_find(backend, &wanted);
    if (node != NULL) {
        return node;
    }
    node = node_add(backend);
    if (node != NULL) {
        node_update(node, &wanted);
        node->is_known = false;
        node->unknown_since_ms = kw_loop_now_ms(backend->loop);
        if (!kw_address_is_resolved(&node->address)) {
            kw_node_resolve(node);
        }
        kw_backend_watch(backend);
    }
    return node;
}

/* What MOVED and ASK name: an empty host, or "?", is that of the node that was ASKED. */
static bool endpoint_read(struct kw_topology_node *wanted, struct kw_bytes host, uint16_t port,
                          const struct kw_node *asked)
{
    if (host.len == 0 || kw_bytes_equal(host, KW_BYTES("?"))) {
        host = kw_bytes_of_text(asked->host);
    }
    *wanted = (struct kw_topology_node){.port = port};
    if (host.len >= sizeof wanted->host) {
        return false;
    }
    memcpy(wanted->host, host.data, host.len);
    if (kw_address_parse(host, port, &wanted->address) != KW_OK) {
        wanted->address.len = 0; /* a name */
    }
    return true;
}

struct kw_node *kw_backend_find_known(const struct kw_backend *backend,
                                      const struct kw_topology_node *wanted)
{
    return node_find(backend, wanted);
}

struct kw_node *kw_backend_node_of_id(struct kw_backend *backend, struct kw_bytes id)
{
    for (uint32_t i = 0; i < backend->nodes_count; i++) {
        struct kw_node *node = backend->nodes[i];
        if (node != NULL && id.len > 0 && kw_bytes_equal(kw_bytes_of_text(node->id), id)) {
            return node;
        }
    }
    return NULL;
}

void kw_backend_patch_slot(struct kw_backend *backend, uint16_t slot, struct kw_node *node)
{
    KW_ASSERT(slot < KW_SLOTS_COUNT && backend->nodes[node->index] == node); /* I1 */
    backend_give(backend, slot, node->index);
    backend->slots_version++;
    kw_backend_want_topology(backend);
}

void kw_backend_want_topology(struct kw_backend *backend)
{
    if (backend->on_topology_wanted != NULL) {
        backend->on_topology_wanted(backend->on_topology_wanted_arg);
    }
}

void kw_backend_on_node_alive(struct kw_backend *backend, const struct kw_address *address)
{
    for (uint32_t i = 0; i < backend->nodes_count; i++) {
        struct kw_node *node = backend->nodes[i];
        if (node != NULL && node->is_down && kw_address_equal(&node->address, address)) {
            kw_node_retry_now(node);
        }
    }
}

void kw_backend_close_failed(struct kw_backend *backend)
{
    while (backend->failed != NULL) {
        struct kw_link *link = backend->failed;
        enum kw_status status = link->failure;
        kw_backend_forget_failure(backend, link);
        kw_node_on_link_failed(link->node, link, status); /* I2 */
    }
}

void kw_backend_close_idle(struct kw_backend *backend)
{
    for (uint32_t i = 0; i < backend->nodes_count; i++) {
        if (backend->nodes[i] != NULL) {
            kw_side_close_idle(backend->nodes[i], kw_loop_now_ms(backend->loop));
        }
    }
}

void kw_backend_flush(struct kw_backend *backend)
{
    kw_stream_set_flush(&backend->streams);
}

void kw_backend_defer_failure(struct kw_backend *backend, struct kw_link *link,
                              enum kw_status status)
{
    KW_ASSERT(status != KW_OK && status != KW_AGAIN);
    if (link->failure == KW_OK) {
        link->failure = status;
        link->next_failed = backend->failed;
        backend->failed = link;
        if (link->stream.fd >= 0) {
            kw_stream_set_reading(&link->stream, false);
            kw_list_remove(&link->stream.marked);
        }
    }
}

void kw_backend_forget_failure(struct kw_backend *backend, struct kw_link *link)
{
    struct kw_link **place = &backend->failed;

    while (*place != NULL && *place != link) {
        place = &(*place)->next_failed;
    }
    if (*place == link) {
        *place = link->next_failed;
        link->next_failed = NULL;
        link->failure = KW_OK;
    }
}

void kw_backend_watch(struct kw_backend *backend)
{
    unsigned period_ms = backend->config->node_timeout_ms / 4;

    if (backend->is_watching) {
        return;
    }
    backend->is_watching = true;
    period_ms = period_ms < CHECK_MIN_MS ? CHECK_MIN_MS : period_ms;
    kw_timer_start(backend->timer, period_ms > CHECK_MAX_MS ? CHECK_MAX_MS : period_ms);
}

struct kw_call *kw_backend_ignored_call(struct kw_backend *backend)
{
    struct ignored_call *ignored = kw_pool_get(&backend->ignored_calls);

    *ignored = (struct ignored_call){.call.user = &ignored_user, .backend = backend};
    return &ignored->call;
}

void kw_backend_put_ignored_call(struct kw_backend *backend, struct kw_call *call)
{
    kw_call_release(call);
    kw_pool_put(&backend->ignored_calls, call);
}

uint32_t kw_backend_random(struct kw_backend *backend)
{
    /* xorshift64*, Vigna 2014: jitter needs no more. */
    backend->random ^= backend->random >> 12;
    backend->random ^= backend->random << 25;
    backend->random ^= backend->random >> 27;
    return (uint32_t)((backend->random * 0x2545f4914f6cdd1dull) >> 32);
}

static void backend_on_timer(void *arg)
{
    struct kw_backend *backend = arg;
    uint64_t now_ms = kw_loop_now_ms(backend->loop);
    bool is_busy = false; /* I3 */

    backend->is_watching = false;
    for (uint32_t i = 0; i < backend->nodes_count; i++) {
        struct kw_node *node = backend->nodes[i];
        if (node == NULL) {
            continue;
        }
        is_busy = kw_node_check(node, now_ms) || is_busy;
        if (!node->is_known) {
            if (node_is_idle_unknown(node, now_ms)) {
                node_remove(node);
            } else {
                is_busy = true;
            }
        }
    }
    if (is_busy) {
        kw_backend_watch(backend);
    }
}

/* Identity is the id; without ids it is the address (R3). */
static struct kw_node *node_find(const struct kw_backend *backend,
                                 const struct kw_topology_node *wanted)
{
    struct kw_node *found = NULL;

    for (uint32_t i = 0; i < backend->nodes_count; i++) {
        struct kw_node *node = backend->nodes[i];
        if (node == NULL) {
            continue;
        }
        bool has_ids = node->id[0] != '\0' && wanted->id[0] != '\0';
        if (has_ids && strcmp(node->id, wanted->id) == 0) {
            return node;
        }
        bool is_same_host = node->port == wanted->port && strcmp(node->host, wanted->host) == 0;
        bool is_same_address = kw_address_is_resolved(&wanted->address) &&
                               kw_address_equal(&node->address, &wanted->address);
        if (!has_ids && found == NULL && (is_same_host || is_same_address)) {
            found = node;
        }
    }
    return found;
}

static struct kw_node *node_add(struct kw_backend *backend)
{
    uint32_t index = 0;

    while (index < backend->nodes_count && backend->nodes[index] != NULL) {
        index++;
    }
    if (index == KW_NODES_MAX) {
        return NULL;
    }
    if (index == backend->nodes_count) {
        backend->nodes_count++;
    }
    struct kw_node *node = kw_alloc_zero(1, sizeof *node);
    node->backend = backend;
    node->index = (uint16_t)index;
    node->per_node = backend->config->links_per_node;
    kw_lease_pool_init(&node->leases);
    backend->nodes[index] = node;
    return node;
}

static void node_update(struct kw_node *node, const struct kw_topology_node *from)
{
    bool is_moved =
        kw_address_is_resolved(&node->address) && !kw_address_equal(&node->address, &from->address);

    memcpy(node->id, from->id, sizeof node->id);
    memcpy(node->host, from->host, sizeof node->host);
    node->port = from->port;
    node->address = from->address;
    node->is_known = true;
    snprintf(node->name, sizeof node->name, "%s:%u", node->host, node->port);
    if (is_moved) {
        node->is_down = false; /* another place: the old one's faults don't count */
        node->backoff_ms = 0;
        kw_node_close_links(node, KW_E_CLOSED);
    }
}

static bool node_is_idle_unknown(const struct kw_node *node, uint64_t now_ms)
{
    const struct kw_backend *backend = node->backend;

    if (now_ms - node->unknown_since_ms < UNKNOWN_KEEP_MS || node->holders_count > 0 ||
        kw_node_inflight_count(node) > 0) {
        return false;
    }
    for (unsigned slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        if (backend->slot_node[slot] == node->index) {
            return false; /* a MOVED made it the owner: the topology will tell */
        }
    }
    return true;
}

static void node_remove(struct kw_node *node)
{
    struct kw_backend *backend = node->backend;

    node->is_down = true; /* calls that fail now must not open new links */
    node->down_reason = KW_E_NOT_FOUND;
    kw_lookup_cancel(&node->lookup);
    kw_node_close_links(node, KW_E_CLOSED);
    for (unsigned slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        if (backend->slot_node[slot] == node->index) {
            backend_give(backend, (uint16_t)slot, KW_NODE_NONE); /* I1 */
        }
    }
    backend->nodes[node->index] = NULL;
    backend->slots_version++;
    kw_free(node);
}

static void ignored_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct ignored_call *ignored = (struct ignored_call *)call;

    if (part->is_last) {
        kw_backend_put_ignored_call(ignored->backend, call);
    }
}

static void ignored_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                            bool was_sent)
{
    struct ignored_call *ignored = (struct ignored_call *)call;

    (void)link;
    (void)status;
    (void)was_sent;
    kw_backend_put_ignored_call(ignored->backend, call);
}
