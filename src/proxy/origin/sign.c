/* sign.c - see sign.h. */
#include "proxy/origin/sign.h"

#include "base/clock.h"
#include "base/mem.h"
#include "proxy/route.h"

#include <stdio.h>

static struct kw_fill *sign_send(struct kw_origin *origin, const struct kw_bytes *words);
static bool sign_pick(struct kw_origin *origin);
static struct kw_bytes sign_key(uint32_t number, char *text, size_t size);

void kw__origin_sign(struct kw_origin *origin)
{
    struct kw_near *near = origin->near;
    unsigned lease_ms = near->proxy->config->near_cache_lease_ms;
    char text[32];

    origin->sign_at_ms = near->now_ms + lease_ms / KW_NEAR_SIGNS_A_LEASE;
    if (!sign_pick(origin)) {
        return; /* it owns nothing: it goes when masters are looked for the next time */
    }
    struct kw_bytes exists[] = {{"EXISTS", 6}, sign_key(origin->sign_number, text, sizeof text)};
    (void)sign_send(origin, exists);
}

void kw__origin_count_swaps(struct kw_origin *origin)
{
    static const struct kw_bytes info[] = {{"INFO", 4}, {"commandstats", 12}};
    struct kw_near *near = origin->near;

    if (kw_route_is_plain(near->proxy) && !origin->is_blind &&
        near->now_ms >= origin->tally.due_ms) {
        origin->tally.due_ms =
            near->now_ms + near->proxy->config->near_cache_lease_ms / KW_NEAR_SIGNS_A_LEASE;
        sign_send(origin, info)->is_tally = true;
    }
}

/* WORDS, two of them, which bring one reply, and nothing to keep. */
static struct kw_fill *sign_send(struct kw_origin *origin, const struct kw_bytes *words)
{
    struct kw_fill *sign = kw_alloc_zero(1, sizeof *sign);

    sign->is_sign = true;
    sign->sent_us = kw_clock_us();
    sign->domain = origin->domain;
    kw_list_init(&sign->sent);
    kw_list_append(&origin->sent, &sign->sent);
    kw_feed_send(&origin->feed, words, 2);
    return sign;
}

/* A key of a slot that the node owns; the one of the last time, as long as it does. */
static bool sign_pick(struct kw_origin *origin)
{
    struct kw_backend *backend = origin->feed.backend;
    char text[32];

    if (origin->sign_number > 0 &&
        kw_backend_node_of_slot(backend, origin->sign_slot) == origin->node) {
        return true;
    }
    for (uint32_t number = 1; number <= 8 * KW_SLOTS_COUNT; number++) {
        uint16_t slot = kw_slot_of_key(sign_key(number, text, sizeof text));
        if (kw_backend_node_of_slot(backend, slot) == origin->node) {
            origin->sign_number = number;
            origin->sign_slot = slot;
            return true;
        }
    }
    return false;
}

static struct kw_bytes sign_key(uint32_t number, char *text, size_t size)
{
    return kw_bytes_of(text, (size_t)snprintf(text, size, "keyway:near:%u", (unsigned)number));
}
