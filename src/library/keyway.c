/* keyway.c - the cache for programs: threads come without notice, and get a seat for each call.
 *
 *     thread A --hash--> seat 3 [worker]     one call: sit down, tick, look up, rest, stand up
 *     thread B --hash--> seat 7 [worker]     holding a view: stays seated, and can sit again
 *     thread C --------> seat 8              seat 7 is taken: the next one
 *
 * The cache under it (cache/) wants each worker to be one thread's, to tick when it holds nothing
 * and to rest when it sleeps. Threads of a program promise nothing of that, and come and go. So
 * workers sit in seats, and a thread takes one for the length of a call, by preference always the
 * same, where its free blocks are. Between calls nobody sits, and every worker rests: a thread that
 * sleeps, or has ended, holds nothing back.
 *
 * What a worker has removed is freed when it ticks again. Its thread may never come again, so every
 * CARE_EVERY-th call also ticks another seat that is free, in turn; and a set without room ticks
 * them all.
 *
 * INVARIANTS
 * L1  A seat is used by the thread that is its owner, alone. owner is 0 when nobody sits.
 * L2  A seat nobody sits in has a worker that rests, or none yet.
 * L3  A worker ticks only when its thread holds no view by it.
 */
#include "library/keyway.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/prefetch.h"
#include "cache/cache_extra.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/random.h>

enum {
    SEATS = KW_WORKERS_MAX,
    CARE_EVERY = 64,  /* calls of a seat */
    ROOM_TRIES = 100, /* rounds of ticks for a set without room */
    CLEAR_TICKS = 64  /* of the caller of keyway_clear(); the rest follows by later calls */
};

struct seat {
    _Alignas(KW_LINE_BYTES) _Atomic uintptr_t owner; /* L1 */
    _Atomic bool is_used;                            /* it has a worker */
    /* the owner's */
    struct kw_cache_worker *worker;
    unsigned views_count;
    uint64_t calls_count;
    unsigned care_next;
};

struct keyway {
    struct kw_cache *cache;
    struct seat *seats;
};

static struct seat *seat_take(struct keyway *cache);
static struct seat *seat_find(struct keyway *cache, uintptr_t owner);
static bool seat_claim(struct seat *seat, uintptr_t owner);
static void seat_leave(struct keyway *cache, struct seat *seat);
static void seats_care(struct keyway *cache, struct seat *mine);
static void seat_settle(struct seat *seat);
static bool seats_make_room(struct keyway *cache, struct seat *mine);
static struct kw_cache_key key_of(const struct seat *seat, const void *key, size_t key_len);
static uint64_t deadline_of(const struct seat *seat, uint64_t ttl_ms);
static enum keyway_status status_of(enum kw_status status);

enum keyway_status keyway_open(const struct keyway_options *options, struct keyway **cache)
{
    static const enum kw_cache_policy policies[] = {
        [KEYWAY_BALANCED] = KW_CACHE_BALANCED, [KEYWAY_LRU] = KW_CACHE_LRU,
        [KEYWAY_LFU] = KW_CACHE_LFU,           [KEYWAY_RANDOM] = KW_CACHE_RANDOM,
        [KEYWAY_TTL] = KW_CACHE_TTL,           [KEYWAY_KEEP] = KW_CACHE_KEEP};
    uint64_t seed = 0;

    *cache = NULL;
    if ((unsigned)options->policy >= sizeof policies / sizeof policies[0]) {
        return KEYWAY_INVALID;
    }
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
        seed = kw_clock_us() * 0x9e3779b97f4a7c15u; /* early in the life of the system */
    }
    struct kw_cache_options wanted = {.memory_max_bytes = options->memory_max_bytes,
                                      .policy = policies[options->policy],
                                      .has_huge_pages = options->has_huge_pages,
                                      .is_locked = options->is_locked,
                                      .seed = seed,
                                      .workers_max = SEATS};
    struct kw_cache *inner = NULL;
    enum kw_status status = kw_cache_new(&wanted, &inner);
    if (status != KW_OK) {
        return status_of(status);
    }
    struct keyway *made = kw_alloc_zero(1, sizeof *made);
    made->cache = inner;
    made->seats = kw_alloc_line(SEATS, sizeof made->seats[0]);
    for (unsigned i = 0; i < SEATS; i++) {
        atomic_init(&made->seats[i].owner, 0);
    }
    *cache = made;
    return KEYWAY_OK;
}

void keyway_close(struct keyway **cache)
{
    struct keyway *old = *cache;

    if (old == NULL) {
        return;
    }
    for (unsigned i = 0; i < SEATS; i++) {
        KW_ASSERT(atomic_load(&old->seats[i].owner) == 0); /* or a view is held */
        if (old->seats[i].worker != NULL) {
            kw_cache_leave(&old->seats[i].worker);
        }
    }
    kw_cache_free(&old->cache);
    kw_free(old->seats);
    kw_free(old);
    *cache = NULL;
}

