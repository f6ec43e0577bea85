/* census.c - one table under one mutex.
 *
 * INVARIANTS
 * C1  an entry has clients or feeds; one that has neither is freed.
 * C2  patterns are also in a list, as each PUBLISH has to look at all of them; so do servers.
 */
#include "proxy/pubsub/census.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"

#include <pthread.h>

/* Workers that are subscribed at one node. */
struct feeds {
    uint64_t node; /* hash of its name */
    uint32_t count;
};

struct entry {
    struct kw_map_link by_name;
    struct kw_list patterns; /* in census->patterns, when it is one */
    uint32_t clients_count;
    uint32_t feeds_count; /* used places of feeds */
    uint32_t feeds_cap;
    struct feeds *feeds; /* owned */
    enum kw_channel_kind kind;
    size_t name_len;
    char name[];
};

struct kw_census {
    pthread_mutex_t mutex;
    struct kw_map entries;
    struct kw_list patterns;
    uint64_t names_count[KW_CHANNEL_KINDS]; /* entries with clients */
};

static struct kw_census *census_lock(struct kw_stats_hub *hub);
static void census_unlock(struct kw_census *census);
static struct entry *entry_find(struct kw_census *census, enum kw_channel_kind kind,
                                struct kw_bytes name);
static struct entry *entry_get(struct kw_census *census, enum kw_channel_kind kind,
                               struct kw_bytes name);
static void entry_put(struct kw_census *census, struct entry *entry);
static struct feeds *entry_feeds(struct entry *entry, uint64_t node);
static void count_receivers(const struct entry *entry, uint64_t node,
                            struct kw_census_count *count);

void kw_census_free(struct kw_stats_hub *hub)
{
    struct kw_census *census = atomic_exchange(&hub->census, NULL);

    if (census == NULL) {
        return;
    }
    for (struct kw_map_link *link; (link = kw_map_any(&census->entries, 0)) != NULL;) {
        struct entry *entry = KW_MAP_ENTRY(link, struct entry, by_name);
        entry->clients_count = 0;
        entry->feeds_count = 0;
        entry_put(census, entry);
    }
    kw_map_deinit(&census->entries);
    pthread_mutex_destroy(&census->mutex);
    kw_free(census);
}

void kw_census_add_clients(struct kw_stats_hub *hub, enum kw_channel_kind kind,
                           struct kw_bytes name, int delta)
{
    struct kw_census *census = census_lock(hub);
    struct entry *entry = entry_get(census, kind, name);

    KW_ASSERT(delta >= 0 || entry->clients_count >= (uint32_t)-delta);
    census->names_count[kind] -= entry->clients_count > 0 ? 1 : 0;
    entry->clients_count += (uint32_t)delta;
    census->names_count[kind] += entry->clients_count > 0 ? 1 : 0;
    entry_put(census, entry);
    census_unlock(census);
}

void kw_census_add_feeds(struct kw_stats_hub *hub, enum kw_channel_kind kind, struct kw_bytes name,
                         const char *node, int delta)
{
    struct kw_census *census = census_lock(hub);
    struct entry *entry = entry_get(census, kind, name);
    struct feeds *feeds = entry_feeds(entry, kw_hash(kw_bytes_of_text(node), 0));

    KW_ASSERT(delta >= 0 || feeds->count >= (uint32_t)-delta);
    feeds->count += (uint32_t)delta;
    if (feeds->count == 0) {
        *feeds = entry->feeds[--entry->feeds_count];
    }
    entry_put(census, entry);
    census_unlock(census);
}

struct kw_census_count kw_census_receivers(struct kw_stats_hub *hub, enum kw_channel_kind kind,
                                           struct kw_bytes channel, const char *node)
{
    struct kw_census_count count = {0};
    uint64_t node_hash = kw_hash(kw_bytes_of_text(node), 0);

    if (atomic_load_explicit(&hub->census, memory_order_acquire) == NULL) {
        return count; /* nobody has ever subscribed */
    }
    struct kw_census *census = census_lock(hub);
    const struct entry *found = entry_find(census, kind, channel);
    if (found != NULL) {
        count_receivers(found, node_hash, &count);
    }
    for (struct kw_list *place = census->patterns.next;
         kind == KW_CHANNEL_PLAIN && place != &census->patterns; place = place->next) {
        const struct entry *entry = KW_LIST_ENTRY(place, struct entry, patterns);
        if (kw_text_glob(kw_bytes_of(entry->name, entry->name_len), channel, false)) {
            count_receivers(entry, node_hash, &count);
        }
    }
    census_unlock(census);
    return count;
}

struct kw_census_count kw_census_subscribers(struct kw_stats_hub *hub, enum kw_channel_kind kind,
                                             struct kw_bytes name)
{
    struct kw_census_count count = {0};
    struct kw_census *census = census_lock(hub);
    const struct entry *entry = entry_find(census, kind, name);

    if (entry != NULL) {
        count.clients = entry->clients_count;
        for (uint32_t i = 0; i < entry->feeds_count; i++) {
            count.feeds += entry->feeds[i].count;
        }
    }
    census_unlock(census);
    return count;
}

