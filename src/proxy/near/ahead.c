/* ahead.c - keys of a pipeline are looked at together, before each is asked for.
 *
 * A hit waits for memory four times: for the filter, for what is said of its slot, for the bucket,
 * for the entry. Together they wait once: the first is not needed for keys that were seen in
 * their buckets, the others are brought near.
 *
 * A cold key waits for the filter, and if it looks warm there for a leaf: the same.
 */
#include "proxy/near/ahead.h"

#include "cache/cache_extra.h"
#include "proxy/near/near.h"
#include "proxy/near/shared.h"

_Static_assert((int)KW_CACHE_PREPARE_MAX <= (int)KW_NEAR_AHEAD_MAX,
               "known[] has room for both looks");

static void ahead_judge(struct kw_near *near);
static void ahead_begin(struct kw_near_brief *brief, const struct kw_near_known *first,
                        struct kw_near_known *end);

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
        known[known_count++] =
            (struct kw_near_known){.name = keys[i], .hash = hashes[i], .slot = slots[i]};
    }
    near->ahead.places_count = 0;
    ahead_begin(&proxy->near_brief, known, known + known_count);
    return known_count;
}

bool kw_near_may_glance(const struct kw_client *client)
{
    const struct kw_near_brief *near = &client->proxy->near_brief;
    const struct kw_command *last = client->command; /* the next one will be alike */

    return kw__warm_is_far(near->warm) &&
           (last == NULL || kw__role_in(near->roles, last) != KW_NEAR_ROLE_WRITE_KEY);
}

/* The first one is about to be asked for: it looks itself, while what the others look at comes. */
void kw_near_glance(struct kw_proxy *proxy, const struct kw_bytes *keys, unsigned count)
{
    const struct kw_near_warm *warm = proxy->near_brief.warm;
    struct kw_near_ahead *ahead = &proxy->near->ahead;

    for (unsigned i = 0; i < count; i++) {
        ahead->known[i].name = keys[i];
        ahead->known[i].place = kw__warm_place(keys[i]);
        kw__warm_prefetch(warm, ahead->known[i].place);
    }
    ahead_begin(&proxy->near_brief, ahead->known + count, ahead->known + count);
    proxy->near_brief.ahead_at = (uintptr_t)keys[1].data;
    ahead->places_count = count;
}

/* Who is cold is known, then. */
static void ahead_judge(struct kw_near *near)
{
    const struct kw_near_warm *warm = near->warm;
    struct kw_near_known *known = near->ahead.known;
    struct kw_near_known *cold = known;

    for (unsigned i = 1; i < near->ahead.places_count; i++) {
        uint64_t place = known[i].place;
        uint32_t ups_count = kw__warm_ups(warm, place); /* warm.c M3 */
        if (__builtin_expect(kw__warm_looks(warm, place), 0)) {
            kw__warm_prefetch_leaf(warm, place);
            continue;
        }
        cold->name = known[i].name;
        cold->note = kw__warm_note(place, ups_count);
        cold->is_cold = true;
        cold++;
    }
    near->ahead.places_count = 0;
    ahead_begin(&near->proxy->near_brief, known, cold);
}

/* From FIRST to before END is known. */
static void ahead_begin(struct kw_near_brief *brief, const struct kw_near_known *first,
                        struct kw_near_known *end)
{
    end->name.data = (const char *)UINTPTR_MAX; /* H3 */
    brief->ahead = first;
    brief->ahead_at = (uintptr_t)first->name.data;
}

KW_APART const struct kw_near_known *kw__ahead_take_other(struct kw_proxy *proxy,
                                                          struct kw_bytes name)
{
    if (proxy->near->ahead.places_count > 0) {
        ahead_judge(proxy->near);
    }
    struct kw_near_brief *brief = &proxy->near_brief;
    const struct kw_near_known *next = brief->ahead;
    while ((uintptr_t)next->name.data < (uintptr_t)name.data) {
        next++; /* what it stands before was asked for otherwise, or not at all */
    }
    bool is_known = next->name.data == name.data && next->name.len == name.len;
    brief->ahead = is_known ? next + 1 : next;
    brief->ahead_at = (uintptr_t)brief->ahead->name.data;
    return is_known ? next : NULL;
}
