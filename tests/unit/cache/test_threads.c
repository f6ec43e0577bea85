/* test_threads.c - several workers on few keys: no torn value, no value of another key, nothing
 * stale after an acknowledged removal. Run under the thread and address sanitizers as well.
 */
#include "base/clock.h"
#include "tests/unit/cache/scene.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, SHARED_KEYS = 400, RUN_MS = 1000 };

struct crowd {
    struct kw_cache *cache;
    uint64_t end_ms;
    _Atomic unsigned failures;
    _Atomic uint64_t found_count;
    _Atomic uint32_t versions[SHARED_KEYS]; /* the version that puts must have by now */
};

struct value_head {
    uint32_t number;
    uint32_t version;
    uint32_t len;
};

static uint32_t crowd_random(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % below);
}

static bool value_is_right(struct kw_bytes value, uint32_t number, uint32_t version_min)
{
    struct value_head head;

    if (value.len < sizeof head) {
        return false;
    }
    memcpy(&head, value.data, sizeof head);
    for (size_t i = sizeof head; i < value.len; i++) {
        if (value.data[i] != (char)head.version) {
            return false;
        }
    }
    return head.number == number && head.len == value.len && head.version >= version_min;
}

static void crowd_put(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                      uint32_t number, uint32_t version, uint32_t len, uint64_t deadline_ms)
{
    char bytes[20100];
    struct value_head head = {number, version, len};
    struct kw_cache_value value = {.bytes = {bytes, len}, .deadline_ms = deadline_ms};

    memcpy(bytes, &head, sizeof head);
    memset(bytes + sizeof head, (char)version, len - sizeof head);
    (void)!kw_cache_put(worker, key, &value);
}

static void crowd_step(struct crowd *crowd, struct kw_cache_worker *worker, uint64_t *state)
{
    uint32_t number = crowd_random(state, SHARED_KEYS);
    uint32_t what = crowd_random(state, 1000);
    struct kw_cache_found found;
    char name[16];
    size_t name_len = (size_t)snprintf(name, sizeof name, "key:%u", number);
    struct kw_cache_key key = kw_cache_key(worker, kw_bytes_of(name, name_len), kw_bytes_of("", 0));

    if (what < 800) {
        uint32_t version_min = atomic_load(&crowd->versions[number]);
        if (kw_cache_get(worker, &key, &found)) {
            atomic_fetch_add_explicit(&crowd->found_count, 1, memory_order_relaxed);
            if (!value_is_right(found.value, number, version_min)) {
                atomic_fetch_add(&crowd->failures, 1);
            }
            if (what < 5 && kw_cache_hold(worker, &found)) {
                kw_cache_tick(worker, kw_clock_ms());
                if (!value_is_right(found.value, number, 0)) {
                    atomic_fetch_add(&crowd->failures, 1);
                }
                kw_cache_release(worker, found.entry);
            }
        }
    } else if (what < 980) {
        uint32_t len =
            (uint32_t)sizeof(struct value_head) + crowd_random(state, what < 960 ? 300 : 20000);
        uint32_t version = atomic_load(&crowd->versions[number]);
        uint64_t token = 0;
        /* Like a fetch: it began before, and an invalidation in between must win. */
        if (kw_cache_fill_begin(worker, &key, &token) == KW_OK) {
            version = atomic_load(&crowd->versions[number]);
            char bytes[20100];
            struct value_head head = {number, version, len};
            struct kw_cache_value value = {.bytes = {bytes, len},
                                           .deadline_ms = kw_clock_ms() + 20};
            memcpy(bytes, &head, sizeof head);
            memset(bytes + sizeof head, (char)version, len - sizeof head);
            (void)!kw_cache_fill_end(worker, &key, token, &value);
        }
    } else if (what < 998) {
        /* A write: newer first, then nobody may find the older any more. */
        kw_cache_invalidate(worker, &key);
        if (what == 997) {
            crowd_put(worker, &key, number, UINT32_MAX, 100, kw_clock_ms() + 5);
            kw_cache_remove(worker, &key);
        }
    } else if (what == 998) {
        kw_cache_flush(worker);
    } else {
        kw_cache_rest(worker);
        sched_yield();
    }
    kw_cache_tick(worker, kw_clock_ms());
}

static void *crowd_run(void *argument)
{
    struct crowd *crowd = argument;
    struct kw_cache_worker *worker = kw_cache_join(crowd->cache, kw_clock_ms());
    uint64_t state = (uintptr_t)worker;

    while (kw_clock_ms() < crowd->end_ms) {
        for (int i = 0; i < 50; i++) {
            crowd_step(crowd, worker, &state);
        }
    }
    kw_cache_leave(&worker);
    return NULL;
}