enum keyway_status keyway_get(struct keyway *cache, const void *key, size_t key_len,
                              struct keyway_view *view)
{
    struct seat *seat = seat_take(cache);
    struct kw_cache_key wanted = key_of(seat, key, key_len);
    struct kw_cache_found found;

    *view = (struct keyway_view){0};
    if (!kw_cache_get(seat->worker, &wanted, &found)) {
        seat_leave(cache, seat);
        return KEYWAY_NOT_FOUND;
    }
    uint64_t now_ms = kw_cache_now(seat->worker);
    view->data = found.value.data;
    view->len = found.value.len;
    view->ttl_ms = found.deadline_ms == 0 ? 0 : found.deadline_ms - now_ms;
    if (kw_cache_hold(seat->worker, &found)) {
        view->entry = found.entry;
        seat_leave(cache, seat);
    } else {
        view->seat = seat; /* stays taken */
        seat->views_count++;
    }
    return KEYWAY_OK;
}

void keyway_release(struct keyway *cache, struct keyway_view *view)
{
    struct seat *seat = view->seat;

    if (view->entry != NULL) {
        seat = seat_take(cache);
        kw_cache_release(seat->worker, view->entry);
    } else {
        KW_ASSERT(seat != NULL); /* released before, or never given */
        KW_ASSERT(atomic_load_explicit(&seat->owner, memory_order_relaxed) ==
                  (uintptr_t)pthread_self()); /* L1 */
        seat->views_count--;
    }
    *view = (struct keyway_view){0};
    seat_leave(cache, seat);
}

enum keyway_status keyway_set(struct keyway *cache, const void *key, size_t key_len,
                              const void *value, size_t value_len, uint64_t ttl_ms)
{
    struct seat *seat = seat_take(cache);
    struct kw_cache_key wanted = key_of(seat, key, key_len);
    struct kw_cache_value put = {.bytes = {value, value_len},
                                 .deadline_ms = deadline_of(seat, ttl_ms)};
    enum kw_status status = kw_cache_put(seat->worker, &wanted, &put);

    for (unsigned i = 0; i < ROOM_TRIES && status == KW_E_MEMORY; i++) {
        if (!seats_make_room(cache, seat)) {
            break;
        }
        status = kw_cache_put(seat->worker, &wanted, &put);
    }
    seat_leave(cache, seat);
    return status_of(status);
}

enum keyway_status keyway_expire(struct keyway *cache, const void *key, size_t key_len,
                                 uint64_t ttl_ms)
{
    struct seat *seat = seat_take(cache);
    struct kw_cache_key wanted = key_of(seat, key, key_len);
    enum kw_status status = kw_cache_expire_at(seat->worker, &wanted, deadline_of(seat, ttl_ms));

    seat_leave(cache, seat);
    return status_of(status);
}

enum keyway_status keyway_delete(struct keyway *cache, const void *key, size_t key_len)
{
    struct seat *seat = seat_take(cache);
    struct kw_cache_key wanted = key_of(seat, key, key_len);
    bool is_removed = kw_cache_remove(seat->worker, &wanted);

    seat_leave(cache, seat);
    return is_removed ? KEYWAY_OK : KEYWAY_NOT_FOUND;
}

void keyway_clear(struct keyway *cache)
{
    struct seat *seat = seat_take(cache);

    kw_cache_flush(seat->worker);
    for (unsigned i = 0; i < CLEAR_TICKS && seat->views_count == 0; i++) {
        kw_cache_tick(seat->worker, kw_clock_ms());
    }
    seat_leave(cache, seat);
}

void keyway_stats(struct keyway *cache, struct keyway_stats *stats)
{
    struct kw_cache_figures figures;

    kw_cache_figures(cache->cache, &figures);
    *stats = (struct keyway_stats){.entries_count = figures.entries_count,
                                   .memory_bytes = figures.resident_bytes,
                                   .memory_max_bytes = figures.memory_max_bytes,
                                   .value_bytes = figures.live_bytes,
                                   .hits_count = figures.hits_count,
                                   .misses_count = figures.misses_count,
                                   .sets_count = figures.puts_count,
                                   .refused_count = figures.refused_count,
                                   .evicted_count = figures.evicted_count,
                                   .expired_count = figures.expired_count};
}

const char *keyway_status_text(enum keyway_status status)
{
    switch (status) {
    case KEYWAY_OK:
        return "ok";
    case KEYWAY_NOT_FOUND:
        return "not found";
    case KEYWAY_INVALID:
        return "invalid options";
    case KEYWAY_TOO_LARGE:
        return "too large for this cache";
    case KEYWAY_NO_ROOM:
        return "no room";
    case KEYWAY_SYSTEM:
        return "the system refuses";
    }
    return "unknown status";
}

