/* table.c - flat or spread, and from one to the other.
 *
 * A spread table is one of linear hashing: buckets are split one after the other, one for each
 * element that is put, and joined again as elements go; kw__bucket_of() says which one a hash
 * belongs to meanwhile. There is about one element in a bucket.
 *
 *     put       elements > buckets: bucket `count - 2^k` is split, its half becomes the last one
 *     remove    elements < 3/8 of the buckets: the last ones join where they came from
 *
 * Elements keep the low half of their hash, so neither needs the keys.
 *
 * Invariants:
 * I1  A flat table has no key twice, and its elements fill used_bytes exactly.
 * I2  Each element of a spread table is in the bucket that kw__bucket_of() says, and there are at
 *     least BUCKETS_MIN buckets.
 * I3  A table that is spread never becomes flat, as in redis; and an empty one is its owner's to
 *     remove.
 *
 * Not done: nothing becomes smaller in place; a value of another length is a new block.
 */
#include "store/tables/table.h"

#include "base/assert.h"
#include "base/hash.h"
#include "store/tables/table_element.h"

#include <sys/auxv.h>

enum {
    BUCKETS_MIN = 8,
    JOINS_MAX = 3,                /* more than one: buckets must go faster than elements */
    FLAT_MAX_BYTES = 1024 * 1024, /* whatever the options allow: it is moved as a whole */
    LENGTH_MAX = 5                /* bytes of a length */
};

static bool flat_find(const struct kw_table *table, struct kw_bytes key, struct kw_table_item *item,
                      size_t *offset);
static bool flat_may_have(const struct kw_table *table, const struct kw_table_limits *limits,
                          struct kw_bytes key, struct kw_bytes value);
static bool flat_put(struct kw_store_worker *worker, struct kw_table *table, struct kw_bytes key,
                     struct kw_bytes value, struct kw_table_item *item);
static size_t flat_length_write(size_t len, char *at);
static void flat_resize(struct kw_store_worker *worker, struct kw_table *table, size_t offset,
                        size_t old_len, size_t new_len);
static size_t flat_room(size_t need);
static struct kw__element **spread_find(const struct kw_table *table, struct kw_bytes key,
                                        uint32_t hash);
static bool spread_put(struct kw_store_worker *worker, struct kw_table *table, struct kw_bytes key,
                       struct kw_bytes value, struct kw_table_item *item);
static void spread_add(struct kw_store_worker *worker, struct kw_table *table,
                       struct kw__element *element);
static void spread_split(struct kw_store_worker *worker, struct kw_table *table);
static void spread_join(struct kw_store_worker *worker, struct kw_table *table);
static struct kw__element *element_new(struct kw_store_worker *worker, struct kw_table *table,
                                       struct kw_bytes key, struct kw_bytes value);
static void element_free(struct kw_store_worker *worker, struct kw_table *table,
                         struct kw__element *element);
static void element_set(const struct kw_table *table, struct kw__element *element,
                        struct kw_bytes value);
static size_t element_bytes(const struct kw_table *table, size_t key_len, size_t value_len);
static uint32_t table_hash(const struct kw_table *table, struct kw_bytes key);
static uint32_t table_seed(const struct kw_table *table);

void kw_table_init(struct kw_table *table, size_t extra_bytes, bool has_values)
{
    KW_ASSERT(extra_bytes <= UINT8_MAX);
    *table = (struct kw_table){.extra_bytes = (uint8_t)extra_bytes, .has_values = has_values};
}

void kw_table_deinit(struct kw_store_worker *worker, struct kw_table *table)
{
    bool is_done = kw_table_deinit_some(worker, table, SIZE_MAX);

    KW_ASSERT(is_done);
}

bool kw_table_deinit_some(struct kw_store_worker *worker, struct kw_table *table, size_t steps)
{
    while (table->is_spread && table->buckets.count > 0) {
        struct kw__element **bucket = kw__bucket_at(table, table->buckets.count - 1);
        for (; *bucket != NULL && steps > 0; steps--) {
            struct kw__element *element = *bucket;
            *bucket = element->next;
            element_free(worker, table, element);
            table->count--;
        }
        if (steps == 0) {
            return false;
        }
        kw_ladder_pop(worker, &table->buckets);
        steps--;
    }
    if (table->is_spread) {
        kw_ladder_deinit(worker, &table->buckets);
    } else if (table->flat.block != NULL) {
        kw_heap_put(worker, table->flat.block, table->flat.cap_bytes);
    }
    kw_table_init(table, table->extra_bytes, table->has_values);
    return true;
}