static void crowd_test(enum kw_cache_policy policy)
{
    static struct crowd crowd;
    struct kw_cache_options options = {.memory_max_bytes = KW_CACHE_MEMORY_MIN_BYTES,
                                       .policy = policy,
                                       .seed = 5,
                                       .workers_max = THREADS};
    pthread_t threads[THREADS];
    struct kw_cache_figures figures;

    memset(&crowd, 0, sizeof crowd);
    assert_int_equal(kw_cache_new(&options, &crowd.cache), KW_OK);
    crowd.end_ms = kw_clock_ms() + RUN_MS;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_run, &crowd), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }

    assert_int_equal(crowd.failures, 0);
    assert_true(crowd.found_count > 1000);
    kw_cache_figures(crowd.cache, &figures);
    assert_true(figures.resident_bytes <= figures.memory_max_bytes);
    kw_cache_free(&crowd.cache);
}

KW_TEST(threads_share_a_cache_without_torn_or_foreign_values)
{
    crowd_test(KW_CACHE_BALANCED);
}

KW_TEST(threads_share_an_lru_cache_that_relinks_on_hits)
{
    crowd_test(KW_CACHE_LRU);
}

/* One writes: version up, invalidate, acknowledge. The others read and fill. */
struct register_scene {
    struct kw_cache *cache;
    uint64_t end_ms;
    _Atomic uint32_t current;      /* the register's value at its source */
    _Atomic uint32_t acknowledged; /* invalidated everywhere */
    _Atomic unsigned failures;
    _Atomic uint64_t found_count;
};

static void *register_write(void *argument)
{
    struct register_scene *scene = argument;
    struct kw_cache_worker *worker = kw_cache_join(scene->cache, 1);
    struct kw_cache_key key = kw_cache_key(worker, KW_BYTES("register"), kw_bytes_of("", 0));

    while (kw_clock_ms() < scene->end_ms) {
        uint32_t version = atomic_fetch_add(&scene->current, 1) + 1;
        kw_cache_invalidate(worker, &key);
        atomic_store(&scene->acknowledged, version);
        for (int i = 0; i < 3; i++) {
            kw_cache_tick(worker, 1);
            sched_yield();
        }
    }
    kw_cache_leave(&worker);
    return NULL;
}

static void *register_read(void *argument)
{
    struct register_scene *scene = argument;
    struct kw_cache_worker *worker = kw_cache_join(scene->cache, 1);
    struct kw_cache_key key = kw_cache_key(worker, KW_BYTES("register"), kw_bytes_of("", 0));

    while (kw_clock_ms() < scene->end_ms) {
        for (int i = 0; i < 100; i++) {
            uint32_t least = atomic_load(&scene->acknowledged);
            struct kw_cache_found found;
            uint32_t version = 0;
            uint64_t token = 0;
            if (kw_cache_get(worker, &key, &found)) {
                memcpy(&version, found.value.data, sizeof version);
                atomic_fetch_add_explicit(&scene->found_count, 1, memory_order_relaxed);
                if (version < least) {
                    atomic_fetch_add(&scene->failures, 1);
                }
            } else if (kw_cache_fill_begin(worker, &key, &token) == KW_OK) {
                version = atomic_load(&scene->current);
                sched_yield(); /* on its way: the writer may come between */
                struct kw_cache_value value = {.bytes = {(char *)&version, sizeof version}};
                (void)!kw_cache_fill_end(worker, &key, token, &value);
            }
            kw_cache_tick(worker, 1);
        }
    }
    kw_cache_leave(&worker);
    return NULL;
}

KW_TEST(threads_never_find_what_was_invalidated_before_they_looked)
{
    static struct register_scene scene;
    struct kw_cache_options options = {
        .memory_max_bytes = KW_CACHE_MEMORY_MIN_BYTES, .seed = 5, .workers_max = 3};
    pthread_t threads[3];

    memset(&scene, 0, sizeof scene);
    assert_int_equal(kw_cache_new(&options, &scene.cache), KW_OK);
    scene.end_ms = kw_clock_ms() + RUN_MS;
    for (int i = 0; i < 3; i++) {
        void *(*run)(void *) = i == 0 ? register_write : register_read;
        assert_int_equal(pthread_create(&threads[i], NULL, run, &scene), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }

    assert_int_equal(scene.failures, 0);
    assert_true(scene.found_count > 100);
    assert_true(scene.acknowledged > 2);
    kw_cache_free(&scene.cache);
}
