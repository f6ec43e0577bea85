/* Bringing near what is about to be looked up: it changes nothing, and says what is there. */
#include "tests/unit/cache/scene.h"

enum { NAMES = 3000 };

static struct kw_bytes name_of(char *text, size_t size, unsigned number)
{
    return kw_bytes_of(text, (size_t)snprintf(text, size, "name:%u", number));
}

/* Which of the names from FIRST on may be there. */
static unsigned prepare(struct cache_scene *scene, unsigned first)
{
    char texts[KW_CACHE_PREPARE_MAX][24];
    struct kw_bytes names[KW_CACHE_PREPARE_MAX];

    for (unsigned i = 0; i < KW_CACHE_PREPARE_MAX; i++) {
        names[i] = name_of(texts[i], sizeof texts[i], first + i);
    }
    return kw_cache_prepare(scene->worker, names, KW_CACHE_PREPARE_MAX, false, NULL);
}

KW_TEST(prepare_finds_nothing_in_an_empty_cache)
{
    struct cache_scene scene;

    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    assert_int_equal(prepare(&scene, 0), 0);
    assert_int_equal(kw_cache_prepare(scene.worker, NULL, 0, true, NULL), 0);
    scene_close(&scene);
}

KW_TEST(prepare_sees_nearly_all_that_is_there_and_nothing_else)
{
    struct cache_scene scene;
    char text[24];
    unsigned found = 0;
    unsigned strangers = 0;

    scene_open(&scene, 8 * A_MIB, KW_CACHE_BALANCED);
    for (unsigned i = 0; i < NAMES; i++) {
        struct kw_cache_key key =
            kw_cache_key(scene.worker, name_of(text, sizeof text, i), kw_bytes_of("", 0));
        struct kw_cache_value value = {.bytes = KW_BYTES("value")};
        assert_int_equal(kw_cache_put(scene.worker, &key, &value), KW_OK);
    }
    for (unsigned i = 0; i + KW_CACHE_PREPARE_MAX <= NAMES; i += KW_CACHE_PREPARE_MAX) {
        found += (unsigned)__builtin_popcount(prepare(&scene, i));
        strangers += (unsigned)__builtin_popcount(prepare(&scene, NAMES + i));
    }
    /* Very long chains are left out, and 16 bits of a hash may be those of another. */
    assert_true(found > NAMES * 98 / 100);
    assert_true(strangers < 20);
    scene_close(&scene);
}

KW_TEST(prepare_says_which_are_there)
{
    struct cache_scene scene;
    char text[24];
    unsigned wanted = 0;

    scene_open(&scene, 4 * A_MIB, KW_CACHE_BALANCED);
    for (unsigned i = 0; i < KW_CACHE_PREPARE_MAX; i += 1 + i % 4) {
        struct kw_cache_key key =
            kw_cache_key(scene.worker, name_of(text, sizeof text, i), kw_bytes_of("", 0));
        struct kw_cache_value value = {.bytes = KW_BYTES("value")};
        assert_int_equal(kw_cache_put(scene.worker, &key, &value), KW_OK);
        wanted |= 1u << i;
    }
    assert_int_equal(prepare(&scene, 0), wanted);
    scene_close(&scene);
}
