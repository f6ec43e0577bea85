/* origin.c - one connection to a master: fills out, replies and invalidations in, in order.
 *
 *   near->origins:  those masters whose id falls to this worker
 *
 *   origin->sent:   sign  fill  fill          one reply to a sign, two to a fill
 *                    |
 *   what comes:  >invalidate k | :1 | $5 hello | :-1 | >invalidate k | ...
 *
 * What a node appends for a client stands in the order of its execution: an invalidation behind the
 * reply that it makes stale, before the reply to what was executed later. So once a reply has been
 * taken, all invalidations of before its execution have been. Not so those of a broadcast, which
 * may be some replies late: hearing.h.
 *
 * INVARIANTS
 * O1  a domain is open exactly while the feed is ready; it is closed before anything else is done
 *     about a connection that is lost or doubtful.
 * O2  a domain's lease runs from before a command was sent that the node has answered, so that it
 *     counts (hearing.h): a read of a key of its own. A node that is cut off answers PING for ever,
 *     but not that.
 *     A node that can't tell of changes (near-cache-fallback max-age) is asked all the same.
 * O3  the feed is always read: a node would collect what it pushes without limit.
 * O4  what was sent over a connection stays in origin->sent, in order, until its replies have come
 *     or the connection is lost: also when all that was kept of the node goes (a null push).
 * O5  while the node has not been heard of since what somebody wished, something newer than the
 *     wish is under way to the node, or a wish to this worker (fill.c).
 */
#include "proxy/origin/origin.h"

#include "backend/invalidation.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "proxy/near/near.h"
#include "proxy/near/refill.h"
#include "proxy/origin/sign.h"

#include <stdio.h>

enum { BACKOFF_FIRST_MS = 50, BACKOFF_MAX_MS = 1000, SILENCE_MIN_MS = 500 };

static struct kw_origin *origin_of(const struct kw_near *near, const struct kw_node *node);
static void origin_new(struct kw_near *near, struct kw_node *node);
static void origin_free(struct kw_origin *origin);
static void origin_open(struct kw_origin *origin);
static void origin_open_again(struct kw_origin *origin);
static void origin_on_ready(struct kw_feed *feed);
static void origin_on_value(struct kw_feed *feed, struct kw_bytes value, struct kw_chunk *chunk);
static void origin_on_lost(struct kw_feed *feed, enum kw_status status);
static bool origin_open_domain(struct kw_origin *origin);
static void origin_close_domain(struct kw_origin *origin);
static void origin_drop_sent(struct kw_origin *origin);
static void origin_forget_all(struct kw_origin *origin);
static void origin_show(struct kw_origin *origin, enum kw_status failure);
static void origin_on_push(struct kw_origin *origin, struct kw_bytes push);
static void near_invalidate(struct kw_near *near, struct kw_bytes name);
static void origin_on_reply(struct kw_origin *origin, struct kw_bytes value);
static void origin_extend(struct kw_origin *origin, const struct kw_fill *fill);
static void origin_on_tally(struct kw_origin *origin, struct kw_fill *fill, struct kw_bytes value);
static void origin_on_ttl(struct kw_origin *origin, struct kw_fill *fill, struct kw_bytes value);
static void origin_heed_wish(struct kw_origin *origin);
static bool origin_has_sent_after(const struct kw_origin *origin, uint64_t moment_us);
static void origin_check(struct kw_origin *origin, uint64_t now_ms);

static const struct kw_feed_user origin_user = {origin_on_ready, origin_on_value, origin_on_lost};

void kw__origins_align(struct kw_near *near)
{
    struct kw_backend *backend = near->proxy->backend;
    struct kw_node *last = NULL;

    for (struct kw_list *at = near->origins.next; at != &near->origins; at = at->next) {
        KW_LIST_ENTRY(at, struct kw_origin, all)->is_needed = false;
    }
    for (unsigned slot = 0; !near->is_stopped && slot < KW_SLOTS_COUNT; slot++) {
        struct kw_node *node = kw_backend_node_of_slot(backend, (uint16_t)slot);
        if (node == NULL || node == last) {
            continue;
        }
        last = node;
        if (kw__origin_worker(near, node) != near->proxy->crew_index) {
            continue;
        }
        if (origin_of(near, node) == NULL) {
            origin_new(near, node);
        }
        origin_of(near, node)->is_needed = true;
    }
    for (struct kw_list *at = near->origins.next; at != &near->origins;) {
        struct kw_origin *origin = KW_LIST_ENTRY(at, struct kw_origin, all);
        at = at->next;
        if (!origin->is_needed) {
            origin_free(origin);
        }
    }
}

