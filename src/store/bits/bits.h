/* bits.h - what bit commands share: offsets, and a string long enough to be changed.
 *
 * Thread: the worker's. Memory: strings lie in the worker's scratch until the command ends.
 */
#ifndef KW_STORE_BITS_BITS_H
#define KW_STORE_BITS_BITS_H

#include "store/internal.h"

/* An offset in bits; of a field of WIDTH bits (0: of none) also as "#number". False: the error is
 * written.
 */
bool kw__bit_offset(struct kw_exec *exec, struct kw_bytes text, unsigned width, uint64_t *offset);

/* A string under argument 1, as a copy that has the bit LAST. */
struct kw_bit_string {
    char *data;
    size_t len;
    bool is_other; /* longer than before, or new */
    bool is_raw;   /* it was written as bits before */
};

/* False: an error is written, or kw_exec_short(). */
bool kw__bit_string(struct kw_exec *exec, uint64_t last, struct kw_bit_string *string);

/* First and last of LEN units, as arguments FIRST_AT and the one behind it name them. */
struct kw_bit_range {
    int64_t first;
    int64_t last; /* below first: nothing */
};

static inline bool kw__bit_at(const char *data, uint64_t offset)
{
    return ((unsigned char)data[offset >> 3] >> (7 - (offset & 7)) & 1) != 0;
}

#endif
