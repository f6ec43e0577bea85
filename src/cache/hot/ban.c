/* ban.c - bans in lines of four, by a key's hash; what is pushed out is the one that ends first.
 *
 * A ban takes KW_HOT_BAN_MIN_MS, the next one of the same key twice as long, up to
 * KW_HOT_BAN_MAX_MS. It is remembered for as long again after it has ended: a key that was left
 * alone all that time begins anew.
 *
 * INVARIANTS
 * B1  No line has two bans of one fingerprint.
 */
#include "cache/hot/ban.h"

#include "base/mem.h"
#include "cache/hot/fingerprint.h"
#include "cache/hot/hot.h"

#include <stddef.h>

enum { BAN_MEMORY_MS = KW_HOT_BAN_MAX_MS };

static struct kw_ban *ban_of(struct kw_ban *bans, uint64_t hash);
static struct kw_ban *ban_place(struct kw_ban *bans, uint64_t hash);
static size_t line_of(uint64_t hash);

struct kw_ban *kw__bans_new(void)
{
    return kw_alloc_line((size_t)KW_BAN_LINES * KW_BAN_WAYS, sizeof(struct kw_ban));
}

void kw__ban_strike(struct kw_ban *bans, uint64_t hash, uint64_t now_ms)
{
    struct kw_ban *ban = ban_of(bans, hash);
    uint64_t time_ms = KW_HOT_BAN_MIN_MS;

    if (ban == NULL) {
        ban = ban_place(bans, hash);
        *ban = (struct kw_ban){.fingerprint = kw__fingerprint_of(hash)}; /* B1 */
    } else if (now_ms >= ban->until_ms + BAN_MEMORY_MS) {
        ban->strikes_count = 0;
    }
    for (uint32_t i = 0; i < ban->strikes_count && time_ms < KW_HOT_BAN_MAX_MS; i++) {
        time_ms *= 2;
    }
    ban->strikes_count++;
    ban->until_ms = now_ms + time_ms;
}

bool kw__ban_is_on(struct kw_ban *bans, uint64_t hash, uint64_t now_ms)
{
    const struct kw_ban *ban = ban_of(bans, hash);

    return ban != NULL && now_ms < ban->until_ms;
}

static struct kw_ban *ban_of(struct kw_ban *bans, uint64_t hash)
{
    struct kw_ban *line = &bans[line_of(hash)];

    for (unsigned i = 0; i < KW_BAN_WAYS; i++) {
        if (line[i].until_ms != 0 && line[i].fingerprint == kw__fingerprint_of(hash)) {
            return &line[i];
        }
    }
    return NULL;
}

/* Where a new ban goes: over the one that ends, or ended, first. */
static struct kw_ban *ban_place(struct kw_ban *bans, uint64_t hash)
{
    struct kw_ban *line = &bans[line_of(hash)];
    unsigned first = 0;

    for (unsigned i = 1; i < KW_BAN_WAYS; i++) {
        first = line[i].until_ms < line[first].until_ms ? i : first;
    }
    return &line[first];
}

static size_t line_of(uint64_t hash)
{
    return (size_t)((hash >> 32) % KW_BAN_LINES) * KW_BAN_WAYS;
}