/* A seat for this call, with a worker that is awake and knows the time. */
static struct seat *seat_take(struct keyway *cache)
{
    uintptr_t owner = (uintptr_t)pthread_self();
    struct seat *seat = seat_find(cache, owner);

    while (seat == NULL) {
        sched_yield(); /* more threads than seats */
        seat = seat_find(cache, owner);
    }
    uint64_t now_ms = kw_clock_ms();
    if (seat->worker == NULL) {
        seat->worker = kw_cache_join(cache->cache, now_ms);
        KW_ASSERT(seat->worker != NULL); /* as many as seats */
        atomic_store_explicit(&seat->is_used, true, memory_order_relaxed);
    }
    if (seat->views_count == 0) {
        kw_cache_tick(seat->worker, now_ms); /* L3 */
    } else {
        kw_cache_set_now(seat->worker, now_ms);
    }
    return seat;
}

/* One that is OWNER's already, because it holds a view, or one that is free. */
static struct seat *seat_find(struct keyway *cache, uintptr_t owner)
{
    unsigned first = (unsigned)((owner * 0x9e3779b97f4a7c15u) >> 32) % SEATS;

    for (unsigned i = 0; i < SEATS; i++) {
        struct seat *seat = &cache->seats[(first + i) % SEATS];
        if (atomic_load_explicit(&seat->owner, memory_order_relaxed) == owner ||
            seat_claim(seat, owner)) {
            return seat;
        }
    }
    return NULL;
}

static bool seat_claim(struct seat *seat, uintptr_t owner)
{
    uintptr_t nobody = 0;

    return atomic_load_explicit(&seat->owner, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong_explicit(&seat->owner, &nobody, owner,
                                                   memory_order_acquire, memory_order_relaxed);
}

static void seat_leave(struct keyway *cache, struct seat *seat)
{
    if (seat->views_count != 0) {
        return;
    }
    if (++seat->calls_count % CARE_EVERY == 0) {
        seats_care(cache, seat);
    }
    kw_cache_rest(seat->worker);                                  /* L2 */
    atomic_store_explicit(&seat->owner, 0, memory_order_release); /* L1 */
}

/* Tick the next seat that nobody sits in. */
static void seats_care(struct keyway *cache, struct seat *mine)
{
    for (unsigned i = 0; i < SEATS; i++) {
        struct seat *seat = &cache->seats[++mine->care_next % SEATS];
        if (seat != mine && atomic_load_explicit(&seat->is_used, memory_order_relaxed) &&
            seat_claim(seat, (uintptr_t)pthread_self())) {
            seat_settle(seat);
            return;
        }
    }
}

/* What SEAT keeps becomes everybody's, and it is left. */
static void seat_settle(struct seat *seat)
{
    kw_cache_settle(seat->worker, kw_clock_ms());
    kw_cache_rest(seat->worker);
    atomic_store_explicit(&seat->owner, 0, memory_order_release);
}

/* One round of ticks everywhere; false when that can't help, because a view is held here. */
static bool seats_make_room(struct keyway *cache, struct seat *mine)
{
    if (mine->views_count != 0) {
        return false; /* L3 */
    }
    for (unsigned i = 0; i < SEATS; i++) {
        struct seat *seat = &cache->seats[i];
        if (seat != mine && atomic_load_explicit(&seat->is_used, memory_order_relaxed) &&
            seat_claim(seat, (uintptr_t)pthread_self())) {
            seat_settle(seat);
        }
    }
    sched_yield(); /* to those who sit */
    kw_cache_tick(mine->worker, kw_clock_ms());
    return true;
}

static struct kw_cache_key key_of(const struct seat *seat, const void *key, size_t key_len)
{
    return kw_cache_key(seat->worker, kw_bytes_of(key, key_len), kw_bytes_of(NULL, 0));
}

static uint64_t deadline_of(const struct seat *seat, uint64_t ttl_ms)
{
    uint64_t now_ms = kw_cache_now(seat->worker);

    return ttl_ms == 0 || ttl_ms > UINT64_MAX - now_ms ? 0 : now_ms + ttl_ms;
}

static enum keyway_status status_of(enum kw_status status)
{
    /* flat: one line each */
    switch ((int)status) {
    case KW_OK:
        return KEYWAY_OK;
    case KW_E_NOT_FOUND:
        return KEYWAY_NOT_FOUND;
    case KW_E_INVALID:
        return KEYWAY_INVALID;
    case KW_E_FULL:
        return KEYWAY_TOO_LARGE;
    case KW_E_MEMORY:
        return KEYWAY_NO_ROOM;
    case KW_E_SYSTEM:
        return KEYWAY_SYSTEM;
    default:
        KW_UNREACHABLE();
    }
}
