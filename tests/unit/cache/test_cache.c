/* test_cache.c - the public face: what is put is found, and what is removed is not. */
#include "tests/unit/cache/scene.h"

KW_TEST(cache_finds_what_was_put_and_the_latest_of_it)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);

    scene_put(&scene, "a", "one");
    scene_put(&scene, "b", "");
    scene_put(&scene, "", "empty name");
    scene_put(&scene, "a", "two");

    scene_expect(&scene, "a", "two");
    scene_expect(&scene, "b", "");
    scene_expect(&scene, "", "empty name");
    scene_expect(&scene, "c", NULL);
    assert_int_equal(scene_figures(&scene).entries_count, 3);
    scene_close(&scene);
}

KW_TEST(cache_keeps_a_found_value_readable_until_the_tick)
{
    struct cache_scene scene;
    struct kw_cache_found found;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    scene_put(&scene, "a", "first value");
    struct kw_cache_key key = scene_key(&scene, "a", "");
    assert_true(kw_cache_get(scene.worker, &key, &found));

    scene_put(&scene, "a", "other value");
    assert_true(kw_cache_remove(scene.worker, &key));
    kw_cache_flush(scene.worker);

    assert_true(kw_bytes_equal(found.value, KW_BYTES("first value")));
    scene_close(&scene);
}

KW_TEST(cache_parts_variants_of_a_name_and_invalidates_them_together)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    const char *variants[] = {"", "HGETALL", "HGET f", "HGET g"};
    for (size_t i = 0; i < 4; i++) {
        struct kw_cache_key key = scene_key(&scene, "h", variants[i]);
        struct kw_cache_value value = {.bytes = kw_bytes_of_text(variants[i]), .kind = 3};
        assert_int_equal(kw_cache_put(scene.worker, &key, &value), KW_OK);
    }
    struct kw_cache_found found;
    struct kw_cache_key one = scene_key(&scene, "h", "HGET f");
    assert_true(kw_cache_get(scene.worker, &one, &found));
    assert_true(kw_bytes_equal(found.value, KW_BYTES("HGET f")));
    assert_int_equal(found.kind, 3);

    assert_true(kw_cache_remove(scene.worker, &one));
    assert_false(kw_cache_remove(scene.worker, &one));
    assert_int_equal(kw_cache_invalidate(scene.worker, &one), 3);

    for (size_t i = 0; i < 4; i++) {
        struct kw_cache_key key = scene_key(&scene, "h", variants[i]);
        assert_false(scene_has(&scene, &key));
    }
    scene_close(&scene);
}

KW_TEST(cache_flush_hides_all_at_once_and_frees_in_steps)
{
    struct cache_scene scene;
    scene_open(&scene, 16 * A_MIB, KW_CACHE_LRU);
    for (unsigned i = 0; i < 20000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &key, 100, 0), KW_OK);
    }
    uint64_t full_bytes = scene_figures(&scene).live_bytes;

    kw_cache_flush(scene.worker);
    assert_int_equal(scene_figures(&scene).entries_count, 0);
    for (unsigned i = 0; i < 20000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_false(scene_has(&scene, &key));
    }
    assert_true(scene_figures(&scene).live_bytes > full_bytes / 2);
    scene_put(&scene, "new", "life");
    for (int i = 0; i < 400; i++) {
        scene_pass(&scene, 1);
    }

    assert_true(scene_figures(&scene).live_bytes < 20000);
    scene_expect(&scene, "new", "life");
    scene_close(&scene);
}

KW_TEST(cache_flush_makes_room_for_what_comes_right_after_it)
{
    struct cache_scene scene;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);

    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            struct kw_cache_key key = scene_numbered(&scene, i);
            assert_int_equal(scene_put_bytes(&scene, &key, 1000, 0), KW_OK);
            assert_true(scene_has(&scene, &key));
        }
        kw_cache_flush(scene.worker);
    }

    scene_figures(&scene);
    scene_close(&scene);
}

KW_TEST(cache_domain_closed_takes_its_entries_along)
{
    struct cache_scene scene;
    uint16_t domains[2];
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    assert_int_equal(kw_cache_domain_open(scene.worker, &domains[0]), KW_OK);
    assert_int_equal(kw_cache_domain_open(scene.worker, &domains[1]), KW_OK);
    for (unsigned i = 0; i < 1000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        struct kw_cache_value value = {.bytes = KW_BYTES("v"), .domain = domains[i % 2]};
        assert_int_equal(kw_cache_put(scene.worker, &key, &value), KW_OK);
    }

    kw_cache_domain_close(scene.worker, domains[0]);

    for (unsigned i = 0; i < 1000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_has(&scene, &key), i % 2 == 1);
    }
    struct kw_cache_key late = scene_key(&scene, "late", "");
    struct kw_cache_value value = {.bytes = KW_BYTES("v"), .domain = domains[0]};
    assert_int_equal(kw_cache_put(scene.worker, &late, &value), KW_E_CLOSED);
    for (int i = 0; i < 50; i++) {
        scene_pass(&scene, 1);
    }
    assert_int_equal(scene_figures(&scene).entries_count, 500);
    scene_close(&scene);
}