bool kw_table_find(const struct kw_table *table, struct kw_bytes key, struct kw_table_item *item)
{
    struct kw_table_item found;
    size_t offset = 0;

    if (table->is_spread) {
        struct kw__element *element = *spread_find(table, key, table_hash(table, key));
        if (element != NULL && item != NULL) {
            *item = kw__element_item(table, element);
        }
        return element != NULL;
    }
    return flat_find(table, key, item == NULL ? &found : item, &offset);
}

struct kw_table_item kw_table_item_of(const struct kw_table *table, const char *extra)
{
    size_t before = offsetof(struct kw__element, bytes) + kw__element_head(table);

    KW_ASSERT(table->is_spread);
    return kw__element_item(table,
                            (const struct kw__element *)(extra + table->extra_bytes - before));
}

bool kw_table_put(struct kw_store_worker *worker, struct kw_table *table,
                  const struct kw_table_limits *limits, struct kw_bytes key, struct kw_bytes value,
                  struct kw_table_item *item)
{
    KW_ASSERT(table->has_values || value.len == 0);
    if (!table->is_spread && !flat_may_have(table, limits, key, value)) {
        kw_table_spread(worker, table);
    }
    if (table->is_spread) {
        return spread_put(worker, table, key, value, item);
    }
    bool is_new = flat_put(worker, table, key, value, item);
    if (table->count > limits->count_max) {
        kw_table_spread(worker, table);
        if (item != NULL) {
            kw_table_find(table, key, item);
        }
    }
    return is_new;
}

bool kw_table_remove(struct kw_store_worker *worker, struct kw_table *table, struct kw_bytes key)
{
    struct kw_table_item item;
    size_t offset = 0;

    if (!table->is_spread) {
        if (!flat_find(table, key, &item, &offset)) {
            return false;
        }
        table->count--;
        const char *end = item.value.data + item.value.len;
        flat_resize(worker, table, offset, (size_t)(end - table->flat.block) - offset, 0);
        return true;
    }
    struct kw__element **place = spread_find(table, key, table_hash(table, key));
    struct kw__element *element = *place;
    if (element == NULL) {
        return false;
    }
    *place = element->next;
    element_free(worker, table, element);
    table->count--;
    for (int i = 0; i < JOINS_MAX && table->buckets.count > BUCKETS_MIN &&
                    table->count < table->buckets.count / 8 * 3;
         i++) {
        spread_join(worker, table);
    }
    return true;
}

void kw_table_spread(struct kw_store_worker *worker, struct kw_table *table)
{
    struct kw_table old = *table;
    struct kw_table_item item;

    if (table->is_spread) {
        return;
    }
    table->is_spread = true;
    table->count = 0;
    table->payload_bytes = 0;
    kw_ladder_init(&table->buckets);
    table->seed = table_seed(table);
    while (table->buckets.count < BUCKETS_MIN) {
        kw_ladder_push(worker, &table->buckets, NULL);
    }
    for (size_t offset = 0; offset < old.flat.used_bytes;) {
        offset = kw__flat_read(&old, offset, &item);
        struct kw__element *element = element_new(worker, table, item.key, item.value);
        if (table->extra_bytes > 0) {
            memcpy(kw__element_item(table, element).extra, item.extra, table->extra_bytes);
        }
        spread_add(worker, table, element);
    }
    KW_ASSERT(table->count == old.count); /* I1 */
    if (old.flat.block != NULL) {
        kw_heap_put(worker, old.flat.block, old.flat.cap_bytes);
    }
}

size_t kw_table_bytes(const struct kw_table *table)
{
    if (!table->is_spread) {
        return table->flat.cap_bytes;
    }
    return table->payload_bytes + kw_ladder_bytes(&table->buckets);
}

static bool flat_find(const struct kw_table *table, struct kw_bytes key, struct kw_table_item *item,
                      size_t *offset)
{
    size_t next;

    for (*offset = 0; *offset < table->flat.used_bytes; *offset = next) {
        next = kw__flat_read(table, *offset, item);
        if (kw_bytes_equal(item->key, key)) {
            return true;
        }
    }
    return false;
}

