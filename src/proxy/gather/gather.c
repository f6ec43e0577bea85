/* gather.c - one request, several calls.
 *
 *   queue:   ... [part 0] [part 1] [part 2] [answer] ...      MGET a b c
 *                  GETs in flight or DONE     DEFERRED
 *
 * A part is an ordinary request: it is sent, redirected, held and sent again by the same code as
 * any other. What differs is in reply.c: its reply stays parked, in one piece, and it stays in the
 * queue, DONE, until all parts are; then answer.c merges them into the answer, which is delivered
 * in its turn, and all of them leave the queue together.
 *
 *   by keys       a part for each slot (split.c)
 *   by shards     a part for each master that owns slots; it is routed by the lowest of them, so
 *                 that a part that must be sent again follows a failover
 *   SCAN          one part, sometimes more behind it (scan.c)
 *
 * When a slot moves, a part with several keys gets TRYAGAIN: scatter.c puts parts with
 * one key each into its place. Those need no order among themselves, as their keys differ.
 *
 * INVARIANTS
 * G1  parts stand in the queue from first to last, one behind the other, and right behind them
 *     stands the answer.
 * G2  left_count is the number of parts that are not DONE, plus 1 while parts are being made.
 * G3  a gather is complete when left_count is 0; only then its answer is DONE.
 *
 * Cost: O(keys + parts) for a request, merging included; no walk over the queue for each part.
 */
#include "proxy/gather/gather.h"

#include "backend/link.h"
#include "backend/node.h"
#include "backend/side.h"
#include "base/mem.h"
#include "proxy/admit.h"
#include "proxy/client.h"
#include "proxy/gather/answer.h"
#include "proxy/gather/bunch.h"
#include "proxy/gather/merge_own.h"
#include "proxy/gather/quick.h"
#include "proxy/gather/script.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/resend.h"
#include "proxy/route.h"

enum { GATHERS_FREE_MAX = 1024, PARTS_KEPT_MAX = 4096 };

static enum kw_verdict start_split(struct kw_client *client, const struct kw_command *command);
static bool split_must_wait(struct kw_client *client, const struct kw_split *split);
static void split_send(struct kw_gather *gather, const struct kw_split *split);
static enum kw_verdict start_shards(struct kw_client *client, const struct kw_command *command,
                                    struct kw_bytes wire);
static void part_send(struct kw_request *part, struct kw_node *node, struct kw_bytes bytes,
                      struct kw_chunk *chunk);

struct kw_gathering *kw_gathering_new(struct kw_backend *backend)
{
    struct kw_gathering *gathering = kw_alloc_zero(1, sizeof *gathering);

    kw_pool_init(&gathering->gathers, sizeof(struct kw_gather), GATHERS_FREE_MAX);
    gathering->split = kw_split_new(backend->random);
    kw_argv_init(&gathering->argv);
    return gathering;
}

void kw_gathering_free(struct kw_gathering **gathering)
{
    kw_pool_deinit(&(*gathering)->gathers);
    kw_split_free(&(*gathering)->split);
    kw_shards_deinit(&(*gathering)->shards);
    kw_argv_deinit(&(*gathering)->argv);
    kw_free((*gathering)->parts);
    kw_free(*gathering);
    *gathering = NULL;
}

void kw_gathering_trim(struct kw_gathering *gathering)
{
    kw_split_trim(gathering->split);
    kw_argv_trim(&gathering->argv);
    if (gathering->parts_size > PARTS_KEPT_MAX) {
        kw_free(gathering->parts);
        gathering->parts = NULL;
        gathering->parts_size = 0;
    }
}

enum kw_verdict kw_gather_start(struct kw_client *client, const struct kw_command *command,
                                struct kw_bytes wire)
{
    switch ((int)command->route) {
    case KW_ROUTE_SPLIT:
        return start_split(client, command);
    case KW_ROUTE_ALL_SHARDS:
        return start_shards(client, command, wire);
    case KW_ROUTE_ANY_SHARD:
        return command->merge == KW_MERGE_FIRST_NOT_NULL ? start_shards(client, command, wire)
                                                         : KW_NEXT;
    case KW_ROUTE_SLOT_NUMBER:
        return KW_NEXT;
    case KW_ROUTE_SCAN:
        return kw_scan_start(client, command);
    default:
        return kw_admit_not_built(client, command);
    }
}

