/* bytes.h - borrowed bytes: a pointer and a length, never owning, never NUL-terminated.
 *
 * Thread: any. Memory: the bytes belong to somebody else and must outlive the slice.
 * See also: buf.h (who owns bytes between sockets and parsers).
 */
#ifndef KW_BASE_BYTES_H
#define KW_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct kw_bytes {
    const char *data; /* may be NULL only when len is 0 */
    size_t len;
};

/* A slice of a string literal, its NUL left out. */
#define KW_BYTES(literal) ((struct kw_bytes){(literal), sizeof(literal) - 1})

/* A slice of DATA, LEN bytes long. */
static inline struct kw_bytes kw_bytes_of(const char *data, size_t len)
{
    return (struct kw_bytes){data, len};
}

/* A slice of the NUL-terminated TEXT. */
static inline struct kw_bytes kw_bytes_of_text(const char *text)
{
    return (struct kw_bytes){text, strlen(text)};
}

/* Are the LEN bytes at A those at B? Names are short mostly: then without a call. */
static inline bool kw_same_bytes(const char *a, const char *b, size_t len)
{
    uint64_t a_ends[2];
    uint64_t b_ends[2];

    if (len - 8 <= 8) {
        memcpy(&a_ends[0], a, 8);
        memcpy(&a_ends[1], a + len - 8, 8);
        memcpy(&b_ends[0], b, 8);
        memcpy(&b_ends[1], b + len - 8, 8);
        return ((a_ends[0] ^ b_ends[0]) | (a_ends[1] ^ b_ends[1])) == 0;
    }
    if (len == 4) {
        uint32_t a_word = 0;
        uint32_t b_word = 0;
        memcpy(&a_word, a, 4);
        memcpy(&b_word, b, 4);
        return a_word == b_word;
    }
    return len == 0 || memcmp(a, b, len) == 0;
}

static inline bool kw_bytes_equal(struct kw_bytes a, struct kw_bytes b)
{
    return a.len == b.len && kw_same_bytes(a.data, b.data, a.len);
}

/* Equal but for the case of ASCII letters, as redis compares words. */
static inline bool kw_bytes_equal_nocase(struct kw_bytes a, struct kw_bytes b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.data, b.data, a.len) == 0);
}

static inline bool kw_bytes_start_with(struct kw_bytes bytes, struct kw_bytes prefix)
{
    return bytes.len >= prefix.len &&
           (prefix.len == 0 || memcmp(bytes.data, prefix.data, prefix.len) == 0);
}

#endif