static bool flat_may_have(const struct kw_table *table, const struct kw_table_limits *limits,
                          struct kw_bytes key, struct kw_bytes value)
{
    size_t more = 2 * LENGTH_MAX + table->extra_bytes + key.len + value.len;

    return limits->count_max > 0 && key.len <= limits->bytes_max &&
           value.len <= limits->bytes_max && table->flat.used_bytes + more <= FLAT_MAX_BYTES;
}

static bool flat_put(struct kw_store_worker *worker, struct kw_table *table, struct kw_bytes key,
                     struct kw_bytes value, struct kw_table_item *item)
{
    struct kw_table_item place;
    char head[2 * LENGTH_MAX + UINT8_MAX] = {0}; /* extra bytes: zeroes */
    size_t old_len = 0;
    size_t offset = 0;
    bool is_new = !flat_find(table, key, &place, &offset);

    if (!is_new) {
        const char *end = place.value.data + place.value.len;
        old_len = (size_t)(end - table->flat.block) - offset;
    }
    if (is_new || place.value.len != value.len) {
        size_t lengths = flat_length_write(key.len, head);
        lengths += table->has_values ? flat_length_write(value.len, head + lengths) : 0;
        if (!is_new) {
            memcpy(head + lengths, place.extra, table->extra_bytes);
        }
        size_t head_len = lengths + table->extra_bytes;
        flat_resize(worker, table, offset, old_len, head_len + key.len + value.len);
        char *at = table->flat.block + offset;
        memcpy(at, head, head_len);
        kw__bytes_copy(at + head_len, key);
    }
    kw__flat_read(table, offset, &place);
    kw__bytes_copy((char *)place.value.data, value);
    table->count += is_new ? 1 : 0;
    if (item != NULL) {
        *item = place;
    }
    return is_new;
}

static size_t flat_length_write(size_t len, char *at)
{
    size_t count = 0;

    while (len >= 0x80) {
        at[count++] = (char)(0x80 | (len & 0x7f));
        len >>= 7;
    }
    at[count++] = (char)len;
    return count;
}

/* The OLD bytes at OFFSET become NEW ones: what is behind them moves, their content is open. */
static void flat_resize(struct kw_store_worker *worker, struct kw_table *table, size_t offset,
                        size_t old_len, size_t new_len)
{
    size_t used = table->flat.used_bytes - old_len + new_len;
    size_t behind = table->flat.used_bytes - offset - old_len;
    size_t cap = table->flat.cap_bytes;
    bool is_wasteful = used < cap / 2 && flat_room(used) < cap;

    if (used > cap) {
        size_t room = flat_room(used);
        table->flat.block = cap == 0 ? kw_heap_get(worker, room)
                                     : kw_heap_resize(worker, table->flat.block, cap, room);
        table->flat.cap_bytes = (uint32_t)room;
    }
    char *at = table->flat.block + offset;
    memmove(at + new_len, at + old_len, behind);
    table->flat.used_bytes = (uint32_t)used;
    if (is_wasteful) {
        table->flat.block = kw_heap_resize(worker, table->flat.block, cap, flat_room(used));
        table->flat.cap_bytes = (uint32_t)flat_room(used);
    }
}

/* NEED and up to a quarter more, as allocators round anyway. */
static size_t flat_room(size_t need)
{
    size_t step = 16;

    while (step * 8 < need) {
        step *= 2;
    }
    return need == 0 ? step : (need + step - 1) / step * step;
}

/* Where the pointer to KEY's element is, or the NULL at the end of its bucket. */
static struct kw__element **spread_find(const struct kw_table *table, struct kw_bytes key,
                                        uint32_t hash)
{
    uint64_t mask;
    struct kw__element **place =
        kw__bucket_at(table, kw__bucket_of(hash, table->buckets.count, &mask));

    for (; *place != NULL; place = &(*place)->next) {
        const struct kw__element *element = *place;
        struct kw_bytes own = {element->bytes + kw__element_head(table), element->key_len};
        if (element->hash == hash && kw_bytes_equal(own, key)) {
            break;
        }
    }
    return place;
}

static bool spread_put(struct kw_store_worker *worker, struct kw_table *table, struct kw_bytes key,
                       struct kw_bytes value, struct kw_table_item *item)
{
    struct kw__element **place = spread_find(table, key, table_hash(table, key));
    struct kw__element *element = *place;
    bool is_new = element == NULL;