void kw__origins_close(struct kw_near *near)
{
    while (!kw_list_is_empty(&near->origins)) {
        origin_free(KW_LIST_ENTRY(near->origins.next, struct kw_origin, all));
    }
}

void kw__origins_check(struct kw_near *near)
{
    for (struct kw_list *at = near->origins.next; at != &near->origins;) {
        struct kw_origin *origin = KW_LIST_ENTRY(at, struct kw_origin, all);
        at = at->next;
        origin_check(origin, near->now_ms);
    }
}

struct kw_origin *kw__origin_find(const struct kw_near *near, const char *name)
{
    for (struct kw_list *at = near->origins.next; at != &near->origins; at = at->next) {
        struct kw_origin *origin = KW_LIST_ENTRY(at, struct kw_origin, all);
        if (origin->domain != 0 && strcmp(kw__origin_name(origin->node), name) == 0) {
            return origin;
        }
    }
    return NULL;
}

const char *kw__origin_name(const struct kw_node *node)
{
    return node->id[0] != '\0' ? node->id : node->name;
}

unsigned kw__origin_worker(const struct kw_near *near, const struct kw_node *node)
{
    struct kw_bytes name = kw_bytes_of_text(kw__origin_name(node));

    return (unsigned)(kw_hash(name, 0) % near->shared->workers_count);
}

void kw__origin_send(struct kw_origin *origin, struct kw_fill *fill)
{
    struct kw_bytes pttl[] = {{"PTTL", 4}, kw__fill_name(fill)};

    fill->sent_us = kw_clock_us();
    fill->domain = origin->domain;
    fill->is_blind = origin->is_blind;
    kw_list_append(&origin->sent, &fill->sent);
    kw_feed_send_bytes(&origin->feed, kw__fill_command(fill));
    kw_feed_send(&origin->feed, pttl, 2);
}

static struct kw_origin *origin_of(const struct kw_near *near, const struct kw_node *node)
{
    for (struct kw_list *at = near->origins.next; at != &near->origins; at = at->next) {
        struct kw_origin *origin = KW_LIST_ENTRY(at, struct kw_origin, all);
        if (origin->node == node) {
            return origin;
        }
    }
    return NULL;
}

static void origin_new(struct kw_near *near, struct kw_node *node)
{
    struct kw_origin *origin = kw_alloc_zero(1, sizeof *origin);

    origin->near = near;
    origin->node = kw_node_hold(node);
    kw_list_init(&origin->sent);
    kw_list_append(&near->origins, &origin->all);
    snprintf(origin->name, sizeof origin->name, "%s", node->name);
    pthread_mutex_lock(&near->shared->lock);
    kw_list_append(&near->shared->origins, &origin->shown);
    pthread_mutex_unlock(&near->shared->lock);
    origin_open(origin);
}

static void origin_free(struct kw_origin *origin)
{
    struct kw_near *near = origin->near;

    origin_close_domain(origin); /* O1 */
    origin_drop_sent(origin);
    kw_feed_close(&origin->feed);
    kw__hearing_end(&origin->hearing);
    pthread_mutex_lock(&near->shared->lock);
    kw_list_remove(&origin->shown);
    pthread_mutex_unlock(&near->shared->lock);
    kw_list_remove(&origin->all);
    kw_node_release(&origin->node);
    kw_free(origin);
}

