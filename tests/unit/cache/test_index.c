/* test_index.c - growth loses nothing and stays within its bytes. */
#include "cache/internal.h"
#include "tests/unit/cache/scene.h"

KW_TEST(index_keeps_all_entries_while_it_grows_and_shrinks_in_use)
{
    struct cache_scene scene;
    scene_open(&scene, 32 * A_MIB, KW_CACHE_KEEP);
    for (unsigned i = 0; i < 100000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &key, 8, 0), KW_OK);
        if (i >= 50000) {
            key = scene_numbered(&scene, i - 50000);
            assert_true(kw_cache_remove(scene.worker, &key));
        }
        if (i % 1000 == 0) {
            scene_pass(&scene, 1);
        }
    }

    for (unsigned i = 0; i < 100000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_has(&scene, &key), i >= 50000);
    }
    assert_int_equal(scene_figures(&scene).entries_count, 50000);
    scene_close(&scene);
}

/* In each shard the last segment and the last pool of overflow buckets may be new. */
static void expect_index_bytes(struct cache_scene *scene, uint64_t entries_count)
{
    struct kw_cache_figures figures = scene_figures(scene);
    uint64_t new_bytes = (KW_SEGMENT_BUCKETS + KW_POOL_BUCKETS) * sizeof(struct kw_bucket);

    assert_true(figures.index_bytes <=
                entries_count * KW_ENTRY_INDEX_BYTES + scene->cache->shards_count * new_bytes);
}

KW_TEST(index_takes_no_more_bytes_an_entry_than_the_header_promises_at_any_size)
{
    struct cache_scene scene;
    unsigned next = 1;
    scene_open(&scene, 64 * A_MIB, KW_CACHE_KEEP);
    assert_true(KW_ENTRY_HEAD_BYTES + KW_ENTRY_INDEX_BYTES <= 32);
    for (unsigned i = 1; i <= 400000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &key, 8, 0), KW_OK);
        if (i == next) {
            expect_index_bytes(&scene, i);
            next += 1 + next / 64; /* some 500 sizes, over four doublings of each shard */
        }
    }
    scene_close(&scene);
}

KW_TEST(index_takes_no_more_when_entries_come_and_go_for_long)
{
    enum { ALIVE = 60000, GENERATIONS = 12 };
    struct cache_scene scene;
    scene_open(&scene, 64 * A_MIB, KW_CACHE_KEEP);

    for (unsigned i = 0; i < ALIVE * GENERATIONS; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &key, 8, 0), KW_OK);
        if (i >= ALIVE) {
            key = scene_numbered(&scene, i - ALIVE);
            assert_true(kw_cache_remove(scene.worker, &key));
        }
        scene_pass(&scene, i % 64 == 0);
        if (i >= ALIVE && i % 10000 == 0) {
            expect_index_bytes(&scene, ALIVE + 1);
        }
    }
    scene_close(&scene);
}

KW_TEST(admit_recalls_once_who_was_evicted_lately)
{
    struct kw_admit admit;
    unsigned recalled = 0;
    kw__admit_init(&admit, 1 * A_MIB);
    for (uint64_t i = 0; i < 1000; i++) {
        kw__admit_remember(&admit, i * 0x9e3779b97f4a7c15u);
    }

    for (uint64_t i = 0; i < 1000; i++) {
        recalled += kw__admit_recall(&admit, i * 0x9e3779b97f4a7c15u);
    }
    assert_true(recalled > 950);
    for (uint64_t i = 0; i < 1000; i++) {
        recalled += kw__admit_recall(&admit, i * 0x9e3779b97f4a7c15u);
    }
    assert_true(recalled <= 1000);
    kw__admit_deinit(&admit);
}
