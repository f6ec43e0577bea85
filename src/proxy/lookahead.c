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
 * the near cache, in its filter. So that alone is looked at meanwhile, when many keys are kept; and
 * their slots are found out: each on its own would be waited for. Not for a client that writes:
 * what a write looks at comes while others are sent.
 */
#include "proxy/lookahead.h"

#include "cache/cache_extra.h"
#include "proxy/embedded/embedded.h"
#include "proxy/near/near.h"
#include "resp/short_length.h"

enum {
    ARGS_MAX = 9,           /* one digit */
    WORTH_PART = 4,         /* a look is worth it when one key in so many is there */
    PAUSE_LOOKS_MIN = 64,   /* else so many are left out, or more */
    PAUSE_LOOKS_MAX = 2048, /* less than a tenth of a second of a busy worker's; one in vain costs
                               some microseconds */
    FEW = 2,                /* a command alone needs no look ahead */
    KEY_MAX = 250           /* what is longer is perhaps a script, or a value */
};

_Static_assert(KW_SIGHT_BEFORE_BYTES == sizeof(uint64_t), "kw__sight_before()");

static void lookahead_pause(struct kw_proxy *proxy, bool is_in_vain);
static bool sight_begin(const struct kw_proxy *proxy, struct kw_bytes input, size_t first_len,
                        struct kw_sight *sight);
static void sight_set(struct kw_sight *sight, const char *command, size_t len, struct kw_bytes key);
static const char *sight_next(const struct kw_sight *sight);
static const char *command_take(const char *at, const char *end, struct kw_bytes *key);

size_t kw__lookahead(struct kw_client *client, struct kw_bytes input, size_t first_len)
{
    struct kw_proxy *proxy = client->proxy;
    bool is_glance = proxy->lookahead_pause > 0;
    struct kw_bytes keys[KW_CACHE_PREPARE_MAX];
    struct kw_sight sight;
    unsigned count = 0;

    if (first_len == input.len || (proxy->near == NULL && proxy->embedded == NULL)) {
        return input.len; /* it is alone; CONFIG SET before it has ended the near cache */
    }
    if (!sight_begin(proxy, input, first_len, &sight)) {
        return first_len; /* perhaps the next */
    }
    if (is_glance) {
        proxy->lookahead_pause--;
        if (proxy->near == NULL || !kw_near_may_glance(client) ||
            kw_near_glance(proxy, &sight) < FEW) {
            return input.len;
        }
        return (size_t)(sight_next(&sight) - input.data);
    }
    do {
        keys[count++] = sight.key;
    } while (count < KW_CACHE_PREPARE_MAX && kw__sight_move(&sight) != NULL);
    if (count < FEW) {
        return input.len;
    }
    unsigned found = proxy->near != NULL ? kw_near_prepare(proxy, keys, count)
                                         : kw_embedded_prepare(proxy, keys, count);
    lookahead_pause(proxy, found * WORTH_PART < count);
    return (size_t)(sight_next(&sight) - input.data);
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
                        struct kw_sight *sight)
{
    if (proxy->argv.count < 2 || proxy->argv.items[1].len > KEY_MAX) {
        return false;
    }
    sight->end = input.data + input.len;
    sight_set(sight, input.data, first_len, proxy->argv.items[1]);
    return true;
}

/* It is the COMMAND of LEN bytes, with KEY. */
static void sight_set(struct kw_sight *sight, const char *command, size_t len, struct kw_bytes key)
{
    sight->key = key;
    sight->len = len;
    sight->reach = len + key.len;
    sight->before = kw__sight_before(key.data);
    sight->offset = (size_t)(key.data - command);
}

/* The command behind it, if it is as long as is guessed. */
static const char *sight_next(const struct kw_sight *sight)
{
    return sight->key.data - sight->offset + sight->len;
}

KW_APART const char *kw__sight_move_other(struct kw_sight *sight)
{
    struct kw_bytes key;

    const char *command = sight->key.data - sight->offset;
    const char *next = command_take(command, sight->end, &key);
    if (next == NULL) {
        return NULL;
    }
    size_t len = (size_t)(next - command);
    bool has_room = (size_t)(sight->end - next) >= sight->offset + sight->key.len;
    if (has_room && kw__sight_before(next + sight->offset) == sight->before) {
        sight_set(sight, next, len, kw_bytes_of(next + sight->offset, sight->key.len));
        return sight->key.data;
    }
    const char *after = command_take(next, sight->end, &key);
    if (after == NULL) {
        return NULL;
    }
    sight_set(sight, next, (size_t)(after - next), key);
    return key.data;
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
