/* entry.h - one key and its value as they lie in memory, 22 bytes before them.
 *
 * Thread: what is "set once" is written before the entry is published and never again; `mark` and
 *         `deadline` are atomic; the rest belongs to who holds the shard's lock.
 * Memory: a block of the cache's arena, freed by grace.h. See also: index.h (how it is found).
 */
#ifndef KW_CACHE_ENTRY_H
#define KW_CACHE_ENTRY_H

#include "cache/cache.h"

#include <stdatomic.h>
#include <stddef.h>

enum {
    KW_ENTRY_LONG = 1,    /* lengths, holds and deadline are in a kw_entry_long */
    KW_ENTRY_VARIANT = 2, /* the name is followed by a variant */
    KW_ENTRY_OWNED = 4,   /* on_drop is told */
    KW_ENTRY_FILL = 8,    /* no value but a promise; never found by kw_cache_get() */
    KW_ENTRY_KIND_SHIFT = 4
};

/* A promise that nobody has ended may lie about for so long after its deadline. */
enum { KW_ENTRY_FILL_LEFT_MS = 600000 };

struct kw_entry {
    uint32_t next;             /* the older one in its list; when retired, the next retired one */
    uint32_t prev;             /* the newer one */
    _Atomic uint32_t deadline; /* low half of the ms; 0: none */
    _Atomic uint8_t mark;      /* uses, as the policy counts them: evict/mark.h */
    uint8_t place;             /* which list it is in */
    uint8_t flags;             /* set once */
    uint8_t name_len;          /* set once */
    uint16_t value_len;        /* set once */
    uint16_t domain;           /* set once */
    _Atomic uint16_t stamp;    /* when it was queued, or used: evict/mark.h */
    char payload[];            /* name, variant's length and variant, value; or a kw_entry_long */
};

/* Stands before the payload of what is large, or has a deadline too far for 32 bits. */
struct kw_entry_long {
    uint32_t name_len;
    uint32_t value_len;
    _Atomic uint64_t deadline_ms;
    _Atomic uint32_t holds_count; /* readers that keep it, and one while it is in the index */
    uint32_t owned_bytes;         /* of an owned value, once it is retired (grace.c) */
};

enum {
    KW_ENTRY_HEAD_BYTES = offsetof(struct kw_entry, payload),
    KW_ENTRY_LONG_AT = (KW_ENTRY_HEAD_BYTES + 7) & ~7,
    KW_ENTRY_INDEX_BYTES = 10 /* of the index, an entry: see index.c */
};

_Static_assert(KW_ENTRY_HEAD_BYTES + KW_ENTRY_INDEX_BYTES <= 32, "at most 32 bytes an item");

/* How an entry is cut out of its block. */
struct kw_entry_parts {
    const char *name;
    size_t name_len;
    const char *variant;
    size_t variant_len;
    char *value;
    size_t value_len;
};

/* The block that KEY and a value of VALUE_LEN take; IS_LONG: by choice, or because they are. */
size_t kw__entry_size(const struct kw_cache_key *key, size_t value_len, bool is_long);
bool kw__entry_must_be_long(const struct kw_cache_key *key, size_t value_len, uint64_t deadline_ms,
                            uint64_t now_ms);

/* Write the entry of KEY and VALUE into BLOCK. */
struct kw_entry *kw__entry_write(void *block, const struct kw_cache_key *key,
                                 const struct kw_cache_value *value, bool is_long, uint64_t now_ms);

/* OLD, which is SIZE_BYTES, into BLOCK; the lists still have OLD. */
void kw__entry_copy(void *block, const struct kw_entry *old, size_t size_bytes);

size_t kw__entry_size_of(const struct kw_entry *entry);

/* Deadlines: over at NOW? The whole of it; another one (false: only a long entry can keep it). */
bool kw__entry_is_over(const struct kw_entry *entry, uint64_t now_ms);
uint64_t kw__entry_deadline_ms(const struct kw_entry *entry, uint64_t now_ms);
bool kw__entry_set_deadline(struct kw_entry *entry, uint64_t deadline_ms, uint64_t now_ms);

/* 1 when ENTRY has a deadline: for counting. */
static inline uint32_t kw__entry_is_timed(const struct kw_entry *entry)
{
    return atomic_load_explicit(&entry->deadline, memory_order_relaxed) != 0 ? 1 : 0;
}

/* When it is to be looked for: at its deadline; a promise later, as most are kept or broken by
 * then, and bounds (expire.c) would be too low. 0: never.
 */
static inline uint32_t kw__entry_due(const struct kw_entry *entry)
{
    uint32_t deadline = atomic_load_explicit(&entry->deadline, memory_order_relaxed);

    if ((entry->flags & KW_ENTRY_FILL) == 0 || deadline == 0) {
        return deadline;
    }
    return deadline + KW_ENTRY_FILL_LEFT_MS == 0 ? UINT32_MAX : deadline + KW_ENTRY_FILL_LEFT_MS;
}

static inline struct kw_entry_long *kw__entry_long(const struct kw_entry *entry)
{
    return (struct kw_entry_long *)((char *)(uintptr_t)entry + KW_ENTRY_LONG_AT);
}

static inline struct kw_entry_parts kw__entry_cut(const struct kw_entry *entry)
{
    struct kw_entry_parts parts = {
        .name = entry->payload, .name_len = entry->name_len, .value_len = entry->value_len};

    if (__builtin_expect((entry->flags & KW_ENTRY_LONG) != 0, 0)) {
        const struct kw_entry_long *more = kw__entry_long(entry);
        parts.name_len = more->name_len;
        parts.value_len = more->value_len;
        parts.name = (const char *)(more + 1);
    }
    const char *at = parts.name + parts.name_len;
    if ((entry->flags & KW_ENTRY_VARIANT) != 0) {
        uint16_t variant_len = 0;
        memcpy(&variant_len, at, sizeof variant_len);
        parts.variant = at + sizeof variant_len;
        parts.variant_len = variant_len;
        at = parts.variant + variant_len;
    }
    parts.value = (char *)(uintptr_t)at;
    return parts;
}

/* Is it the entry of KEY's name, and of KEY's variant? */
static inline bool kw__entry_has_name(const struct kw_entry *entry, const struct kw_cache_key *key)
{
    struct kw_entry_parts parts = kw__entry_cut(entry);

    return parts.name_len == key->name.len &&
           kw_same_bytes(parts.name, key->name.data, parts.name_len);
}

static inline bool kw__entry_is(const struct kw_entry *entry, const struct kw_cache_key *key)
{
    struct kw_entry_parts parts = kw__entry_cut(entry);

    return parts.name_len == key->name.len && parts.variant_len == key->variant.len &&
           kw_same_bytes(parts.name, key->name.data, parts.name_len) &&
           kw_same_bytes(parts.variant, key->variant.data, parts.variant_len);
}

#endif
