/* answer.c - a read: is its reply here? And when it was not, what the node's reply says of what is.
 *
 * An entry is used when all of this holds: it is of the slot's present generation, no deadline is
 * over, its origin is connected (the cache knows these), and the node gave a sign of life within
 * the lease.
 *
 * INVARIANTS
 * A1  a client in any mode, of another database, between WATCH and EXEC, or that has asked for
 *     it, is never answered from memory (R6).
 * A2  nor is a read that would overtake a request of its own client that may touch its key (R5).
 * A3  each reply of a node to a read that is kept, or could be, is compared with what is (R3).
 */
#include "proxy/near/near.h"

#include "proxy/near/fill.h"
#include "proxy/reply.h"

enum { LOOK_MAX = 64 /* requests in the queue: behind more, a reply from memory gains nothing */ };

static bool near_may_answer(const struct kw_client *client, uint16_t slot);
static bool request_may_touch(const struct kw_request *request, uint16_t slot, bool is_plain);
static bool near_lease_holds(const struct kw_near *near, uint16_t domain);
static bool name_is_wanted(const struct kw_near *near, struct kw_bytes name);

enum kw_verdict kw_near_answer(struct kw_client *client, const struct kw_command *command,
                               struct kw_target *target)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_near *near = proxy->near;
    const struct kw_argv *argv = &proxy->argv;
    enum kw_near_role role = kw__near_role(near, command);
    struct kw_cache_found found;
    struct kw_near_key key;

    if (role != KW_NEAR_ROLE_GET || client->db != 0) {
        return KW_NEXT;
    }
    target->slot = kw_slot_of_key(argv->items[kw_keys_single(command)]);
    struct kw_cache_worker *worker = kw__near_awake(near);
    struct kw_near_read read = {command,     role,          argv->items,
                                argv->count, client->proto, target->slot};
    if (!kw__variant_make(near, &read, &key)) {
        return KW_NEXT;
    }
    target->near_hash = key.key.hash | 1; /* A3; 0 says that there is none */
    if (!near_may_answer(client, target->slot) || !kw_cache_get(worker, &key.key, &found) ||
        !near_lease_holds(near, found.domain)) {
        KW_STAT_ADD(proxy->stats, near_cache_misses, 1);
        return KW_NEXT;
    }
    KW_STAT_ADD(proxy->stats, near_cache_hits, 1);
    kw_hot_hit(near->hot, key.key.hash);
    if (found.kind == KW_NEAR_KIND_NULL) {
        found.value = client->proto == 3 ? KW_BYTES("_\r\n") : KW_BYTES("$-1\r\n");
    }
    kw_reply_whole(client, found.value);
    return KW_ANSWERED;
}

void kw_near_on_reply(struct kw_request *request, const struct kw_reply_part *part)
{
    struct kw_near *near = request->client->proxy->near;
    const struct kw_config *config = near->proxy->config;
    enum kw_near_role role = kw__near_role(near, request->command);
    struct kw_cache_worker *worker = kw__near_awake(near);
    struct kw_bytes argv[8];
    struct kw_near_key key;
    uint64_t hash = request->near_hash;

    if (!part->is_first) {
        return;
    }
    bool is_kept = kw_cache_may_have(worker, hash);
    bool is_small = part->is_last && part->bytes.len <= config->near_cache_max_item_bytes;
    bool is_hot = is_small && part->type != '-' && kw_hot_read(near->hot, hash, part->bytes.len);
    if (!is_kept && !is_hot) {
        return;
    }
    struct kw_bytes command = kw_call_bytes(&request->call);
    size_t argc = kw__variant_cut(command, argv, sizeof argv / sizeof argv[0]);
    struct kw_near_read read = {request->command,       role,         argv, argc,
                                request->client->proto, request->slot};
    bool is_made = kw__variant_make(near, &read, &key);
    KW_ASSERT(is_made && (key.key.hash | 1) == hash);
#ifndef KW_KNOCKOUT_WITNESS
    if (is_kept && part->is_last) {
        kw_cache_witness(worker, &key.key, kw__variant_value(role, part->bytes).bytes); /* A3 */
    } else if (is_kept) {
        (void)kw_cache_invalidate(worker, &key.key); /* larger than what is kept: another one */
    }
#endif
    if (is_hot && name_is_wanted(near, key.key.name) &&
        !kw__slot_is_unstable(near->proxy, request->slot)) {
        kw__fill_start(near, role, &key, request->slot, command);
    }
}

/* A1, A2. */
static bool near_may_answer(const struct kw_client *client, uint16_t slot)
{
    const struct kw_proxy *proxy = client->proxy;
    bool is_plain = kw_route_is_plain(proxy);
    unsigned looked = 0;

    if (client->modes != 0 || client->transaction != NULL || client->is_near_refused ||
        kw__slot_is_unstable(proxy, slot)) {
        return false;
    }
#ifndef KW_KNOCKOUT_PIPELINE
    for (const struct kw_request *request = client->inflight_count > 0 ? client->oldest : NULL;
         request != NULL; request = request->next) {
        if (++looked > LOOK_MAX || request_may_touch(request, slot, is_plain)) {
            return false;
        }
    }
#endif
    (void)looked;
    (void)is_plain;
    return true;
}

/* Is REQUEST unanswered, and may it be about a key of SLOT? */
static bool request_may_touch(const struct kw_request *request, uint16_t slot, bool is_plain)
{
    if (request->state == KW_REQUEST_DONE || (request->gather != NULL && !request->is_part)) {
        return false; /* its parts speak for themselves */
    }
    bool is_of_all =
        request->slot == KW_SLOT_NONE || (request->is_part && request->keys_count == 0);

    return request->slot == slot || is_of_all || (is_plain && request->is_barrier);
}

static bool near_lease_holds(const struct kw_near *near, uint16_t domain)
{
#ifdef KW_KNOCKOUT_LEASE
    (void)near;
    (void)domain;
    return true;
#else
    return atomic_load_explicit(&near->shared->lease_until_ms[domain], memory_order_acquire) >
           near->now_ms;
#endif
}

static bool name_is_wanted(const struct kw_near *near, struct kw_bytes name)
{
    bool is_wanted = near->prefixes_count == 0;

    for (size_t i = 0; i < near->prefixes_count && !is_wanted; i++) {
        is_wanted = kw_bytes_start_with(name, near->prefixes[i]);
    }
    for (size_t i = 0; i < near->skips_count && is_wanted; i++) {
        is_wanted = !kw_bytes_start_with(name, near->skips[i]);
    }
    return is_wanted;
}
