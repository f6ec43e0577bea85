/* test_keyway.c - the library for programs: what each call promises. */
#include "library/keyway.h"

#include "tests/unit/kw_test.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { A_MIB = 1024 * 1024 };

static struct keyway *cache_open(size_t memory_bytes, enum keyway_policy policy)
{
    struct keyway_options options = {.memory_max_bytes = memory_bytes, .policy = policy};
    struct keyway *cache = NULL;

    assert_int_equal(keyway_open(&options, &cache), KEYWAY_OK);
    return cache;
}

static enum keyway_status set_text(struct keyway *cache, const char *key, const char *text,
                                   uint64_t ttl_ms)
{
    return keyway_set(cache, key, strlen(key), text, strlen(text), ttl_ms);
}

static void expect_text(struct keyway *cache, const char *key, const char *text)
{
    struct keyway_view view;

    assert_int_equal(keyway_get(cache, key, strlen(key), &view), KEYWAY_OK);
    assert_int_equal(view.len, strlen(text));
    assert_memory_equal(view.data, text, view.len);
    keyway_release(cache, &view);
    assert_null(view.data);
}

static void expect_nothing(struct keyway *cache, const char *key)
{
    struct keyway_view view;

    assert_int_equal(keyway_get(cache, key, strlen(key), &view), KEYWAY_NOT_FOUND);
    assert_null(view.data);
}

KW_TEST(keyway_gets_what_was_set_until_it_is_deleted_or_cleared)
{
    struct keyway *cache = cache_open(4 * A_MIB, KEYWAY_BALANCED);
    struct keyway_stats stats;

    expect_nothing(cache, "a");
    assert_int_equal(set_text(cache, "a", "one", 0), KEYWAY_OK);
    assert_int_equal(set_text(cache, "b", "", 0), KEYWAY_OK);
    expect_text(cache, "a", "one");
    expect_text(cache, "b", "");
    assert_int_equal(set_text(cache, "a", "two", 0), KEYWAY_OK);
    expect_text(cache, "a", "two");
    assert_int_equal(keyway_delete(cache, "a", 1), KEYWAY_OK);
    assert_int_equal(keyway_delete(cache, "a", 1), KEYWAY_NOT_FOUND);
    expect_nothing(cache, "a");
    keyway_stats(cache, &stats);
    assert_int_equal(stats.entries_count, 1);
    assert_int_equal(stats.hits_count, 3);
    assert_int_equal(stats.misses_count, 2);
    assert_int_equal(stats.sets_count, 3);
    assert_int_equal(stats.memory_max_bytes, 4 * A_MIB);

    keyway_clear(cache);
    expect_nothing(cache, "b");
    keyway_close(&cache);
    assert_null(cache);
    keyway_close(&cache); /* harmless */
}

KW_TEST(keyway_ends_entries_at_their_time)
{
    struct keyway *cache = cache_open(4 * A_MIB, KEYWAY_BALANCED);
    struct keyway_view view;

    assert_int_equal(set_text(cache, "short", "v", 5), KEYWAY_OK);
    assert_int_equal(set_text(cache, "long", "v", 3600000), KEYWAY_OK);
    assert_int_equal(set_text(cache, "longest", "v", UINT64_MAX), KEYWAY_OK);
    while (keyway_get(cache, "short", 5, &view) == KEYWAY_OK) {
        assert_in_range(view.ttl_ms, 1, 5);
        keyway_release(cache, &view);
        usleep(1000);
    }
    assert_int_equal(keyway_get(cache, "long", 4, &view), KEYWAY_OK);
    assert_in_range(view.ttl_ms, 1, 3600000);
    keyway_release(cache, &view);
    assert_int_equal(keyway_get(cache, "longest", 7, &view), KEYWAY_OK);
    assert_int_equal(view.ttl_ms, 0);

    /* While a view is held time goes on for those who look. */
    assert_int_equal(keyway_expire(cache, "long", 4, 5), KEYWAY_OK);
    struct keyway_view other;
    while (keyway_get(cache, "long", 4, &other) == KEYWAY_OK) {
        keyway_release(cache, &other);
        usleep(1000);
    }
    assert_int_equal(keyway_expire(cache, "long", 4, 5), KEYWAY_NOT_FOUND);
    keyway_release(cache, &view);
    keyway_close(&cache);
}

