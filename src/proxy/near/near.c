/* near.c - a worker's half of the near cache.
 *
 * A worker is awake in the cache from its first look in a tick to the tick's end, so a tick that
 * needs no look costs nothing. A timer looks now and then on its own: origins need signs of life,
 * the cache upkeep.
 */
#include "proxy/near/near.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "cache/cache_extra.h"
#include "net/timer.h"
#include "proxy/coalesce.h"
#include "proxy/near/refill.h"
#include "proxy/near/touch.h"
#include "proxy/origin/origin.h"

enum {
    TIMER_MIN_MS = 5,
    TIMER_MAX_MS = 100, /* the cache's upkeep */
    /* Of what is kept though it is not known to be hot: the cache is not full, and nodes, whose
     * tables hold a million keys for all who track, do not spend more on it than on hot ones.
     */
    ROOM_PERCENT = 80,
    ROOM_ENTRIES = 200 * 1000
};

static void slot_moves(struct kw_near_shared *shared, uint16_t slot, uint64_t until_ms);
static uint64_t limits_hash_of(const struct kw_config *config);
static void derived_fill(struct kw_near *near);
static size_t prefixes_cut(const char *text, struct kw_bytes *prefixes);
static bool has_room(const struct kw_near *near);
static void near_on_timer(void *arg);

struct kw_near *kw__near_new(struct kw_proxy *proxy, struct kw_cache_worker *worker)
{
    struct kw_near *near = kw_alloc_zero(1, sizeof *near);

    near->proxy = proxy;
    near->shared = proxy->near_shared;
    near->warm = &near->shared->warm;
    near->worker = worker;
    near->now_us = kw_loop_now_us(proxy->loop);
    near->now_ms = near->now_us / 1000;
    near->get = kw_command_find(KW_BYTES("get"));
    near->roles = kw__roles_new();
    derived_fill(near);
    near->is_unsettled = true;
    kw_list_init(&near->origins);
    kw_list_init(&near->loans);
    kw_list_init(&near->fills_later);
    kw__refill_init(near);
    near->timer = kw_timer_new(proxy->loop, near_on_timer, near);
    kw_timer_start(near->timer, 0);
    kw__near_tune(near);
    return near;
}

void kw__near_free(struct kw_near **near)
{
    struct kw_near *ending = *near;

    KW_ASSERT(ending->is_stopped && ending->worker == NULL);
    KW_ASSERT(kw_list_is_empty(&ending->origins));
    kw__refill_deinit(ending);
    kw__fills_forget(ending);
    ending->proxy->near_brief = (struct kw_near_brief){0};
    kw_hot_free(&ending->hot);
    kw_timer_free(&ending->timer);
    kw__touch_room_free(&ending->touch_room);
    kw_free(ending->roles);
    kw_free(ending);
    *near = NULL;
}

void kw__near_tune(struct kw_near *near)
{
    const struct kw_config *config = near->proxy->config;
    struct kw_hot_options options = {.reads_min = config->near_cache_admit_reads};

    kw_near_look_at_writes(near->proxy); /* the brief is made anew */
    if (near->hot == NULL || near->hot_reads != options.reads_min) {
        if (near->hot != NULL) {
            kw_hot_free(&near->hot);
        }
        options.seed = kw_backend_random(near->proxy->backend);
        near->hot = kw_hot_new(&options, near->now_ms);
        near->hot_reads = options.reads_min;
    }
    near->proxy->near_brief =
        (struct kw_near_brief){.warm = near->warm, .hot = near->hot, .roles = near->roles};
    kw_near_ahead_end(near->proxy);
    near->prefixes_count = prefixes_cut(config->near_cache_prefix, near->prefixes);
    near->skips_count = prefixes_cut(config->near_cache_skip_prefix, near->skips);
    uint64_t limits_hash = limits_hash_of(config);
    if (near->limits_hash != limits_hash) {
        near->limits_hash = limits_hash;
        kw__fills_forget(near);
        kw_cache_flush(kw__near_awake(near)); /* who is told last does it last */
    }
}

void kw_near_stop(struct kw_proxy *proxy)
{
    struct kw_near *near = proxy->near;

    if (near != NULL && !near->is_stopped) {
        near->is_stopped = true;
        kw_coalesce_configure(proxy);
        kw__origins_close(near);
        kw_timer_stop(near->timer);
        kw_near_rest(proxy);
    }
}

void kw_near_tick(struct kw_proxy *proxy)
{
    kw_near_look_at_writes(proxy);
    kw__refill_tick(proxy->near);
}

