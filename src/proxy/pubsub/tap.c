/* tap.c - one feed for each node that owns slots.
 *
 *   masters:  A  B  C        (backend->slot_node)
 *   taps:     a  b  c        made and freed by kw_taps_align()
 *
 * INVARIANTS
 * I1  a flush follows when a tap is lost, and when one is ready that was not there when some client
 *     could already rely on it.
 */
#include "proxy/pubsub/tap.h"

#include "backend/feed.h"
#include "backend/invalidation.h"
#include "backend/node.h"
#include "base/mem.h"
#include "net/timer.h"
#include "proxy/pubsub/tracker.h"

enum {
    TIMER_MS = 50,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 1000,
    IDLE_KEEP_MS = 2000 /* without any tracker: those who connect, ask and go again share taps */
};

struct tap {
    struct kw_feed feed; /* first: the feed's callbacks cast back */
    struct kw_list all;  /* in tracking->taps */
    struct kw_tracking *tracking;
    struct kw_node *node;      /* held */
    struct kw_address address; /* the feed is, or was, open to this one */
    uint32_t backoff_ms;       /* 0 = it has not failed since it was last ready */
    uint64_t retry_at_ms;
    enum kw_status failure; /* why it failed */
    bool is_needed;
};

static bool taps_have_users(const struct kw_tracking *tracking);
static bool taps_are_kept(const struct kw_tracking *tracking);
static struct tap *tap_find(const struct kw_tracking *tracking, const struct kw_node *node);
static void tap_new(struct kw_tracking *tracking, struct kw_node *node);
static void tap_open(struct tap *tap);
static void tap_free(struct tap *tap);
static void tap_on_ready(struct kw_feed *feed);
static void tap_on_value(struct kw_feed *feed, struct kw_bytes value, struct kw_chunk *chunk);
static void tap_on_lost(struct kw_feed *feed, enum kw_status status);
static void tap_check(struct tap *tap, uint64_t now_ms);

static const struct kw_feed_user tap_user = {tap_on_ready, tap_on_value, tap_on_lost};

void kw_taps_align(struct kw_tracking *tracking)
{
    struct kw_backend *backend = tracking->proxy->backend;
    bool is_wanted = !tracking->is_stopped && tracking->proxy->embedded == NULL &&
                     (taps_have_users(tracking) || taps_are_kept(tracking));

    if (taps_have_users(tracking)) {
        tracking->used_ms = kw_loop_now_ms(backend->loop);
    }
    for (struct kw_list *at = tracking->taps.next; at != &tracking->taps; at = at->next) {
        KW_LIST_ENTRY(at, struct tap, all)->is_needed = false;
    }
    struct kw_node *last = NULL;
    for (unsigned slot = 0; is_wanted && slot < KW_SLOTS_COUNT; slot++) {
        struct kw_node *node = kw_backend_node_of_slot(backend, (uint16_t)slot);
        if (node == NULL || node == last) {
            continue;
        }
        last = node;
        if (tap_find(tracking, node) == NULL) {
            tap_new(tracking, node);
        }
        tap_find(tracking, node)->is_needed = true;
    }
    for (struct kw_list *at = tracking->taps.next; at != &tracking->taps;) {
        struct tap *tap = KW_LIST_ENTRY(at, struct tap, all);
        at = at->next;
        if (!tap->is_needed) {
            tap_free(tap);
        }
    }
    if (!kw_list_is_empty(&tracking->taps) && !kw_timer_is_running(tracking->timer)) {
        kw_timer_start(tracking->timer, TIMER_MS);
    }
}

static bool taps_have_users(const struct kw_tracking *tracking)
{
    return !kw_list_is_empty(&tracking->trackers) || !kw_list_is_empty(&tracking->pending);
}

/* The last user has just left, and the next one may be on its way. */
static bool taps_are_kept(const struct kw_tracking *tracking)
{
    return !kw_list_is_empty(&tracking->taps) &&
           kw_loop_now_ms(tracking->proxy->loop) < tracking->used_ms + IDLE_KEEP_MS;
}

void kw_taps_align_soon(struct kw_tracking *tracking)
{
    if (!tracking->is_stopped && !tracking->is_unsettled) {
        tracking->is_unsettled = true;
        kw_timer_start(tracking->timer, 0);
    }
}

bool kw_taps_are_settled(const struct kw_tracking *tracking, const char **refused_by)
{
    bool is_settled = !kw_list_is_empty(&tracking->taps);

    *refused_by = NULL;
    if (tracking->proxy->embedded != NULL) {
        return true; /* the store tells: embedded/events.c */
    }
    for (struct kw_list *at = tracking->taps.next; at != &tracking->taps; at = at->next) {
        const struct tap *tap = KW_LIST_ENTRY(at, struct tap, all);
        bool is_ready = tap->feed.state == KW_FEED_READY;
        is_settled = is_settled && (is_ready || tap->backoff_ms != 0);
        if (!is_ready && (tap->failure == KW_E_REJECTED || tap->failure == KW_E_AUTH)) {
            *refused_by = tap->node->name;
        }
    }
    return is_settled;
}