static enum kw_verdict start_split(struct kw_client *client, const struct kw_command *command)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_split *split = proxy->gathering->split;
    enum kw_verdict verdict = KW_SENT;

    if (kw_route_is_plain(proxy)) {
        return KW_NEXT; /* whole, and atomic */
    }
    if (kw_quick_start(client, command)) {
        return KW_SENT;
    }
    if (!kw_split_by_slot(split, command, proxy->argv.items, proxy->argv.count)) {
        /* A node would find fault with the slots first. */
        return kw_split_is_ragged(command, proxy->argv.count)
                   ? kw_reply_refuse(client, KW_ERROR_ARITY, command->name, NULL)
                   : KW_NEXT;
    }
    if (kw_split_is_conditional(split)) {
        verdict = kw_reply_refuse(client, KW_ERROR_CROSSSLOT, NULL, NULL);
    } else if (split_must_wait(client, split)) {
        verdict = KW_WAITING;
    } else {
        struct kw_gather *gather = kw__gather_begin(client, command);
        split_send(gather, split);
        kw__gather_end(gather);
    }
    kw_split_clear(split);
    return verdict;
}

/* As kw_turn_must_wait() in turn.c, for all parts in one walk over the queue. Also true while a
 * node can't be given anything yet.
 */
static bool split_must_wait(struct kw_client *client, const struct kw_split *split)
{
    struct kw_proxy *proxy = client->proxy;
    bool is_read = kw_command_may_retry(split->command);
    bool may_be_held = client->barriers_count > 0 || client->redirecting_count > 0 ||
                       proxy->has_unstable[0] || proxy->has_unstable[1];

    for (uint32_t i = 0; i < split->parts_count; i++) {
        uint16_t slot = split->parts[i].slot;
        struct kw_node *node = kw_backend_node_of_slot(proxy->backend, slot);
        if (node == NULL) {
            if (!proxy->backend->has_topology &&
                kw_loop_now_ms(proxy->loop) < proxy->patient_until_ms) {
                return true;
            }
            continue; /* an error, like a node that is down */
        }
        if (node->lookup != NULL) {
            return true;
        }
        may_be_held = may_be_held || kw_node_has_retired(node);
    }
    if (!may_be_held || client->inflight_count == 0) {
        return false;
    }
    for (const struct kw_request *request = client->oldest; request != NULL;
         request = request->next) {
        const struct kw_link *link = kw__request_call(request)->link;
        bool is_behind_barrier =
            request->is_barrier && !(is_read && kw_command_may_retry(request->command));
        bool is_same = request->state != KW_REQUEST_DONE && kw_split_has_slot(split, request->slot);
        bool is_bunch = request->state != KW_REQUEST_DONE && request->is_bunch;
        if ((is_bunch && (proxy->has_unstable[0] || proxy->has_unstable[1])) ||
            (is_same && (is_behind_barrier || request->is_redirecting ||
                         kw__slot_is_unstable(proxy, request->slot))) ||
            (link != NULL && link->is_retired)) {
            return true;
        }
    }
    return false;
}

static void split_send(struct kw_gather *gather, const struct kw_split *split)
{
    if (gather->command->merge == KW_MERGE_IN_KEY_ORDER) {
        kw__gather_keep_keys(gather, split->key_part, split->run.count);
        if (gather->key_parts == NULL) {
            return;
        }
    }
    if (gather->key_parts != NULL && kw_bunch_may(gather->client->proxy, gather->command)) {
        kw_bunch_send(gather, split);
        return;
    }
    for (uint32_t i = 0; i < split->parts_count; i++) {
        kw__gather_send_part(gather, split, &split->parts[i]);
    }
}

void kw__gather_send_part(struct kw_gather *gather, const struct kw_split *split,
                          const struct kw_split_part *from)
{
    struct kw_proxy *proxy = gather->client->proxy;
    char small[KW_COPY_MAX_BYTES];
    struct kw_request *part = kw__gather_add(gather, from->slot, from->keys_count);
    size_t room = kw_split_len(split, from);
    struct kw_chunk *chunk = NULL;
    char *out = small;

    if (room > sizeof small) {
        chunk = kw_chunk_get(proxy->chunks, room);
        out = chunk != NULL ? chunk->data : NULL;
    }
    if (out == NULL) {
        kw__gather_append(gather, part);
        kw_reply_fail(part, KW_ERROR_OUT_OF_MEMORY, NULL);
        return;
    }
    size_t len = kw_split_write(split, from, out);
    if (chunk != NULL) {
        chunk->end = len;
    }
    part_send(part, kw_backend_node_of_slot(proxy->backend, from->slot), kw_bytes_of(out, len),
              chunk);
    kw_chunk_unref(&chunk);
}