void kw_near_rest(struct kw_proxy *proxy)
{
    struct kw_near *near = proxy->near;

    kw_near_look_at_writes(proxy); /* of clients that went on while others' output left */
    if (near->is_awake) {
        near->is_awake = false;
        kw_cache_rest(near->worker);
    }
}

void kw_near_align_soon(struct kw_proxy *proxy)
{
    struct kw_near *near = proxy->near;

    if (!near->is_stopped && !near->is_unsettled) {
        near->is_unsettled = true;
        kw_timer_start(near->timer, 0);
    }
}

void kw_near_forget_slot(struct kw_proxy *proxy, uint16_t slot)
{
    atomic_fetch_add(&proxy->near->shared->slots[slot].generation, 1);
}

void kw_near_redirected(struct kw_proxy *proxy, uint16_t slot, bool is_for_good)
{
    struct kw_near *near = proxy->near;

    if (!is_for_good) {
        (void)kw__near_awake(near);
        slot_moves(near->shared, slot, near->now_ms + KW_NEAR_MOVING_MS);
    }
    kw_near_forget_slot(proxy, slot);
}

static void slot_moves(struct kw_near_shared *shared, uint16_t slot, uint64_t until_ms)
{
    atomic_store(&shared->moving_until_ms[slot], until_ms);
    (void)kw__near_raise(&shared->any_moving_until_ms, until_ms);
}

struct kw_cache_worker *kw__near_awake(struct kw_near *near)
{
    uint64_t now_us = kw_loop_now_us(near->proxy->loop);

    if (!near->is_awake || now_us != near->now_us) {
        near->is_awake = true;
        near->now_us = now_us;
        near->now_ms = now_us / 1000;
        kw_cache_tick(near->worker, near->now_ms);
        kw_hot_tick(near->hot, near->now_ms);
    }
    return near->worker;
}

/* Of the options that say what may be kept, and how long: what is kept already must obey, too. */
static uint64_t limits_hash_of(const struct kw_config *config)
{
    const uint64_t limits[] = {
        config->near_cache_max_item_bytes,
        config->near_cache_max_age_ms,
        kw_hash(kw_bytes_of_text(config->near_cache_prefix), 0),
        kw_hash(kw_bytes_of_text(config->near_cache_skip_prefix), 0),
    };

    return kw_hash(kw_bytes_of((const char *)limits, sizeof limits), 0);
}

static void derived_fill(struct kw_near *near)
{
    static const struct {
        const char *name;
        enum kw_near_derived derived;
    } rows[KW_NEAR_DERIVED_MAX] = {
        {"strlen", KW_NEAR_DERIVED_STRLEN},
        {"getrange", KW_NEAR_DERIVED_RANGE},
        {"substr", KW_NEAR_DERIVED_RANGE},
        {"type", KW_NEAR_DERIVED_TYPE},
    };

    for (size_t i = 0; i < KW_NEAR_DERIVED_MAX; i++) {
        near->derived[i].command = kw_command_find(kw_bytes_of_text(rows[i].name));
        near->derived[i].derived = rows[i].derived;
    }
}

static size_t prefixes_cut(const char *text, struct kw_bytes *prefixes)
{
    struct kw_bytes left = kw_bytes_of_text(text);
    size_t count = 0;

    while (count < KW_NEAR_PREFIXES_MAX && kw_text_next_word(&left, &prefixes[count])) {
        count++;
    }
    return count;
}

static bool has_room(const struct kw_near *near)
{
    struct kw_cache_fullness fullness = kw_cache_fullness(near->shared->cache);

    return fullness.entries_count < ROOM_ENTRIES &&
           fullness.live_bytes < fullness.budget_bytes / 100 * ROOM_PERCENT;
}

static void near_on_timer(void *arg)
{
    struct kw_near *near = arg;
    unsigned period_ms = near->proxy->config->near_cache_lease_ms / KW_NEAR_SIGNS_A_LEASE;

    if (near->is_stopped) {
        return;
    }
    (void)kw__near_awake(near);
    if (near->is_unsettled) {
        near->is_unsettled = false;
        kw__origins_align(near);
    }
    kw__origins_check(near);
    kw__fills_depart(near);
    kw_hot_set_room(near->hot, has_room(near));
    kw__warm_cool(near->warm, near->now_ms, near->proxy->config->near_cache_max_age_ms);
    period_ms = period_ms > TIMER_MAX_MS ? TIMER_MAX_MS : period_ms;
    kw_timer_start(near->timer, period_ms < TIMER_MIN_MS ? TIMER_MIN_MS : period_ms);
}