KW_TEST(cache_domain_numbers_come_back_only_after_their_entries_have_gone)
{
    struct cache_scene scene;
    uint16_t domain = 0;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    for (unsigned i = 1; i < KW_CACHE_DOMAINS; i++) {
        assert_int_equal(kw_cache_domain_open(scene.worker, &domain), KW_OK);
    }
    assert_int_equal(kw_cache_domain_open(scene.worker, &domain), KW_E_FULL);

    kw_cache_domain_close(scene.worker, 7);
    assert_int_equal(kw_cache_domain_open(scene.worker, &domain), KW_E_FULL);
    for (int i = 0; i < 20; i++) {
        scene_pass(&scene, 1);
    }

    assert_int_equal(kw_cache_domain_open(scene.worker, &domain), KW_OK);
    assert_int_equal(domain, 7);
    scene_close(&scene);
}

KW_TEST(cache_holds_large_values_beyond_the_tick_and_copies_small_ones)
{
    struct cache_scene scene;
    struct kw_cache_found found;
    static char big[KW_CACHE_COPY_MAX_BYTES + 1];
    memset(big, 'x', sizeof big);
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    struct kw_cache_key key = scene_key(&scene, "a", "");
    struct kw_cache_value value = {.bytes = {big, KW_CACHE_COPY_MAX_BYTES}};
    assert_int_equal(kw_cache_put(scene.worker, &key, &value), KW_OK);
    assert_true(kw_cache_get(scene.worker, &key, &found));
    assert_false(kw_cache_hold(scene.worker, &found));

    value.bytes.len++;
    assert_int_equal(kw_cache_put(scene.worker, &key, &value), KW_OK);
    assert_true(kw_cache_get(scene.worker, &key, &found));
    assert_true(kw_cache_hold(scene.worker, &found));
    assert_true(kw_cache_remove(scene.worker, &key));
    scene_pass(&scene, 100);
    for (unsigned i = 0; i < 10000; i++) {
        struct kw_cache_key other = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &other, 1000, 0), KW_OK);
    }

    assert_memory_equal(found.value.data, big, sizeof big);
    kw_cache_release(scene.worker, found.entry);
    scene_close(&scene);
}

static void count_drop(void *user, struct kw_cache_worker *worker, unsigned kind,
                       struct kw_bytes value)
{
    assert_non_null(worker);
    assert_int_equal(kind, 5);
    assert_true(kw_bytes_equal(value, KW_BYTES("object")));
    (*(unsigned *)user)++;
}

KW_TEST(cache_tells_the_owner_of_each_value_when_it_ends)
{
    struct cache_scene scene;
    unsigned dropped = 0;
    scene_open_with(&scene, (struct kw_cache_options){.memory_max_bytes = 4 * A_MIB,
                                                      .on_drop = count_drop,
                                                      .user = &dropped});
    for (unsigned i = 0; i < 100; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        struct kw_cache_value value = {.bytes = KW_BYTES("object"), .kind = 5, .is_owned = true};
        assert_int_equal(kw_cache_put(scene.worker, &key, &value), KW_OK);
    }
    struct kw_cache_key key = scene_numbered(&scene, 3);
    assert_int_equal(kw_cache_invalidate(scene.worker, &key), 1);
    assert_int_equal(dropped, 0);

    scene_pass(&scene, 1);
    assert_int_equal(dropped, 1);
    scene_close(&scene);
    assert_int_equal(dropped, 100);
}

KW_TEST(cache_blocks_count_towards_the_ceiling_and_push_others_out)
{
    struct cache_scene scene;
    void *blocks[32];
    scene_open(&scene, 4 * A_MIB, KW_CACHE_LRU);
    for (unsigned i = 0; i < 8000; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &key, 500, 0), KW_OK);
    }

    for (size_t i = 0; i < 32; i++) {
        blocks[i] = kw_cache_block_get(scene.worker, 40000);
        for (int j = 0; j < 200 && blocks[i] == NULL; j++) {
            scene_pass(&scene, 1);
            blocks[i] = kw_cache_block_get(scene.worker, 40000);
        }
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, 40000);
    }

    assert_true(scene_figures(&scene).evicted_count > 3000);
    for (size_t i = 0; i < 32; i++) {
        kw_cache_block_put(scene.worker, blocks[i], 40000);
    }
    scene_close(&scene);
}

