/* text.c - see text.h.
 *
 * The glob is the two-pointer one with a single backtrack point: O(pattern x text), where redis's
 * recursive one needs a bound against hostile patterns (CVE-2022-36021).
 */
#include "base/text.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_MAX = 512 }; /* bytes of a number that is read: longer ones are nonsense */

static bool number_copy(struct kw_bytes text, char *copy, size_t size);
static bool glob_set(struct kw_bytes pattern, size_t *at, unsigned char byte, bool is_nocase);

size_t kw_text_from_int(int64_t value, char *out)
{
    char digits[KW_TEXT_INT_MAX];
    size_t count = 0;
    size_t len = 0;
    uint64_t rest = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;

    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        out[len++] = '-';
    }
    while (count > 0) {
        out[len++] = digits[--count];
    }
    return len;
}

enum kw_status kw_text_to_int(struct kw_bytes text, int64_t *value)
{
    size_t at = 0;
    uint64_t rest = 0;
    bool is_minus = text.len > 0 && text.data[0] == '-';

    at += is_minus ? 1 : 0;
    if (text.len == at || text.len - at > 19) {
        return KW_E_INVALID;
    }
    if (text.data[at] == '0' && (text.len - at > 1 || is_minus)) {
        return KW_E_INVALID;
    }
    for (; at < text.len; at++) {
        unsigned digit = (unsigned)(unsigned char)text.data[at] - '0';
        if (digit > 9) {
            return KW_E_INVALID;
        }
        rest = rest * 10 + digit; /* 19 digits fit in 64 bits */
    }
    uint64_t limit = (uint64_t)INT64_MAX + (is_minus ? 1u : 0u);
    if (rest > limit) {
        return KW_E_INVALID;
    }
    *value = is_minus ? (int64_t)(0u - rest) : (int64_t)rest;
    return KW_OK;
}

enum kw_status kw_text_to_double(struct kw_bytes text, double *value)
{
    char copy[NUMBER_MAX];
    char *end = NULL;

    if (!number_copy(text, copy, sizeof copy)) {
        return KW_E_INVALID;
    }
    errno = 0;
    double read = strtod(copy, &end);
    bool is_beyond = errno == ERANGE && (fabs(read) == HUGE_VAL || fpclassify(read) == FP_ZERO);
    if (end != copy + text.len || is_beyond || isnan(read)) {
        return KW_E_INVALID;
    }
    *value = read;
    return KW_OK;
}

enum kw_status kw_text_scan_double(struct kw_bytes text, double *value)
{
    char room[NUMBER_MAX];
    size_t len = strnlen(text.data, text.len);
    char *number = room;
    char *end = NULL;

    if (len < sizeof room) {
        memcpy(room, text.data, len);
        room[len] = '\0';
    } else {
        number = kw_text_copy_bytes(kw_bytes_of(text.data, len));
    }
    errno = 0;
    *value = strtod(number, &end);
    bool is_number = *end == '\0' && errno != ERANGE && !isnan(*value);
    if (number != room) {
        kw_free(number);
    }
    return is_number ? KW_OK : KW_E_INVALID;
}

enum kw_status kw_text_to_long_double(struct kw_bytes text, long double *value)
{
    char copy[KW_TEXT_LONG_DOUBLE_MAX];
    char *end = NULL;

    if (!number_copy(text, copy, sizeof copy)) {
        return KW_E_INVALID;
    }
    errno = 0;
    long double read = strtold(copy, &end);
    bool is_beyond = errno == ERANGE && (fabsl(read) == HUGE_VALL || fpclassify(read) == FP_ZERO);
    if (end != copy + text.len || is_beyond || isnan(read)) {
        return KW_E_INVALID;
    }
    *value = read;
    return KW_OK;
}

size_t kw_text_from_long_double(long double value, char *out)
{
    int printed = snprintf(out, KW_TEXT_LONG_DOUBLE_MAX, "%.17Lf", value);
    size_t len = printed > 0 ? (size_t)printed : 0;

    if (memchr(out, '.', len) != NULL) {
        while (out[len - 1] == '0') {
            len--;
        }
        len -= out[len - 1] == '.' ? 1 : 0;
    }
    if (len == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        len = 1;
    }
    return len;
}

/* TEXT with a NUL behind it; false when it can't be a number. */
static bool number_copy(struct kw_bytes text, char *copy, size_t size)
{
    if (text.len == 0 || text.len >= size || isspace((unsigned char)text.data[0])) {
        return false;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return true;
}

enum kw_status kw_text_to_size(struct kw_bytes text, uint64_t *size_bytes)
{
    static const struct {
        const char *suffix;
        uint64_t factor;
    } units[] = {
        {"b", 1},
        {"k", 1000},
        {"kb", 1024},
        {"m", 1000000},
        {"mb", 1024 * 1024},
        {"g", 1000000000},
        {"gb", 1024 * 1024 * 1024},
    };
    size_t digits = 0;
    uint64_t factor = 0;
    int64_t value = 0;

    while (digits < text.len && isdigit((unsigned char)text.data[digits])) {
        digits++;
    }
    struct kw_bytes suffix = kw_bytes_of(text.data + digits, text.len - digits);
    factor = suffix.len == 0 ? 1 : 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (kw_bytes_equal_nocase(suffix, kw_bytes_of_text(units[i].suffix))) {
            factor = units[i].factor;
        }
    }
    if (factor == 0 || kw_text_to_int(kw_bytes_of(text.data, digits), &value) != KW_OK) {
        return KW_E_INVALID;
    }
    if ((uint64_t)value > UINT64_MAX / factor) {
        return KW_E_INVALID;
    }
    *size_bytes = (uint64_t)value * factor;
    return KW_OK;
}

