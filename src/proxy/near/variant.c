/* variant.c - requests to keys of the cache, replies to values. */
#include "proxy/near/variant.h"

#include "base/text.h"
#include "command/keys.h"
#include "resp/short_length.h"

#include <stdio.h>

enum { HEAD_ROOM = 24 /* for the line of an array */ };

static char *put(char *out, const char *bytes, size_t len);
static bool variant_of_whole(const struct kw_near_read *read, struct kw_near_key *key);
static bool variant_append(struct kw_near_key *key, size_t *len, const void *bytes, size_t count);

bool kw__variant_make(const struct kw_near *near, const struct kw_near_read *read,
                      struct kw_near_key *key)
{
    uint64_t hash = read->hash != 0
                        ? read->hash
                        : kw_cache_key(near->worker, read->name, kw_bytes_of("", 0)).hash;

    key->generation = kw__near_generation(near->shared, read->slot);
    key->key = kw__variant_of_get(read->name, hash, &key->generation);
    return read->role == KW_NEAR_ROLE_GET || variant_of_whole(read, key);
}

/* What KEY is beyond that of GET. */
static KW_APART bool variant_of_whole(const struct kw_near_read *read, struct kw_near_key *key)
{
    uint32_t single = kw_keys_single(read->command);
    size_t len = 0;

    bool fits = variant_append(key, &len, &key->generation, sizeof key->generation) &&
                variant_append(key, &len, &read->command->id, sizeof read->command->id) &&
                variant_append(key, &len, &read->proto, sizeof read->proto);
    for (size_t i = 1; fits && i < read->argc; i++) {
        struct kw_bytes arg = read->argv[i];
        uint16_t arg_len = (uint16_t)arg.len;
        fits = i == single || (arg.len < KW_NEAR_VARIANT_MAX &&
                               variant_append(key, &len, &arg_len, sizeof arg_len) &&
                               variant_append(key, &len, arg.data, arg.len));
    }
    key->key.variant = kw_bytes_of(key->room, len);
    return fits;
}

struct kw_near_read kw__variant_get(const struct kw_near *near, struct kw_bytes name, uint8_t proto)
{
    return (struct kw_near_read){.command = near->get,
                                 .role = KW_NEAR_ROLE_GET,
                                 .name = name,
                                 .proto = proto,
                                 .slot = kw_slot_of_key(name)};
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

size_t kw__variant_convert(struct kw_bytes reply, char *buffer)
{
    const char *at = reply.data;
    const char *end = reply.data + reply.len;
    char *out = buffer;
    char *head = NULL; /* where the outermost array's line goes: flattening changes its count */
    size_t values_count = 0;
    char line[32];

    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL) {
            return 0;
        }
        size_t line_len = (size_t)(line_end - at) + 1;
        int64_t number = 0;
        bool has_number =
            kw_text_to_int(kw_bytes_of(at + 1, line_len - 3), &number) == KW_OK && number >= 0;
        values_count++;
        switch (*at) {
        case '*':
        case '~':
        case '%':
            if (!has_number || (out != buffer && *at != '*')) {
                return 0;
            }
            if (out == buffer) {
                head = out;
                out += HEAD_ROOM;
            }
            values_count--; /* its elements count */
            break;
        case '$':
            line_len += (size_t)number + 2;
            if (!has_number || line_len > (size_t)(end - at)) {
                return 0;
            }
            out = put(out, at, line_len);
            break;
        case ':':
        case '+':
            out = put(out, at, line_len);
            break;
        case '_':
            out = put(out, "$-1\r\n", 5);
            break;
        case ',':
            out = put(out, line, (size_t)snprintf(line, sizeof line, "$%zu\r\n", line_len - 3));
            out = put(out, at + 1, line_len - 1);
            break;
        default:
            return 0;
        }
        at += line_len;
    }
    if (head != NULL) {
        size_t len = (size_t)snprintf(line, sizeof line, "*%zu\r\n", values_count);
        memmove(head + len, head + HEAD_ROOM, (size_t)(out - head) - HEAD_ROOM);
        memcpy(head, line, len);
        out -= HEAD_ROOM - len;
    }
    return (size_t)(out - buffer);
}

bool kw__variant_is_of_none(struct kw_bytes reply)
{
    static const struct kw_bytes nones[] = {{"_\r\n", 3},      {"$-1\r\n", 5},  {":0\r\n", 4},
                                            {"*0\r\n", 4},     {"%0\r\n", 4},   {"~0\r\n", 4},
                                            {"$0\r\n\r\n", 6}, {"+none\r\n", 7}};

    for (size_t i = 0; i < sizeof nones / sizeof nones[0]; i++) {
        if (kw_bytes_equal(reply, nones[i])) {
            return true;
        }
    }
    return false;
}

struct kw_near_walk kw__walk_begin(struct kw_bytes bytes)
{
    struct kw_near_walk walk = {.at = bytes.data};

    for (walk.at++; *walk.at != '\r'; walk.at++) {
        walk.left_count = walk.left_count * 10 + (size_t)(*walk.at - '0');
    }
    walk.at += 2;
    return walk;
}

struct kw_bytes kw__walk_next(struct kw_near_walk *walk, struct kw_bytes *whole)
{
    const char *start = walk->at;
    const char *at = start + 1;
    size_t len = 0;

    walk->left_count--;
    for (; *at >= '0' && *at <= '9'; at++) {
        len = len * 10 + (size_t)(*at - '0');
    }
    if (*start != '$' || *at == '-') {
        walk->at = (const char *)rawmemchr(start, '\n') + 1; /* a null, of whichever version */
        *whole = kw_bytes_of(start, (size_t)(walk->at - start));
        return kw_bytes_of(NULL, 0);
    }
    walk->at = at + 2 + len + 2;
    *whole = kw_bytes_of(start, (size_t)(walk->at - start));
    return kw_bytes_of(at + 2, len);
}

struct kw_bytes kw__variant_argument(struct kw_bytes command, uint32_t number)
{
    const char *at = memchr(command.data, '\n', command.len);
    size_t len = 0;

    for (uint32_t i = 0; at != NULL; i++) {
        at = kw__short_length(at + 2, &len); /* behind the line's end and '$' */
        if (at != NULL && i == number) {
            return kw_bytes_of(at, len);
        }
        at = at == NULL ? NULL : at + len + 1;
    }
    struct kw_near_walk walk = kw__walk_begin(command); /* an argument of 1000 bytes or more */
    struct kw_bytes argument = {NULL, 0};
    struct kw_bytes whole;
    for (uint32_t i = 0; i <= number; i++) {
        argument = kw__walk_next(&walk, &whole);
    }
    return argument;
}

size_t kw__variant_cut(struct kw_bytes command, struct kw_bytes *argv, size_t max)
{
    struct kw_near_walk walk = kw__walk_begin(command);
    size_t count = walk.left_count;
    struct kw_bytes whole;

    for (size_t i = 0; i < count && i < max; i++) {
        argv[i] = kw__walk_next(&walk, &whole);
    }
    KW_ASSERT(walk.at <= command.data + command.len);
    return count;
}

static char *put(char *out, const char *bytes, size_t len)
{
    memcpy(out, bytes, len);
    return out + len;
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