    if (is_new) {
        element = element_new(worker, table, key, value);
        spread_add(worker, table, element);
    } else if (table->has_values) {
        struct kw_table_item old = kw__element_item(table, element);
        if (old.value.len != value.len) {
            size_t bytes = element_bytes(table, key.len, value.len);
            table->payload_bytes += bytes;
            table->payload_bytes -= element_bytes(table, key.len, old.value.len);
            element = kw_heap_resize(worker, element, element_bytes(table, key.len, old.value.len),
                                     bytes);
            *place = element;
        }
        element_set(table, element, value);
    }
    if (item != NULL) {
        *item = kw__element_item(table, element);
    }
    return is_new;
}

static void spread_add(struct kw_store_worker *worker, struct kw_table *table,
                       struct kw__element *element)
{
    uint64_t mask;

    table->count++;
    if (table->count > table->buckets.count) {
        spread_split(worker, table);
    }
    struct kw__element **bucket =
        kw__bucket_at(table, kw__bucket_of(element->hash, table->buckets.count, &mask));
    element->next = *bucket;
    *bucket = element;
}

/* One more bucket: it takes its half of the one that it is split from. */
static void spread_split(struct kw_store_worker *worker, struct kw_table *table)
{
    size_t last = table->buckets.count;
    uint64_t mask;
    size_t first = last - (UINT64_C(1) << (63 - __builtin_clzll(last)));

    KW_ASSERT(last >= BUCKETS_MIN && last < UINT32_MAX); /* I2 */
    kw_ladder_push(worker, &table->buckets, NULL);
    struct kw__element **place = kw__bucket_at(table, first);
    struct kw__element **other = kw__bucket_at(table, last);
    while (*place != NULL) {
        struct kw__element *element = *place;
        if (kw__bucket_of(element->hash, last + 1, &mask) == first) {
            place = &element->next;
            continue;
        }
        *place = element->next;
        element->next = NULL;
        *other = element;
        other = &element->next;
    }
}

static void spread_join(struct kw_store_worker *worker, struct kw_table *table)
{
    struct kw__element *chain = kw_ladder_pop(worker, &table->buckets);
    size_t last = table->buckets.count;
    struct kw__element **place =
        kw__bucket_at(table, last - (UINT64_C(1) << (63 - __builtin_clzll(last))));

    while (*place != NULL) {
        place = &(*place)->next;
    }
    *place = chain;
}

static struct kw__element *element_new(struct kw_store_worker *worker, struct kw_table *table,
                                       struct kw_bytes key, struct kw_bytes value)
{
    size_t bytes = element_bytes(table, key.len, value.len);
    struct kw__element *element = kw_heap_get(worker, bytes);

    table->payload_bytes += bytes;
    element->next = NULL;
    element->hash = table_hash(table, key);
    element->key_len = (uint32_t)key.len;
    memset(element->bytes, 0, kw__element_head(table));
    kw__bytes_copy(element->bytes + kw__element_head(table), key);
    element_set(table, element, value);
    return element;
}

static void element_free(struct kw_store_worker *worker, struct kw_table *table,
                         struct kw__element *element)
{
    struct kw_table_item item = kw__element_item(table, element);
    size_t bytes = element_bytes(table, item.key.len, item.value.len);

    table->payload_bytes -= bytes;
    kw_heap_put(worker, element, bytes);
}

static void element_set(const struct kw_table *table, struct kw__element *element,
                        struct kw_bytes value)
{
    uint32_t value_len = (uint32_t)value.len;

    if (table->has_values) {
        memcpy(element->bytes, &value_len, sizeof value_len);
        kw__bytes_copy(element->bytes + kw__element_head(table) + element->key_len, value);
    }
}

static size_t element_bytes(const struct kw_table *table, size_t key_len, size_t value_len)
{
    return offsetof(struct kw__element, bytes) + kw__element_head(table) + key_len + value_len;
}

static uint32_t table_hash(const struct kw_table *table, struct kw_bytes key)
{
    return (uint32_t)kw_hash(key, table->seed);
}

/* What clients can't know: the system gives each process 16 random bytes. */
static uint32_t table_seed(const struct kw_table *table)
{
    const char *random = (const char *)getauxval(AT_RANDOM);
    struct kw_bytes bytes = {random, random == NULL ? 0 : 16};

    return (uint32_t)kw_hash(bytes, (uintptr_t)table);
}
