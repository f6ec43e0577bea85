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
 * A fill by chance is of a key that is no more urgent than thousands of others. Such ones wait, as
 * commands and no more: nothing is promised for them. Then LATER_MAX of them depart together, or at
 * the next heartbeat as many as there are. Each on its own would cost its origin what a dozen of
 * requests cost: a send, a receive and a look at the events for itself.
 *
 * INVARIANTS
 * L1  the key is warm before the promise (warm.c), and that stands before the look at writes under
 *     way: of a write that is under way then, or begins later, either we see its count, or it sees
 *     the promise when it is answered (a list of keys: when it begins).
 * L2  the deadline counts from before the commands were sent: an entry is never older than its key.
 * L3  a fill of an earlier cache is not sent: its token may be that of another promise by now.
 * L4  what is kept can be told from then on: who shares reads hears of it (coalesce.c).
 * L5  an entry that can be found was sent for at kept_us of its slot, or before.
 * L6  what is fetched is what its node tells of (hearing.h E1).
 */
#include "proxy/origin/fill.h"

#include "base/mem.h"
#include "base/text.h"
#include "proxy/origin/origin.h"
#include "proxy/origin/sign.h"

#include <stdio.h>

enum { LATER_MAX = 32 /* if all are one node's: some 50 us of its time */ };

static struct kw_node *fill_promise(struct kw_near *near, const struct kw_near_key *key,
                                    uint16_t slot, uint64_t *token);
static void fill_hand(struct kw_near *near, struct kw_fill *fill, const struct kw_node *node,
                      uint64_t token);
static struct kw_fill *later_take(struct kw_near *near);
static struct kw_fill *fill_new(const struct kw_near_read *read, const struct kw_near_key *key,
                                const struct kw_bytes *wire, size_t count);
static void fill_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void fill_done(struct kw_proxy *proxy, struct kw_errand *errand);
static struct kw_near_key fill_key(const struct kw_near *near, const struct kw_fill *fill);
static enum kw_status fill_keep(struct kw_near *near, struct kw_fill *fill,
                                const struct kw_near_key *key, int64_t ttl_ms);
static uint64_t fill_age_max_ms(const struct kw_near *near, const struct kw_fill *fill,
                                int64_t ttl_ms);
static void fill_free(struct kw_fill *fill);

void kw__fill_start(struct kw_near *near, const struct kw_near_read *read,
                    const struct kw_near_key *key, const struct kw_bytes *wire, size_t count)
{
    uint64_t token = 0;
    const struct kw_node *node = fill_promise(near, key, read->slot, &token);

    if (node != NULL) {
        fill_hand(near, fill_new(read, key, wire, count), node, token);
    }
}

void kw__fill_start_later(struct kw_near *near, const struct kw_near_read *read,
                          const struct kw_near_key *key, const struct kw_bytes *wire, size_t count)
{
    if (near->is_stopped || key->key.name.len > near->proxy->config->near_cache_max_item_bytes) {
        return; /* such names are not to wait in numbers */
    }
    kw_list_append(&near->fills_later, &fill_new(read, key, wire, count)->sent);
    if (++near->fills_later_count >= LATER_MAX) {
        kw__fills_depart(near);
    }
}

void kw__fills_depart(struct kw_near *near)
{
    struct kw_fill *fill = NULL;

    while ((fill = later_take(near)) != NULL) {
        struct kw_near_key key = fill_key(near, fill);
        uint64_t token = 0;
        const struct kw_node *node = fill_promise(near, &key, fill->slot, &token);
        if (node != NULL) {
            fill_hand(near, fill, node, token);
        } else {
            fill_free(fill);
        }
    }
}

void kw__fills_forget(struct kw_near *near)
{
    struct kw_fill *fill = NULL;

    while ((fill = later_take(near)) != NULL) {
        fill_free(fill);
    }
}