KW_TEST(keyway_views_stay_as_they_are_whatever_happens_to_the_key)
{
    static char large[100000];
    struct keyway *cache = cache_open(4 * A_MIB, KEYWAY_LRU);
    struct keyway_view views[200];
    struct keyway_view view;
    memset(large, 'x', sizeof large);
    assert_int_equal(set_text(cache, "small", "as it was", 0), KEYWAY_OK);
    assert_int_equal(keyway_set(cache, "large", 5, large, sizeof large, 0), KEYWAY_OK);

    for (int i = 0; i < 200; i++) {
        const char *key = i % 2 == 0 ? "small" : "large";
        assert_int_equal(keyway_get(cache, key, 5, &views[i]), KEYWAY_OK);
    }
    assert_int_equal(set_text(cache, "small", "otherwise", 0), KEYWAY_OK);
    assert_int_equal(keyway_delete(cache, "large", 5), KEYWAY_OK);
    expect_text(cache, "small", "otherwise");
    keyway_clear(cache);

    for (int i = 0; i < 200; i++) {
        assert_int_equal(views[i].len, i % 2 == 0 ? 9 : sizeof large);
        assert_memory_equal(views[i].data, i % 2 == 0 ? "as it was" : large, views[i].len);
        keyway_release(cache, &views[i]);
    }
    assert_int_equal(keyway_get(cache, "small", 5, &view), KEYWAY_NOT_FOUND);
    keyway_close(&cache);
}

KW_TEST(keyway_refuses_what_can_not_be)
{
    static char huge[3 * A_MIB];
    struct keyway_options options = {.memory_max_bytes = A_MIB};
    struct keyway *cache = NULL;

    assert_int_equal(keyway_open(&options, &cache), KEYWAY_INVALID);
    assert_null(cache);
    options.memory_max_bytes = SIZE_MAX;
    assert_int_equal(keyway_open(&options, &cache), KEYWAY_INVALID);
    options =
        (struct keyway_options){.memory_max_bytes = 4 * A_MIB, .policy = (enum keyway_policy)77};
    assert_int_equal(keyway_open(&options, &cache), KEYWAY_INVALID);

    cache = cache_open(4 * A_MIB, KEYWAY_BALANCED);
    assert_int_equal(keyway_set(cache, "a", 1, huge, sizeof huge, 0), KEYWAY_TOO_LARGE);
    expect_nothing(cache, "a");
    keyway_close(&cache);
    for (int status = KEYWAY_OK; status <= KEYWAY_SYSTEM; status++) {
        assert_true(strlen(keyway_status_text((enum keyway_status)status)) > 1);
        assert_string_not_equal(keyway_status_text((enum keyway_status)status), "unknown status");
    }
    assert_string_equal(keyway_status_text((enum keyway_status)99), "unknown status");
}

KW_TEST(keyway_evicts_by_its_policy_or_keeps_and_refuses)
{
    static char value[1000];
    const enum keyway_policy policies[] = {KEYWAY_BALANCED, KEYWAY_LRU, KEYWAY_LFU,
                                           KEYWAY_RANDOM,   KEYWAY_TTL, KEYWAY_KEEP};
    for (size_t i = 0; i < 6; i++) {
        struct keyway *cache = cache_open(4 * A_MIB, policies[i]);
        struct keyway_stats stats;
        unsigned refused = 0;
        for (unsigned key = 0; key < 6000; key++) {
            enum keyway_status status = keyway_set(cache, &key, sizeof key, value, sizeof value, 0);
            assert_true(status == KEYWAY_OK || status == KEYWAY_NO_ROOM);
            refused += status != KEYWAY_OK;
            if (policies[i] == KEYWAY_KEEP && refused > 5) {
                break;
            }
        }

        keyway_stats(cache, &stats);
        assert_true(stats.memory_bytes <= stats.memory_max_bytes);
        assert_true(stats.value_bytes > 3 * A_MIB);
        assert_int_equal(refused > 0, policies[i] == KEYWAY_KEEP);
        assert_int_equal(stats.evicted_count > 0, policies[i] != KEYWAY_KEEP);
        keyway_close(&cache);
    }
}

struct visit {
    struct keyway *cache;
    pthread_barrier_t *barrier;
};

static void *visit_run(void *argument)
{
    struct visit *visit = argument;
    struct keyway_view view;

    assert_int_equal(keyway_get(visit->cache, "a", 1, &view), KEYWAY_OK);
    pthread_barrier_wait(visit->barrier); /* all of them hold a view at this moment */
    keyway_release(visit->cache, &view);
    return NULL;
}

KW_TEST(keyway_serves_as_many_threads_at_once_as_it_says)
{
    enum { THREADS = 64 };
    struct keyway *cache = cache_open(8 * A_MIB, KEYWAY_BALANCED);
    pthread_barrier_t barrier;
    pthread_t threads[THREADS];
    struct visit visit = {cache, &barrier};
    assert_int_equal(set_text(cache, "a", "v", 0), KEYWAY_OK);
    pthread_barrier_init(&barrier, NULL, THREADS);

    for (int round = 0; round < 2; round++) { /* threads end, and others come */
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, visit_run, &visit), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
        }
    }

    expect_text(cache, "a", "v");
    pthread_barrier_destroy(&barrier);
    keyway_close(&cache);
}
