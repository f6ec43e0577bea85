/* hash.c - the only caller of xxhash. */
#include "base/hash.h"

#include <xxhash.h>

uint64_t kw_hash(struct kw_bytes bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.len, seed);
}
