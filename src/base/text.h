/* text.h - numbers and sizes as text, and back: strict, overflow-checked, no locale.
 *
 * Thread: any. Memory: none.
 */
#ifndef KW_BASE_TEXT_H
#define KW_BASE_TEXT_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdint.h>

enum {
    KW_TEXT_INT_MAX = 21, /* bytes that hold any 64-bit number, no NUL */
    KW_TEXT_LONG_DOUBLE_MAX = 5 * 1024
};

/* Write VALUE in decimal to OUT (KW_TEXT_INT_MAX bytes, not NUL-terminated). Returns its length. */
size_t kw_text_from_int(int64_t value, char *out);

/* As redis's string2ll: optional '-', no '+', no leading zeros or spaces, no overflow.
 * Returns KW_OK and *value, or KW_E_INVALID.
 */
KW_CHECK enum kw_status kw_text_to_int(struct kw_bytes text, int64_t *value);

/* As redis's string2d and string2ld: all of TEXT, no space before it, no NaN, neither too large nor
 * too small. Returns KW_OK and *value, or KW_E_INVALID.
 */
KW_CHECK enum kw_status kw_text_to_double(struct kw_bytes text, double *value);

/* As strtod() takes it, up to a NUL byte: space before it, and nothing at all is 0; no NaN, nothing
 * that a double can't hold in full. Returns KW_OK and *value, or KW_E_INVALID.
 */
KW_CHECK enum kw_status kw_text_scan_double(struct kw_bytes text, double *value);
KW_CHECK enum kw_status kw_text_to_long_double(struct kw_bytes text, long double *value);

/* VALUE with 17 digits behind the point, zeros at the end left out, as INCRBYFLOAT stores it. OUT
 * has KW_TEXT_LONG_DOUBLE_MAX bytes. Returns its length.
 */
size_t kw_text_from_long_double(long double value, char *out);

/* A size as in redis.conf: digits, then nothing, b, k, kb, m, mb, g, gb in any case (k = 1000,
 * kb = 1024 ...). Returns KW_OK and *size_bytes, or KW_E_INVALID (also on overflow).
 */
KW_CHECK enum kw_status kw_text_to_size(struct kw_bytes text, uint64_t *size_bytes);

/* redis's glob: * ? [set] [^set] [a-z] and \ escapes. Time is bounded by PATTERN x TEXT.
 * is_nocase folds ASCII letters.
 */
bool kw_text_glob(struct kw_bytes pattern, struct kw_bytes text, bool is_nocase);

/* As redis counts in LEN places: FIRST and LAST from the end when they are negative; what lies
 * outside is left out. False when nothing lies between.
 */
bool kw_text_places(size_t len, int64_t *first, int64_t *last);

/* What of TEXT lies from FIRST to LAST, as GETRANGE cuts it. */
struct kw_bytes kw_text_range(struct kw_bytes text, int64_t first, int64_t last);

/* The next word of *TEXT, between blanks, which goes on behind it. False: there is none. */
bool kw_text_next_word(struct kw_bytes *text, struct kw_bytes *word);

/* Copy BYTES to OUT (size OUT_SIZE >= 1) as printable ASCII: anything else, quotes and backslashes
 * become '?'. NUL-terminated and cut to fit. Returns the length written.
 */
size_t kw_text_printable(struct kw_bytes bytes, char *out, size_t out_size);

#endif
