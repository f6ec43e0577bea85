/* test_evict.c - who leaves, by policy; and that the ceiling holds whatever comes. */
#include "tests/unit/cache/scene.h"

enum { ITEM = 1000 };

/* Put entries FIRST ... FIRST + COUNT - 1, some time apart. */
static void put_many(struct cache_scene *scene, unsigned first, unsigned count, uint64_t ttl_ms)
{
    for (unsigned i = first; i < first + count; i++) {
        struct kw_cache_key key = scene_numbered(scene, i);
        uint64_t deadline_ms = ttl_ms == 0 ? 0 : scene->now_ms + ttl_ms;
        assert_int_equal(scene_put_bytes(scene, &key, ITEM, deadline_ms), KW_OK);
        if (i % 16 == 0) {
            scene_pass(scene, 1);
        }
    }
}

static unsigned count_present(struct cache_scene *scene, unsigned first, unsigned count)
{
    unsigned present = 0;

    for (unsigned i = first; i < first + count; i++) {
        struct kw_cache_key key = scene_numbered(scene, i);
        present += scene_has(scene, &key);
    }
    return present;
}

KW_TEST(lru_evicts_exactly_the_least_recently_used)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_LRU);
    put_many(&scene, 0, 2400, 0);
    scene_pass(&scene, 200);
    assert_int_equal(count_present(&scene, 0, 1000), 1000); /* used: the oldest are now young */
    scene_pass(&scene, 200);

    put_many(&scene, 10000, 1400, 0);

    assert_int_equal(count_present(&scene, 0, 1000), 1000);
    unsigned first = 1000;
    struct kw_cache_key key = scene_numbered(&scene, first);
    while (first < 2400 && !scene_has(&scene, &key)) {
        key = scene_numbered(&scene, ++first);
    }
    /* Those that left are the oldest of the unused, without a gap. */
    assert_true(first > 1100 && first < 2400);
    assert_int_equal(count_present(&scene, first, 2400 - first), 2400 - first);
    scene_close(&scene);
}

KW_TEST(lru_evicts_first_what_is_said_to_be_unused_for_long)
{
    struct cache_scene scene;
    struct kw_cache_usage usage = {.has_idle = true};
    scene_open(&scene, 4 * A_MIB, KW_CACHE_LRU);
    put_many(&scene, 0, 2400, 0);
    for (unsigned i = 2380; i < 2400; i++) { /* in no order, and one of them young again */
        struct kw_cache_key key = scene_numbered(&scene, i);
        usage.idle_ms = 600 * 1000 * (1 + i * 7 % 20);
        kw_cache_set_usage(scene.worker, &key, &usage);
    }
    struct kw_cache_key young = scene_numbered(&scene, 2390);
    usage.idle_ms = 0;
    kw_cache_set_usage(scene.worker, &young, &usage);

    put_many(&scene, 10000, 1400, 0);

    assert_int_equal(count_present(&scene, 2380, 20), 1);
    assert_int_equal(count_present(&scene, 2390, 1), 1);
    assert_int_equal(count_present(&scene, 2280, 100), 100);
    scene_close(&scene);
}

KW_TEST(lfu_evicts_first_what_is_said_to_be_used_seldom)
{
    struct cache_scene scene;
    struct kw_cache_usage usage = {.has_uses = true, .uses_count = 100};
    scene_open(&scene, 4 * A_MIB, KW_CACHE_LFU);
    put_many(&scene, 0, 500, 0);
    for (unsigned i = 0; i < 500; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        kw_cache_set_usage(scene.worker, &key, &usage);
    }

    put_many(&scene, 10000, 30000, 0);

    assert_true(count_present(&scene, 0, 500) > 490);
    scene_close(&scene);
}

KW_TEST(lfu_keeps_what_is_used_often_through_a_flood)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_LFU);
    put_many(&scene, 0, 500, 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(count_present(&scene, 0, 500), 500);
    }

    put_many(&scene, 10000, 30000, 0);

    assert_true(count_present(&scene, 0, 500) > 490);
    scene_close(&scene);
}

KW_TEST(lfu_forgets_what_was_used_often_long_ago)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_LFU);
    put_many(&scene, 0, 2000, 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(count_present(&scene, 0, 2000), 2000);
    }

    for (unsigned round = 0; round < 200; round++) {
        put_many(&scene, 10000 + round * 2000, 2000, 0);
        (void)count_present(&scene, 10000 + round * 2000, 2000);
    }

    assert_true(count_present(&scene, 0, 2000) < 100);
    scene_close(&scene);
}

