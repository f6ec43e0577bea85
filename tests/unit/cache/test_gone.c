/* test_gone.c - the user is told of each entry that expiry or eviction removed, once. */
#include "tests/unit/cache/scene.h"

enum { GONE_MAX = 20000 };

struct witness {
    struct cache_scene scene;
    struct kw_cache_worker *worker; /* that it was told on, last */
    unsigned counts[2];             /* by reason */
    uint8_t times[GONE_MAX];        /* each numbered key was told */
    char last[64];
    size_t value_len;
    bool may_write;
    unsigned written_count;
};

static struct witness witness_of_test;

static void witness_on_gone(void *user, struct kw_cache_worker *worker, enum kw_cache_reason reason,
                            struct kw_bytes name, const struct kw_cache_found *found)
{
    struct witness *witness = user;
    unsigned number = 0;

    witness->worker = worker;
    witness->counts[reason]++;
    assert_true(name.len < sizeof witness->last);
    memcpy(witness->last, name.data, name.len);
    witness->last[name.len] = '\0';
    witness->value_len = found->value.len;
    if (sscanf(witness->last, "key:%u", &number) == 1 && number < GONE_MAX) {
        witness->times[number]++;
    }
    struct kw_cache_key key = kw_cache_key(worker, name, kw_bytes_of(NULL, 0));
    struct kw_cache_found again;
    /* Only a write to that very key may have come in between. */
    bool is_there = kw_cache_peek(worker, &key, &again);
    assert_true(!is_there || again.entry != found->entry);
    if (witness->may_write) {
        struct kw_cache_key seen = kw_cache_key(worker, KW_BYTES("seen"), kw_bytes_of(NULL, 0));
        struct kw_cache_value value = {.bytes = name};
        enum kw_status status = kw_cache_put(worker, &seen, &value);
        assert_true(status == KW_OK || status == KW_E_MEMORY);
        witness->written_count += status == KW_OK;
        assert_false(kw_cache_remove(worker, &key));
    }
}

static struct witness *witness_open(struct kw_cache_options options)
{
    struct witness *witness = &witness_of_test;

    memset(witness, 0, sizeof *witness);
    options.on_gone = witness_on_gone;
    options.user = witness;
    scene_open_with(&witness->scene, options);
    return witness;
}

KW_TEST(gone_tells_of_each_expired_entry_once_on_the_worker_that_collects_it)
{
    struct witness *witness = witness_open(
        (struct kw_cache_options){.memory_max_bytes = 16 * A_MIB, .policy = KW_CACHE_KEEP});
    struct cache_scene *scene = &witness->scene;
    for (unsigned i = 0; i < 1000; i++) {
        struct kw_cache_key key = scene_numbered(scene, i);
        assert_int_equal(scene_put_bytes(scene, &key, i, scene->now_ms + (i < 600 ? 50 : 500)),
                         KW_OK);
    }

    scene_pass(scene, 49);
    assert_int_equal(witness->counts[KW_CACHE_EXPIRED], 0);
    scene_pass(scene, 1);
    for (int i = 0; i < 50; i++) {
        scene_pass(scene, 1);
    }

    assert_int_equal(witness->counts[KW_CACHE_EXPIRED], 600);
    assert_int_equal(witness->counts[KW_CACHE_EVICTED], 0);
    assert_ptr_equal(witness->worker, scene->worker);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(witness->times[i], i < 600);
    }
    assert_int_equal(scene_figures(scene).expired_count, 600);
    scene_close(scene);
    assert_int_equal(witness->counts[KW_CACHE_EXPIRED], 600);
}

KW_TEST(gone_tells_of_a_write_to_what_is_over_before_the_write_returns)
{
    struct witness *witness = witness_open(
        (struct kw_cache_options){.memory_max_bytes = 4 * A_MIB, .policy = KW_CACHE_KEEP});
    struct cache_scene *scene = &witness->scene;
    struct kw_cache_key key = scene_key(scene, "a", "");
    assert_int_equal(scene_put_bytes(scene, &key, 7, scene->now_ms), KW_OK);

    scene_put(scene, "a", "next");

    assert_int_equal(witness->counts[KW_CACHE_EXPIRED], 1);
    assert_string_equal(witness->last, "a");
    assert_int_equal(witness->value_len, 7);
    scene_put(scene, "a", "other"); /* replaced before its time: no end that is told */
    assert_true(kw_cache_remove(scene->worker, &key));
    assert_int_equal(scene_put_bytes(scene, &key, 8, scene->now_ms), KW_OK);
    assert_false(kw_cache_remove(scene->worker, &key));
    assert_int_equal(witness->counts[KW_CACHE_EXPIRED], 2);
    assert_int_equal(witness->value_len, 8);
    scene_close(scene);
}

