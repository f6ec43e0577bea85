/* test_extra.c - what stores need: looks that leave no trace, usage, any key, other limits. */
#include "tests/unit/cache/scene.h"

static void extra_put(struct cache_scene *scene, const struct kw_cache_key *key, const char *text,
                      bool keeps_deadline)
{
    struct kw_cache_value value = {.bytes = kw_bytes_of_text(text),
                                   .keeps_deadline = keeps_deadline};

    assert_int_equal(kw_cache_put(scene->worker, key, &value), KW_OK);
}

static uint64_t deadline_of(struct cache_scene *scene, const struct kw_cache_key *key)
{
    struct kw_cache_found found;

    assert_true(kw_cache_peek(scene->worker, key, &found));
    return found.deadline_ms;
}

static struct kw_cache_usage usage_of(struct cache_scene *scene, const struct kw_cache_key *key)
{
    struct kw_cache_found found;
    struct kw_cache_usage usage;

    assert_true(kw_cache_peek(scene->worker, key, &found));
    kw_cache_usage(scene->worker, &found, &usage);
    return usage;
}

KW_TEST(put_keeps_the_deadline_of_what_it_replaces_when_asked)
{
    struct cache_scene scene;
    const uint64_t day_ms = 24 * 3600 * 1000;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_KEEP);
    struct kw_cache_key key = scene_key(&scene, "a", "");

    extra_put(&scene, &key, "without", true);
    assert_int_equal(deadline_of(&scene, &key), 0);
    assert_int_equal(scene_put_bytes(&scene, &key, 10, scene.now_ms + 50), KW_OK);
    extra_put(&scene, &key, "near", true);
    assert_int_equal(deadline_of(&scene, &key), scene.now_ms + 50);
    scene_expect(&scene, "a", "near");
    assert_int_equal(scene_put_bytes(&scene, &key, 10, scene.now_ms + 300 * day_ms), KW_OK);
    extra_put(&scene, &key, "far", true);
    assert_true(deadline_of(&scene, &key) == scene.now_ms + 300 * day_ms);
    scene_expect(&scene, "a", "far");
    extra_put(&scene, &key, "none", false);
    assert_int_equal(deadline_of(&scene, &key), 0);

    /* What is over is not there to be kept. */
    assert_int_equal(scene_put_bytes(&scene, &key, 10, scene.now_ms), KW_OK);
    extra_put(&scene, &key, "new", true);
    assert_int_equal(deadline_of(&scene, &key), 0);
    scene_close(&scene);
}

KW_TEST(peek_leaves_no_trace_and_get_does)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_LFU);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    scene_put(&scene, "a", "b");

    for (int i = 0; i < 5; i++) {
        struct kw_cache_usage usage = usage_of(&scene, &key);
        assert_true(usage.has_uses);
        assert_false(usage.has_idle);
        assert_int_equal(usage.uses_count, 0);
    }
    assert_int_equal(scene_figures(&scene).hits_count, 0);
    for (int i = 0; i < 5; i++) {
        assert_true(scene_has(&scene, &key));
    }
    assert_int_equal(usage_of(&scene, &key).uses_count, 5);
    assert_int_equal(scene_figures(&scene).hits_count, 5);
    scene_close(&scene);
}

KW_TEST(usage_tells_how_long_an_entry_has_been_idle)
{
    const enum kw_cache_policy policies[] = {KW_CACHE_LRU, KW_CACHE_RANDOM, KW_CACHE_TTL,
                                             KW_CACHE_KEEP};
    for (size_t i = 0; i < 4; i++) {
        struct cache_scene scene;
        scene_open(&scene, 4 * A_MIB, policies[i]);
        struct kw_cache_key key = scene_key(&scene, "a", "");
        scene_put(&scene, "a", "b");

        scene_pass(&scene, 3000);
        assert_true(usage_of(&scene, &key).has_idle);
        assert_int_equal(usage_of(&scene, &key).idle_ms, 3000);
        scene_pass(&scene, 100000000);
        assert_int_equal(usage_of(&scene, &key).idle_ms, 100003000);
        assert_true(scene_has(&scene, &key));
        assert_int_equal(usage_of(&scene, &key).idle_ms, 0);
        scene_pass(&scene, 25600); /* where the low byte of its tick is the same again */
        assert_int_equal(usage_of(&scene, &key).idle_ms, 25600);
        assert_true(scene_has(&scene, &key));
        assert_int_equal(usage_of(&scene, &key).idle_ms, 0);
        scene_put(&scene, "a", "c");
        assert_int_equal(usage_of(&scene, &key).idle_ms, 0);
        scene_close(&scene);
    }
}

