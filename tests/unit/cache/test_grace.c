/* test_grace.c - nothing is freed while a worker that is awake may see it. */
#include "tests/unit/cache/scene.h"

static void count_drop(void *user, struct kw_cache_worker *worker, unsigned kind,
                       struct kw_bytes value)
{
    (void)worker, (void)kind, (void)value;
    (*(unsigned *)user)++;
}

static void scene_open_counting(struct cache_scene *scene, unsigned *dropped)
{
    scene_open_with(scene, (struct kw_cache_options){.memory_max_bytes = 4 * A_MIB,
                                                     .on_drop = count_drop,
                                                     .user = dropped});
    struct kw_cache_key key = scene_key(scene, "a", "");
    struct kw_cache_value value = {.bytes = KW_BYTES("v"), .is_owned = true};
    assert_int_equal(kw_cache_put(scene->worker, &key, &value), KW_OK);
}

KW_TEST(grace_waits_for_a_worker_that_does_not_tick)
{
    struct cache_scene scene;
    unsigned dropped = 0;
    struct kw_cache_found found;
    scene_open_counting(&scene, &dropped);
    struct kw_cache_worker *other = kw_cache_join(scene.cache, scene.now_ms);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    assert_true(kw_cache_get(other, &key, &found));
    kw_cache_invalidate(scene.worker, &key);

    for (int i = 0; i < 100; i++) {
        scene_pass(&scene, 1);
    }
    assert_int_equal(dropped, 0);
    assert_true(kw_bytes_equal(found.value, KW_BYTES("v")));

    for (int i = 0; i < 3; i++) {
        kw_cache_tick(other, scene.now_ms);
        kw_cache_tick(scene.worker, scene.now_ms);
    }
    assert_int_equal(dropped, 1);
    kw_cache_leave(&other);
    scene_close(&scene);
}

KW_TEST(grace_does_not_wait_for_a_worker_that_rests_until_it_wakes)
{
    struct cache_scene scene;
    unsigned dropped = 0;
    scene_open_counting(&scene, &dropped);
    struct kw_cache_worker *other = kw_cache_join(scene.cache, scene.now_ms);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    kw_cache_rest(other);
    kw_cache_invalidate(scene.worker, &key);
    scene_pass(&scene, 1);
    assert_int_equal(dropped, 1);

    struct kw_cache_value value = {.bytes = KW_BYTES("w"), .is_owned = true};
    assert_int_equal(kw_cache_put(scene.worker, &key, &value), KW_OK);
    kw_cache_tick(other, scene.now_ms);
    kw_cache_invalidate(scene.worker, &key);
    scene_pass(&scene, 1);
    assert_int_equal(dropped, 1);

    kw_cache_leave(&other);
    scene_pass(&scene, 1);
    assert_int_equal(dropped, 2);
    scene_close(&scene);
}

KW_TEST(grace_lets_no_more_workers_in_than_there_are_places)
{
    struct cache_scene scene;
    struct kw_cache_worker *others[3];
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    for (int i = 0; i < 3; i++) {
        others[i] = kw_cache_join(scene.cache, 1);
        assert_non_null(others[i]);
    }
    assert_null(kw_cache_join(scene.cache, 1));

    kw_cache_leave(&others[1]);
    others[1] = kw_cache_join(scene.cache, 1);
    assert_non_null(others[1]);
    for (int i = 0; i < 3; i++) {
        kw_cache_leave(&others[i]);
    }
    scene_close(&scene);
}
