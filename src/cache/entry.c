/* entry.c - how an entry is written, cut and timed.
 *
 *     0      4      8        12 13 14 15   16    18     20    22
 *     | next | prev | deadl. | m p  f  n | vlen | dom. | st. | name [vl variant] value |
 *     long:  ...                                         | 24: kw_entry_long | 48: name ...
 *
 * A deadline is kept as the low 32 bits of its millisecond, and compared by the sign of the
 * difference, which is right within 24 days of now. What is further away is long, keeps all 64
 * bits, and looks every FAR_MS whether it has come near.
 *
 * INVARIANTS
 * E1  `deadline` is 0, or within 24 days of now: expire.c visits an entry when its deadline comes,
 *     a promise some minutes later.
 * E2  A value above KW_CACHE_COPY_MAX_BYTES is in a long entry, which alone can be held.
 */
#include "cache/entry.h"

#include "base/assert.h"

#include <string.h>

static const uint64_t FAR_MS = (uint64_t)20 * 24 * 3600 * 1000;

enum { SHORT_NAME_MAX = 255 };

static uint32_t entry_deadline_of(uint64_t deadline_ms, uint64_t now_ms);

size_t kw__entry_size(const struct kw_cache_key *key, size_t value_len, bool is_long)
{
    size_t variant_len = key->variant.len == 0 ? 0 : key->variant.len + sizeof(uint16_t);
    size_t head = is_long ? KW_ENTRY_LONG_AT + sizeof(struct kw_entry_long) : KW_ENTRY_HEAD_BYTES;

    return head + key->name.len + variant_len + value_len;
}

bool kw__entry_must_be_long(const struct kw_cache_key *key, size_t value_len, uint64_t deadline_ms,
                            uint64_t now_ms)
{
    bool is_far = deadline_ms > now_ms + FAR_MS;

    return key->name.len > SHORT_NAME_MAX || value_len > KW_CACHE_COPY_MAX_BYTES || is_far;
}

struct kw_entry *kw__entry_write(void *block, const struct kw_cache_key *key,
                                 const struct kw_cache_value *value, bool is_long, uint64_t now_ms)
{
    struct kw_entry *entry = block;
    size_t kind = value->kind;

    KW_ASSERT(kind < KW_CACHE_KINDS);
    KW_ASSERT(is_long || value->bytes.len <= KW_CACHE_COPY_MAX_BYTES); /* E2 */
    memset(entry, 0, KW_ENTRY_HEAD_BYTES);
    entry->flags = (uint8_t)(kind << KW_ENTRY_KIND_SHIFT | (is_long ? KW_ENTRY_LONG : 0) |
                             (key->variant.len != 0 ? KW_ENTRY_VARIANT : 0) |
                             (value->is_owned ? KW_ENTRY_OWNED : 0));
    entry->domain = value->domain;
    if (is_long) {
        struct kw_entry_long *more = kw__entry_long(entry);
        more->name_len = (uint32_t)key->name.len;
        more->value_len = (uint32_t)value->bytes.len;
        more->owned_bytes = 0;
        atomic_init(&more->deadline_ms, value->deadline_ms);
        atomic_init(&more->holds_count, 1);
    } else {
        entry->name_len = (uint8_t)key->name.len;
        entry->value_len = (uint16_t)value->bytes.len;
    }
    atomic_init(&entry->deadline, entry_deadline_of(value->deadline_ms, now_ms));
    atomic_init(&entry->mark, 0);
    char *to =
        is_long ? (char *)entry + KW_ENTRY_LONG_AT + sizeof(struct kw_entry_long) : entry->payload;
    if (key->name.len != 0) {
        memcpy(to, key->name.data, key->name.len);
        to += key->name.len;
    }
    if (key->variant.len != 0) {
        uint16_t variant_len = (uint16_t)key->variant.len;
        memcpy(to, &variant_len, sizeof variant_len);
        memcpy(to + sizeof variant_len, key->variant.data, variant_len);
        to += sizeof variant_len + variant_len;
    }
    if (value->bytes.len != 0 && value->bytes.data != NULL) {
        memcpy(to, value->bytes.data, value->bytes.len);
    }
    return entry;
}

