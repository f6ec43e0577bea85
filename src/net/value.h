/* value.h - a reply of a control connection as a tree, read-only.
 *
 * What hiredis knows as redisReply, without hiredis: only control.c includes that. RESP2 has no
 * maps; a reader that expects one takes arrays of pairs too, and kw_value_field() does so.
 *
 * Thread: the loop's. Memory: borrowed for the time of a callback; nothing here owns.
 * See also: control.h (who hands them out).
 */
#ifndef KW_NET_VALUE_H
#define KW_NET_VALUE_H

#include "base/bytes.h"

#include <stdint.h>

enum kw_value_type {
    KW_VALUE_NIL = 0, /* also a null array */
    KW_VALUE_INTEGER,
    KW_VALUE_BYTES,  /* bulk or verbatim string, and RESP3's other scalars as their text */
    KW_VALUE_STATUS, /* simple string */
    KW_VALUE_ERROR,  /* text without the leading '-' */
    KW_VALUE_ARRAY,  /* also sets and pushes */
    KW_VALUE_MAP     /* elements are key, value, key, value ... */
};

struct kw_value {
    enum kw_value_type type;
    uint32_t elements_count;         /* of ARRAY and MAP; 0 for all others */
    int64_t integer;                 /* of INTEGER */
    struct kw_bytes bytes;           /* of BYTES, STATUS and ERROR */
    const struct kw_value *elements; /* of ARRAY and MAP */
};

static inline bool kw_value_is_text(const struct kw_value *value)
{
    return value->type == KW_VALUE_BYTES || value->type == KW_VALUE_STATUS;
}

static inline bool kw_value_is_list(const struct kw_value *value)
{
    return value->type == KW_VALUE_ARRAY || value->type == KW_VALUE_MAP;
}

/* The value beside the key NAME in MAP, a map or an array of pairs; NULL when there is none. */
static inline const struct kw_value *kw_value_field(const struct kw_value *map, const char *name)
{
    struct kw_bytes wanted = kw_bytes_of_text(name);

    for (uint32_t i = 0; i + 1 < map->elements_count; i += 2) {
        const struct kw_value *key = &map->elements[i];
        if (kw_value_is_text(key) && kw_bytes_equal(key->bytes, wanted)) {
            return &map->elements[i + 1];
        }
    }
    return NULL;
}

#endif
