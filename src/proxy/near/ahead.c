/* ahead.c - keys of a pipeline are looked at together, before each is asked for.
 *
 * A hit waits for memory four times: for the filter, for what is said of its slot, for the bucket,
 * for the entry. Together they wait once: the first is not needed for keys that were seen in
 * their buckets, the others are brought near.
 *
 * A cold key waits for the filter, and if it looks warm there for a leaf: the same. Its slot waits
 * for nothing but itself, one step for another: it is found out while the filter comes near.
 */
#include "proxy/near/ahead.h"

#include "cache/cache_extra.h"
#include "proxy/lookahead.h"
#include "proxy/near/near.h"
#include "proxy/near/shared.h"

_Static_assert((int)KW_CACHE_PREPARE_MAX <= (int)KW_NEAR_AHEAD_MAX,
               "known[] has room for both looks");

static void known_look(const struct kw_near_warm *warm, struct kw_near_warm_view view,
                       struct kw_near_known *known);
static void ahead_begin(struct kw_near *near, unsigned count);

unsigned kw_near_prepare(struct kw_proxy *proxy, const struct kw_bytes *keys, unsigned count)
{
    struct kw_near *near = proxy->near;
    struct kw_near_known *known = near->ahead.known;
    uint64_t hashes[KW_CACHE_PREPARE_MAX];
    uint16_t slots[KW_CACHE_PREPARE_MAX];
    unsigned known_count = 0;

    for (unsigned i = 0; i < count; i++) {
        slots[i] = kw_slot_of_key(keys[i]);
        __builtin_prefetch(&near->shared->slots[slots[i]]);
    }
    unsigned found = kw_cache_prepare(kw__near_awake(near), keys, count, false, hashes);
    for (unsigned left = found; left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        known[known_count++] = (struct kw_near_known){
            .name = keys[i], .hash = hashes[i], .slot = slots[i], .state = KW_NEAR_KNOWN_HERE};
    }
    ahead_begin(near, known_count);
    return known_count;
}

bool kw_near_may_glance(const struct kw_client *client)
{
    const struct kw_near_brief *near = &client->proxy->near_brief;
    const struct kw_command *last = client->command; /* the next one will be alike */

    return kw__warm_is_far(near->warm) &&
           (last == NULL || kw__role_in(near->roles, last) != KW_NEAR_ROLE_WRITE_KEY);
}

unsigned kw_near_glance(struct kw_proxy *proxy, struct kw_sight *sight)
{
    const struct kw_near_warm *warm = proxy->near_brief.warm;
    struct kw_near_warm_view view = kw__warm_view(warm);
    struct kw_near_known *known = proxy->near->ahead.known;
    unsigned count = 0;

    for (const char *key = sight->key.data; key != NULL; key = kw__sight_move(sight)) {
        struct kw_bytes name = kw_bytes_of(key, sight->key.len);
        uint64_t place = kw__warm_place(name);
        kw__warm_prefetch(view, place);
        known[count] =
            (struct kw_near_known){.name = name, .place = place, .slot = kw_slot_of_key(name)};
        if (++count == KW_NEAR_AHEAD_MAX) {
            break;
        }
    }
    for (unsigned i = 0; i < count; i++) { /* they have come near */
        known_look(warm, view, &known[i]);
    }
    ahead_begin(proxy->near, count);
    return count;
}

/* Is its place cold? */
static inline void known_look(const struct kw_near_warm *warm, struct kw_near_warm_view view,
                              struct kw_near_known *known)
{
    uint64_t place = known->place;
    uint32_t ups_count = kw__warm_ups(warm, place); /* warm.c M3 */

    if (__builtin_expect(kw__warm_looks(view, place), 0)) {
        kw__warm_prefetch_leaf(warm, place);
        known->state = KW_NEAR_KNOWN_WARM;
        return;
    }
    known->note = kw__warm_note(place, ups_count);
    known->state = KW_NEAR_KNOWN_COLD;
}

/* Something is known of the first COUNT. */
static void ahead_begin(struct kw_near *near, unsigned count)
{
    near->ahead.known[count].name.data = (const char *)UINTPTR_MAX; /* H3 */
    near->proxy->near_brief.ahead = near->ahead.known;
}

KW_APART const struct kw_near_known *kw__ahead_take_other(struct kw_near_brief *near,
                                                          struct kw_bytes name)
{
    const struct kw_near_known *next = near->ahead;

    while ((uintptr_t)next->name.data < (uintptr_t)name.data) {
        next++; /* what it stands before was asked for otherwise, or not at all */
    }
    bool is_known = next->name.data == name.data && next->name.len == name.len;
    near->ahead = is_known ? next + 1 : next;
    return is_known ? next : NULL;
}
