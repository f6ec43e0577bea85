/* scene.h - a small cache and one worker, for tests of the cache. */
#ifndef KW_TESTS_UNIT_CACHE_SCENE_H
#define KW_TESTS_UNIT_CACHE_SCENE_H

#include "cache/cache_extra.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>

enum { A_MIB = 1024 * 1024 };

struct cache_scene {
    struct kw_cache *cache;
    struct kw_cache_worker *worker;
    uint64_t now_ms;
    char name[64];
};

static inline void scene_open_with(struct cache_scene *scene, struct kw_cache_options options)
{
    options.seed = options.seed == 0 ? 99 : options.seed;
    options.workers_max = options.workers_max == 0 ? 4 : options.workers_max;
    scene->now_ms = 1000;
    assert_int_equal(kw_cache_new(&options, &scene->cache), KW_OK);
    scene->worker = kw_cache_join(scene->cache, scene->now_ms);
    assert_non_null(scene->worker);
}

static inline void scene_open(struct cache_scene *scene, size_t memory_bytes,
                              enum kw_cache_policy policy)
{
    scene_open_with(scene,
                    (struct kw_cache_options){.memory_max_bytes = memory_bytes, .policy = policy});
}

static inline void scene_close(struct cache_scene *scene)
{
    if (scene->worker != NULL) {
        kw_cache_leave(&scene->worker);
    }
    kw_cache_free(&scene->cache);
}

static inline struct kw_cache_figures scene_figures(struct cache_scene *scene)
{
    struct kw_cache_figures figures;

    kw_cache_figures(scene->cache, &figures);
    assert_true(figures.resident_bytes <= figures.memory_max_bytes);
    return figures;
}

/* Time passes, and everybody ticks often enough for what was removed to be freed. */
static inline void scene_pass(struct cache_scene *scene, uint64_t ms)
{
    scene->now_ms += ms;
    for (int i = 0; i < 4; i++) {
        kw_cache_tick(scene->worker, scene->now_ms);
    }
}

static inline struct kw_cache_key scene_key(struct cache_scene *scene, const char *name,
                                            const char *variant)
{
    return kw_cache_key(scene->worker, kw_bytes_of_text(name), kw_bytes_of_text(variant));
}

static inline struct kw_cache_key scene_numbered(struct cache_scene *scene, unsigned number)
{
    size_t len = (size_t)snprintf(scene->name, sizeof scene->name, "key:%u", number);

    return kw_cache_key(scene->worker, kw_bytes_of(scene->name, len), kw_bytes_of(NULL, 0));
}

static inline void scene_put(struct cache_scene *scene, const char *name, const char *text)
{
    struct kw_cache_key key = scene_key(scene, name, "");
    struct kw_cache_value value = {.bytes = kw_bytes_of_text(text)};

    assert_int_equal(kw_cache_put(scene->worker, &key, &value), KW_OK);
}

/* LEN bytes under KEY, with ticks while there is no room. */
static inline enum kw_status scene_put_bytes(struct cache_scene *scene,
                                             const struct kw_cache_key *key, size_t len,
                                             uint64_t deadline_ms)
{
    static const char bytes[512 * 1024];
    struct kw_cache_value value = {.bytes = {bytes, len}, .deadline_ms = deadline_ms};
    enum kw_status status = kw_cache_put(scene->worker, key, &value);

    for (int i = 0; i < 64 && status == KW_E_MEMORY; i++) {
        scene_pass(scene, 0);
        status = kw_cache_put(scene->worker, key, &value);
    }
    return status;
}

static inline bool scene_has(struct cache_scene *scene, const struct kw_cache_key *key)
{
    struct kw_cache_found found;

    return kw_cache_get(scene->worker, key, &found);
}

/* Is TEXT under NAME? NULL: is nothing there? */
static inline void scene_expect(struct cache_scene *scene, const char *name, const char *text)
{
    struct kw_cache_key key = scene_key(scene, name, "");
    struct kw_cache_found found;
    bool is_found = kw_cache_get(scene->worker, &key, &found);

    assert_int_equal(is_found, text != NULL);
    if (is_found && text != NULL) {
        assert_true(kw_bytes_equal(found.value, kw_bytes_of_text(text)));
    }
}

#endif