KW_TEST(random_gives_every_entry_about_the_same_chance_and_none_that_is_over)
{
    enum { MANY = 3000, DRAWS = 60000 };
    static unsigned times[MANY];
    struct cache_scene scene;
    struct kw_cache_found found;
    struct kw_bytes name;
    memset(times, 0, sizeof times);
    scene_open(&scene, 32 * A_MIB, KW_CACHE_KEEP);
    assert_false(kw_cache_random(scene.worker, &name, &found));
    for (unsigned i = 0; i < MANY; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        uint64_t deadline_ms = i % 10 == 9 ? scene.now_ms : 0;
        assert_int_equal(scene_put_bytes(&scene, &key, 10, deadline_ms), KW_OK);
    }

    for (unsigned i = 0; i < DRAWS; i++) {
        unsigned number = 0;
        assert_true(kw_cache_random(scene.worker, &name, &found));
        for (size_t j = 4; j < name.len; j++) {
            number = number * 10 + (unsigned)(name.data[j] - '0');
        }
        times[number]++;
    }

    /* 22 each; the chance of a value this far off is below 1e-6 for one key. */
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(times[i] == 0, i % 10 == 9);
        assert_true(times[i] < 60);
    }
    scene_close(&scene);
}

KW_TEST(random_finds_the_last_entry_of_an_emptied_index)
{
    struct cache_scene scene;
    struct kw_cache_found found;
    struct kw_bytes name;
    scene_open(&scene, 32 * A_MIB, KW_CACHE_KEEP);
    for (unsigned i = 0; i < 50000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &key, 10, 0), KW_OK);
    }
    for (unsigned i = 0; i < 50000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_true(i == 4711 || kw_cache_remove(scene.worker, &key));
    }

    assert_true(kw_cache_random(scene.worker, &name, &found));
    assert_true(kw_bytes_equal(name, KW_BYTES("key:4711")));
    assert_true(kw_cache_remove(
        scene.worker,
        &(struct kw_cache_key){.name = name, .hash = kw_cache_key(scene.worker, name, name).hash}));
    assert_false(kw_cache_random(scene.worker, &name, &found));
    scene_close(&scene);
}