static void origin_open(struct kw_origin *origin)
{
    struct kw_backend *backend = origin->near->proxy->backend;

    kw__hearing_begin(&origin->hearing, backend->config, origin->is_blind);
    kw_feed_init(&origin->feed, backend, origin->is_blind ? 2 : 3,
                 kw_blob_bytes(&origin->hearing.greeting), &origin_user, origin->node->name);
    origin->address = origin->node->address;
    kw_feed_open(&origin->feed, &origin->address);
}

/* What the node is to tell of has changed: nothing that was kept is known to be covered. */
static void origin_open_again(struct kw_origin *origin)
{
    origin_close_domain(origin); /* O1 */
    origin_drop_sent(origin);
    kw_feed_close(&origin->feed);
    pthread_mutex_lock(&origin->near->shared->lock);
    origin->is_ready = false; /* not lost */
    pthread_mutex_unlock(&origin->near->shared->lock);
    origin->is_blind = false; /* perhaps it can tell of that */
    origin_open(origin);
}

static void origin_on_ready(struct kw_feed *feed)
{
    struct kw_origin *origin = (struct kw_origin *)feed;

    origin->backoff_ms = 0;
    if (!origin_open_domain(origin)) {
        kw_feed_fail(feed, KW_E_FULL);
        return;
    }
    if (origin->is_blind) {
        atomic_store(&origin->near->shared->is_any_blind, true);
    }
    origin_show(origin, KW_OK);
    origin->tally = (struct kw_tally){0};
    kw__origin_count_swaps(origin);
    kw__origin_sign(origin);
}

static void origin_on_lost(struct kw_feed *feed, enum kw_status status)
{
    struct kw_origin *origin = (struct kw_origin *)feed;
    bool was_ready = origin->domain != 0;
    struct kw_backend *backend = feed->backend;
    uint64_t now_ms = kw_loop_now_ms(backend->loop);

    origin_close_domain(origin); /* O1 */
    origin_drop_sent(origin);
    origin->backoff_ms = origin->backoff_ms == 0 ? BACKOFF_FIRST_MS : origin->backoff_ms * 2;
    origin->backoff_ms = origin->backoff_ms < BACKOFF_MAX_MS ? origin->backoff_ms : BACKOFF_MAX_MS;
    origin->retry_at_ms = origin->near->now_ms + origin->backoff_ms / 2 +
                          kw_backend_random(backend) % (origin->backoff_ms / 2 + 1);
    origin->is_blind = !was_ready && status == KW_E_REJECTED && !origin->is_blind &&
                       backend->config->near_cache_fallback == KW_NEAR_FALLBACK_MAX_AGE;
    origin_show(origin, status);
    KW_STAT_ADD(backend->stats, feeds_lost, 1);
    kw_log_limited(&feed->log_limit, now_ms, KW_LOG_WARNING,
                   "nothing of node %s is cached until it tells of changed keys again: %s",
                   origin->node->name, kw_status_meaning(status));
    kw_backend_want_topology(backend);
    kw_near_align_soon(origin->near->proxy);
}

static bool origin_open_domain(struct kw_origin *origin)
{
    struct kw_near *near = origin->near;
    uint16_t domain = 0;

    KW_ASSERT(origin->domain == 0); /* O1 */
    if (kw_cache_domain_open(kw__near_awake(near), &domain) != KW_OK) {
        return false;
    }
    atomic_store(&near->shared->heard_us[domain], 0);
    atomic_store(&near->shared->wished_us[domain], 0);
    origin->domain = domain;
    return true;
}

static void origin_close_domain(struct kw_origin *origin)
{
    struct kw_near *near = origin->near;

    if (origin->domain != 0) {
        kw_cache_domain_close(kw__near_awake(near), origin->domain);
        atomic_store(&near->shared->heard_us[origin->domain], 0);
        origin->domain = 0;
        KW_STAT_ADD(near->proxy->stats, near_cache_flushes, 1);
    }
}

/* The connection is lost, and with it all that was to come over it. */
static void origin_drop_sent(struct kw_origin *origin)
{
    while (!kw_list_is_empty(&origin->sent)) {
        struct kw_fill *fill = KW_LIST_ENTRY(origin->sent.next, struct kw_fill, sent);
        kw_list_remove(&fill->sent);
        kw__fill_drop(origin->near, fill);
    }
}

