/* ahead.c - keys of a pipeline are looked at together, before each is asked for.
 *
 * A hit waits for memory four times: for the filter, for what is said of its slot, for the bucket,
 * for the entry. Together they wait once: the first is not needed for keys that were seen in
 * their buckets, the others are brought near.
 */
#include "proxy/near/ahead.h"

#include "proxy/near/near.h"
#include "proxy/near/shared.h"

static void ahead_at(struct kw_near *near, unsigned next);

unsigned kw_near_prepare(struct kw_proxy *proxy, const struct kw_bytes *keys, unsigned count)
{
    struct kw_near *near = proxy->near;
    struct kw_near_ahead *ahead = &near->ahead;
    uint64_t hashes[KW_CACHE_PREPARE_MAX];
    uint16_t slots[KW_CACHE_PREPARE_MAX];

    for (unsigned i = 0; i < count; i++) {
        slots[i] = kw_slot_of_key(keys[i]);
        __builtin_prefetch(&near->shared->slots[slots[i]]);
    }
    unsigned found = kw_cache_prepare(kw__near_awake(near), keys, count, false, hashes);
    ahead->count = 0;
    for (unsigned left = found; left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        ahead->known[ahead->count++] =
            (struct kw_near_known){.name = keys[i], .hash = hashes[i], .slot = slots[i]};
    }
    ahead_at(near, 0);
    return (unsigned)__builtin_popcount(found);
}

KW_APART const struct kw_near_known *kw__ahead_take(struct kw_near *near, struct kw_bytes name)
{
    const struct kw_near_ahead *ahead = &near->ahead;
    unsigned next = ahead->next;

    while (next < ahead->count && (uintptr_t)ahead->known[next].name.data < (uintptr_t)name.data) {
        next++; /* what it stands before was asked for otherwise, or not at all */
    }
    if (next == ahead->count || ahead->known[next].name.data != name.data ||
        ahead->known[next].name.len != name.len) {
        ahead_at(near, next);
        return NULL;
    }
    ahead_at(near, next + 1);
    return &ahead->known[next];
}

static void ahead_at(struct kw_near *near, unsigned next)
{
    near->ahead.next = next;
    near->proxy->near_brief.ahead_at =
        next < near->ahead.count ? (uintptr_t)near->ahead.known[next].name.data : UINTPTR_MAX;
}

bool kw_near_may_glance(const struct kw_proxy *proxy)
{
    return kw__warm_is_far(proxy->near_brief.warm);
}

void kw_near_glance(const struct kw_proxy *proxy, struct kw_bytes key)
{
    kw__warm_prefetch(proxy->near_brief.warm, kw__warm_place(key));
}
