/* split.c - keys become chains, one for each part.
 *
 *   keys        0:a   1:b   2:c   3:a        a and c in slot 7, b in slot 9
 *   key_part    0     1     0     0
 *   key_next    2     -     3     -          part 0: first 0, last 3    part 1: first 1, last 1
 *
 * INVARIANTS
 * I1  between requests part_of_slot is all 0.
 * I2  a part's keys are in the order of the request.
 *
 * Cost: O(keys), whatever their number and the number of parts.
 */
#include "proxy/gather/split.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/gather/bulk.h"

enum {
    KEYS_KEPT_MAX = 4096, /* room that kw_split_trim() leaves */
    HEAD_COUNT_LEN = 4,   /* *2 CR LF */
    HEAD_WORD_MAX = 20    /* with less than 8 bytes around it fits behind */
};

_Static_assert(KW_SPLIT_HEAD_BYTES <= 2 * KW_BULK_EXTRA_BYTES, "a head is within outer_len");

static char *split_write_words(const struct kw_split *split, const struct kw_split_part *part,
                               uint32_t from, uint32_t end, char *at);
static bool split_begin(struct kw_split *split, const struct kw_command *command,
                        const struct kw_bytes *argv, size_t argc);
static void split_write_head(struct kw_split *split);
static struct kw_split_part *split_add_part(struct kw_split *split, uint16_t slot);
static void split_add_key(struct kw_split *split, uint32_t part_index, uint32_t key);
static struct kw_bytes split_key(const struct kw_split *split, uint32_t key);
static uint32_t split_table_size(uint32_t keys_count);

struct kw_split *kw_split_new(uint64_t seed)
{
    struct kw_split *split = kw_alloc_zero(1, sizeof *split);

    split->seed = seed;
    return split;
}

void kw_split_free(struct kw_split **split)
{
    kw_free((*split)->parts);
    kw_free((*split)->key_next);
    kw_free((*split)->key_part);
    kw_free(*split);
    *split = NULL;
}

void kw_split_trim(struct kw_split *split)
{
    if (split->keys_size > KEYS_KEPT_MAX || split->parts_size > KEYS_KEPT_MAX) {
        kw_free(split->parts);
        kw_free(split->key_next);
        kw_free(split->key_part);
        split->parts = NULL;
        split->key_next = NULL;
        split->key_part = NULL;
        split->keys_size = 0;
        split->parts_size = 0;
    }
}

bool kw_split_by_slot(struct kw_split *split, const struct kw_command *command,
                      const struct kw_bytes *argv, size_t argc)
{
    if (!split_begin(split, command, argv, argc)) {
        return false;
    }
    uint64_t seen =
        0; /* a bit for each slot modulo 64: a first key of its slot is mostly known by it */
    for (uint32_t key = 0; key < split->run.count; key++) {
        uint16_t slot = kw_slot_of_key(split_key(split, key));
        uint64_t bit = 1ull << (slot % 64);
        uint32_t part = (seen & bit) == 0 ? KW_SPLIT_NONE : kw_split_part_of_slot(split, slot);
        seen |= bit;
        if (part == KW_SPLIT_NONE) {
            part = split->parts_count;
            split_add_part(split, slot);
            if (split->run.count > KW_SPLIT_FEW_KEYS) {
                split->part_of_slot[slot] = (uint16_t)(part + 1);
            }
        }
        split_add_key(split, part, key);
    }
    if (split->parts_count == 1) {
        kw_split_clear(split);
        return false;
    }
    return true;
}

bool kw_split_by_key(struct kw_split *split, const struct kw_command *command,
                     const struct kw_bytes *argv, size_t argc)
{
    if (!split_begin(split, command, argv, argc)) {
        return false;
    }
    uint16_t slot = kw_slot_of_key(split_key(split, 0));
    uint32_t size = split_table_size(split->run.count);
    uint32_t *table = kw_alloc_zero(size, sizeof *table); /* parts by key, number + 1 */
    for (uint32_t key = 0; key < split->run.count; key++) {
        struct kw_bytes name = split_key(split, key);
        uint32_t at = (uint32_t)kw_hash(name, split->seed) & (size - 1);
        while (table[at] != 0 &&
               !kw_bytes_equal(split_key(split, split->parts[table[at] - 1].first), name)) {
            at = (at + 1) & (size - 1);
        }
        if (table[at] == 0) {
            split_add_part(split, slot);
            table[at] = split->parts_count;
        }
        split_add_key(split, table[at] - 1, key);
    }
    kw_free(table);
    if (split->parts_count == 1) {
        kw_split_clear(split);
        return false;
    }
    return true;
}

/* A power of two, at least twice the number of keys. */
static uint32_t split_table_size(uint32_t keys_count)
{
    uint32_t size = 16;

    while (size < keys_count * 2) {
        size *= 2;
    }
    return size;
}

void kw_split_clear(struct kw_split *split)
{
    for (uint32_t i = 0; i < split->parts_count && split->run.count > KW_SPLIT_FEW_KEYS; i++) {
        split->part_of_slot[split->parts[i].slot] = 0; /* I1 */
    }
    split->parts_count = 0;
}

bool kw_split_is_conditional(const struct kw_split *split)
{
    if (split->command->merge != KW_MERGE_AND) {
        return false;
    }
    for (uint32_t i = split->run.first + split->run.count * split->run.step; i < split->argc; i++) {
        if (kw_bytes_equal_nocase(split->argv[i], KW_BYTES("nx")) ||
            kw_bytes_equal_nocase(split->argv[i], KW_BYTES("xx"))) {
            return true;
        }
    }
    return false;
}

