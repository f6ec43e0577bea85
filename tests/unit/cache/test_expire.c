/* test_expire.c - deadlines: to the millisecond, and collected without looking at the others. */
#include "tests/unit/cache/scene.h"

KW_TEST(expire_ends_an_entry_at_its_millisecond)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    assert_int_equal(scene_put_bytes(&scene, &key, 10, scene.now_ms + 50), KW_OK);

    scene_pass(&scene, 49);
    assert_true(scene_has(&scene, &key));
    scene_pass(&scene, 1);
    assert_false(scene_has(&scene, &key));
    assert_int_equal(scene_figures(&scene).entries_count, 0);

    assert_int_equal(scene_put_bytes(&scene, &key, 10, scene.now_ms), KW_OK);
    assert_false(scene_has(&scene, &key)); /* over from the start */
    scene_close(&scene);
}

KW_TEST(expire_collects_the_short_ones_among_many_long_ones)
{
    struct cache_scene scene;
    scene_open(&scene, 32 * A_MIB, KW_CACHE_KEEP);
    for (unsigned i = 0; i < 60000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        uint64_t ttl_ms = i % 300 == 0 ? 20 : 3600000;
        assert_int_equal(scene_put_bytes(&scene, &key, 10, scene.now_ms + ttl_ms), KW_OK);
    }

    scene_pass(&scene, 19);
    assert_int_equal(scene_figures(&scene).entries_count, 60000);
    for (int i = 0; i < 4; i++) {
        scene_pass(&scene, 1);
    }

    assert_int_equal(scene_figures(&scene).entries_count, 59800);
    assert_int_equal(scene_figures(&scene).expired_count, 200);
    scene_close(&scene);
}

KW_TEST(expire_collects_a_storm_in_bounded_steps_that_nobody_sees)
{
    struct cache_scene scene;
    scene_open(&scene, 8 * A_MIB, KW_CACHE_BALANCED);
    for (unsigned i = 0; i < 20000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &key, 10, scene.now_ms + 100), KW_OK);
    }

    scene_pass(&scene, 100);
    assert_true(scene_figures(&scene).entries_count > 10000);
    for (unsigned i = 0; i < 20000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_false(scene_has(&scene, &key));
    }
    for (int i = 0; i < 100; i++) {
        scene_pass(&scene, 1);
    }

    assert_int_equal(scene_figures(&scene).entries_count, 0);
    scene_close(&scene);
}

KW_TEST(expire_knows_deadlines_of_years_and_clocks_that_go_round)
{
    struct cache_scene scene;
    const uint64_t day_ms = 24 * 3600 * 1000;
    struct kw_cache_found found;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    struct kw_cache_key near = scene_key(&scene, "near", "");
    struct kw_cache_key far = scene_key(&scene, "far", "");
    uint64_t deadline_ms = scene.now_ms + 400 * day_ms;
    assert_int_equal(scene_put_bytes(&scene, &near, 10, scene.now_ms + 19 * day_ms), KW_OK);
    assert_int_equal(scene_put_bytes(&scene, &far, 10, deadline_ms), KW_OK);

    for (int day = 0; day < 399; day++) {
        scene_pass(&scene, day_ms);
        assert_int_equal(scene_has(&scene, &near), day < 18);
        assert_true(kw_cache_get(scene.worker, &far, &found));
        assert_true(found.deadline_ms == deadline_ms);
    }
    scene_pass(&scene, day_ms - 1);
    assert_true(scene_has(&scene, &far));
    scene_pass(&scene, 1);
    assert_false(scene_has(&scene, &far));
    scene_close(&scene);
}

KW_TEST(expire_at_moves_a_deadline_nearer_further_and_away)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    assert_int_equal(kw_cache_expire_at(scene.worker, &key, 5), KW_E_NOT_FOUND);
    assert_int_equal(scene_put_bytes(&scene, &key, 10, scene.now_ms + 10), KW_OK);

    assert_int_equal(kw_cache_expire_at(scene.worker, &key, scene.now_ms + 30), KW_OK);
    scene_pass(&scene, 20);
    assert_true(scene_has(&scene, &key));
    assert_int_equal(kw_cache_expire_at(scene.worker, &key, scene.now_ms + 8640000000), KW_OK);
    scene_pass(&scene, 8640000000 - 1);
    assert_true(scene_has(&scene, &key));
    assert_int_equal(kw_cache_expire_at(scene.worker, &key, 0), KW_OK);
    scene_pass(&scene, 8640000000);
    assert_true(scene_has(&scene, &key));
    assert_int_equal(kw_cache_expire_at(scene.worker, &key, scene.now_ms + 1), KW_OK);
    scene_pass(&scene, 1);
    assert_false(scene_has(&scene, &key));
    scene_close(&scene);
}
