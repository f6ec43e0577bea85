/* lookahead.c - reads the keys of a pipeline in a quick pass of its own.
 *
 *     *2 $3 GET $5 key:1 | *3 $3 SET $5 key:2 $1 v | *2 $3 GET $5 key:3 | ...
 *                ^^^^^                   ^^^^^                   ^^^^^
 *
 * What stands first behind the command's name is a key nearly always; where it isn't, a little time
 * is lost. The pass ends at the first command that is long, large or inline: the parser knows.
 * It costs about as much as it takes to hash the keys, and saves as many waits for memory as there
 * are commands. When few of the keys are there it pauses for a while: then it saves nothing.
 */
#include "proxy/lookahead.h"

#include "cache/cache_extra.h"
#include "proxy/embedded/embedded.h"
#include "proxy/near/near.h"
#include "resp/short_length.h"

enum {
    ARGS_MAX = 9,     /* one digit */
    WORTH_PART = 4,   /* a look is worth it when one key in so many is there */
    PAUSE_LOOKS = 64, /* else so many are left out */
    FEW = 2           /* a command alone needs no look ahead */
};

static const char *command_take(const char *at, const char *end, struct kw_bytes *key);

size_t kw__lookahead(struct kw_proxy *proxy, struct kw_bytes input)
{
    struct kw_bytes keys[KW_CACHE_PREPARE_MAX];
    const char *at = input.data;
    const char *end = input.data + input.len;
    unsigned count = 0;

    if (proxy->lookahead_pause > 0) {
        proxy->lookahead_pause--;
        return input.len;
    }
    while (at != NULL && count < KW_CACHE_PREPARE_MAX) {
        const char *next = command_take(at, end, &keys[count]);
        if (next == NULL) {
            break;
        }
        at = next;
        count++;
    }
    if (count < FEW) {
        return input.len;
    }
    unsigned found = proxy->near != NULL ? kw_near_prepare(proxy, keys, count)
                                         : kw_embedded_prepare(proxy, keys, count);
    if (found * WORTH_PART < count) {
        proxy->lookahead_pause = PAUSE_LOOKS;
    }
    return (size_t)(at - input.data);
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
