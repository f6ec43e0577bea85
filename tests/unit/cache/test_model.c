/* test_model.c - long random runs beside a simple model of what a cache may and must answer.
 *
 * The model knows each key's last value and deadline. The cache may have forgotten a key (unless
 * it keeps everything), but what it answers must be the last value, and never one that was
 * removed, flushed, closed or is over.
 */
#include "cache/internal.h"
#include "tests/unit/cache/scene.h"

enum { MODEL_KEYS = 3000, MODEL_STEPS = 150000, VALUE_MAX_BYTES = 40000 };

struct model_entry {
    uint64_t deadline_ms; /* 0: none */
    uint32_t version;     /* 0: absent */
    uint32_t len;
    uint16_t domain;
};

struct model {
    struct cache_scene scene;
    struct model_entry entries[MODEL_KEYS];
    uint64_t state;
    uint32_t version;
    uint16_t domain;
    char bytes[VALUE_MAX_BYTES];
    uint64_t found_count;
};

static struct model model_of_test;

static uint32_t model_random(struct model *model, uint32_t below)
{
    model->state = model->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((model->state >> 33) % below);
}

static bool model_is_over(const struct model *model, const struct model_entry *entry)
{
    return entry->version == 0 ||
           (entry->deadline_ms != 0 && entry->deadline_ms <= model->scene.now_ms);
}

static void model_put(struct model *model, unsigned number)
{
    struct model_entry *entry = &model->entries[number];
    struct kw_cache_key key = scene_numbered(&model->scene, number);
    uint32_t kind = model_random(model, 100);
    uint32_t version = ++model->version;
    struct model_entry next = {.version = version};

    next.len = 4 + model_random(model, kind < 80 ? 200 : kind < 98 ? 3000 : VALUE_MAX_BYTES - 4);
    next.deadline_ms = kind % 3 != 0 ? 0 : model->scene.now_ms + model_random(model, 200);
    next.domain = kind % 5 == 0 ? model->domain : 0;
    memcpy(model->bytes, &version, sizeof version);
    struct kw_cache_value value = {
        .bytes = {model->bytes, next.len}, .deadline_ms = next.deadline_ms, .domain = next.domain};
    if (kw_cache_put(model->scene.worker, &key, &value) == KW_OK) {
        *entry = next;
    }
}

static void model_check(struct model *model, unsigned number, bool must_be_there)
{
    const struct model_entry *entry = &model->entries[number];
    struct kw_cache_key key = scene_numbered(&model->scene, number);
    struct kw_cache_found found;
    uint32_t version = 0;

    if (!kw_cache_get(model->scene.worker, &key, &found)) {
        assert_false(must_be_there && !model_is_over(model, entry));
        return;
    }
    assert_false(model_is_over(model, entry));
    assert_int_equal(found.value.len, entry->len);
    memcpy(&version, found.value.data, sizeof version);
    assert_int_equal(version, entry->version);
    assert_true(found.deadline_ms == entry->deadline_ms);
    model->found_count++;
}

static void model_fill(struct model *model, unsigned number)
{
    struct kw_cache_key key = scene_numbered(&model->scene, number);
    struct kw_cache_value value = {.bytes = {model->bytes, 100}};
    uint64_t token = 0;
    enum kw_status status = kw_cache_fill_begin(model->scene.worker, &key, &token);

    if (status == KW_AGAIN) {
        assert_false(model_is_over(model, &model->entries[number]));
        return;
    }
    if (status != KW_OK) {
        return;
    }
    bool is_broken = model_random(model, 2) == 0;
    if (is_broken) {
        kw_cache_invalidate(model->scene.worker, &key);
    }
    model->entries[number] = (struct model_entry){0};
    uint32_t version = ++model->version;
    memcpy(model->bytes, &version, sizeof version);
    status = kw_cache_fill_end(model->scene.worker, &key, token, &value);
    if (is_broken) {
        assert_true(status == KW_E_CLOSED || status == KW_E_MEMORY);
    } else if (status == KW_OK) {
        model->entries[number] = (struct model_entry){.version = version, .len = 100};
    }
}

static void model_forget(struct model *model, bool is_flush)
{
    if (is_flush) {
        kw_cache_flush(model->scene.worker);
    } else {
        kw_cache_domain_close(model->scene.worker, model->domain);
    }
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        if (is_flush || model->entries[i].domain == model->domain) {
            model->entries[i] = (struct model_entry){0};
        }
    }
    if (!is_flush) {
        assert_int_equal(kw_cache_domain_open(model->scene.worker, &model->domain), KW_OK);
    }
}

static void model_step(struct model *model, bool keeps_all)
{
    unsigned number = model_random(model, MODEL_KEYS);
    struct kw_cache_key key = scene_numbered(&model->scene, number);
    uint32_t what = model_random(model, 10000);

    if (what < 4500) {
        model_check(model, number, keeps_all);
    } else if (what < 8000) {
        model_put(model, number);
    } else if (what < 8500) {
        kw_cache_invalidate(model->scene.worker, &key);
        model->entries[number] = (struct model_entry){0};
    } else if (what < 8800) {
        bool was_there = !model_is_over(model, &model->entries[number]);
        bool is_removed = kw_cache_remove(model->scene.worker, &key);
        assert_true(keeps_all ? is_removed == was_there : !is_removed || was_there);
        model->entries[number] = (struct model_entry){0};
    } else if (what < 9100) {
        uint64_t deadline_ms = model->scene.now_ms + 1 + model_random(model, 300);
        if (kw_cache_expire_at(model->scene.worker, &key, deadline_ms) == KW_OK) {
            model->entries[number].deadline_ms = deadline_ms;
        }
    } else if (what < 9300) {
        model_fill(model, number);
    } else if (what < 9305) {
        model_forget(model, what < 9302);
    } else {
        scene_pass(&model->scene, model_random(model, 3));
    }
}

static void model_run(struct kw_cache_options options, uint64_t seed)
{
    struct model *model = &model_of_test;
    bool keeps_all = options.policy == KW_CACHE_KEEP;

    memset(model, 0, sizeof *model);
    model->state = seed;
    scene_open_with(&model->scene, options);
    assert_int_equal(kw_cache_domain_open(model->scene.worker, &model->domain), KW_OK);
    for (unsigned i = 0; i < MODEL_STEPS; i++) {
        model_step(model, keeps_all);
        if (i % 5000 == 0) {
            scene_figures(&model->scene); /* asserts the ceiling */
        }
    }
    assert_true(model->found_count > MODEL_STEPS / 20);

    kw_cache_flush(model->scene.worker);
    for (int i = 0; i < 600; i++) {
        scene_pass(&model->scene, 1);
    }
    struct kw_cache_figures figures = scene_figures(&model->scene);
    assert_int_equal(figures.entries_count, 0);
    assert_int_equal(figures.live_bytes, 0); /* every byte is accounted for: M1 */
    scene_close(&model->scene);
}

KW_TEST(model_agrees_with_every_policy_under_pressure)
{
    for (unsigned policy = 0; policy < KW_CACHE_KEEP; policy++) {
        model_run((struct kw_cache_options){.memory_max_bytes = KW_CACHE_MEMORY_MIN_BYTES,
                                            .policy = (enum kw_cache_policy)policy},
                  1000 + policy);
    }
}

KW_TEST(model_agrees_when_everything_is_kept)
{
    model_run((struct kw_cache_options){.memory_max_bytes = 64 * A_MIB, .policy = KW_CACHE_KEEP},
              77);
}
