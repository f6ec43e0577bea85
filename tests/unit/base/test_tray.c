/* test_tray.c - a thread's free blocks: given again, and given back. */
#include "base/tray.h"
#include "tests/unit/kw_test.h"

#include <string.h>

enum { CEILING = 8 * 1024 * 1024, BLOCKS_MAX = 4000 };

static void tray_open(struct kw_arena *arena, struct kw_tray *tray)
{
    struct kw_arena_options options = {.ceiling_bytes = CEILING};

    assert_int_equal(kw_arena_init(arena, &options), KW_OK);
    kw_tray_open(tray, arena);
}

static void tray_close(struct kw_arena *arena, struct kw_tray *tray)
{
    kw_tray_close(tray);
    assert_int_equal(kw_arena_figures(arena).allocated_bytes, 0);
    kw_arena_deinit(arena);
}

KW_TEST(tray_gives_blocks_of_every_size_that_nobody_else_has)
{
    struct kw_arena arena;
    struct kw_tray tray;
    static unsigned char *blocks[BLOCKS_MAX];

    tray_open(&arena, &tray);
    for (unsigned round = 0; round < 4; round++) {
        /* Sizes of the rounds differ, but share classes: a block serves another size next time. */
        for (unsigned i = 0; i < BLOCKS_MAX; i++) {
            size_t size_bytes = 1 + (i * 7 + round) % 1200;
            blocks[i] = kw_tray_get(&tray, size_bytes);
            assert_non_null(blocks[i]);
            memset(blocks[i], (int)(i % 251), size_bytes);
        }
        for (unsigned i = 0; i < BLOCKS_MAX; i++) {
            size_t size_bytes = 1 + (i * 7 + round) % 1200;
            assert_int_equal(blocks[i][0], i % 251);
            assert_int_equal(blocks[i][size_bytes - 1], i % 251);
            kw_tray_put(&tray, blocks[i], size_bytes);
        }
    }
    tray_close(&arena, &tray);
}

KW_TEST(tray_keeps_a_small_part_of_the_arena)
{
    struct kw_arena arena;
    struct kw_tray tray;
    static void *blocks[BLOCKS_MAX];

    tray_open(&arena, &tray);
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        blocks[i] = kw_tray_get(&tray, 200);
    }
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        kw_tray_put(&tray, blocks[i], 200);
    }
    assert_true(tray.bytes <= kw_arena_room_bytes(&arena) / 64);
    kw_tray_flush(&tray);
    assert_int_equal(tray.bytes, 0);
    assert_int_equal(kw_arena_figures(&arena).allocated_bytes, 0);
    tray_close(&arena, &tray);
}

KW_TEST(arena_block_bytes_are_what_a_block_takes)
{
    struct kw_arena arena;
    struct kw_tray tray;

    tray_open(&arena, &tray);
    for (size_t size_bytes = 1; size_bytes < 20000; size_bytes += size_bytes < 1500 ? 1 : 97) {
        size_t before = kw_arena_figures(&arena).allocated_bytes;
        void *block = kw_arena_get_low(&arena, size_bytes);
        assert_int_equal(kw_arena_figures(&arena).allocated_bytes - before,
                         kw_arena_block_bytes(size_bytes));
        kw_arena_put_low(&arena, block, size_bytes);
    }
    tray_close(&arena, &tray);
}
