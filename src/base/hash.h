/* hash.h - one hash function for every table: XXH3, seeded.
 *
 * Tables keyed by what clients or nodes choose take a seed that those don't know.
 * Thread: any. Memory: none.
 */
#ifndef KW_BASE_HASH_H
#define KW_BASE_HASH_H

#include "base/bytes.h"

#include <stdint.h>

/* 64 well-mixed bits of BYTES: any of them will do as an index. */
uint64_t kw_hash(struct kw_bytes bytes, uint64_t seed);

#endif