KW_TEST(cache_refuses_options_and_values_that_can_not_be)
{
    struct cache_scene scene;
    struct kw_cache *cache = NULL;
    struct kw_cache_options options = {.memory_max_bytes = KW_CACHE_MEMORY_MIN_BYTES - 1,
                                       .workers_max = 1};
    assert_int_equal(kw_cache_new(&options, &cache), KW_E_INVALID);
    options = (struct kw_cache_options){.memory_max_bytes = KW_CACHE_MEMORY_MIN_BYTES};
    assert_int_equal(kw_cache_new(&options, &cache), KW_E_INVALID);
    assert_null(cache);

    scene_open(&scene, KW_CACHE_MEMORY_MIN_BYTES, KW_CACHE_BALANCED);
    struct kw_cache_key key = scene_key(&scene, "large", "");
    assert_int_equal(scene_put_bytes(&scene, &key, 512 * 1024, 0), KW_E_FULL);
    scene_put(&scene, "a", "still works");
    scene_expect(&scene, "a", "still works");
    scene_close(&scene);
}

KW_TEST(cache_takes_names_and_values_of_every_length)
{
    static char text[70000];
    const size_t lengths[] = {0, 1, 254, 255, 256, 16384, 16385, 65535, 65536, 70000};
    struct cache_scene scene;
    memset(text, 'k', sizeof text);
    scene_open(&scene, 8 * A_MIB, KW_CACHE_BALANCED);

    for (size_t i = 0; i < 10; i++) {
        for (size_t j = 0; j < 10; j++) {
            struct kw_cache_found found;
            struct kw_cache_key key = kw_cache_key(scene.worker, kw_bytes_of(text, lengths[i]),
                                                   kw_bytes_of(text, lengths[j] % 65536));
            struct kw_cache_value value = {.bytes = {text, lengths[j]}};
            assert_int_equal(kw_cache_put(scene.worker, &key, &value), KW_OK);
            assert_true(kw_cache_get(scene.worker, &key, &found));
            assert_true(kw_bytes_equal(found.value, value.bytes));
            scene_pass(&scene, 1);
        }
    }

    scene_close(&scene);
}

static void count_entry(void *user, struct kw_bytes name, const struct kw_cache_found *found)
{
    uint8_t *seen = user;
    unsigned number = 0;

    assert_true(found->value.len == 10);
    for (size_t i = 4; i < name.len; i++) {
        number = number * 10 + (unsigned)(name.data[i] - '0');
    }
    seen[number] = 1;
}

KW_TEST(cache_scan_sees_all_that_stays_while_it_grows)
{
    static uint8_t seen[40000];
    struct cache_scene scene;
    unsigned count = 5000;
    memset(seen, 0, sizeof seen);
    scene_open(&scene, 32 * A_MIB, KW_CACHE_KEEP);
    for (unsigned i = 0; i < count; i++) {
        struct kw_cache_key key = scene_numbered(&scene, i);
        assert_int_equal(scene_put_bytes(&scene, &key, 10, 0), KW_OK);
    }

    uint64_t cursor = 0;
    do {
        cursor = kw_cache_scan(scene.worker, cursor, count_entry, seen);
        for (unsigned i = 0; i < 20 && count < 40000; i++) {
            struct kw_cache_key key = scene_numbered(&scene, count++);
            assert_int_equal(scene_put_bytes(&scene, &key, 10, 0), KW_OK);
        }
    } while (cursor != 0);

    for (unsigned i = 0; i < 5000; i++) {
        assert_int_equal(seen[i], 1);
    }
    scene_close(&scene);
}

KW_TEST(cache_in_huge_or_locked_pages_works_or_says_that_the_system_refuses)
{
    for (int i = 1; i < 4; i++) {
        struct kw_cache *cache = NULL;
        struct kw_cache_options options = {.memory_max_bytes = 4 * A_MIB,
                                           .workers_max = 1,
                                           .has_huge_pages = (i & 1) != 0,
                                           .is_locked = (i & 2) != 0};
        enum kw_status status = kw_cache_new(&options, &cache);
        assert_true(status == KW_OK || (options.is_locked && status == KW_E_SYSTEM));
        if (status != KW_OK) {
            assert_null(cache);
            continue;
        }
        struct cache_scene scene = {.cache = cache, .worker = kw_cache_join(cache, 1)};
        scene_put(&scene, "a", "b");
        scene_expect(&scene, "a", "b");
        scene_close(&scene);
    }
}
