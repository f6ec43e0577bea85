/* test_arena.c - a heap with a ceiling. */
#include "base/arena.h"
#include "tests/unit/kw_test.h"

#include <string.h>

enum { CEILING = 4 * 1024 * 1024, BLOCKS_MAX = 100000 };

static void *blocks[BLOCKS_MAX];

KW_TEST(arena_refuses_at_its_ceiling_and_gives_again_what_was_put_back)
{
    struct kw_arena arena;
    struct kw_arena_options options = {.ceiling_bytes = CEILING};
    assert_int_equal(kw_arena_init(&arena, &options), KW_OK);
    unsigned tray = kw_arena_tray_new(&arena);

    for (int round = 0; round < 3; round++) {
        size_t size_bytes = (size_t)100 << (4 * round);
        size_t count = 0;
        while (count < BLOCKS_MAX) {
            void *block = kw_arena_get(&arena, tray, size_bytes);
            if (block == NULL) {
                break;
            }
            memset(block, 0xaa, size_bytes);
            assert_true(kw_arena_ref(&arena, block) != 0);
            assert_ptr_equal(kw_arena_at(&arena, kw_arena_ref(&arena, block)), block);
            blocks[count++] = block;
        }
        struct kw_arena_figures figures = kw_arena_figures(&arena);
        assert_true(figures.resident_bytes <= CEILING);
        assert_true(figures.mapped_bytes <= kw_arena_room_bytes(&arena));
#ifndef KW_NO_JEMALLOC
        /* Sizes change from round to round: pages must find each other again. */
        assert_true(count * size_bytes > CEILING * 2 / 3);
#endif
        while (count > 0) {
            kw_arena_put(&arena, tray, blocks[--count], size_bytes);
        }
        kw_arena_tray_flush(&arena, tray);
        assert_int_equal(kw_arena_figures(&arena).allocated_bytes, 0);
    }
    kw_arena_tray_free(&arena, tray);
    kw_arena_deinit(&arena);
}

KW_TEST(arena_refuses_ceilings_that_refs_can_not_name)
{
    struct kw_arena arena;
    struct kw_arena_options options = {.ceiling_bytes = 1024};

    assert_int_equal(kw_arena_init(&arena, &options), KW_E_INVALID);
    options.ceiling_bytes = (size_t)1 << 40;
    assert_int_equal(kw_arena_init(&arena, &options), KW_E_INVALID);
}