KW_TEST(memory_max_can_be_lowered_and_raised_within_what_is_reserved)
{
    struct cache_scene scene;
    struct kw_cache_figures figures;
    scene_open_with(&scene, (struct kw_cache_options){.memory_max_bytes = 8 * A_MIB,
                                                      .memory_reserved_bytes = 32 * A_MIB,
                                                      .policy = KW_CACHE_LRU});
    for (unsigned i = 0; i < 40000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &key, 1000, 0), KW_OK);
        scene_pass(&scene, i % 16 == 0);
    }
    kw_cache_figures(scene.cache, &figures);
    assert_true(figures.live_bytes <= 8 * A_MIB && figures.live_bytes > 7 * A_MIB);
    assert_int_equal(figures.memory_max_bytes, 8 * A_MIB);
    assert_int_equal(figures.memory_reserved_bytes, 32 * A_MIB);

    assert_int_equal(kw_cache_set_memory_max(scene.cache, 24 * A_MIB), KW_OK);
    for (unsigned i = 0; i < 40000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &key, 1000, 0), KW_OK);
        scene_pass(&scene, i % 16 == 0);
    }
    kw_cache_figures(scene.cache, &figures);
    assert_true(figures.live_bytes <= 24 * A_MIB && figures.live_bytes > 21 * A_MIB);
    struct kw_cache_fullness fullness = kw_cache_fullness(scene.cache);
    assert_true(fullness.live_bytes == figures.live_bytes && fullness.entries_count > 0);
    assert_int_equal(fullness.entries_count, figures.entries_count);
    assert_int_equal(fullness.budget_bytes, figures.budget_bytes);

    assert_int_equal(kw_cache_set_memory_max(scene.cache, 4 * A_MIB), KW_OK);
    for (int i = 0; i < 1000; i++) {
        scene_pass(&scene, 1); /* nobody puts: ticks do it */
    }
    kw_cache_figures(scene.cache, &figures);
    assert_true(figures.live_bytes <= 4 * A_MIB && figures.live_bytes > 3 * A_MIB);

    assert_int_equal(kw_cache_set_memory_max(scene.cache, 33 * A_MIB), KW_E_INVALID);
    assert_int_equal(kw_cache_set_memory_max(scene.cache, KW_CACHE_MEMORY_MIN_BYTES - 1),
                     KW_E_INVALID);
    scene_close(&scene);
}

static unsigned extra_count(struct cache_scene *scene, unsigned first, unsigned count)
{
    struct kw_cache_found found;
    unsigned present = 0;

    for (unsigned i = first; i < first + count; i++) {
        struct kw_cache_key key = scene_numbered(scene, i);
        present += kw_cache_peek(scene->worker, &key, &found);
    }
    return present;
}

KW_TEST(policy_can_be_changed_and_the_new_one_knows_all_entries)
{
    for (unsigned from = 0; from < KW_CACHE_POLICY_COUNT; from++) {
        for (unsigned to = 0; to < KW_CACHE_POLICY_COUNT; to++) {
            struct cache_scene scene;
            enum kw_status status = KW_OK;
            scene_open(&scene, 4 * A_MIB, (enum kw_cache_policy)from);
            for (unsigned i = 0; i < 2500; i++) {
                struct kw_cache_key key = scene_numbered(&scene, i);
                assert_int_equal(scene_put_bytes(&scene, &key, 1000, 0), KW_OK);
                (void)scene_has(&scene, &key);
            }

            kw_cache_set_policy(scene.worker, (enum kw_cache_policy)to, false);
            for (unsigned i = 0; i < from % 2 * 100; i++) {
                scene_pass(&scene, 1); /* or no time for it at all */
            }

            for (unsigned i = 10000; i < 14000 && status == KW_OK; i++) {
                struct kw_cache_key key = scene_numbered(&scene, i);
                status = scene_put_bytes(&scene, &key, 1000, 0);
                (void)scene_has(&scene, &key);
                scene_pass(&scene, 1);
            }
            assert_int_equal(status, to == KW_CACHE_KEEP ? KW_E_MEMORY : KW_OK);
            if (to == KW_CACHE_KEEP) {
                assert_int_equal(extra_count(&scene, 0, 2500), 2500);
            } else if (to == KW_CACHE_LRU) {
                assert_int_equal(extra_count(&scene, 0, 2500), 0);
            }
            scene_figures(&scene);
            scene_close(&scene);
        }
    }
}

KW_TEST(policy_that_spares_what_has_no_deadline_spares_it_from_the_moment_it_is_set)
{
    const enum kw_cache_policy policies[] = {KW_CACHE_LRU, KW_CACHE_LFU, KW_CACHE_RANDOM,
                                             KW_CACHE_TTL};
    for (size_t i = 0; i < 4; i++) {
        struct cache_scene scene;
        scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
        for (unsigned j = 0; j < 1000; j++) {
            struct kw_cache_key key = scene_numbered(&scene, j);
            assert_int_equal(scene_put_bytes(&scene, &key, 1000, 0), KW_OK);
        }

        kw_cache_set_policy(scene.worker, policies[i], true);
        for (unsigned j = 10000; j < 16000; j++) {
            struct kw_cache_key key = scene_numbered(&scene, j);
            assert_int_equal(scene_put_bytes(&scene, &key, 1000, scene.now_ms + 3600000), KW_OK);
        }

        assert_int_equal(extra_count(&scene, 0, 1000), 1000);
        scene_close(&scene);
    }
}