uint64_t kw_census_names_count(struct kw_stats_hub *hub, enum kw_channel_kind kind)
{
    struct kw_census *census = census_lock(hub);
    uint64_t count = census->names_count[kind];

    census_unlock(census);
    return count;
}

void kw_census_each(struct kw_stats_hub *hub, enum kw_channel_kind kind,
                    void (*on_name)(void *arg, struct kw_bytes name), void *arg)
{
    struct kw_census *census = census_lock(hub);

    for (size_t i = 0; i < census->entries.buckets_count; i++) {
        for (struct kw_map_link *link = census->entries.buckets[i]; link != NULL;
             link = link->next) {
            const struct entry *entry = KW_MAP_ENTRY(link, struct entry, by_name);
            if (entry->kind == kind && entry->clients_count > 0) {
                on_name(arg, kw_bytes_of(entry->name, entry->name_len));
            }
        }
    }
    census_unlock(census);
}

struct kw_census_count kw_census_patterns(struct kw_stats_hub *hub)
{
    struct kw_census_count count = {0};
    struct kw_census *census = census_lock(hub);

    for (struct kw_list *place = census->patterns.next; place != &census->patterns;
         place = place->next) {
        const struct entry *entry = KW_LIST_ENTRY(place, struct entry, patterns);
        count.feeds += entry->feeds_count;
    }
    count.clients = census->names_count[KW_CHANNEL_PATTERN];
    census_unlock(census);
    return count;
}

static struct kw_census *census_lock(struct kw_stats_hub *hub)
{
    struct kw_census *census = atomic_load_explicit(&hub->census, memory_order_acquire);

    if (census == NULL) {
        struct kw_census *made = kw_alloc_zero(1, sizeof *made);
        pthread_mutex_init(&made->mutex, NULL);
        kw_map_init(&made->entries);
        kw_list_init(&made->patterns);
        if (atomic_compare_exchange_strong(&hub->census, &census, made)) {
            census = made;
        } else { /* another worker was first */
            pthread_mutex_destroy(&made->mutex);
            kw_free(made);
        }
    }
    pthread_mutex_lock(&census->mutex);
    return census;
}

static void census_unlock(struct kw_census *census)
{
    pthread_mutex_unlock(&census->mutex);
}

static struct entry *entry_find(struct kw_census *census, enum kw_channel_kind kind,
                                struct kw_bytes name)
{
    for (struct kw_map_link *link = kw_map_first(&census->entries, kw_hash(name, kind));
         link != NULL; link = kw_map_next(link)) {
        struct entry *entry = KW_MAP_ENTRY(link, struct entry, by_name);
        if (entry->kind == kind &&
            kw_bytes_equal(kw_bytes_of(entry->name, entry->name_len), name)) {
            return entry;
        }
    }
    return NULL;
}

/* The entry, made when there is none. */
static struct entry *entry_get(struct kw_census *census, enum kw_channel_kind kind,
                               struct kw_bytes name)
{
    struct entry *entry = entry_find(census, kind, name);

    if (entry != NULL) {
        return entry;
    }
    entry = kw_alloc_zero(1, sizeof *entry + name.len);
    entry->kind = kind;
    entry->name_len = name.len;
    memcpy(entry->name, name.data, name.len);
    kw_list_init(&entry->patterns);
    if (kind == KW_CHANNEL_PATTERN) {
        kw_list_append(&census->patterns, &entry->patterns); /* C2 */
    }
    kw_map_add(&census->entries, &entry->by_name, kw_hash(name, kind));
    return entry;
}

/* Done with ENTRY: free it when it says nothing any more (C1). */
static void entry_put(struct kw_census *census, struct entry *entry)
{
    if (entry->clients_count == 0 && entry->feeds_count == 0) {
        kw_map_remove(&census->entries, &entry->by_name);
        kw_list_remove(&entry->patterns);
        kw_free(entry->feeds);
        kw_free(entry);
    }
}

static struct feeds *entry_feeds(struct entry *entry, uint64_t node)
{
    for (uint32_t i = 0; i < entry->feeds_count; i++) {
        if (entry->feeds[i].node == node) {
            return &entry->feeds[i];
        }
    }
    if (entry->feeds_count == entry->feeds_cap) {
        entry->feeds_cap = entry->feeds_cap == 0 ? 2 : entry->feeds_cap * 2;
        entry->feeds = kw_realloc(entry->feeds, entry->feeds_cap * sizeof entry->feeds[0]);
    }
    entry->feeds[entry->feeds_count] = (struct feeds){.node = node};
    return &entry->feeds[entry->feeds_count++];
}

static void count_receivers(const struct entry *entry, uint64_t node, struct kw_census_count *count)
{
    uint32_t here = 0;

    for (uint32_t i = 0; i < entry->feeds_count; i++) {
        here += entry->feeds[i].node == node ? entry->feeds[i].count : 0;
    }
    bool is_heard = entry->kind == KW_CHANNEL_SHARD ? here > 0 : entry->feeds_count > 0;
    count->feeds += here;
    count->clients += is_heard ? entry->clients_count : 0;
}
