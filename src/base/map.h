/* map.h - an intrusive hash table: the links live in the elements, the hashes are the user's.
 *
 *     for (struct kw_map_link *link = kw_map_first(&map, hash); link != NULL;
 *          link = kw_map_next(link)) {
 *         struct thing *thing = KW_MAP_ENTRY(link, struct thing, by_name);
 *         if (... is it the one? ...)
 *     }
 *
 * Chains over a power of two of buckets, doubled when they get long; an empty map holds no memory.
 *
 * Thread: the owner's. Memory: the map owns its buckets, never its elements.
 * See also: hash.h (where hashes come from).
 */
#ifndef KW_BASE_MAP_H
#define KW_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct kw_map_link {
    struct kw_map_link *next; /* in the bucket */
    uint64_t hash;
};

struct kw_map {
    struct kw_map_link **buckets;
    size_t buckets_count; /* a power of two, or 0 */
    size_t count;
};

/* The struct of TYPE whose MEMBER is LINK. */
#define KW_MAP_ENTRY(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

void kw_map_init(struct kw_map *map);

/* Give the buckets back; the elements are the user's. */
void kw_map_deinit(struct kw_map *map);

/* Insert LINK under HASH. Equal ones are allowed; the user looks first. */
void kw_map_add(struct kw_map *map, struct kw_map_link *link, uint64_t hash);

/* Take LINK, which is in MAP, out. */
void kw_map_remove(struct kw_map *map, struct kw_map_link *link);

/* The first element with HASH, and the next one after LINK; NULL when there is none. */
struct kw_map_link *kw_map_first(const struct kw_map *map, uint64_t hash);
struct kw_map_link *kw_map_next(const struct kw_map_link *link);

/* Some element, whichever comes first; NULL when the map is empty. For emptying it, and for
 * victims: it begins to look at the bucket of START.
 */
struct kw_map_link *kw_map_any(const struct kw_map *map, uint64_t start);

#endif
