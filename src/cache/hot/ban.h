/* ban.h - keys that are left alone for a while: their cached values did not live to be used.
 *
 * Thread: the detector's. Memory: kw__bans_new() is freed with kw_free(); never grows.
 * See also: hot.h (whose they are).
 */
#ifndef KW_CACHE_HOT_BAN_H
#define KW_CACHE_HOT_BAN_H

#include <stdbool.h>
#include <stdint.h>

struct kw_ban {
    uint64_t until_ms; /* 0: free */
    uint32_t fingerprint;
    uint32_t strikes_count; /* bans one soon after another, this one included */
};

enum {
    KW_BAN_WAYS = 4,
    KW_BAN_LINES = 256,
    KW_BANS_BYTES = sizeof(struct kw_ban) * KW_BAN_LINES * KW_BAN_WAYS
};

struct kw_ban *kw__bans_new(void);

/* The key of HASH is banned from NOW on, for longer than the last time when that was lately. */
void kw__ban_strike(struct kw_ban *bans, uint64_t hash, uint64_t now_ms);

bool kw__ban_is_on(struct kw_ban *bans, uint64_t hash, uint64_t now_ms);

#endif
