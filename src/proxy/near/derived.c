/* derived.c - see derived.h. What is said is byte for byte what a node says of the same value. */
#include "proxy/near/derived.h"

#include "base/text.h"
#include "proxy/reply.h"

static enum kw_near_derived derived_of(const struct kw_near *near,
                                       const struct kw_command *command);
static struct kw_bytes found_string(const struct kw_cache_found *found);
static bool cut_range(const struct kw_near_read *read, struct kw_bytes *string);

bool kw__derived_find(struct kw_near *near, const struct kw_near_read *read,
                      const struct kw_near_key *key, struct kw_cache_found *found)
{
    struct kw_cache_key get = key->key;

    if (derived_of(near, read->command) == KW_NEAR_DERIVED_NONE) {
        return false;
    }
    get.variant.len = sizeof key->generation; /* all that GET's has */
    return kw_cache_get(near->worker, &get, found);
}

bool kw__derived_answer(struct kw_client *client, const struct kw_near_read *read,
                        const struct kw_cache_found *found)
{
    bool is_none = found->kind == KW_NEAR_KIND_NULL;
    struct kw_bytes string = found_string(found);

    switch (derived_of(client->proxy->near, read->command)) {
    case KW_NEAR_DERIVED_STRLEN:
        kw_reply_int(kw_reply_begin(client), (int64_t)string.len);
        break;
    case KW_NEAR_DERIVED_RANGE:
        if (!cut_range(read, &string)) {
            return false;
        }
        kw_reply_bulk(kw_reply_begin(client), string);
        break;
    case KW_NEAR_DERIVED_TYPE:
        kw_reply_status(kw_reply_begin(client), is_none ? KW_BYTES("none") : KW_BYTES("string"));
        break;
    case KW_NEAR_DERIVED_NONE:
    default:
        KW_UNREACHABLE();
    }
    kw_reply_end(client);
    return true;
}

static enum kw_near_derived derived_of(const struct kw_near *near, const struct kw_command *command)
{
    for (size_t i = 0; i < KW_NEAR_DERIVED_MAX; i++) {
        if (near->derived[i].command == command) {
            return near->derived[i].derived;
        }
    }
    return KW_NEAR_DERIVED_NONE;
}

/* The value in a reply of GET; empty when there is none. */
static struct kw_bytes found_string(const struct kw_cache_found *found)
{
    struct kw_bytes reply = found->value;
    const char *line_end = reply.len > 0 ? memchr(reply.data, '\n', reply.len) : NULL;

    if (found->kind == KW_NEAR_KIND_NULL || line_end == NULL) {
        return kw_bytes_of("", 0);
    }
    const char *start = line_end + 1;
    return kw_bytes_of(start, (size_t)(reply.data + reply.len - start) - 2);
}

static bool cut_range(const struct kw_near_read *read, struct kw_bytes *string)
{
    int64_t first = 0;
    int64_t last = 0;

    if (kw_text_to_int(read->argv[2], &first) != KW_OK ||
        kw_text_to_int(read->argv[3], &last) != KW_OK) {
        return false;
    }
    *string = kw_text_range(*string, first, last);
    return true;
}