static unsigned char glob_fold(unsigned char byte, bool is_nocase)
{
    return is_nocase ? (unsigned char)tolower(byte) : byte;
}

/* One pattern element at *at against BYTE; *at moves behind the element either way. */
static bool glob_one(struct kw_bytes pattern, size_t *at, unsigned char byte, bool is_nocase)
{
    unsigned char element = (unsigned char)pattern.data[*at];

    if (element == '[') {
        return glob_set(pattern, at, byte, is_nocase);
    }
    *at += 1;
    if (element == '?') {
        return true;
    }
    if (element == '\\' && *at < pattern.len) {
        element = (unsigned char)pattern.data[*at];
        *at += 1;
    }
    return glob_fold(element, is_nocase) == glob_fold(byte, is_nocase);
}

static bool glob_set(struct kw_bytes pattern, size_t *at, unsigned char byte, bool is_nocase)
{
    size_t i = *at + 1;
    bool is_inverted = i < pattern.len && pattern.data[i] == '^';
    bool is_match = false;
    unsigned char wanted = glob_fold(byte, is_nocase);

    i += is_inverted ? 1 : 0;
    while (i < pattern.len && pattern.data[i] != ']') {
        bool is_escaped = pattern.data[i] == '\\' && i + 1 < pattern.len;
        i += is_escaped ? 1 : 0;
        unsigned char low = glob_fold((unsigned char)pattern.data[i], is_nocase);
        unsigned char high = low;
        if (!is_escaped && i + 2 < pattern.len && pattern.data[i + 1] == '-') {
            high = glob_fold((unsigned char)pattern.data[i + 2], is_nocase);
            i += 2;
        }
        unsigned char least = low < high ? low : high;
        unsigned char most = low < high ? high : low;
        is_match = is_match || (wanted >= least && wanted <= most);
        i++;
    }
    *at = i < pattern.len ? i + 1 : pattern.len;
    return is_match != is_inverted;
}

bool kw_text_glob(struct kw_bytes pattern, struct kw_bytes text, bool is_nocase)
{
    size_t p = 0;
    size_t t = 0;
    size_t star_p = SIZE_MAX; /* where to resume in the pattern after the last star */
    size_t star_t = 0;        /* how much text that star has taken */

    while (t < text.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star_p = ++p;
            star_t = t;
            continue;
        }
        size_t next_p = p;
        if (p < pattern.len && glob_one(pattern, &next_p, (unsigned char)text.data[t], is_nocase)) {
            p = next_p;
            t++;
            continue;
        }
        if (star_p == SIZE_MAX) {
            return false;
        }
        p = star_p;
        t = ++star_t;
    }
    while (p < pattern.len && pattern.data[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

bool kw_text_places(size_t len, int64_t *first, int64_t *last)
{
    int64_t count = (int64_t)len;

    *first = *first < 0 ? *first + count : *first;
    *last = *last < 0 ? *last + count : *last;
    *first = *first < 0 ? 0 : *first;
    *last = *last < 0 ? 0 : *last;
    *last = *last >= count ? count - 1 : *last;
    return *first <= *last;
}

struct kw_bytes kw_text_range(struct kw_bytes text, int64_t first, int64_t last)
{
    /* Both before the beginning would else be the first byte. */
    bool is_backwards = first < 0 && last < 0 && first > last;

    if (is_backwards || !kw_text_places(text.len, &first, &last)) {
        return KW_BYTES("");
    }
    return kw_bytes_of(text.data + first, (size_t)(last - first) + 1);
}

bool kw_text_next_word(struct kw_bytes *text, struct kw_bytes *word)
{
    const char *at = text->data;
    const char *end = at + text->len;

    while (at < end && *at == ' ') {
        at++;
    }
    const char *blank = at < end ? memchr(at, ' ', (size_t)(end - at)) : NULL;
    *word = kw_bytes_of(at, (size_t)((blank != NULL ? blank : end) - at));
    *text = kw_bytes_of(at + word->len, (size_t)(end - at) - word->len);
    return word->len > 0;
}

size_t kw_text_printable(struct kw_bytes bytes, char *out, size_t out_size)
{
    size_t len = bytes.len < out_size - 1 ? bytes.len : out_size - 1;

    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        bool is_plain = byte >= ' ' && byte < 0x7f && byte != '\'' && byte != '"' && byte != '\\';
        out[i] = is_plain ? (char)byte : '?';
    }
    out[len] = '\0';
    return len;
}
