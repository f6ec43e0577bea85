/* test_pool.c - free lists: objects are used again, counted, and bounded. */
#include "base/mem.h"
#include "base/pool.h"
#include "tests/unit/kw_test.h"

#include <string.h>

struct thing {
    char bytes[48];
};

KW_TEST(pool_gives_an_object_that_came_back_out_again)
{
    struct kw_pool pool;

    kw_pool_init(&pool, sizeof(struct thing), 4);
    void *first = kw_pool_get(&pool);
    memset(first, 'x', sizeof(struct thing));
    kw_pool_put(&pool, first);
    uint64_t before = kw_mem_allocations_count();
    void *second = kw_pool_get(&pool);

    assert_ptr_equal(second, first);
    assert_int_equal(kw_mem_allocations_count(), before);
    assert_int_equal(pool.created_count, 1);
    kw_pool_put(&pool, second);
    kw_pool_deinit(&pool);
}

KW_TEST(pool_keeps_so_many_in_reserve_and_no_more)
{
    struct kw_pool pool;
    void *things[5];

    kw_pool_init(&pool, sizeof(struct thing), 4);
    for (int i = 0; i < 5; i++) {
        things[i] = kw_pool_get(&pool);
    }
    assert_int_equal(pool.in_use_count, 5);
    for (int i = 0; i < 4; i++) {
        kw_pool_put(&pool, things[i]);
    }
    assert_int_equal(pool.free_count, 4);
    kw_pool_put(&pool, things[4]);

    assert_int_equal(pool.free_count, 4);
    assert_int_equal(pool.in_use_count, 0);
    kw_pool_deinit(&pool);
    assert_int_equal(pool.free_count, 0);
    assert_null(pool.free);
}

KW_TEST(pool_objects_are_apart)
{
    struct kw_pool pool;
    struct thing *things[100];

    kw_pool_init(&pool, sizeof(struct thing), 100);
    for (int round = 0; round < 2; round++) { /* new ones, then used ones */
        for (int i = 0; i < 100; i++) {
            things[i] = kw_pool_get(&pool);
            memset(things[i], i, sizeof(struct thing));
        }
        for (int i = 0; i < 100; i++) {
            assert_int_equal(things[i]->bytes[0], i);
            assert_int_equal(things[i]->bytes[47], i);
            kw_pool_put(&pool, things[i]);
        }
    }
    assert_int_equal(pool.created_count, 100);
    kw_pool_deinit(&pool);
}