void kw__fill_wish(struct kw_near *near, uint16_t slot, uint16_t domain)
{
    struct kw_near_shared *shared = near->shared;
    const struct kw_node *node = kw_backend_node_of_slot(near->proxy->backend, slot);
    uint64_t seen_us = kw__near_seen_us(shared, slot);
    uint64_t wished_us =
        node != NULL ? kw__near_raise(&shared->wished_us[domain], seen_us) : seen_us;

    if (wished_us >= seen_us || wished_us >= atomic_load(&shared->heard_us[domain])) {
        return; /* a sign was wished before, and has not come: whose end looks at ours (O5) */
    }
    struct kw_fill *wish = kw_alloc_zero(1, sizeof *wish);
    wish->errand.visit = fill_visit;
    wish->errand.done = fill_done;
    wish->is_sign = true;
    kw_list_init(&wish->sent);
    snprintf(wish->node, sizeof wish->node, "%s", kw__origin_name(node));
    kw_crew_hand(near->proxy, kw__origin_worker(near, node), &wish->errand);
}

/* The node of SLOT, and *TOKEN for its reply. NULL: there is none, or KEY is being fetched, or must
 * not be now.
 */
static struct kw_node *fill_promise(struct kw_near *near, const struct kw_near_key *key,
                                    uint16_t slot, uint64_t *token)
{
    struct kw_near_shared *shared = near->shared;
    struct kw_node *node = kw_backend_node_of_slot(near->proxy->backend, slot);

    if (node == NULL || near->is_stopped || /* L1 says the rest, too, and costs more */
        kw__near_is_written(shared, &key->key, slot) ||
        kw__near_generation(shared, slot) != key->generation) {
        return NULL;
    }
    kw__warm_up(near->warm, kw__warm_place(key->key.name)); /* L1 */
    if (kw_cache_fill_begin(near->worker, &key->key, token) != KW_OK) {
        return NULL;
    }
    atomic_thread_fence(memory_order_seq_cst); /* L1 */
    if (kw__near_is_written(shared, &key->key, slot) ||
        kw__near_generation(shared, slot) != key->generation) {
        (void)!kw_cache_fill_end(near->worker, &key->key, *token, NULL);
        return NULL;
    }
    return node;
}

/* To the worker that has NODE's origin. */
static void fill_hand(struct kw_near *near, struct kw_fill *fill, const struct kw_node *node,
                      uint64_t token)
{
    fill->cache_number = near->cache_number;
    fill->token = token;
    snprintf(fill->node, sizeof fill->node, "%s", kw__origin_name(node));
    kw_crew_hand(near->proxy, kw__origin_worker(near, node), &fill->errand);
}

/* The one that waits longest, which waits no more; NULL: none does. */
static struct kw_fill *later_take(struct kw_near *near)
{
    if (kw_list_is_empty(&near->fills_later)) {
        return NULL;
    }
    struct kw_fill *fill = KW_LIST_ENTRY(near->fills_later.next, struct kw_fill, sent);
    kw_list_remove(&fill->sent);
    near->fills_later_count--;
    return fill;
}