KW_TEST(gone_tells_of_each_evicted_entry_once_and_of_no_other)
{
    for (unsigned policy = 0; policy < KW_CACHE_KEEP; policy++) {
        struct witness *witness = witness_open((struct kw_cache_options){
            .memory_max_bytes = 4 * A_MIB, .policy = (enum kw_cache_policy)policy});
        struct cache_scene *scene = &witness->scene;
        for (unsigned i = 0; i < 6000; i++) {
            struct kw_cache_key key = scene_numbered(scene, i);
            assert_int_equal(scene_put_bytes(scene, &key, 1000, 0), KW_OK);
        }

        for (unsigned i = 0; i < 6000; i++) {
            struct kw_cache_key key = scene_numbered(scene, i);
            assert_int_equal(witness->times[i], !scene_has(scene, &key));
        }
        assert_int_equal(witness->counts[KW_CACHE_EVICTED], scene_figures(scene).evicted_count);
        assert_int_equal(witness->counts[KW_CACHE_EXPIRED], 0);
        scene_close(scene);
    }
}

KW_TEST(gone_lets_the_callback_look_up_put_and_remove)
{
    struct witness *witness = witness_open(
        (struct kw_cache_options){.memory_max_bytes = 4 * A_MIB, .policy = KW_CACHE_LRU});
    struct cache_scene *scene = &witness->scene;
    witness->may_write = true;

    for (unsigned i = 0; i < 6000; i++) {
        struct kw_cache_key key = scene_numbered(scene, i);
        assert_int_equal(scene_put_bytes(scene, &key, 1000, 0), KW_OK);
    }

    assert_true(witness->counts[KW_CACHE_EVICTED] > 2000);
    assert_true(witness->written_count > 10);
    struct kw_cache_key key = scene_key(scene, "seen", "");
    assert_true(scene_has(scene, &key));
    scene_close(scene);
}

KW_TEST(gone_says_nothing_of_flushes_closed_domains_and_fills)
{
    struct witness *witness =
        witness_open((struct kw_cache_options){.memory_max_bytes = 4 * A_MIB});
    struct cache_scene *scene = &witness->scene;
    uint16_t domain = 0;
    uint64_t token = 0;
    assert_int_equal(kw_cache_domain_open(scene->worker, &domain), KW_OK);
    for (unsigned i = 0; i < 300; i++) {
        struct kw_cache_key key = scene_numbered(scene, i);
        struct kw_cache_value value = {.bytes = KW_BYTES("v"),
                                       .deadline_ms = scene->now_ms + 10,
                                       .domain = i < 100 ? domain : 0};
        if (i < 200) {
            assert_int_equal(kw_cache_put(scene->worker, &key, &value), KW_OK);
        } else {
            assert_int_equal(kw_cache_fill_begin(scene->worker, &key, &token), KW_OK);
        }
    }

    kw_cache_domain_close(scene->worker, domain);
    scene_pass(scene, 20);
    assert_int_equal(witness->counts[KW_CACHE_EXPIRED], 100);
    scene_put(scene, "a", "b");
    kw_cache_flush(scene->worker);
    scene_pass(scene, 20000);
    for (int i = 0; i < 100; i++) {
        scene_pass(scene, 1);
    }

    assert_int_equal(witness->counts[KW_CACHE_EXPIRED], 100);
    assert_int_equal(witness->counts[KW_CACHE_EVICTED], 0);
    scene_close(scene);
}

KW_TEST(gone_callbacks_know_whose_worker_they_are_on)
{
    struct cache_scene scene;
    int owner = 0;
    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    assert_null(kw_cache_worker_owner(scene.worker));

    kw_cache_worker_set_owner(scene.worker, &owner);

    assert_ptr_equal(kw_cache_worker_owner(scene.worker), &owner);
    kw_cache_leave(&scene.worker);
    scene.worker = kw_cache_join(scene.cache, 1);
    assert_null(kw_cache_worker_owner(scene.worker));
    scene_close(&scene);
}
