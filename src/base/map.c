/* map.c - chains; a bucket has one element on average before the table doubles. */
#include "base/map.h"

#include "base/assert.h"
#include "base/mem.h"

enum { BUCKETS_MIN = 16 };

static struct kw_map_link *link_behind(const struct kw_map_link *link, uint64_t hash);
static void map_grow(struct kw_map *map);
static struct kw_map_link **map_bucket(const struct kw_map *map, uint64_t hash);

void kw_map_init(struct kw_map *map)
{
    *map = (struct kw_map){0};
}

void kw_map_deinit(struct kw_map *map)
{
    kw_free(map->buckets);
    kw_map_init(map);
}

void kw_map_add(struct kw_map *map, struct kw_map_link *link, uint64_t hash)
{
    if (map->count == map->buckets_count) {
        map_grow(map);
    }
    struct kw_map_link **bucket = map_bucket(map, hash);
    link->hash = hash;
    link->next = *bucket;
    *bucket = link;
    map->count++;
}

void kw_map_remove(struct kw_map *map, struct kw_map_link *link)
{
    struct kw_map_link **place = map_bucket(map, link->hash);

    while (*place != link) {
        KW_ASSERT(*place != NULL); /* it is in there */
        place = &(*place)->next;
    }
    *place = link->next;
    link->next = NULL;
    map->count--;
}

struct kw_map_link *kw_map_first(const struct kw_map *map, uint64_t hash)
{
    if (map->count == 0) {
        return NULL;
    }
    struct kw_map_link *link = *map_bucket(map, hash);
    return link == NULL || link->hash == hash ? link : link_behind(link, hash);
}

struct kw_map_link *kw_map_next(const struct kw_map_link *link)
{
    return link_behind(link, link->hash);
}

struct kw_map_link *kw_map_any(const struct kw_map *map, uint64_t start)
{
    if (map->count == 0) {
        return NULL;
    }
    size_t i = start & (map->buckets_count - 1);
    while (map->buckets[i] == NULL) {
        i = (i + 1) & (map->buckets_count - 1);
    }
    return map->buckets[i];
}

static struct kw_map_link *link_behind(const struct kw_map_link *link, uint64_t hash)
{
    struct kw_map_link *next = link->next;

    while (next != NULL && next->hash != hash) {
        next = next->next;
    }
    return next;
}

static void map_grow(struct kw_map *map)
{
    struct kw_map old = *map;

    map->buckets_count = old.buckets_count == 0 ? BUCKETS_MIN : old.buckets_count * 2;
    map->buckets = kw_alloc_zero(map->buckets_count, sizeof map->buckets[0]);
    for (size_t i = 0; i < old.buckets_count; i++) {
        while (old.buckets[i] != NULL) {
            struct kw_map_link *link = old.buckets[i];
            struct kw_map_link **bucket = map_bucket(map, link->hash);
            old.buckets[i] = link->next;
            link->next = *bucket;
            *bucket = link;
        }
    }
    kw_free(old.buckets);
}

static struct kw_map_link **map_bucket(const struct kw_map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->buckets_count - 1)];
}
