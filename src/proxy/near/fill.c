/* fill.c - from "this key is hot" to an entry.
 *
 *   reader's worker          origin's worker                     node
 *   promise in the cache
 *   no write under way?
 *   letter ----------------> CMD name ..., PTTL name ----------> registers the name, answers
 *                            reply, time to live <--------------
 *                            keep the promise
 *
 * A write, an invalidation, a flush or a witness that says otherwise breaks the promise: then the
 * reply is dropped, as it may be older.
 *
 * INVARIANTS
 * L1  the promise stands before the look at writes under way: of a write that begins meanwhile,
 *     either we see its count or it sees the promise (writes.c).
 * L2  the deadline counts from before the commands were sent: an entry is never older than its key.
 */
#include "proxy/near/fill.h"

#include "base/mem.h"
#include "base/text.h"
#include "proxy/near/origin.h"

#include <stdio.h>

enum { NULL_AGE_MAX_MS = 1000 /* a slot that moves away takes no leave of keys that it lacks */ };

static void fill_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void fill_done(struct kw_proxy *proxy, struct kw_errand *errand);
static struct kw_near_key fill_key(const struct kw_near *near, const struct kw_fill *fill);
static enum kw_status fill_keep(struct kw_near *near, struct kw_fill *fill,
                                const struct kw_near_key *key, int64_t ttl_ms);
static void fill_free(struct kw_fill *fill);

void kw__fill_start(struct kw_near *near, enum kw_near_role role, const struct kw_near_key *key,
                    uint16_t slot, struct kw_bytes command)
{
    struct kw_proxy *proxy = near->proxy;
    struct kw_near_shared *shared = near->shared;
    struct kw_node *node = kw_backend_node_of_slot(proxy->backend, slot);
    uint64_t token = 0;

    if (node == NULL || near->is_stopped ||
        kw_cache_fill_begin(near->worker, &key->key, &token) != KW_OK) {
        return;
    }
    atomic_thread_fence(memory_order_seq_cst); /* L1 */
    if (kw__near_is_written(shared, key->key.hash, slot) ||
        kw__near_generation(shared, slot) != key->generation) {
        (void)!kw_cache_fill_end(near->worker, &key->key, token, NULL);
        return;
    }
    struct kw_bytes name = key->key.name;
    struct kw_bytes variant = key->key.variant;
    struct kw_fill *fill = kw_alloc(sizeof *fill + name.len + variant.len + command.len);
    *fill = (struct kw_fill){
        .errand = {.visit = fill_visit, .done = fill_done},
        .token = token,
        .hash = key->key.hash,
        .role = role,
        .generation = key->generation,
        .slot = slot,
        .name_len = name.len,
        .variant_len = variant.len,
        .command_len = command.len,
    };
    kw_list_init(&fill->sent);
    snprintf(fill->node, sizeof fill->node, "%s", kw__origin_name(node));
    memcpy(fill->bytes, name.data, name.len);
    memcpy(fill->bytes + name.len, variant.data, variant.len);
    memcpy(fill->bytes + name.len + variant.len, command.data, command.len);
    kw_crew_hand(proxy, kw__origin_worker(near, node), &fill->errand);
}

struct kw_bytes kw__fill_name(const struct kw_fill *fill)
{
    return kw_bytes_of(fill->bytes, fill->name_len);
}

struct kw_bytes kw__fill_command(const struct kw_fill *fill)
{
    return kw_bytes_of(fill->bytes + fill->name_len + fill->variant_len, fill->command_len);
}

void kw__fill_take(struct kw_near *near, struct kw_fill *fill, struct kw_bytes reply)
{
    fill->has_reply = true;
    fill->is_useless =
        reply.data[0] == '-' || reply.len > near->proxy->config->near_cache_max_item_bytes;
    if (!fill->is_useless) {
        fill->reply = kw_alloc(reply.len);
        fill->reply_len = reply.len;
        memcpy(fill->reply, reply.data, reply.len);
    }
}