void kw_taps_close(struct kw_tracking *tracking)
{
    while (!kw_list_is_empty(&tracking->taps)) {
        tap_free(KW_LIST_ENTRY(tracking->taps.next, struct tap, all));
    }
}

void kw_taps_on_timer(void *arg)
{
    struct kw_tracking *tracking = arg;
    uint64_t now_ms = kw_loop_now_ms(tracking->proxy->loop);
    bool is_idle = !taps_have_users(tracking);

    if (!is_idle) {
        tracking->used_ms = now_ms;
    }
    if (tracking->is_unsettled || is_idle) {
        tracking->is_unsettled = false;
        kw_taps_align(tracking);
    }
    for (struct kw_list *at = tracking->taps.next; at != &tracking->taps; at = at->next) {
        tap_check(KW_LIST_ENTRY(at, struct tap, all), now_ms);
    }
    kw_trackers_advance(tracking);
    if (!kw_list_is_empty(&tracking->taps) || !kw_list_is_empty(&tracking->pending)) {
        kw_timer_start(tracking->timer, TIMER_MS);
    }
}

static struct tap *tap_find(const struct kw_tracking *tracking, const struct kw_node *node)
{
    for (struct kw_list *at = tracking->taps.next; at != &tracking->taps; at = at->next) {
        struct tap *tap = KW_LIST_ENTRY(at, struct tap, all);
        if (tap->node == node) {
            return tap;
        }
    }
    return NULL;
}

static void tap_new(struct kw_tracking *tracking, struct kw_node *node)
{
    struct tap *tap = kw_alloc_zero(1, sizeof *tap);

    tap->tracking = tracking;
    tap->node = kw_node_hold(node);
    kw_list_append(&tracking->taps, &tap->all);
    kw_feed_init(&tap->feed, tracking->proxy->backend, 3,
                 KW_BYTES("*4\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\nON\r\n$5\r\nBCAST\r\n"),
                 &tap_user, node->name);
    tap_open(tap);
}

static void tap_open(struct tap *tap)
{
    tap->address = tap->node->address;
    kw_feed_open(&tap->feed, &tap->address);
}

static void tap_free(struct tap *tap)
{
    kw_feed_close(&tap->feed);
    kw_list_remove(&tap->all);
    kw_node_release(&tap->node);
    kw_free(tap);
}

static void tap_on_ready(struct kw_feed *feed)
{
    struct tap *tap = (struct tap *)feed;

    tap->backoff_ms = 0;
    tap->failure = KW_OK;
    kw_tracking_flush(tap->tracking); /* I1; who waits for this one relies on nothing yet */
    kw_trackers_advance(tap->tracking);
}

static void tap_on_lost(struct kw_feed *feed, enum kw_status status)
{
    struct tap *tap = (struct tap *)feed;
    struct kw_backend *backend = feed->backend;
    uint64_t now_ms = kw_loop_now_ms(backend->loop);
    bool was_ready = tap->backoff_ms == 0;

    tap->failure = status;
    tap->backoff_ms = was_ready ? BACKOFF_FIRST_MS : tap->backoff_ms * 2;
    tap->backoff_ms = tap->backoff_ms < BACKOFF_MAX_MS ? tap->backoff_ms : BACKOFF_MAX_MS;
    tap->retry_at_ms =
        now_ms + tap->backoff_ms / 2 + kw_backend_random(backend) % (tap->backoff_ms / 2 + 1);
    KW_STAT_ADD(backend->stats, feeds_lost, 1);
    kw_log_limited(&feed->log_limit, now_ms, KW_LOG_WARNING,
                   "feed of changed keys from node %s lost: %s", tap->node->name,
                   kw_status_meaning(status));
    if (was_ready) {
        kw_tracking_flush(tap->tracking); /* I1 */
    }
    kw_backend_want_topology(backend);
    kw_taps_align_soon(tap->tracking);
}

/* >2 invalidate *N keys, or a null when all may have changed. Other pushes say nothing to us. */
static void tap_on_value(struct kw_feed *feed, struct kw_bytes value, struct kw_chunk *chunk)
{
    struct tap *tap = (struct tap *)feed;
    struct kw_invalidation told;
    struct kw_bytes name;

    (void)chunk;
    if (!kw_invalidation_begin(&told, value)) {
        return;
    }
    if (told.is_of_all) {
        kw_tracking_flush(tap->tracking);
        return;
    }
    while (kw_invalidation_next(&told, &name)) {
        kw_tracking_invalidate(tap->tracking, name);
    }
    if (told.is_broken) {
        kw_feed_fail(feed, KW_E_PROTOCOL);
    }
}

static void tap_check(struct tap *tap, uint64_t now_ms)
{
    if (tap->feed.state != KW_FEED_CLOSED &&
        !kw_address_equal(&tap->address, &tap->node->address)) {
        kw_feed_close(&tap->feed); /* the node has moved */
        tap_on_lost(&tap->feed, KW_E_CLOSED);
    } else if (tap->feed.state != KW_FEED_CLOSED) {
        kw_feed_check(&tap->feed, now_ms);
    } else if (now_ms >= tap->retry_at_ms) {
        tap_open(tap);
    }
}
