/* split.h - cuts a request with keys of several slots into one command for each slot.
 *
 *   MSET a 1 b 2 c 3     a and c share a slot:     MSET a 1 c 3      MSET b 2
 *
 * What stands before the keys and behind them is repeated in each (JSON.MGET's path, MSETEX's
 * options); what belongs to a key travels with it.
 *
 * Pure: no links, no clients. Thread: the worker's.
 * Memory: a split is kept from request to request and grows to the largest; it borrows argv.
 * See also: gather.h (who sends the parts), command/keys.h.
 */
#ifndef KW_PROXY_GATHER_SPLIT_H
#define KW_PROXY_GATHER_SPLIT_H

#include "cluster/slot.h"
#include "command/keys.h"

#define KW_SPLIT_NONE UINT32_MAX /* no key, no part */

enum {
    KW_SPLIT_HEAD_BYTES = 32, /* "*2", "$4", "MGET" and their line ends, and some more */
    KW_SPLIT_FEW_KEYS = 16
};

/* The keys of one command to be. */
struct kw_split_part {
    uint16_t slot;
    uint32_t first; /* key */
    uint32_t last;
    uint32_t keys_count;
    size_t len; /* bytes of its keys and what travels with them, as bulks: an upper bound */
};

struct kw_split {
    /* of the request cut last */
    const struct kw_command *command;
    const struct kw_bytes *argv;
    uint32_t argc;
    struct kw_key_run run;
    struct kw_split_part *parts; /* owned; in the order of their first keys */
    uint32_t parts_count;
    uint32_t *key_next; /* owned; the next key of the same part, or KW_SPLIT_NONE */
    uint32_t *key_part; /* owned; of each key */
    size_t outer_len;   /* bytes of what is repeated in each part: an upper bound */
    size_t head_len;    /* the word in front of the keys, as a bulk in head; 0: not there */
    char head[KW_SPLIT_HEAD_BYTES]; /* behind "*2" */
    bool is_plain;                  /* name and keys, and that name is in head */

    uint32_t keys_size; /* keys that there is room for */
    uint32_t parts_size;
    uint16_t part_of_slot[KW_SLOTS_COUNT]; /* number + 1, 0 = none */
    uint64_t seed;                         /* of the table of kw_split_by_key() */
};

struct kw_split *kw_split_new(uint64_t seed);
void kw_split_free(struct kw_split **split);

/* Give memory beyond the ordinary back. */
void kw_split_trim(struct kw_split *split);

/* True when a request of ARGC arguments ends within a group: MSET a 1 b. */
static inline bool kw_split_is_ragged(const struct kw_command *command, size_t argc)
{
    const struct kw_key_spec *spec = &command->keys[0];

    return spec->find == KW_FIND_RANGE && spec->step > 1 && argc > spec->begin &&
           (argc - spec->begin) % spec->step != 0;
}

/* Group the keys of ARGV by slot. False when there is nothing to split: all keys are in one slot,
 * or can't be made out. When true, kw_split_clear() must follow.
 */
bool kw_split_by_slot(struct kw_split *split, const struct kw_command *command,
                      const struct kw_bytes *argv, size_t argc);

/* The same, one part for each different key: a key that is named twice keeps its order. False when
 * there are not two different ones.
 */
bool kw_split_by_key(struct kw_split *split, const struct kw_command *command,
                     const struct kw_bytes *argv, size_t argc);

/* True for MSETEX with NX or XX: all keys or none, which only one node can promise. */
bool kw_split_is_conditional(const struct kw_split *split);

/* Done with it. */
void kw_split_clear(struct kw_split *split);

/* The part for SLOT, or KW_SPLIT_NONE. The table is 32 KiB that are far away: of a few parts it is
 * quicker to look at all than to wait for it.
 */
static inline uint32_t kw_split_part_of_slot(const struct kw_split *split, uint16_t slot)
{
    if (split->run.count > KW_SPLIT_FEW_KEYS) {
        return slot < KW_SLOTS_COUNT ? split->part_of_slot[slot] - 1u : KW_SPLIT_NONE;
    }
    for (uint32_t i = 0; i < split->parts_count; i++) {
        if (split->parts[i].slot == slot) {
            return i;
        }
    }
    return KW_SPLIT_NONE;
}

/* True when the request has a part for SLOT. */
static inline bool kw_split_has_slot(const struct kw_split *split, uint16_t slot)
{
    return kw_split_part_of_slot(split, slot) != KW_SPLIT_NONE;
}

/* Bytes that kw_split_write() needs at the most. */
size_t kw_split_len(const struct kw_split *split, const struct kw_split_part *part);

/* Write PART's command to OUT. Returns its length. */
size_t kw_split_write(const struct kw_split *split, const struct kw_split_part *part, char *out);

#endif