void kw__fill_end(struct kw_near *near, struct kw_fill *fill, struct kw_bytes ttl)
{
    struct kw_stats *stats = near->proxy->stats;
    int64_t ttl_ms = 0;

    if (fill->is_useless || ttl.data[0] != ':' ||
        kw_text_to_int(kw_bytes_of(ttl.data + 1, ttl.len - 3), &ttl_ms) != KW_OK) {
        kw__fill_drop(near, fill);
        return;
    }
    struct kw_near_key key = fill_key(near, fill);
    enum kw_status status = fill_keep(near, fill, &key, ttl_ms);
    if (status == KW_OK) {
        KW_STAT_ADD(stats, near_cache_fills, 1);
    } else if (status == KW_E_CLOSED) {
        KW_STAT_ADD(stats, near_cache_fills_broken, 1);
    } else {
        KW_STAT_ADD(stats, near_cache_fills_failed, 1);
    }
    fill_free(fill);
}

void kw__fill_drop(struct kw_near *near, struct kw_fill *fill)
{
    if (!fill->is_sign) {
        struct kw_near_key key = fill_key(near, fill);
        (void)!kw_cache_fill_end(kw__near_awake(near), &key.key, fill->token, NULL);
        KW_STAT_ADD(near->proxy->stats, near_cache_fills_failed, 1);
    }
    fill_free(fill);
}

/* On the worker of the origin. */
static void fill_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct kw_fill *fill = (struct kw_fill *)errand;
    struct kw_origin *origin = kw__origin_find(proxy->near, fill->node);

    if (origin != NULL) {
        kw__origin_send(origin, fill);
    }
}

static void fill_done(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct kw_fill *fill = (struct kw_fill *)errand;

    if (errand->is_dropped) {
        fill_free(fill); /* the process ends, and the cache with it */
    } else if (!kw_list_is_linked(&fill->sent)) {
        kw__fill_drop(proxy->near, fill);
    }
}

static struct kw_near_key fill_key(const struct kw_near *near, const struct kw_fill *fill)
{
    struct kw_near_key key = {.generation = fill->generation};

    key.key = kw_cache_key(near->worker, kw__fill_name(fill),
                           kw_bytes_of(fill->bytes + fill->name_len, fill->variant_len));
    return key;
}

static enum kw_status fill_keep(struct kw_near *near, struct kw_fill *fill,
                                const struct kw_near_key *key, int64_t ttl_ms)
{
    const struct kw_config *config = near->proxy->config;
    struct kw_cache_worker *worker = kw__near_awake(near);
    struct kw_cache_value value =
        kw__variant_value(fill->role, kw_bytes_of(fill->reply, fill->reply_len));
    uint64_t age_ms = config->near_cache_max_age_ms;
    bool is_null = value.kind == KW_NEAR_KIND_NULL;

    if (is_null) {
        uint64_t null_age_ms = config->near_cache_lease_ms < NULL_AGE_MAX_MS
                                   ? config->near_cache_lease_ms
                                   : NULL_AGE_MAX_MS;
        age_ms = age_ms < null_age_ms ? age_ms : null_age_ms;
    } else if (ttl_ms == -2) {
        return kw_cache_fill_end(worker, &key->key, fill->token, NULL); /* over meanwhile */
    }
    if (ttl_ms >= 0 && (uint64_t)ttl_ms < age_ms) {
        age_ms = (uint64_t)ttl_ms;
    }
    value.deadline_ms = fill->sent_ms + age_ms; /* L2 */
    value.domain = fill->domain;
    enum kw_status status = kw_cache_fill_end(worker, &key->key, fill->token, &value);
#ifdef KW_KNOCKOUT_FILL_TOKEN
    if (status == KW_E_CLOSED) {
        status = kw_cache_put(worker, &key->key, &value);
    }
#endif
    return status;
}

static void fill_free(struct kw_fill *fill)
{
    KW_ASSERT(!kw_list_is_linked(&fill->sent));
    kw_free(fill->reply);
    kw_free(fill);
}