KW_TEST(upkeep_is_wanted_when_something_is_under_way_and_at_deadlines_and_else_never)
{
    struct cache_scene scene;
    struct kw_cache_key key;

    scene_open(&scene, 8 * A_MIB, KW_CACHE_KEEP);
    assert_true(kw_cache_upkeep_ms(scene.worker) == UINT64_MAX);
    scene_put(&scene, "stays", "a");
    assert_true(kw_cache_upkeep_ms(scene.worker) == UINT64_MAX);

    key = scene_key(&scene, "ends", "");
    assert_int_equal(scene_put_bytes(&scene, &key, 10, scene.now_ms + 5000), KW_OK);
    assert_int_equal(kw_cache_upkeep_ms(scene.worker), scene.now_ms + 5000);
    scene_pass(&scene, 5000); /* it was dropped, and nobody sees it any more */
    assert_true(kw_cache_upkeep_ms(scene.worker) == UINT64_MAX);

    scene_put(&scene, "stays", "b"); /* what was there is to be freed */
    assert_int_equal(kw_cache_upkeep_ms(scene.worker), scene.now_ms);
    scene_pass(&scene, 1);
    assert_true(kw_cache_upkeep_ms(scene.worker) == UINT64_MAX);
    kw_cache_flush(scene.worker);
    assert_int_equal(kw_cache_upkeep_ms(scene.worker), scene.now_ms);
    for (unsigned i = 0; i < 100 && kw_cache_upkeep_ms(scene.worker) != UINT64_MAX; i++) {
        scene_pass(&scene, 1);
    }
    assert_true(kw_cache_upkeep_ms(scene.worker) == UINT64_MAX);
    scene_close(&scene);
}

KW_TEST(usage_can_be_set_as_far_as_the_policy_keeps_count)
{
    struct cache_scene scene;
    const uint64_t day_ms = 24 * 3600 * 1000;
    struct kw_cache_usage usage = {.has_idle = true, .has_uses = true, .uses_count = 5};
    for (int i = 0; i < 2; i++) {
        scene_open(&scene, 4 * A_MIB, i == 0 ? KW_CACHE_KEEP : KW_CACHE_LRU);
        struct kw_cache_key key = scene_key(&scene, "a", "");
        kw_cache_set_usage(scene.worker, &key, &usage); /* of nothing */
        extra_put(&scene, &key, "text", false);

        usage.idle_ms = 1000 * 1000;
        kw_cache_set_usage(scene.worker, &key, &usage);
        assert_int_equal(usage_of(&scene, &key).idle_ms, 1000 * 1000);
        assert_false(usage_of(&scene, &key).has_uses);
        scene_pass(&scene, 500);
        assert_int_equal(usage_of(&scene, &key).idle_ms, 1000 * 1000 + 500);
        usage.idle_ms = UINT64_MAX;
        kw_cache_set_usage(scene.worker, &key, &usage);
        assert_true(usage_of(&scene, &key).idle_ms > 19 * day_ms);
        scene_expect(&scene, "a", "text");
        assert_int_equal(usage_of(&scene, &key).idle_ms, 0);
        scene_close(&scene);
    }

    scene_open(&scene, 4 * A_MIB, KW_CACHE_LFU);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    extra_put(&scene, &key, "text", false);
    kw_cache_set_usage(scene.worker, &key, &usage);
    assert_int_equal(usage_of(&scene, &key).uses_count, 5);
    assert_false(usage_of(&scene, &key).has_idle);
    usage.uses_count = 255;
    kw_cache_set_usage(scene.worker, &key, &usage);
    assert_int_equal(usage_of(&scene, &key).uses_count, 127);
    scene_close(&scene);
}
