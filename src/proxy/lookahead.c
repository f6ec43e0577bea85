/* lookahead.c - reads the keys of a pipeline in a quick pass of its own.
 *
 *     *2 $3 GET $5 key:1 | *3 $3 SET $5 key:2 $1 v | *2 $3 GET $5 key:3 | ...
 *                ^^^^^                   ^^^^^                   ^^^^^
 *
 * What stands first behind the command's name is a key nearly always; where it isn't, a little time
 * is lost. The pass costs next to nothing when a command is as long as the one before it: where its
 * key is is then known, and confirmed by what stands before that. It ends at the first command of
 * another length that is long, large or inline, or has no short key: the parser knows.
 *
 * Looking keys up costs about as much as it takes to hash them, and saves as many waits for memory
 * as there are commands. When few of the keys are there it saves nothing, and pauses for a while,
 * and for twice as long when it is in vain again. But also a key that isn't there is looked for by
 * the near cache, in its filter. So that alone is looked at meanwhile, when many keys are kept. Not
 * for a client that writes: what a write looks at comes while others are sent.
 */
#include "proxy/lookahead.h"

#include "cache/cache_extra.h"
#include "proxy/embedded/embedded.h"
#include "proxy/near/near.h"
#include "resp/short_length.h"

enum {
    ARGS_MAX = 9,         /* one digit */
    WORTH_PART = 4,       /* a look is worth it when one key in so many is there */
    PAUSE_LOOKS_MIN = 64, /* else so many are left out, or more */
    PAUSE_LOOKS_MAX = 512,
    FEW = 2,         /* a command alone needs no look ahead */
    KEY_MAX = 250,   /* what is longer is perhaps a script, or a value */
    BEFORE_BYTES = 8 /* before a key: the end of its command's name, and its length */
};

/* A command in the input, and its key. */
struct sight {
    size_t at;
    size_t next; /* of the command behind it; a guess, unless it is the first one */
    size_t key_offset;
    size_t key_len;
};

static void lookahead_pause(struct kw_proxy *proxy, bool is_in_vain);
static bool sight_begin(const struct kw_proxy *proxy, struct kw_bytes input, size_t first_len,
                        struct sight *sight);
static struct kw_bytes sight_key(const struct sight *sight, struct kw_bytes input);
static bool sight_move(struct sight *sight, struct kw_bytes input);
static bool sight_move_other(struct sight *sight, struct kw_bytes input);
static inline bool sight_is_like(const struct sight *sight, struct kw_bytes input, size_t next);
static const char *command_take(const char *at, const char *end, struct kw_bytes *key);

size_t kw__lookahead(struct kw_client *client, struct kw_bytes input, size_t first_len)
{
    struct kw_proxy *proxy = client->proxy;
    bool is_glance = proxy->lookahead_pause > 0;
    unsigned count_max = is_glance ? KW_NEAR_AHEAD_MAX : KW_CACHE_PREPARE_MAX;
    struct kw_bytes keys[KW_NEAR_AHEAD_MAX];
    struct sight sight;
    unsigned count = 1;

    if (first_len == input.len || (proxy->near == NULL && proxy->embedded == NULL)) {
        return input.len; /* it is alone; CONFIG SET before it has ended the near cache */
    }
    if (!sight_begin(proxy, input, first_len, &sight)) {
        return first_len; /* perhaps the next */
    }
    proxy->lookahead_pause -= is_glance ? 1 : 0;
    if (is_glance && (proxy->near == NULL || !kw_near_may_glance(client))) {
        return input.len;
    }
    keys[0] = sight_key(&sight, input);
    while (count < count_max && sight_move(&sight, input)) {
        keys[count++] = sight_key(&sight, input);
    }
    if (count < FEW) {
        return input.len;
    }
    if (is_glance) {
        kw_near_glance(proxy, keys, count);
        return sight.next;
    }
    unsigned found = proxy->near != NULL ? kw_near_prepare(proxy, keys, count)
                                         : kw_embedded_prepare(proxy, keys, count);
    lookahead_pause(proxy, found * WORTH_PART < count);
    return sight.next;
}

