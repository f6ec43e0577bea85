/* number.h - numbers as bytes in memory, the lowest first, of any width up to 8.
 *
 * Thread: any. Memory: the caller's; nothing needs to be aligned.
 * See also: text.h (numbers as text).
 */
#ifndef KW_BASE_NUMBER_H
#define KW_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* The number in LEN bytes (at most 8) at AT. */
static inline uint64_t kw_number_at(const char *at, size_t len)
{
    uint64_t number = 0;

    for (size_t i = 0; i < len; i++) {
        number |= (uint64_t)(unsigned char)at[i] << (8 * i);
    }
    return number;
}

/* NUMBER of BITS bits (1 to 64), the highest of which is its sign. */
static inline int64_t kw_number_signed(uint64_t number, unsigned bits)
{
    return (int64_t)(number << (64 - bits)) >> (64 - bits);
}

/* The same of LEN bytes (1 to 8) at AT, with its sign. */
static inline int64_t kw_number_signed_at(const char *at, size_t len)
{
    return kw_number_signed(kw_number_at(at, len), 8 * (unsigned)len);
}

#endif
