/* tray.c - shelves of free blocks, by size class.
 *
 * The allocator has a store of its own for each thread, but gets at it by looking up what it must
 * know of a block: with what an entry costs otherwise, that is a third of a SET. A shelf is an
 * array. What it can't hold goes to the allocator.
 *
 * INVARIANTS
 * Y1  The blocks of a shelf are of its class, whatever sizes they were asked for.
 *
 * Sanitizer builds keep nothing on shelves: a read of a block that was given back must be seen.
 */
#include "base/tray.h"

#include "base/mem.h"
#include "base/prefetch.h"

enum {
    SMALL_BYTES = 128, /* classes are 16 bytes apart up to here, then a quarter of an octave */
    SMALL_SHELVES = 8,
    SMALL_BITS = 7,
    SHELVED_MIN_BYTES = 9, /* smaller blocks have no ref */
    SHELVED_MAX_BYTES = 1024,
    TRAY_SHARE = 128, /* the part of an arena's room */
    TRAY_MAX_BYTES = 1024 * 1024,
    SHELF_SHARE = 4,  /* the part of a tray that one shelf may have */
    SHELF_FIRST = 32, /* blocks it has room for at first */
    PREPARE_AHEAD = 4 /* a line is here within as many puts */
};

static bool size_is_shelved(size_t size_bytes);
static unsigned shelf_number(size_t size_bytes);
static void shelf_prepare(const struct kw_tray *tray, const struct kw_shelf *shelf);
static bool shelf_grow(struct kw_shelf *shelf, size_t count_max);

void kw_tray_open(struct kw_tray *tray, struct kw_arena *arena)
{
    size_t part = kw_arena_room_bytes(arena) / TRAY_SHARE;

    *tray = (struct kw_tray){.arena = arena, .number = kw_arena_tray_new(arena)};
#ifndef KW_NO_JEMALLOC
    tray->bytes_max = part < TRAY_MAX_BYTES ? part : TRAY_MAX_BYTES;
#else
    (void)part;
#endif
}

void kw_tray_close(struct kw_tray *tray)
{
    kw_tray_flush(tray);
    kw_arena_tray_free(tray->arena, tray->number);
    for (unsigned i = 0; i < KW_SHELVES; i++) {
        kw_free(tray->shelves[i].refs);
    }
    *tray = (struct kw_tray){0};
}

void *kw_tray_get(struct kw_tray *tray, size_t size_bytes)
{
    if (size_is_shelved(size_bytes)) {
        struct kw_shelf *shelf = &tray->shelves[shelf_number(size_bytes)];
        if (shelf->count > 0) {
            tray->bytes -= kw_arena_block_bytes(size_bytes);
            shelf_prepare(tray, shelf);
            return kw_arena_at(tray->arena, shelf->refs[--shelf->count]); /* Y1 */
        }
    }
    return kw_arena_get(tray->arena, tray->number, size_bytes);
}

void kw_tray_put(struct kw_tray *tray, void *block, size_t size_bytes)
{
    if (size_is_shelved(size_bytes)) {
        struct kw_shelf *shelf = &tray->shelves[shelf_number(size_bytes)];
        size_t block_bytes = kw_arena_block_bytes(size_bytes);
        if (tray->bytes + block_bytes <= tray->bytes_max &&
            (shelf->count < shelf->capacity ||
             shelf_grow(shelf, tray->bytes_max / SHELF_SHARE / block_bytes))) {
            tray->bytes += block_bytes;
            shelf->refs[shelf->count++] = kw_arena_ref(tray->arena, block); /* Y1 */
            return;
        }
    }
    kw_arena_put(tray->arena, tray->number, block, size_bytes);
}

void kw_tray_flush(struct kw_tray *tray)
{
    size_t class_bytes = SHELVED_MIN_BYTES - 1;

    for (unsigned i = 0; i < KW_SHELVES; i++) {
        struct kw_shelf *shelf = &tray->shelves[i];
        class_bytes = kw_arena_block_bytes(class_bytes + 1);
        while (shelf->count > 0) {
            kw_arena_put(tray->arena, tray->number,
                         kw_arena_at(tray->arena, shelf->refs[--shelf->count]), class_bytes);
        }
    }
    tray->bytes = 0;
    kw_arena_tray_flush(tray->arena, tray->number);
}

static bool size_is_shelved(size_t size_bytes)
{
    return size_bytes - SHELVED_MIN_BYTES <= SHELVED_MAX_BYTES - SHELVED_MIN_BYTES;
}

static unsigned shelf_number(size_t size_bytes)
{
    size_t last = size_bytes - 1;

    if (last < SMALL_BYTES) {
        return (unsigned)(last / KW_ARENA_UNIT_BYTES);
    }
    unsigned bits = 63 - (unsigned)__builtin_clzll(last); /* of the octave */
    return SMALL_SHELVES + 4 * (bits - SMALL_BITS) + (unsigned)(last >> (bits - 2) & 3);
}

/* Who gets a block fills it, and its memory is far away: near it for one of the next. */
static void shelf_prepare(const struct kw_tray *tray, const struct kw_shelf *shelf)
{
    if (shelf->count > PREPARE_AHEAD) {
        const char *block = kw_arena_at(tray->arena, shelf->refs[shelf->count - 1 - PREPARE_AHEAD]);
        kw_prefetch_write(block);
        kw_prefetch_write(block + KW_LINE_BYTES);
    }
}

static bool shelf_grow(struct kw_shelf *shelf, size_t count_max)
{
    uint32_t capacity = shelf->capacity == 0 ? SHELF_FIRST : 2 * shelf->capacity;

    if (capacity > count_max) {
        return false;
    }
    shelf->refs = kw_realloc(shelf->refs, capacity * sizeof shelf->refs[0]);
    shelf->capacity = capacity;
    return true;
}