static void lookahead_pause(struct kw_proxy *proxy, bool is_in_vain)
{
    unsigned length = 2 * proxy->lookahead_pause_length;

    length = length < PAUSE_LOOKS_MIN ? PAUSE_LOOKS_MIN : length;
    length = length > PAUSE_LOOKS_MAX ? PAUSE_LOOKS_MAX : length;
    proxy->lookahead_pause_length = is_in_vain ? length : 0;
    proxy->lookahead_pause = proxy->lookahead_pause_length;
}

/* SIGHT is the command that is in proxy->argv. False when that has no key of the usual form. */
static bool sight_begin(const struct kw_proxy *proxy, struct kw_bytes input, size_t first_len,
                        struct sight *sight)
{
    if (proxy->argv.count < 2 || proxy->argv.items[1].len > KEY_MAX) {
        return false;
    }
    struct kw_bytes name = proxy->argv.items[1];
    *sight = (struct sight){
        .next = first_len, .key_offset = (size_t)(name.data - input.data), .key_len = name.len};
    return true;
}

static struct kw_bytes sight_key(const struct sight *sight, struct kw_bytes input)
{
    return kw_bytes_of(input.data + sight->at + sight->key_offset, sight->key_len);
}

/* To the next command. False when there is none, or one that is not of the usual form. */
static inline bool sight_move(struct sight *sight, struct kw_bytes input)
{
    size_t len = sight->next - sight->at;

    if (__builtin_expect(!sight_is_like(sight, input, sight->next), 0)) {
        return sight_move_other(sight, input);
    }
    sight->at = sight->next;
    sight->next += len;
    return true;
}

/* The same, when the one in hand may have another length, or the next one another form. */
static KW_APART bool sight_move_other(struct sight *sight, struct kw_bytes input)
{
    const char *end = input.data + input.len;
    struct kw_bytes key;

    if (sight->next + sight->key_offset + sight->key_len > input.len) {
        return false;
    }
    const char *behind = command_take(input.data + sight->at, end, &key);
    if (behind == NULL) {
        return false;
    }
    size_t next = (size_t)(behind - input.data);
    size_t len = next - sight->at;
    if (!sight_is_like(sight, input, next)) {
        const char *after = command_take(behind, end, &key);
        if (after == NULL) {
            return false;
        }
        sight->key_offset = (size_t)(key.data - behind);
        sight->key_len = key.len;
        len = (size_t)(after - behind);
    }
    sight->at = next;
    sight->next = next + len;
    return true;
}

/* Has the command at NEXT a key as long, behind the same? */
static inline bool sight_is_like(const struct sight *sight, struct kw_bytes input, size_t next)
{
    size_t before = sight->key_offset - BEFORE_BYTES;

    return next + sight->key_offset + sight->key_len <= input.len &&
           memcmp(input.data + next + before, input.data + sight->at + before, BEFORE_BYTES) == 0;
}

/* The end of the command at AT; NULL when it is not whole, or not of the usual form. */
static const char *command_take(const char *at, const char *end, struct kw_bytes *key)
{
    size_t len = 0;

    if (end - at < 4 + 1 + KW_SHORT_LENGTH_BYTES || at[0] != '*' || !kw__is_line_end(at + 2)) {
        return NULL;
    }
    size_t args = kw__digit(at[1]);
    at += 4;
    if (args < 2 || args > ARGS_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < args; i++) {
        if (end - at < 1 + KW_SHORT_LENGTH_BYTES || at[0] != '$') {
            return NULL;
        }
        at = kw__short_length(at + 1, &len);
        if (at == NULL || (size_t)(end - at) < len + 2) {
            return NULL;
        }
        if (i == 1) {
            *key = kw_bytes_of(at, len);
        }
        at += len + 2;
    }
    return at;
}