size_t kw_split_len(const struct kw_split *split, const struct kw_split_part *part)
{
    return split->outer_len + part->len;
}

size_t kw_split_write(const struct kw_split *split, const struct kw_split_part *part, char *out)
{
    const struct kw_key_run *run = &split->run;
    uint32_t behind = run->first + run->count * run->step;
    char *at = out;

    if (split->is_plain && part->keys_count == 1) {
        memcpy(out, split->head, sizeof split->head); /* one move; less than outer_len */
        at = out + HEAD_COUNT_LEN + split->head_len;
        return (size_t)(kw__put_bulk(at, split->argv[1 + part->first]) - out);
    }
    at = kw__put_number(at, '*', run->first + part->keys_count * run->step + split->argc - behind);
    if (split->head_len > 0) {
        memcpy(at, split->head + HEAD_COUNT_LEN, split->head_len);
        at += split->head_len;
    } else {
        at = split_write_words(split, part, 0, run->first, at);
    }
    for (uint32_t key = part->first; key != KW_SPLIT_NONE; key = split->key_next[key]) {
        const struct kw_bytes *words = &split->argv[run->first + key * run->step];
        for (uint32_t i = 0; i < run->step; i++) {
            at = kw__put_bulk(at, words[i]);
        }
    }
    if (behind < split->argc) {
        at = split_write_words(split, part, behind, split->argc, at);
    }
    return (size_t)(at - out);
}

/* The words FROM to END of the request, none of them a key's. */
static char *split_write_words(const struct kw_split *split, const struct kw_split_part *part,
                               uint32_t from, uint32_t end, char *at)
{
    const struct kw_key_spec *spec = &split->command->keys[0];
    char number[KW_TEXT_INT_MAX];

    for (uint32_t i = from; i < end; i++) {
        struct kw_bytes word = split->argv[i];
        if (spec->find == KW_FIND_NUMKEYS && i == spec->begin) {
            word = kw_bytes_of(number, kw_text_from_int(part->keys_count, number));
        }
        at = kw__put_bulk(at, word);
    }
    return at;
}

/* Find the keys and make room. False when there are not two of them. */
static bool split_begin(struct kw_split *split, const struct kw_command *command,
                        const struct kw_bytes *argv, size_t argc)
{
    struct kw_keys keys;

    KW_ASSERT(split->parts_count == 0); /* I1 */
    if (kw_keys_find(command, argv, argc, &keys) != KW_KEYS_OK || keys.count < 2 ||
        keys.runs_count != 1) {
        return false;
    }
    split->command = command;
    split->argv = argv;
    split->argc = (uint32_t)argc;
    split->run = keys.runs[0];
    if (keys.count > split->keys_size) {
        split->keys_size = keys.count < 64 ? 64 : keys.count;
        split->key_next = kw_realloc(split->key_next, split->keys_size * sizeof *split->key_next);
        split->key_part = kw_realloc(split->key_part, split->keys_size * sizeof *split->key_part);
    }
    split_write_head(split);
    uint32_t behind = split->run.first + split->run.count * split->run.step;
    split->outer_len = KW_BULK_EXTRA_BYTES;
    for (uint32_t i = 0; i < split->run.first; i++) {
        split->outer_len += argv[i].len + KW_BULK_EXTRA_BYTES;
    }
    for (uint32_t i = behind; i < argc; i++) {
        split->outer_len += argv[i].len + KW_BULK_EXTRA_BYTES;
    }
    return true;
}

/* Mostly there is but the name in front of the keys: no need to write it anew for each part. */
static void split_write_head(struct kw_split *split)
{
    const struct kw_key_run *run = &split->run;
    bool is_alike = run->first == 1 && split->argv[0].len <= HEAD_WORD_MAX;
    char *word = split->head + HEAD_COUNT_LEN;

    memcpy(split->head, "*2\r\n", HEAD_COUNT_LEN);
    split->head_len = is_alike ? (size_t)(kw__put_bulk(word, split->argv[0]) - word) : 0;
    split->is_plain = is_alike && run->step == 1 && run->count + 1 == split->argc;
}

static inline struct kw_split_part *split_add_part(struct kw_split *split, uint16_t slot)
{
    if (split->parts_count == split->parts_size) {
        split->parts_size = split->parts_size == 0 ? 64 : split->parts_size * 2;
        split->parts = kw_realloc(split->parts, split->parts_size * sizeof *split->parts);
    }
    struct kw_split_part *part = &split->parts[split->parts_count++];
    *part = (struct kw_split_part){.slot = slot, .first = KW_SPLIT_NONE};
    return part;
}

static inline void split_add_key(struct kw_split *split, uint32_t part_index, uint32_t key)
{
    struct kw_split_part *part = &split->parts[part_index];

    if (part->first == KW_SPLIT_NONE) {
        part->first = key;
    } else {
        split->key_next[part->last] = key; /* I2 */
    }
    part->last = key;
    part->keys_count++;
    const struct kw_bytes *words = &split->argv[split->run.first + key * split->run.step];
    part->len += words[0].len + KW_BULK_EXTRA_BYTES;
    for (uint32_t i = 1; i < split->run.step; i++) {
        part->len += words[i].len + KW_BULK_EXTRA_BYTES;
    }
    split->key_next[key] = KW_SPLIT_NONE;
    split->key_part[key] = part_index;
}

static struct kw_bytes split_key(const struct kw_split *split, uint32_t key)
{
    return split->argv[split->run.first + key * split->run.step];
}
