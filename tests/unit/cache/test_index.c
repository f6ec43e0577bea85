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

KW_TEST(index_takes_no_more_bytes_an_entry_than_the_header_promises)
{
    struct cache_scene scene;
    scene_open(&scene, 64 * A_MIB, KW_CACHE_KEEP);
    for (unsigned i = 1; i <= 300000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &key, 8, 0), KW_OK);
        if (i >= 50000 && i % 10000 == 0) {
            struct kw_cache_figures figures = scene_figures(&scene);
            /* The last segment of each of 8 shards may be new. */
            uint64_t bytes = figures.index_bytes - 8 * KW_SEGMENT_BUCKETS * 64;
            assert_true(bytes * 10 <= (uint64_t)i * (KW_ENTRY_INDEX_BYTES * 10 + 4));
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