KW_TEST(balanced_keeps_what_is_used_through_a_scan)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    put_many(&scene, 0, 1500, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(count_present(&scene, 0, 1500), 1500);
    }

    put_many(&scene, 10000, 40000, 0);

    assert_true(count_present(&scene, 0, 1500) > 1450);
    scene_close(&scene);
}

KW_TEST(ttl_evicts_the_nearest_deadline_first)
{
    struct cache_scene scene;
    scene_open_with(&scene, (struct kw_cache_options){.memory_max_bytes = 4 * A_MIB,
                                                      .policy = KW_CACHE_TTL,
                                                      .is_timed_only = true});
    put_many(&scene, 0, 1000, 3600000);
    put_many(&scene, 1000, 1000, 60000);
    put_many(&scene, 2000, 500, 0);

    put_many(&scene, 10000, 1150, 7200000);

    assert_int_equal(count_present(&scene, 0, 1000), 1000);
    assert_int_equal(count_present(&scene, 2000, 500), 500);
    assert_true(count_present(&scene, 1000, 1000) < 900);
    scene_close(&scene);
}

KW_TEST(timed_only_policies_never_evict_what_has_no_deadline)
{
    const enum kw_cache_policy policies[] = {KW_CACHE_LRU, KW_CACHE_LFU,      KW_CACHE_RANDOM,
                                             KW_CACHE_TTL, KW_CACHE_BALANCED, KW_CACHE_S3FIFO};
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        struct cache_scene scene;
        scene_open_with(&scene, (struct kw_cache_options){.memory_max_bytes = 4 * A_MIB,
                                                          .policy = policies[i],
                                                          .is_timed_only = true});
        put_many(&scene, 0, 1000, 0);
        put_many(&scene, 10000, 6000, 3600000);
        assert_int_equal(count_present(&scene, 0, 1000), 1000);

        /* With nothing left to evict, a put is refused and changes nothing. */
        enum kw_status status = KW_OK;
        for (unsigned j = 1000; j < 6000 && status == KW_OK; j++) {
            struct kw_cache_key key = scene_numbered(&scene, j);
            status = scene_put_bytes(&scene, &key, ITEM, 0);
        }
        assert_int_equal(status, KW_E_MEMORY);
        assert_int_equal(count_present(&scene, 0, 1000), 1000);
        scene_close(&scene);
    }
}

KW_TEST(keep_refuses_when_full_and_takes_again_what_was_given_back)
{
    struct cache_scene scene;
    unsigned count = 0;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_KEEP);
    for (;; count++) {
        struct kw_cache_key key = scene_numbered(&scene, count);
        if (scene_put_bytes(&scene, &key, ITEM, 0) != KW_OK) {
            break;
        }
    }
    assert_true(count > 2800);
    assert_int_equal(count_present(&scene, 0, count), count);

    for (unsigned i = 0; i < 50; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_true(kw_cache_remove(scene.worker, &key));
    }
    scene_pass(&scene, 1);

    put_many(&scene, 100000, 40, 0);
    scene_close(&scene);
}

KW_TEST(the_ceiling_holds_for_every_policy_and_change_of_sizes)
{
    for (unsigned policy = 0; policy < KW_CACHE_KEEP; policy++) {
        struct cache_scene scene;
        const size_t sizes[] = {20, 30000, 200, 3000, 70000, 64, 9000};
        scene_open(&scene, 4 * A_MIB, (enum kw_cache_policy)policy);
        for (unsigned phase = 0; phase < 7; phase++) {
            size_t bytes = 0;
            unsigned stored = 0;
            unsigned asked = 0;
            for (unsigned i = 0; bytes < 6 * A_MIB; i++, asked++) {
                struct kw_cache_key key = scene_numbered(&scene, phase * 1000000 + i);
                bytes += sizes[phase] + 60;
                stored += scene_put_bytes(&scene, &key, sizes[phase], 0) == KW_OK;
                if (i % 64 == 0) {
                    scene_pass(&scene, 10);
                    scene_figures(&scene); /* asserts the ceiling */
                }
            }
            /* Random victims leave no page free: what doesn't fit then, waits long. */
            assert_true(policy == KW_CACHE_RANDOM || stored * 10 >= asked * 9);
        }
        scene_close(&scene);
    }
}
