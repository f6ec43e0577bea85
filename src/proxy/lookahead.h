/* lookahead.h - brings near, before a pipeline's commands are handled, what their keys will touch;
 * the near cache tells them what it has seen of them then (near/ahead.h).
 *
 * For proxies that answer from memory of their own: the near cache, the embedded store.
 *
 * Thread: the worker's. Memory: none; a sight borrows the input.
 */
#ifndef KW_PROXY_LOOKAHEAD_H
#define KW_PROXY_LOOKAHEAD_H

#include "base/apart.h"
#include "proxy/internal.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { KW_SIGHT_BEFORE_BYTES = 8 }; /* before a key: the end of its command's name, its length */

/* A command in the input, and its key. */
struct kw_sight {
    struct kw_bytes key;
    size_t len;      /* of the command; a guess, unless it is the first one: as the one before */
    size_t reach;    /* from the key to the end of the next one, when that is alike */
    uint64_t before; /* those bytes */
    size_t offset;   /* of the key in its command */
    const char *end; /* of the input */
};

/* Look at the commands of CLIENT at the start of INPUT, whose first one, of FIRST_LEN bytes, is in
 * proxy->argv. Returns how many bytes of it need no other look.
 */
size_t kw__lookahead(struct kw_client *client, struct kw_bytes input, size_t first_len);

/* The same as kw__sight_move(), when the command in hand may have another length than was guessed,
 * or the next one another form.
 */
KW_APART const char *kw__sight_move_other(struct kw_sight *sight);

static inline uint64_t kw__sight_before(const char *key)
{
    uint64_t before = 0;

    memcpy(&before, key - KW_SIGHT_BEFORE_BYTES, sizeof before);
    return before;
}

/* To the next command: is its key as long, and behind the same? Returns where that begins; NULL
 * when there is none, or one that is not of the usual form.
 */
static inline const char *kw__sight_move(struct kw_sight *sight)
{
    const char *key = sight->key.data;

    if (__builtin_expect((size_t)(sight->end - key) < sight->reach, 0)) {
        return NULL;
    }
    key += sight->len;
    if (__builtin_expect(kw__sight_before(key) != sight->before, 0)) {
        return kw__sight_move_other(sight);
    }
    sight->key.data = key;
    return key;
}

#endif