/* A part for each shard: the command itself, or for RANDOMKEY also DBSIZE. */
static enum kw_verdict start_shards(struct kw_client *client, const struct kw_command *command,
                                    struct kw_bytes wire)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_shards *shards = &proxy->gathering->shards;
    uint16_t slot = KW_SLOT_NONE;

    if (command->merge == KW_MERGE_NONE ||
        (command->merge == KW_MERGE_OWN && !kw_merge_has_own(command))) {
        return kw_admit_not_built(client, command);
    }
    if (command->merge == KW_MERGE_CONCATENATE && proxy->argv.count == 2) {
        slot = kw_scan_pattern_slot(proxy->argv.items[1]); /* KEYS of one slot */
    }
    kw_shards_refresh(shards, proxy->backend);
    if (shards->count == 0) {
        return KW_NEXT; /* no cluster yet: the router waits, or says so */
    }
    if (kw__gather_must_wait(client)) {
        return KW_WAITING;
    }
    struct kw_gather *gather = kw__gather_begin(client, command);
    kw_script_on_start(gather, wire);
    for (uint32_t i = 0; i < shards->count; i++) {
        if (slot != KW_SLOT_NONE && proxy->backend->slot_node[slot] != shards->items[i].node) {
            continue;
        }
        if (command->merge == KW_MERGE_FIRST_NOT_NULL) {
            kw__gather_ask(gather, shards->items[i].slot, KW_BYTES("*1\r\n$6\r\nDBSIZE\r\n"));
        }
        kw__gather_ask(gather, shards->items[i].slot, wire);
    }
    if (gather->parts_count == 0) {
        kw__gather_ask(gather, slot, wire); /* nobody owns that slot: an error */
    }
    kw__gather_end(gather);
    return KW_SENT;
}

bool kw__gather_must_wait(struct kw_client *client)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_shards *shards = &proxy->gathering->shards;
    uint64_t unstable = 0;

    if (client->inflight_count == 0) {
        return false;
    }
    if (client->redirecting_count > 0 || client->barriers_count > 0) {
        return true; /* they may yet be executed behind us */
    }
    for (uint32_t i = 0; i < shards->count; i++) {
        if (kw_node_has_retired(proxy->backend->nodes[shards->items[i].node])) {
            return true;
        }
    }
    for (unsigned i = 0; i < KW_SLOT_WORDS; i++) {
        unstable |= proxy->unstable[0][i] | proxy->unstable[1][i];
    }
    if (unstable == 0) {
        return false;
    }
    for (const struct kw_request *request = client->oldest; request != NULL;
         request = request->next) {
        if (request->state != KW_REQUEST_DONE &&
            (request->is_bunch ||
             (request->slot != KW_SLOT_NONE && kw__slot_is_unstable(proxy, request->slot)))) {
            return true; /* it may yet be sent to another node, behind us */
        }
    }
    return false;
}

struct kw_gather *kw__gather_begin(struct kw_client *client, const struct kw_command *command)
{
    struct kw_gather *gather = kw_pool_get(&client->proxy->gathering->gathers);

    memset(gather, 0, offsetof(struct kw_gather, few));
    gather->client = client;
    gather->command = command;
    gather->left_count = 1; /* G2 */
    return gather;
}

void kw__gather_ask(struct kw_gather *gather, uint16_t slot, struct kw_bytes command_bytes)
{
    struct kw_backend *backend = gather->client->proxy->backend;
    struct kw_node *node = slot == KW_SLOT_NONE ? NULL : kw_backend_node_of_slot(backend, slot);

    part_send(kw__gather_add(gather, slot, 0), node, command_bytes, NULL);
}

void kw__gather_ask_node(struct kw_gather *gather, struct kw_node *node, uint16_t slot,
                         struct kw_bytes command_bytes)
{
    struct kw_request *part = kw__gather_add(gather, slot, 0);

