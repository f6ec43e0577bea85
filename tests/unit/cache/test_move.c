/* test_move.c - pages come together by moving entries, and nobody sees that they moved. */
#include "cache/internal.h"
#include "tests/unit/cache/scene.h"

enum { SMALL = 200, LARGE = 30000, STAY = 5 /* one of so many stays */ };

/* Fill SCENE with small entries until FULL bytes are live, then remove all but some: holes. */
static unsigned scene_tear(struct cache_scene *scene, size_t full_bytes)
{
    unsigned count = 0;

    while (scene_figures(scene).live_bytes < full_bytes) {
        for (unsigned i = 0; i < 100; i++) {
            struct kw_cache_key key = scene_numbered(scene, count);
            uint64_t deadline_ms = scene->now_ms + 1000000 + count;
            assert_int_equal(scene_put_bytes(scene, &key, SMALL + count % 40, deadline_ms), KW_OK);
            count++;
            scene_pass(scene, 0);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        struct kw_cache_key key = scene_numbered(scene, i);
        assert_true(i % STAY == 0 || kw_cache_remove(scene->worker, &key));
    }
    scene_pass(scene, 1);
    return count;
}

/* As many large ones as the holes have bytes for, but not pages. How many got room. */
static unsigned scene_put_large(struct cache_scene *scene, unsigned count)
{
    unsigned stored = 0;

    for (unsigned i = 0; i < count; i++) {
        struct kw_cache_key key = scene_numbered(scene, 1000000 + i);
        stored += scene_put_bytes(scene, &key, LARGE, 0) == KW_OK;
    }
    return stored;
}

KW_TEST(move_makes_room_for_large_entries_among_small_ones_that_must_stay)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_KEEP);
    unsigned count = scene_tear(&scene, 3 * A_MIB);

    assert_int_equal(scene_put_large(&scene, 50), 50); /* 1.5 of 2.4 MB */

    for (unsigned i = 0; i < count; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        struct kw_cache_found found;
        assert_int_equal(kw_cache_get(scene.worker, &key, &found), i % STAY == 0);
        if (i % STAY == 0) {
            assert_int_equal(found.value.len, SMALL + i % 40);
            assert_int_equal(found.deadline_ms, 1000 + 1000000 + i);
        }
    }
    kw_cache_flush(scene.worker);
    for (int i = 0; i < 600; i++) {
        scene_pass(&scene, 1);
    }
    assert_int_equal(scene_figures(&scene).live_bytes, 0);
    scene_close(&scene);
}

KW_TEST(move_keeps_the_order_in_which_entries_leave)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_LRU);
    unsigned count = scene_tear(&scene, 2 * A_MIB);
    uint64_t evicted_before = scene_figures(&scene).evicted_count;
    assert_int_equal(scene_put_large(&scene, 60), 60);

    /* Whatever had to go so far or goes now, the oldest went. */
    for (unsigned i = 0; i < 800; i++) {
        struct kw_cache_key key = scene_numbered(&scene, 2000000 + i);
        assert_int_equal(scene_put_bytes(&scene, &key, 1500, 0), KW_OK);
        scene_pass(&scene, i % 16 == 0);
    }

    unsigned first = 0;
    struct kw_cache_found found;
    struct kw_cache_key key = scene_numbered(&scene, first);
    while (first < count && !kw_cache_peek(scene.worker, &key, &found)) {
        first += STAY;
        key = scene_numbered(&scene, first);
    }
    for (unsigned i = first; i < count; i += STAY) {
        key = scene_numbered(&scene, i);
        assert_true(kw_cache_peek(scene.worker, &key, &found));
    }
    assert_true(scene_figures(&scene).evicted_count > evicted_before);
    scene_close(&scene);
}

KW_TEST(move_leaves_a_found_value_readable_and_what_is_held)
{
    struct cache_scene scene;
    struct kw_cache_found found;
    struct kw_cache_found held;
    static char bytes[20000];
    memset(bytes, 'h', sizeof bytes);
    scene_open(&scene, 4 * A_MIB, KW_CACHE_KEEP);
    (void)scene_tear(&scene, 2 * A_MIB);
    struct kw_cache_key key = scene_key(&scene, "held", "");
    struct kw_cache_value value = {.bytes = {bytes, sizeof bytes}};
    assert_int_equal(kw_cache_put(scene.worker, &key, &value), KW_OK);
    assert_true(kw_cache_get(scene.worker, &key, &held));
    assert_true(kw_cache_hold(scene.worker, &held));
    (void)scene_tear(&scene, 5 * A_MIB / 2);

    kw__move_begin(scene.cache);
    struct kw_cache_worker *other = kw_cache_join(scene.cache, scene.now_ms);
    struct kw_cache_key last = scene_numbered(&scene, 0);
    assert_true(kw_cache_get(other, &last, &found));
    for (int i = 0; i < 100; i++) {
        scene_pass(&scene, 1);
    }

    assert_true(found.value.len == SMALL);
    for (size_t i = 0; i < found.value.len; i++) {
        assert_int_equal(found.value.data[i], 0);
    }
    assert_memory_equal(held.value.data, bytes, sizeof bytes);
    kw_cache_leave(&other);
    kw_cache_release(scene.worker, held.entry);
    scene_close(&scene);
}

KW_TEST(move_works_beside_owned_values_which_stay_where_they_are)
{
    struct cache_scene scene;
    struct kw_cache_found found;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_KEEP);
    struct kw_cache_key key = scene_key(&scene, "owned", "");
    (void)scene_tear(&scene, 3 * A_MIB);
    struct kw_cache_value value = {.bytes = KW_BYTES("object"), .is_owned = true};
    assert_int_equal(kw_cache_put(scene.worker, &key, &value), KW_OK);
    assert_true(kw_cache_get(scene.worker, &key, &found));
    const struct kw_entry *place = found.entry;

    assert_int_equal(scene_put_large(&scene, 40), 40);

    assert_true(kw_cache_get(scene.worker, &key, &found));
    assert_ptr_equal(found.entry, place);
    scene_close(&scene);
}