/* Of what is under way nothing may be kept, nor does it say that the node was heard of (O4). */
static void origin_forget_all(struct kw_origin *origin)
{
    origin_close_domain(origin);
    for (struct kw_list *at = origin->sent.next; at != &origin->sent; at = at->next) {
        kw__fill_give_up(origin->near, KW_LIST_ENTRY(at, struct kw_fill, sent));
    }
    if (!origin_open_domain(origin)) {
        kw_feed_fail(&origin->feed, KW_E_FULL);
    }
}

static void origin_show(struct kw_origin *origin, enum kw_status failure)
{
    pthread_mutex_lock(&origin->near->shared->lock);
    origin->failure = failure;
    origin->lost_count += failure != KW_OK && origin->is_ready ? 1 : 0;
    origin->is_ready = failure == KW_OK;
    origin->is_shown_blind = origin->is_blind;
    origin->is_shown_broadcast = origin->hearing.is_broadcast;
    origin->shown_domain = origin->domain;
    pthread_mutex_unlock(&origin->near->shared->lock);
}

static void origin_on_value(struct kw_feed *feed, struct kw_bytes value, struct kw_chunk *chunk)
{
    struct kw_origin *origin = (struct kw_origin *)feed;

    (void)chunk;
    if (value.data[0] == '>') {
        origin_on_push(origin, value);
    } else if (kw_list_is_empty(&origin->sent)) {
        kw_feed_fail(feed, KW_E_PROTOCOL); /* it answers what nobody asked */
    } else {
        origin_on_reply(origin, value);
    }
}

/* Of a broadcast most keys are cold: nothing is kept, or promised, of them (fill.c L1). */
static void origin_on_push(struct kw_origin *origin, struct kw_bytes push)
{
#ifndef KW_KNOCKOUT_SAME_LINK_PUSH
    struct kw_near *near = origin->near;
    struct kw_invalidation told;
    struct kw_bytes name;

    if (!kw_invalidation_begin(&told, push)) {
        return;
    }
    if (told.is_of_all) {
        origin_forget_all(origin);
    }
    while (kw_invalidation_next(&told, &name)) {
        if (kw__warm_has(near->warm, kw__warm_place(name))) {
            near_invalidate(near, name);
        }
    }
    if (told.is_broken) {
        kw_feed_fail(&origin->feed, KW_E_PROTOCOL);
    }
#else
    (void)origin;
    (void)push;
    (void)near_invalidate;
#endif
}

static void near_invalidate(struct kw_near *near, struct kw_bytes name)
{
    struct kw_cache_worker *worker = kw__near_awake(near);
    struct kw_cache_key key = kw_cache_key(worker, name, kw_bytes_of("", 0));
    uint16_t slot = kw_slot_of_key(name);
    /* Who writes it through keyway has judged it, and has it fetched again. */
    bool is_worth = !kw__near_is_written(near->shared, &key, slot) &&
                    kw_cache_may_have(worker, key.hash) &&
                    kw__refill_judge(near, name, key.hash, slot);

    (void)kw_cache_invalidate(worker, &key);
    if (is_worth) {
        kw__refill_now(near, name, slot);
    }
    KW_STAT_ADD(near->proxy->stats, near_cache_invalidations, 1);
}

static void origin_on_reply(struct kw_origin *origin, struct kw_bytes value)
{
    struct kw_fill *fill = KW_LIST_ENTRY(origin->sent.next, struct kw_fill, sent);

    if (fill->is_sign && !fill->is_tally && value.data[0] != ':') {
        /* MOVED, CLUSTERDOWN, LOADING, MASTERDOWN ...: it may have lost its slots (R4). */
        kw_feed_fail(&origin->feed, KW_E_REJECTED);
        return;
    }
    if (!fill->is_sign && !fill->has_reply) {
        kw__fill_take(origin->near, fill, value);
        return;
    }
    kw_list_remove(&fill->sent);
    if (fill->is_tally) {
        origin_on_tally(origin, fill, value);
    } else if (fill->is_sign) {
        origin_extend(origin, fill);
        kw__fill_drop(origin->near, fill);
    } else {
        origin_on_ttl(origin, fill, value);
    }
    origin_heed_wish(origin);
}

