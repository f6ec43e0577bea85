/* keys.h - where the keys of one request are.
 *
 * Whatever the command, its keys are at most three runs of equally spaced arguments; a run is three
 * numbers, so finding 100,000 keys allocates nothing. Numbers that clients send (numkeys) are
 * checked against what is really there before they become a run.
 *
 * Thread: any; pure functions. Memory: results live in the caller's struct.
 * See also: command.h (the specifications), keys.c (the special forms).
 */
#ifndef KW_COMMAND_KEYS_H
#define KW_COMMAND_KEYS_H

#include "base/bytes.h"
#include "command/command.h"

#include <stddef.h>
#include <stdint.h>

enum kw_keys_verdict {
    KW_KEYS_OK = 0, /* at least one key */
    KW_KEYS_NONE,   /* correct, and without a key: any node will do */
    KW_KEYS_BAD     /* a count or an option is wrong: nothing a server would execute. What runs
                     * were found before is kept, so count may be more than 0. The exact error
                     * text is the server's: sent to any node, it answers with an error (or with a
                     * redirection first), and executes nothing.
                     */
};

/* Arguments first, first + step, ... : COUNT of them, all below argc. */
struct kw_key_run {
    uint32_t first; /* index in argv */
    uint32_t count; /* keys, at least 1 */
    uint32_t step;  /* arguments from one key to the next: what travels with a key in a split */
    uint32_t flags; /* KW_KEY_* */
};

struct kw_keys {
    uint32_t count;      /* keys in all runs, NOT_KEY ones included */
    uint32_t runs_count; /* 0 .. 3 */
    struct kw_key_run runs[KW_COMMAND_KEY_SPECS_MAX];
};

/* The index of the only key when COMMAND has exactly one at a fixed place, else 0. Once the arity
 * is right the index is below argc. Most requests need no more than this.
 */
static inline uint32_t kw_keys_single(const struct kw_command *command)
{
    return command->keys[0].find == KW_FIND_AT && command->keys[1].find == KW_FIND_NONE
               ? command->keys[0].begin
               : 0;
}

/* Find the keys of ARGV. argc counts the name and may be anything: a request with too few arguments
 * is KW_KEYS_BAD. COMMAND is what kw_command_resolve() returned for it. *keys is always set.
 */
enum kw_keys_verdict kw_keys_find(const struct kw_command *command, const struct kw_bytes *argv,
                                  size_t argc, struct kw_keys *keys);

/* The index in argv of key number N, which is below keys->count. */
static inline uint32_t kw_keys_at(const struct kw_keys *keys, uint32_t n)
{
    const struct kw_key_run *run = keys->runs;

    while (n >= run->count) {
        n -= run->count;
        run++;
    }
    return run->first + n * run->step;
}

#endif
