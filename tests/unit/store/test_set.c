/* test_set.c - sets through their commands; replies are compared with redis's elsewhere. */
#include "tests/unit/store/scene.h"

static struct store_scene scene_of_test;

static struct store_scene *scene_new(void)
{
    store_scene_open(&scene_of_test);
    return &scene_of_test;
}

KW_TEST(a_set_of_numbers_is_in_order)
{
    struct store_scene *scene = scene_new();

    store_scene_expect(scene, "SADD s 3 -1 70000 2", ":4");
    store_scene_expect(scene, "SMEMBERS s", "*4 $2 -1 $1 2 $1 3 $5 70000");
    store_scene_run(scene, "SADD t 2 5");
    scene->proto = 3;
    store_scene_expect(scene, "SUNION t s", "~5 $2 -1 $1 2 $1 3 $1 5 $5 70000");
    store_scene_expect(scene, "SDIFF s t", "~3 $2 -1 $1 3 $5 70000");
    store_scene_close(scene);
}

KW_TEST(changes_of_sets_are_told_of_as_redis_does)
{
    struct store_scene *scene = scene_new();

    store_scene_run(scene, "SADD s a b c d");
    store_scene_run(scene, "SADD s a");
    store_scene_run(scene, "SREM s x");
    store_scene_run(scene, "SREM s a");
    store_scene_run(scene, "SMOVE s t b");
    store_scene_run(scene, "SPOP s");
    store_scene_run(scene, "SPOP s");
    store_scene_expect_events(scene, "sadd s, srem s, srem s, sadd t, spop s, spop s, del s");
    store_scene_run(scene, "SADD s a b");
    store_scene_run(scene, "SPOP s 5");
    store_scene_run(scene, "SUNIONSTORE u t none");
    store_scene_run(scene, "SINTERSTORE u t none");
    store_scene_run(scene, "SDIFFSTORE u none");
    store_scene_run(scene, "SMOVE t s b");
    store_scene_expect_events(scene, "sadd s, spop s, del s, sunionstore u, del u, "
                                     "srem t, del t, sadd s");
    store_scene_close(scene);
}

KW_TEST(spop_takes_every_member_once)
{
    struct store_scene *scene = scene_new();
    bool is_gone[600] = {false};
    char line[64];

    for (unsigned round = 0; round < 2; round++) { /* numbers, then strings */
        memset(is_gone, 0, sizeof is_gone);
        for (unsigned i = 0; i < 600; i++) {
            (void)snprintf(line, sizeof line, round == 0 ? "SADD s %u" : "SADD s m%u", i);
            store_scene_run(scene, line);
        }
        for (unsigned left = 600; left > 0;) {
            unsigned count = left > 7 ? 7 : left;
            (void)snprintf(line, sizeof line, "SPOP s %u", count);
            const char *at = store_scene_run(scene, line);
            for (unsigned i = 0; i < count; i++) {
                unsigned number = 0;
                at = strchr(at + 1, '$');
                assert_non_null(at);
                assert_int_equal(sscanf(at, round == 0 ? "$%*u %u" : "$%*u m%u", &number), 1);
                assert_true(number < 600 && !is_gone[number]);
                is_gone[number] = true;
            }
            left -= count;
            (void)snprintf(line, sizeof line, ":%u", left);
            store_scene_expect(scene, "SCARD s", line);
        }
        store_scene_expect(scene, "EXISTS s", ":0");
    }
    store_scene_close(scene);
}

KW_TEST(a_scan_of_a_large_set_finds_every_member)
{
    struct store_scene *scene = scene_new();
    bool is_found[3000] = {false};
    char line[64];
    unsigned long long cursor = 0;
    unsigned steps = 0;

    for (unsigned i = 0; i < 3000; i++) {
        (void)snprintf(line, sizeof line, "SADD s m%u", i);
        store_scene_run(scene, line);
    }
    do {
        (void)snprintf(line, sizeof line, "SSCAN s %llu COUNT 50", cursor);
        const char *at = store_scene_run(scene, line);
        assert_int_equal(sscanf(at, "*2 $%*u %llu", &cursor), 1);
        while ((at = strstr(at, " m")) != NULL) {
            unsigned number = 0;
            assert_int_equal(sscanf(at, " m%u", &number), 1);
            is_found[number] = true;
            at++;
        }
        steps++;
    } while (cursor != 0);
    for (unsigned i = 0; i < 3000; i++) {
        assert_true(is_found[i]);
    }
    assert_in_range(steps, 20, 90);
    store_scene_close(scene);
}
