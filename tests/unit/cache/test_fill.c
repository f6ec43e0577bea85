/* test_fill.c - promises are kept, or broken by whatever could make them wrong. */
#include "cache/internal.h"
#include "tests/unit/cache/scene.h"

static enum kw_status fill_begin(struct cache_scene *scene, const char *name, uint64_t *token)
{
    struct kw_cache_key key = scene_key(scene, name, "");

    return kw_cache_fill_begin(scene->worker, &key, token);
}

static enum kw_status fill_end(struct cache_scene *scene, const char *name, uint64_t token,
                               const char *text)
{
    struct kw_cache_key key = scene_key(scene, name, "");
    struct kw_cache_value value = {.bytes = kw_bytes_of_text(text)};

    return kw_cache_fill_end(scene->worker, &key, token, &value);
}

KW_TEST(fill_shows_its_value_when_it_is_kept_and_not_before)
{
    struct cache_scene scene;
    uint64_t token = 0;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    assert_int_equal(fill_begin(&scene, "a", &token), KW_OK);
    scene_expect(&scene, "a", NULL);
    assert_int_equal(fill_begin(&scene, "a", &token), KW_AGAIN);

    assert_int_equal(fill_end(&scene, "a", token, "v"), KW_OK);

    scene_expect(&scene, "a", "v");
    assert_int_equal(fill_begin(&scene, "a", &token), KW_AGAIN);
    scene_close(&scene);
}

KW_TEST(fill_is_broken_by_invalidation_flush_removal_and_another_value)
{
    struct cache_scene scene;
    uint64_t token = 0;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    for (int how = 0; how < 5; how++) {
        assert_int_equal(fill_begin(&scene, "a", &token), KW_OK);
        switch (how) {
        case 0:
            kw_cache_invalidate(scene.worker, &key);
            break;
        case 1:
            kw_cache_flush(scene.worker);
            break;
        case 2:
            kw_cache_remove(scene.worker, &key);
            break;
        case 3:
            scene_put(&scene, "a", "newer");
            break;
        default:
            scene_pass(&scene, 10001);
        }

        assert_int_equal(fill_end(&scene, "a", token, "older"), KW_E_CLOSED);

        scene_expect(&scene, "a", how == 3 ? "newer" : NULL);
        kw_cache_invalidate(scene.worker, &key);
        scene_pass(&scene, 1);
    }
    scene_close(&scene);
}

KW_TEST(fill_broken_and_begun_again_takes_only_the_new_token)
{
    struct cache_scene scene;
    uint64_t old_token = 0;
    uint64_t token = 0;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    assert_int_equal(fill_begin(&scene, "a", &old_token), KW_OK);
    kw_cache_invalidate(scene.worker, &key);
    assert_int_equal(fill_begin(&scene, "a", &token), KW_OK);
    assert_true(token != old_token);

    assert_int_equal(fill_end(&scene, "a", old_token, "old"), KW_E_CLOSED);
    scene_expect(&scene, "a", NULL);
    assert_int_equal(fill_end(&scene, "a", token, "new"), KW_OK);

    scene_expect(&scene, "a", "new");
    scene_close(&scene);
}

KW_TEST(fill_given_up_leaves_nothing)
{
    struct cache_scene scene;
    uint64_t token = 0;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    assert_int_equal(fill_begin(&scene, "a", &token), KW_OK);

    assert_int_equal(kw_cache_fill_end(scene.worker, &key, token, NULL), KW_OK);

    assert_int_equal(scene_figures(&scene).entries_count, 0);
    assert_int_equal(kw_cache_fill_end(scene.worker, &key, token, NULL), KW_E_CLOSED);
    scene_close(&scene);
}

/* Else each value that is kept for longer would be visited ten seconds after it was fetched. */
KW_TEST(fill_leaves_no_bound_that_is_lower_than_its_values)
{
    struct cache_scene scene;
    uint64_t token = 0;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    struct kw_cache_value value = {.bytes = kw_bytes_of_text("v"),
                                   .deadline_ms = scene.now_ms + 60000};
    assert_int_equal(fill_begin(&scene, "a", &token), KW_OK);
    assert_int_equal(kw_cache_fill_end(scene.worker, &key, token, &value), KW_OK);

    struct kw_shard *shard = kw__shard_of(scene.cache, key.hash);
    assert_int_equal(atomic_load(kw__shard_due(scene.cache, shard)), value.deadline_ms);

    scene_expect(&scene, "a", "v");
    scene_pass(&scene, 60000);
    scene_expect(&scene, "a", NULL);
    assert_int_equal(scene_figures(&scene).expired_count, 1);
    scene_close(&scene);
}

KW_TEST(fill_that_nobody_ends_is_collected_some_minutes_later)
{
    struct cache_scene scene;
    uint64_t token = 0;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    assert_int_equal(fill_begin(&scene, "a", &token), KW_OK);
    assert_true(scene_figures(&scene).timed_count == 1);

    scene_pass(&scene, 10001);
    assert_int_equal(scene_figures(&scene).timed_count, 1);
    scene_pass(&scene, KW_ENTRY_FILL_LEFT_MS);

    assert_int_equal(scene_figures(&scene).timed_count, 0);
    scene_close(&scene);
}

KW_TEST(witness_removes_what_differs_and_binds_what_is_fetched)
{
    struct cache_scene scene;
    uint64_t token = 0;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    scene_put(&scene, "a", "v1");
    kw_cache_witness(scene.worker, &key, KW_BYTES("v1"));
    scene_expect(&scene, "a", "v1");
    kw_cache_witness(scene.worker, &key, KW_BYTES("v2"));
    scene_expect(&scene, "a", NULL);

    const char *seen[][2] = {{"v2", "v2"}, {"v2", "v3"}, {"v3", "v3"}};
    const enum kw_status ends[] = {KW_OK, KW_E_CLOSED, KW_E_CLOSED};
    for (size_t i = 0; i < 3; i++) {
        kw_cache_invalidate(scene.worker, &key);
        assert_int_equal(fill_begin(&scene, "a", &token), KW_OK);
        kw_cache_witness(scene.worker, &key, kw_bytes_of_text(seen[i][0]));
        kw_cache_witness(scene.worker, &key, kw_bytes_of_text(seen[i][1]));
        assert_int_equal(fill_end(&scene, "a", token, "v2"), ends[i]);
    }
    scene_close(&scene);
}

KW_TEST(fill_of_a_domain_that_closed_meanwhile_is_not_stored)
{
    struct cache_scene scene;
    uint64_t token = 0;
    uint16_t domain = 0;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    assert_int_equal(kw_cache_domain_open(scene.worker, &domain), KW_OK);
    assert_int_equal(fill_begin(&scene, "a", &token), KW_OK);

    kw_cache_domain_close(scene.worker, domain);

    struct kw_cache_value value = {.bytes = KW_BYTES("v"), .domain = domain};
    assert_int_equal(kw_cache_fill_end(scene.worker, &key, token, &value), KW_E_CLOSED);
    scene_expect(&scene, "a", NULL);
    scene_close(&scene);
}
