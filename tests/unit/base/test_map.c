/* test_map.c - what is put in is found again, under whatever hashes. */
#include "tests/unit/kw_test.h"

#include "base/map.h"

enum { THINGS = 1000 };

struct thing {
    int number;
    struct kw_map_link link; /* not first on purpose */
};

static struct thing things[THINGS];

static struct thing *find(const struct kw_map *map, uint64_t hash, int number)
{
    for (struct kw_map_link *link = kw_map_first(map, hash); link != NULL;
         link = kw_map_next(link)) {
        struct thing *thing = KW_MAP_ENTRY(link, struct thing, link);
        if (thing->number == number) {
            return thing;
        }
    }
    return NULL;
}

/* Hashes of which DIVISOR things each share one. */
static void fill_and_empty(int divisor)
{
    struct kw_map map;

    kw_map_init(&map);
    for (int i = 0; i < THINGS; i++) {
        things[i].number = i;
        kw_map_add(&map, &things[i].link, (uint64_t)(i / divisor) * 0x9e3779b97f4a7c15ull);
    }
    assert_int_equal(map.count, THINGS);
    for (int i = 0; i < THINGS; i++) {
        uint64_t hash = (uint64_t)(i / divisor) * 0x9e3779b97f4a7c15ull;
        assert_ptr_equal(find(&map, hash, i), &things[i]);
        assert_null(find(&map, hash, THINGS));
        if (i % 2 == 0) {
            kw_map_remove(&map, &things[i].link);
            assert_null(find(&map, hash, i));
        }
    }
    assert_int_equal(map.count, THINGS / 2);
    for (uint64_t start = 7; map.count > 0; start += 13) {
        struct kw_map_link *any = kw_map_any(&map, start);
        assert_int_equal(KW_MAP_ENTRY(any, struct thing, link)->number % 2, 1);
        kw_map_remove(&map, any);
    }
    assert_null(kw_map_any(&map, 0));
    kw_map_deinit(&map);
}

KW_TEST(map_finds_what_was_put_in_and_nothing_else)
{
    fill_and_empty(1);
}

KW_TEST(map_tells_elements_with_one_hash_apart)
{
    fill_and_empty(10);
}

KW_TEST(map_without_elements_holds_no_memory)
{
    struct kw_map map;

    kw_map_init(&map);
    assert_null(kw_map_first(&map, 1));
    assert_null(map.buckets);
    kw_map_deinit(&map);
}
