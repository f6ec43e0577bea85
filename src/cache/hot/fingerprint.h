/* fingerprint.h - what the detector of hot keys knows a key by: the low half of its hash.
 *
 * Where it is looked for other bits of the hash say. Two keys are taken for one another where both
 * agree: seldom enough for what only has to be right on average.
 *
 * Thread: any. Memory: none. See also: hot.c, trial.c, ban.c.
 */
#ifndef KW_CACHE_HOT_FINGERPRINT_H
#define KW_CACHE_HOT_FINGERPRINT_H

#include <stdint.h>

/* Never 0, which marks a free place: H1 of hot.c. */
static inline uint32_t kw__fingerprint_of(uint64_t hash)
{
    uint32_t fingerprint = (uint32_t)hash;

    return fingerprint == 0 ? 1 : fingerprint;
}

#endif
