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
 * and for twice as long when it is in vain again. But also a key that is not there is looked for by
 * the near cache, in its filter. So meanwhile that alone is brought near, while many keys are kept.
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
    FEW = 2,          /* a command alone needs no look ahead */
    GLANCES_MAX = 32, /* as many as may be on their way at once */
    KEY_MAX = 250,    /* what is longer is perhaps a script, or a value */
    BEFORE_BYTES = 8  /* before a key: the end of its command's name, and its length */
};

/* A command in the input, and its key. */
struct sight {
    size_t at;
    size_t next; /* of the command behind it; a guess, unless it is the first one */
    size_t key_offset;
    size_t key_len;
};

static void lookahead_pause(struct kw_proxy *proxy, bool is_in_vain);
static size_t glance(const struct kw_proxy *proxy, struct sight *sight, struct kw_bytes input);
static bool sight_begin(const struct kw_proxy *proxy, struct kw_bytes input, size_t first_len,
                        struct sight *sight);
static struct kw_bytes sight_key(const struct sight *sight, struct kw_bytes input);
static bool sight_move(struct sight *sight, struct kw_bytes input);
static bool sight_is_like(const struct sight *sight, struct kw_bytes input, size_t next);
static const char *command_take(const char *at, const char *end, struct kw_bytes *key);

size_t kw__lookahead(struct kw_proxy *proxy, struct kw_bytes input, size_t first_len)
{
    struct kw_bytes keys[KW_CACHE_PREPARE_MAX];
    struct sight sight;
    unsigned count = 1;

    if (first_len == input.len || (proxy->near == NULL && proxy->embedded == NULL)) {
        return input.len; /* it is alone; CONFIG SET before it has ended the near cache */
    }
    if (!sight_begin(proxy, input, first_len, &sight)) {
        return first_len; /* perhaps the next */
    }
    if (proxy->lookahead_pause > 0) {
        proxy->lookahead_pause--;
        return proxy->near != NULL && kw_near_may_glance(proxy) ? glance(proxy, &sight, input)
                                                                : input.len;
    }
    keys[0] = sight_key(&sight, input);
    while (count < KW_CACHE_PREPARE_MAX && sight_move(&sight, input)) {
        keys[count++] = sight_key(&sight, input);
    }
    if (count < FEW) {
        return input.len;
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

/* Bring near what says that keys of INPUT are not there. */
static size_t glance(const struct kw_proxy *proxy, struct sight *sight, struct kw_bytes input)
{
    unsigned count = 0;

    do {
        kw_near_glance(proxy, sight_key(sight, input));
        count++;
    } while (count < GLANCES_MAX && sight_move(sight, input));
    return count == GLANCES_MAX ? sight->next : input.len;
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
static bool sight_move(struct sight *sight, struct kw_bytes input)
{
    const char *end = input.data + input.len;
    size_t next = sight->next;
    size_t len = next - sight->at;
    struct kw_bytes key;

    if (next + sight->key_offset + sight->key_len > input.len) {
        return false;
    }
    if (!sight_is_like(sight, input, next)) {
        const char *behind = command_take(input.data + sight->at, end, &key);
        if (behind == NULL) {
            return false;
        }
        next = (size_t)(behind - input.data);
        if (!sight_is_like(sight, input, next)) {
            const char *after = command_take(behind, end, &key);
            if (after == NULL) {
                return false;
            }
            sight->key_offset = (size_t)(key.data - behind);
            sight->key_len = key.len;
            len = (size_t)(after - behind);
        }
    }
    sight->at = next;
    sight->next = next + len;
    return true;
}

/* Has the command at NEXT a key as long, behind the same? */
static bool sight_is_like(const struct sight *sight, struct kw_bytes input, size_t next)
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
