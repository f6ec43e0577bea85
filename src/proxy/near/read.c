/* read.c - a node's reply to a read that was not answered from memory.
 *
 * It says what the key is, or was a moment ago: an entry that says otherwise goes (R3). And the key
 * may be hot enough to be fetched; its size is known now.
 *
 * INVARIANTS
 * D1  each reply to a read that is kept, or could be, is compared with what is, before it leaves.
 *     So of what a client has seen, nobody is shown the older value afterwards.
 */
#include "command/keys.h"
#include "proxy/near/fill.h"
#include "proxy/near/near.h"

static void key_seen(struct kw_near *near, struct kw_request *request,
                     const struct kw_reply_part *part);
static void keys_seen(struct kw_near *near, struct kw_request *request,
                      const struct kw_reply_part *part);
static void near_witness(struct kw_near *near, const struct kw_near_read *read,
                         const struct kw_near_key *key, struct kw_bytes reply);
static bool near_wants(const struct kw_near *near, struct kw_bytes name, uint16_t slot);

void kw_near_on_reply(struct kw_request *request, const struct kw_reply_part *part)
{
    struct kw_near *near = request->client->proxy->near;

    if (!part->is_first) {
        return;
    }
    (void)kw__near_awake(near);
    if (kw__near_role(near, request->command) == KW_NEAR_ROLE_MGET) {
        keys_seen(near, request, part);
    } else {
        key_seen(near, request, part);
    }
}

static void key_seen(struct kw_near *near, struct kw_request *request,
                     const struct kw_reply_part *part)
{
    const struct kw_config *config = near->proxy->config;
    uint64_t hash = request->near_hash;
    struct kw_bytes argv[KW_NEAR_ARGS_MAX];
    struct kw_near_key key;

    bool is_kept = kw_cache_may_have(near->worker, hash);
    bool is_small = part->is_last && part->bytes.len <= config->near_cache_max_item_bytes;
    bool is_hot = is_small && part->type != '-' && kw_hot_read(near->hot, hash, part->bytes.len);
    if (!is_kept && !is_hot) {
        return;
    }
    struct kw_bytes wire = kw_call_bytes(&request->call);
    struct kw_near_read read = {.command = request->command,
                                .role = kw__near_role(near, request->command),
                                .argv = argv,
                                .argc = kw__variant_cut(wire, argv, KW_NEAR_ARGS_MAX),
                                .proto = request->client->proto,
                                .slot = request->slot};
    if (read.argc > KW_NEAR_ARGS_MAX) {
        return;
    }
    read.name = argv[kw_keys_single(request->command)];
    if (!kw__variant_make(near, &read, &key)) {
        return;
    }
    if (is_kept && part->is_last) {
        near_witness(near, &read, &key, part->bytes);
    } else if (is_kept) {
        (void)kw_cache_invalidate(near->worker, &key.key); /* larger than what is kept */
    }
    if (is_hot && near_wants(near, key.key.name, request->slot)) {
        kw__fill_start(near, &read, &key, &wire, 1);
    }
}

/* The same for MGET, whose reply is that of as many GETs. */
static void keys_seen(struct kw_near *near, struct kw_request *request,
                      const struct kw_reply_part *part)
{
    struct kw_near_walk keys = kw__walk_begin(kw_call_bytes(&request->call));
    struct kw_bytes wire[2] = {KW_BYTES("*2\r\n$3\r\nGET\r\n")};
    struct kw_near_key key;
    struct kw_bytes reply;

    if (!part->is_last || part->type != '*') {
        return;
    }
    struct kw_near_walk values = kw__walk_begin(part->bytes);
    (void)kw__walk_next(&keys, &wire[1]); /* MGET */
    while (keys.left_count > 0 && values.left_count > 0) {
        struct kw_bytes name = kw__walk_next(&keys, &wire[1]);
        (void)kw__walk_next(&values, &reply);
        struct kw_near_read get = kw__variant_get(near, name, request->client->proto);
        if (!kw__variant_make(near, &get, &key)) {
            continue;
        }
        if (kw_cache_may_have(near->worker, key.key.hash)) {
            near_witness(near, &get, &key, reply);
        }
        if (reply.len <= near->proxy->config->near_cache_max_item_bytes &&
            kw_hot_read(near->hot, key.key.hash, reply.len) && near_wants(near, name, get.slot)) {
            kw__fill_start(near, &get, &key, wire, 2);
        }
    }
}

/* D1. */
static void near_witness(struct kw_near *near, const struct kw_near_read *read,
                         const struct kw_near_key *key, struct kw_bytes reply)
{
#ifndef KW_KNOCKOUT_WITNESS
    kw_cache_witness(near->worker, &key->key, kw__variant_value(read->role, reply).bytes);
#else
    (void)near;
    (void)read;
    (void)key;
    (void)reply;
#endif
}

static bool near_wants(const struct kw_near *near, struct kw_bytes name, uint16_t slot)
{
    bool is_wanted = near->prefixes_count == 0 && !kw__slot_is_unstable(near->proxy, slot);

    for (size_t i = 0; i < near->prefixes_count && !is_wanted; i++) {
        is_wanted = kw_bytes_start_with(name, near->prefixes[i]);
    }
    for (size_t i = 0; i < near->skips_count && is_wanted; i++) {
        is_wanted = !kw_bytes_start_with(name, near->skips[i]);
    }
    return is_wanted;
}