static void origin_on_tally(struct kw_origin *origin, struct kw_fill *fill, struct kw_bytes value)
{
    kw__fill_drop(origin->near, fill);
    if (kw__tally_take(&origin->tally, value)) {
        origin_forget_all(origin);
    }
}

/* The second reply to FILL, which goes. */
static void origin_on_ttl(struct kw_origin *origin, struct kw_fill *fill, struct kw_bytes value)
{
    if (fill->is_useless && !fill->is_given_up) {
        kw_backend_want_topology(origin->feed.backend); /* MOVED, say; an error costs little */
    } else if (value.data[0] == ':') {
        origin_extend(origin, fill);
    }
    kw__fill_end(origin->near, fill, value);
}

/* The node has answered what was sent with FILL (O2), which is no longer in origin->sent. */
static void origin_extend(struct kw_origin *origin, const struct kw_fill *fill)
{
    struct kw_near_shared *shared = origin->near->shared;

    if (fill->domain != origin->domain || fill->is_given_up) {
        return;
    }
    uint64_t heard_us = kw__hearing_answer(&origin->hearing, fill->sent_us, kw_clock_us());
    atomic_store(&shared->heard_us[origin->domain], heard_us); /* before the wish: fill.c */
}

/* An answer has come, whatever it says: O5 has to be so without it. */
static void origin_heed_wish(struct kw_origin *origin)
{
    const struct kw_near_shared *shared = origin->near->shared;
    uint64_t heard_us = atomic_load(&shared->heard_us[origin->domain]);
    uint64_t wished_us = atomic_load(&shared->wished_us[origin->domain]);

    if (origin->domain != 0 && wished_us >= heard_us &&
        !origin_has_sent_after(origin, kw__hearing_ask_after(&origin->hearing, wished_us))) {
        kw__origin_sign(origin);
    }
}

static bool origin_has_sent_after(const struct kw_origin *origin, uint64_t moment_us)
{
    const struct kw_fill *last = KW_LIST_ENTRY(origin->sent.prev, struct kw_fill, sent);

    return !kw_list_is_empty(&origin->sent) && last->sent_us > moment_us;
}

static void origin_check(struct kw_origin *origin, uint64_t now_ms)
{
    const struct kw_config *config = origin->feed.backend->config;
    uint64_t silence_ms = (uint64_t)config->node_timeout_ms * config->node_failure_limit;
    const struct kw_fill *first = KW_LIST_ENTRY(origin->sent.next, struct kw_fill, sent);

    silence_ms = silence_ms > SILENCE_MIN_MS ? silence_ms : SILENCE_MIN_MS;
    if (origin->feed.state != KW_FEED_CLOSED &&
        !kw_address_equal(&origin->address, &origin->node->address)) {
        kw_feed_fail(&origin->feed, KW_E_CLOSED); /* the node has moved */
    } else if (origin->is_blind && config->near_cache_fallback == KW_NEAR_FALLBACK_OFF) {
        kw_feed_fail(&origin->feed, KW_E_REJECTED); /* it is wished no longer */
    } else if (origin->feed.state != KW_FEED_CLOSED &&
               !kw__hearing_suits(&origin->hearing, config)) {
        origin_open_again(origin);
    } else if (origin->feed.state == KW_FEED_CLOSED) {
        if (now_ms >= origin->retry_at_ms) {
            origin_open(origin);
        }
    } else if (origin->feed.state != KW_FEED_READY) {
        kw_feed_check(&origin->feed, kw_loop_now_ms(origin->feed.backend->loop));
    } else if (!kw_list_is_empty(&origin->sent) && now_ms > first->sent_us / 1000 + silence_ms) {
        kw_feed_fail(&origin->feed, KW_E_TIMEOUT);
    } else {
        kw__origin_count_swaps(origin);
        if (now_ms >= origin->sign_at_ms) {
            kw__origin_sign(origin);
        }
    }
}
