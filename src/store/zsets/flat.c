/* flat.c - see flat.h.
 *
 *     [head][score][member] [head][score][member] ...
 *
 * The head is a byte that has the member's length, 0 to 64, and how the score lies: as a number of
 * 2 bytes, of 4 bytes, or as a double; head = length + 65 x form. -0 becomes 0, as in redis.
 */
#include "store/zsets/flat.h"

#include "base/arena.h"
#include "base/assert.h"

#include <math.h>

enum {
    FLAT_FORMS = KW_FLAT_MEMBER_MAX + 1, /* distance between the heads of two forms */
    FLAT_HEAD_MAX = 9
};

static size_t flat_write_head(char *head, double score, size_t member_len);

void kw_flat_read(const struct kw_flat *flat, uint32_t offset, struct kw_flat_item *item)
{
    const char *at = flat->block + offset;
    uint32_t len = (unsigned char)at[0];

    at++;
    if (len < FLAT_FORMS) {
        int16_t score;
        memcpy(&score, at, sizeof score);
        item->score = score;
        at += sizeof score;
    } else if (len < 2 * FLAT_FORMS) {
        int32_t score;
        memcpy(&score, at, sizeof score);
        item->score = score;
        at += sizeof score;
        len -= FLAT_FORMS;
    } else {
        memcpy(&item->score, at, sizeof item->score);
        at += sizeof item->score;
        len -= 2 * FLAT_FORMS;
    }
    item->member = kw_bytes_of(at, len);
    item->offset = offset;
    item->end = (uint32_t)(at + len - flat->block);
}

void kw_flat_at(const struct kw_flat *flat, uint64_t rank, struct kw_flat_item *item)
{
    item->end = 0;
    do {
        KW_ASSERT(item->end < flat->used_bytes);
        kw_flat_read(flat, item->end, item);
    } while (rank-- > 0);
}

bool kw_flat_find(const struct kw_flat *flat, struct kw_bytes member, struct kw_flat_item *item,
                  uint64_t *rank)
{
    *rank = 0;
    for (uint32_t offset = 0; offset < flat->used_bytes; offset = item->end) {
        kw_flat_read(flat, offset, item);
        if (kw_bytes_equal(item->member, member)) {
            return true;
        }
        (*rank)++;
    }
    return false;
}

uint64_t kw_flat_rank(const struct kw_flat *flat, const struct kw_probe *probe)
{
    struct kw_flat_item item;
    uint64_t rank = 0;

    for (uint32_t offset = 0; offset < flat->used_bytes; offset = item.end) {
        kw_flat_read(flat, offset, &item);
        if (!kw_probe_is_past(probe, item.score, item.member)) {
            break;
        }
        rank++;
    }
    return rank;
}

void kw_flat_add(struct kw_store_worker *worker, struct kw_flat *flat, double score,
                 struct kw_bytes member)
{
    struct kw_probe probe = {.score = score, .member = member};
    struct kw_flat_item item = {.end = 0};
    uint32_t offset = 0;
    char head[FLAT_HEAD_MAX];
    size_t head_bytes = flat_write_head(head, score, member.len);
    size_t size = head_bytes + member.len;

    for (; offset < flat->used_bytes; offset = item.end) {
        kw_flat_read(flat, offset, &item);
        if (!kw_probe_is_past(&probe, item.score, item.member)) {
            break;
        }
    }
    if (flat->cap_bytes - flat->used_bytes < size) {
        size_t cap = kw_arena_block_bytes(flat->used_bytes + size); /* an eighth or so more */
        flat->block = kw_heap_resize(worker, flat->block, flat->cap_bytes, cap);
        flat->cap_bytes = (uint32_t)cap;
    }
    char *at = flat->block + offset;
    memmove(at + size, at, flat->used_bytes - offset);
    memcpy(at, head, head_bytes);
    if (member.len > 0) {
        memcpy(at + head_bytes, member.data, member.len);
    }
    flat->used_bytes += (uint32_t)size;
}

void kw_flat_cut(struct kw_flat *flat, uint32_t offset, uint32_t end)
{
    memmove(flat->block + offset, flat->block + end, flat->used_bytes - end);
    flat->used_bytes -= end - offset;
}

void kw_flat_free(struct kw_store_worker *worker, struct kw_flat *flat)
{
    if (flat->block != NULL) {
        kw_heap_put(worker, flat->block, flat->cap_bytes);
    }
    *flat = (struct kw_flat){.block = NULL};
}

static size_t flat_write_head(char *head, double score, size_t member_len)
{
    bool is_whole = score >= INT32_MIN && score <= INT32_MAX && score == floor(score);

    KW_ASSERT(member_len <= KW_FLAT_MEMBER_MAX);
    if (is_whole && score >= INT16_MIN && score <= INT16_MAX) {
        int16_t value = (int16_t)score;
        head[0] = (char)member_len;
        memcpy(head + 1, &value, sizeof value);
        return 1 + sizeof value;
    }
    if (is_whole) {
        int32_t value = (int32_t)score;
        head[0] = (char)(member_len + FLAT_FORMS);
        memcpy(head + 1, &value, sizeof value);
        return 1 + sizeof value;
    }
    head[0] = (char)(member_len + 2 * FLAT_FORMS);
    memcpy(head + 1, &score, sizeof score);
    return 1 + sizeof score;
}