    part->is_special = true;
    part->to_node = kw_node_hold(node); /* also when it must be sent again */
    part_send(part, node, command_bytes, NULL);
}

void kw__gather_end(struct kw_gather *gather)
{
    if (gather->first == NULL) { /* no memory for its keys: its client may have ended already */
        gather->is_complete = true;
        kw_gather_put(gather);
        return;
    }
    if (gather->answer == NULL) {
        gather->answer = kw_reply_defer(gather->client, gather->command, gather); /* G1 */
    }
    kw_gather_on_part(gather);
}

struct kw_request *kw__gather_add(struct kw_gather *gather, uint16_t slot, uint32_t keys_count)
{
    struct kw_request *part = kw__request_get(gather->client, KW_REQUEST_INFLIGHT);

    part->is_gathered = true;
    part->call.user = &kw__request_user;
    part->command = gather->command;
    part->slot = slot;
    part->is_part = true;
    part->is_barrier = keys_count > 1;
    part->gather = gather;
    part->part = gather->parts_count++;
    part->keys_count = keys_count;
    gather->left_count++;
    return part;
}

/* Send BYTES as PART's command to NODE (NULL: there is none), and put it into the queue. */
static void part_send(struct kw_request *part, struct kw_node *node, struct kw_bytes bytes,
                      struct kw_chunk *chunk)
{
    struct kw_client *client = part->client;
    struct kw_backend *backend = client->proxy->backend;
    struct kw_gather *gather = part->gather;
    struct kw_link *link = NULL;
    enum kw_status status = KW_E_NOT_FOUND;

    if (node != NULL) {
        /* A node that runs a script reads no more from the connection that asked for it. */
        bool is_private = part->command->merge == KW_MERGE_ONE_SUCCEEDED;
        status = is_private ? kw_side_link_open_private(node, client->proto, &link)
                            : kw_node_link(node, client->proto, client->db, client->id, &link);
    }
    if (status == KW_OK) {
        status = kw_link_send(link, &part->call, bytes, chunk);
    }
    kw__gather_append(gather, part);
    if (node == NULL) {
        kw_backend_want_topology(backend);
        kw_reply_fail(part, backend->has_topology ? KW_ERROR_SLOT_UNSERVED : KW_ERROR_NO_TOPOLOGY,
                      NULL);
    } else if (status != KW_OK) {
        kw_reply_fail(part, kw_resend_error(status), node->name);
    }
}

void kw__gather_append(struct kw_gather *gather, struct kw_request *part)
{
    if (gather->answer == NULL) {
        kw_reply_expect(part);
    } else {
        kw_reply_expect_behind(part, gather->last);
    }
    gather->first = gather->first == NULL ? part : gather->first;
    gather->last = part;
}

void kw__gather_keep_keys(struct kw_gather *gather, const uint32_t *key_parts, uint32_t count)
{
    size_t room = count * (sizeof *gather->notes + 2 * sizeof *key_parts);

    gather->keys_count = count;
    gather->notes = gather->few;
    if (count > KW_GATHER_FEW_KEYS) {
        gather->keys_chunk = kw_chunk_get(gather->client->proxy->chunks, room);
        if (gather->keys_chunk == NULL) {
            kw_client_abort(gather->client); /* no memory for 16 bytes a key: nor for the answer */
            gather->key_parts = NULL;
            return;
        }
        gather->notes = (uint64_t *)(void *)gather->keys_chunk->data;
    }
    gather->key_parts = (uint32_t *)(void *)(gather->notes + count);
    gather->ends = gather->key_parts + count;
    memcpy(gather->key_parts, key_parts, count * sizeof *key_parts);
}

void kw_gather_on_part(struct kw_gather *gather)
{
    KW_ASSERT(gather->left_count > 0); /* G2 */
    if (--gather->left_count == 0) {
        kw_answer_complete(gather);
    }
}

void kw_gather_put(struct kw_gather *gather)
{
    KW_ASSERT(gather->is_complete); /* G3 */
    kw_chunk_unref(&gather->keys_chunk);
    kw_chunk_unref(&gather->script_chunk);
    kw_scan_step_drop(&gather->scan);
    kw_pool_put(&gather->client->proxy->gathering->gathers, gather);
}
