/* short_length.h - the length lines that nearly all bulks have, read in registers.
 *
 * For the quick passes of both parsers; what is not of this form goes to their thorough ones, which
 * also tell what is wrong with it.
 * Pure. Thread: any. Memory: none.
 */
#ifndef KW_RESP_SHORT_LENGTH_H
#define KW_RESP_SHORT_LENGTH_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { KW_SHORT_LENGTH_BYTES = 5 }; /* that must be readable: "999" and CR LF */

static inline bool kw__is_line_end(const char *at)
{
    return memcmp(at, "\r\n", 2) == 0;
}

/* Above 9 when BYTE is no digit. */
static inline size_t kw__digit(char byte)
{
    return (size_t)(unsigned char)byte - '0';
}

/* Read a number of one to three digits, without a leading zero, and its CR LF at AT. Returns where
 * the next line starts, NULL when there is something else.
 */
static inline const char *kw__short_length(const char *at, size_t *len)
{
    *len = kw__digit(at[0]);
    if (*len <= 9 && kw__is_line_end(at + 1)) {
        return at + 3;
    }
    if (*len - 1 > 8 || kw__digit(at[1]) > 9) {
        return NULL;
    }
    *len = *len * 10 + kw__digit(at[1]);
    if (kw__is_line_end(at + 2)) {
        return at + 4;
    }
    *len = *len * 10 + kw__digit(at[2]);
    return kw__digit(at[2]) <= 9 && kw__is_line_end(at + 3) ? at + 5 : NULL;
}

#endif
