/* variant.c - requests to keys of the cache, replies to values. */
#include "proxy/near/variant.h"

#include "command/keys.h"

static bool variant_append(struct kw_near_key *key, size_t *len, const void *bytes, size_t count);

bool kw__variant_make(const struct kw_near *near, const struct kw_near_read *read,
                      struct kw_near_key *key)
{
    uint32_t single = kw_keys_single(read->command);
    size_t len = 0;

    key->generation = kw__near_generation(near->shared, read->slot);
    bool fits = variant_append(key, &len, &key->generation, sizeof key->generation);
    if (read->role != KW_NEAR_ROLE_GET) {
        fits = fits && variant_append(key, &len, &read->command->id, sizeof read->command->id) &&
               variant_append(key, &len, &read->proto, sizeof read->proto);
        for (size_t i = 1; fits && i < read->argc; i++) {
            struct kw_bytes arg = read->argv[i];
            uint16_t arg_len = (uint16_t)arg.len;
            fits = i == single || (arg.len < KW_NEAR_VARIANT_MAX &&
                                   variant_append(key, &len, &arg_len, sizeof arg_len) &&
                                   variant_append(key, &len, arg.data, arg.len));
        }
    }
    key->key = kw_cache_key(near->worker, read->argv[single], kw_bytes_of(key->room, len));
    return fits;
}

struct kw_cache_value kw__variant_value(enum kw_near_role role, struct kw_bytes reply)
{
    bool is_null = role == KW_NEAR_ROLE_GET && (kw_bytes_equal(reply, KW_BYTES("$-1\r\n")) ||
                                                kw_bytes_equal(reply, KW_BYTES("_\r\n")));

    return (struct kw_cache_value){
        .bytes = is_null ? kw_bytes_of("", 0) : reply,
        .kind = is_null ? KW_NEAR_KIND_NULL : KW_NEAR_KIND_BYTES,
    };
}

size_t kw__variant_cut(struct kw_bytes command, struct kw_bytes *argv, size_t max)
{
    const char *at = command.data;
    const char *end = command.data + command.len;
    size_t count = 0;
    size_t number = 0;

    /* keyway has written or checked it: only sizes need to be read. */
    for (at++; *at != '\r'; at++) {
        number = number * 10 + (size_t)(*at - '0');
    }
    at += 2;
    for (; count < number && count < max; count++) {
        size_t len = 0;
        for (at++; *at != '\r'; at++) {
            len = len * 10 + (size_t)(*at - '0');
        }
        argv[count] = kw_bytes_of(at + 2, len);
        at += len + 4;
        KW_ASSERT(at <= end);
    }
    return number;
}

static bool variant_append(struct kw_near_key *key, size_t *len, const void *bytes, size_t count)
{
    if (count > sizeof key->room - *len) {
        return false;
    }
    memcpy(key->room + *len, bytes, count);
    *len += count;
    return true;
}