void kw__entry_copy(void *block, const struct kw_entry *old, size_t size_bytes)
{
    struct kw_entry *entry = block;
    size_t head = KW_ENTRY_HEAD_BYTES;

    /* Readers go on marking the old one: a use or two is lost. */
    entry->next = old->next;
    entry->prev = old->prev;
    atomic_init(&entry->deadline, atomic_load_explicit(&old->deadline, memory_order_relaxed));
    atomic_init(&entry->mark, atomic_load_explicit(&old->mark, memory_order_relaxed));
    entry->place = old->place;
    entry->flags = old->flags;
    entry->name_len = old->name_len;
    entry->value_len = old->value_len;
    entry->domain = old->domain;
    atomic_init(&entry->stamp, atomic_load_explicit(&old->stamp, memory_order_relaxed));
    if ((old->flags & KW_ENTRY_LONG) != 0) {
        const struct kw_entry_long *from = kw__entry_long(old);
        struct kw_entry_long *to = kw__entry_long(entry);
        to->name_len = from->name_len;
        to->value_len = from->value_len;
        to->owned_bytes = 0;
        atomic_init(&to->deadline_ms,
                    atomic_load_explicit(&from->deadline_ms, memory_order_relaxed));
        atomic_init(&to->holds_count, 1);
        head = KW_ENTRY_LONG_AT + sizeof *to;
    }
    memcpy((char *)entry + head, (const char *)old + head, size_bytes - head);
}

size_t kw__entry_size_of(const struct kw_entry *entry)
{
    struct kw_entry_parts parts = kw__entry_cut(entry);

    return (size_t)(parts.value - (const char *)entry) + parts.value_len;
}

bool kw__entry_is_over(const struct kw_entry *entry, uint64_t now_ms)
{
    uint32_t deadline = atomic_load_explicit(&entry->deadline, memory_order_relaxed);

    if (deadline == 0 || (int32_t)((uint32_t)now_ms - deadline) < 0) { /* E1 */
        return false;
    }
    if ((entry->flags & KW_ENTRY_LONG) == 0) {
        return true;
    }
    return atomic_load_explicit(&kw__entry_long(entry)->deadline_ms, memory_order_relaxed) <=
           now_ms;
}

uint64_t kw__entry_deadline_ms(const struct kw_entry *entry, uint64_t now_ms)
{
    uint32_t deadline = atomic_load_explicit(&entry->deadline, memory_order_relaxed);

    if ((entry->flags & KW_ENTRY_LONG) != 0) {
        return atomic_load_explicit(&kw__entry_long(entry)->deadline_ms, memory_order_relaxed);
    }
    return deadline == 0 ? 0 : now_ms + (uint64_t)(int64_t)(int32_t)(deadline - (uint32_t)now_ms);
}

bool kw__entry_set_deadline(struct kw_entry *entry, uint64_t deadline_ms, uint64_t now_ms)
{
    if ((entry->flags & KW_ENTRY_LONG) != 0) {
        atomic_store_explicit(&kw__entry_long(entry)->deadline_ms, deadline_ms,
                              memory_order_relaxed);
    } else if (deadline_ms > now_ms + FAR_MS) {
        return false;
    }
    atomic_store_explicit(&entry->deadline, entry_deadline_of(deadline_ms, now_ms),
                          memory_order_relaxed);
    return true;
}

static uint32_t entry_deadline_of(uint64_t deadline_ms, uint64_t now_ms)
{
    if (deadline_ms == 0) {
        return 0;
    }
    /* The past is as good as now: the sign of a difference must stay right. */
    uint64_t near_ms = deadline_ms < now_ms ? now_ms : deadline_ms;
    uint32_t low = (uint32_t)(near_ms > now_ms + FAR_MS ? now_ms + FAR_MS : near_ms);
    return low == 0 ? UINT32_MAX : low; /* one millisecond early, once in 49 days */
}