static struct kw_fill *fill_new(const struct kw_near_read *read, const struct kw_near_key *key,
                                const struct kw_bytes *wire, size_t count)
{
    struct kw_bytes name = key->key.name;
    struct kw_bytes variant = key->key.variant;
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len += wire[i].len;
    }
    struct kw_fill *fill = kw_alloc(sizeof *fill + name.len + variant.len + len);
    *fill = (struct kw_fill){
        .errand = {.visit = fill_visit, .done = fill_done},
        .hash = key->key.hash,
        .role = read->role,
        .proto = read->proto,
        .is_of_fields = read->command->group == KW_GROUP_HASH,
        .generation = key->generation,
        .slot = read->slot,
        .name_len = name.len,
        .variant_len = variant.len,
        .command_len = len,
    };
    kw_list_init(&fill->sent);
    char *at = fill->bytes;
    memcpy(at, name.data, name.len);
    at += name.len;
    memcpy(at, variant.data, variant.len);
    at += variant.len;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, wire[i].data, wire[i].len);
        at += wire[i].len;
    }
    return fill;
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
    bool is_whole = fill->role == KW_NEAR_ROLE_WHOLE;
    bool is_converted = is_whole && fill->proto == 2 && !fill->is_blind;

    fill->has_reply = true;
    fill->is_useless = fill->is_given_up || reply.data[0] == '-' ||
                       reply.len > near->proxy->config->near_cache_max_item_bytes ||
                       (is_whole && fill->proto == 3 && fill->is_blind);
    if (fill->is_useless) {
        return;
    }
    fill->reply = kw_alloc(is_converted ? kw__variant_converted_max(reply.len) : reply.len);
    if (is_converted) {
        fill->reply_len = kw__variant_convert(reply, fill->reply);
        fill->is_useless = fill->reply_len == 0;
    } else {
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

void kw__fill_give_up(struct kw_near *near, struct kw_fill *fill)
{
    if (!fill->is_sign && !fill->is_given_up && fill->cache_number == near->cache_number) {
        struct kw_near_key key = fill_key(near, fill);
        (void)!kw_cache_fill_end(kw__near_awake(near), &key.key, fill->token, NULL);
        KW_STAT_ADD(near->proxy->stats, near_cache_fills_failed, 1);
    }
    fill->is_given_up = true;
    fill->is_useless = true;
}

void kw__fill_drop(struct kw_near *near, struct kw_fill *fill)
{
    kw__fill_give_up(near, fill);
    fill_free(fill);
}

/* On the worker of the origin. */
static void fill_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct kw_fill *fill = (struct kw_fill *)errand;
    struct kw_near *near = proxy->near;
    struct kw_origin *origin = near != NULL ? kw__origin_find(near, fill->node) : NULL;

    if (origin != NULL && fill->is_sign) {
        kw__origin_sign(origin);
    } else if (origin != NULL && fill->cache_number == near->cache_number && /* L3 */
               !kw_hot_is_banned(near->hot, fill->hash) &&
               kw__hearing_covers(&origin->hearing, kw__fill_name(fill))) { /* L6 */
        kw__origin_send(origin, fill);
    }
}

static void fill_done(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct kw_fill *fill = (struct kw_fill *)errand;

    if (errand->is_dropped || proxy->near == NULL) {
        fill_free(fill); /* and the cache is gone, or as good as */
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
    struct kw_cache_worker *worker = kw__near_awake(near);
    struct kw_bytes reply = kw_bytes_of(fill->reply, fill->reply_len);
    struct kw_cache_value value = kw__variant_value(fill->role, reply);
    uint64_t age_ms = fill_age_max_ms(near, fill, ttl_ms);

    if (ttl_ms == -2 && !kw__variant_is_of_none(reply)) {
        return kw_cache_fill_end(worker, &key->key, fill->token, NULL); /* over meanwhile */
    }
    if (ttl_ms >= 0 && (uint64_t)ttl_ms < age_ms) {
        age_ms = (uint64_t)ttl_ms;
    }
    value.deadline_ms = fill->sent_us / 1000 + age_ms; /* L2 */
    value.domain = fill->domain;
    struct kw_near_shared *shared = near->shared;
    (void)kw__near_raise(&shared->kept_us[fill->slot], fill->sent_us); /* L5 */
    atomic_fetch_add(&shared->publishing[fill->slot], 1);              /* L4 */
    enum kw_status status = kw_cache_fill_end(worker, &key->key, fill->token, &value);
#ifdef KW_KNOCKOUT_FILL_TOKEN
    if (status == KW_E_CLOSED) {
        status = kw_cache_put(worker, &key->key, &value);
    }
#endif
    atomic_fetch_add(&shared->told[fill->slot], 1);
    atomic_fetch_sub(&shared->publishing[fill->slot], 1);
    return status;
}

/* R8. Less for what ends without a word of the node: that a key isn't there, while its slot moves
 * away; a field of a hash that has a time to live of its own (Redis 7.4).
 */
static uint64_t fill_age_max_ms(const struct kw_near *near, const struct kw_fill *fill,
                                int64_t ttl_ms)
{
    const struct kw_config *config = near->proxy->config;
    uint64_t age_ms = config->near_cache_max_age_ms;

    return (ttl_ms == -2 || fill->is_of_fields) && config->near_cache_lease_ms < age_ms
               ? config->near_cache_lease_ms
               : age_ms;
}

static void fill_free(struct kw_fill *fill)
{
    KW_ASSERT(!kw_list_is_linked(&fill->sent));
    kw_free(fill->reply);
    kw_free(fill);
}
