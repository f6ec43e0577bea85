/* scan.c - a walk over the whole cluster; no key that moves is missed.
 *
 * The cursor (scan_cursor.h) says all there is to know: any keyway in front of the cluster can go
 * on with it.
 *
 * While the map stays as it was at the start (the fingerprint is of the map) shards are walked in
 * the order of the lowest slot they own: SLOT is that of the present one. Each node is walked once,
 * and each key is returned once.
 *
 * What holds at each moment, also when the map changes: all keys of slots below SLOT have been
 * returned. So when the fingerprint does not fit any more, the walk goes on from there, filtered:
 * range of slots by range of slots, each at its owner, from that node's beginning (a replica that
 * was promoted has a table of its own), passing only keys of the range. The fingerprint is then of
 * the range and its owner.
 *
 * When a node is through, scan_check.c asks whether all slots that were walked at it are still its
 * own, and for the keys of those that are leaving. So a key is missed only if it was not there all
 * the time.
 *
 *   SCAN at the node --cursor 0--> CLUSTER NODES --slots leave--> GETKEYSINSLOT --TYPE--> types
 *        |                              |                             |                     |
 *        +------------------------------+------> the answer <---------+---------------------+
 */
#include "proxy/gather/scan.h"

#include "backend/node.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/gather/gather.h"
#include "proxy/gather/merge_own.h"
#include "proxy/gather/scan_check.h"
#include "proxy/reply.h"

#include <stdio.h>
#include <stdlib.h>

static struct kw_step_options options_read(const struct kw_argv *argv);
static bool step_place(struct kw_scan_step *step, struct kw_client *client,
                       const struct kw_scan_cursor *cursor, bool is_start, uint16_t only_slot);
static uint32_t range_end(const struct kw_backend *backend, uint32_t slot);
static uint32_t range_next(const struct kw_backend *backend, uint32_t slot);
static uint64_t range_fingerprint(const struct kw_backend *backend, uint32_t slot, uint32_t end);
static struct kw_chunk *command_write(struct kw_chunk_pool *pool, const struct kw_argv *argv,
                                      uint64_t node_cursor);
static bool step_reply_read(struct kw_bytes reply, uint64_t *cursor, struct kw_bytes *keys,
                            int64_t *count);
static size_t answer_moved_keys(struct kw_gather *gather, struct kw_merge_job *job,
                                struct kw_buf *body);
static uint64_t next_cursor(struct kw_gather *gather, uint64_t node_cursor);

enum kw_verdict kw_scan_start(struct kw_client *client, const struct kw_command *command)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_argv *argv = &proxy->argv;
    struct kw_scan_step step = {0};
    struct kw_scan_cursor cursor;
    bool is_start = false;

    if (!kw_scan_cursor_read(argv->items[1], &cursor, &is_start)) {
        return kw_reply_refuse(client, KW_ERROR_INVALID_CURSOR, NULL, NULL);
    }
    kw_shards_refresh(&proxy->gathering->shards, proxy->backend);
    if (proxy->gathering->shards.count == 0) {
        return KW_NEXT; /* no cluster yet: the router waits, or says so */
    }
    if (kw__gather_must_wait(client)) {
        return KW_WAITING;
    }
    struct kw_step_options options = options_read(argv);
    uint16_t only_slot =
        options.pattern.data != NULL ? kw_scan_pattern_slot(options.pattern) : KW_SLOT_NONE;
    if (!step_place(&step, client, &cursor, is_start, only_slot)) {
        struct kw_buf *buf =
            kw_reply_begin(client); /* slots that nobody owns are all that is left */
        kw_reply_array(buf, 2);
        kw_reply_bulk(buf, KW_BYTES("0"));
        kw_reply_array(buf, 0);
        kw_reply_end(client);
        return KW_ANSWERED;
    }
    step.command = command_write(proxy->chunks, argv, step.at.node_cursor);
    if (step.command == NULL) {
        return kw_reply_refuse(client, KW_ERROR_OUT_OF_MEMORY, NULL, NULL);
    }
    struct kw_gather *gather = kw__gather_begin(client, command);
    gather->scan = step;
    kw__gather_ask(gather, step.at.slot, kw_bytes_of(step.command->data, step.command->end));
    kw__gather_end(gather);
    return KW_SENT;
}

/* As the server reads them: pairs, the last one of a kind wins. Errors are the node's to tell. */
static struct kw_step_options options_read(const struct kw_argv *argv)
{
    struct kw_step_options options = {{NULL, 0}, {NULL, 0}};

    for (size_t i = 2; i + 1 < argv->count; i += 2) {
        if (kw_bytes_equal_nocase(argv->items[i], KW_BYTES("match"))) {
            options.pattern = argv->items[i + 1];
        } else if (kw_bytes_equal_nocase(argv->items[i], KW_BYTES("type"))) {
            options.type = argv->items[i + 1];
        }
    }
    return options;
}

/* Where does the walk go on? False when there is nothing left. */
static bool step_place(struct kw_scan_step *step, struct kw_client *client,
                       const struct kw_scan_cursor *cursor, bool is_start, uint16_t only_slot)
{
    struct kw_backend *backend = client->proxy->backend;
    const struct kw_shards *shards = &client->proxy->gathering->shards;

    step->map = shards->fingerprint;
    step->at = *cursor;
    if (only_slot != KW_SLOT_NONE) {
        uint64_t fingerprint = range_fingerprint(backend, only_slot, only_slot + 1u);
        bool is_same = !is_start && cursor->is_filtered && cursor->slot == only_slot &&
                       kw_scan_cursor_fits(cursor, fingerprint);
        step->is_one_slot = true;
        step->at = (struct kw_scan_cursor){true, only_slot, is_same ? cursor->node_cursor : 0,
                                           fingerprint};
        step->end = only_slot + 1u;
        return true;
    }
    if (is_start) {
        step->at = (struct kw_scan_cursor){false, shards->items[0].slot, 0, shards->fingerprint};
        return true;
    }
    if (!cursor->is_filtered && kw_scan_cursor_fits(cursor, shards->fingerprint) &&
        kw_shards_lowest_slot(shards, backend, cursor->slot) == cursor->slot) {
        step->at.fingerprint = shards->fingerprint;
        return true;
    }
    uint32_t slot = range_next(backend, cursor->slot);
    if (slot == KW_SLOTS_COUNT) {
        return false;
    }
    step->end = range_end(backend, slot);
    uint64_t fingerprint = range_fingerprint(backend, slot, step->end);
    bool is_same =
        cursor->is_filtered && cursor->slot == slot && kw_scan_cursor_fits(cursor, fingerprint);
    step->at = (struct kw_scan_cursor){true, (uint16_t)slot, is_same ? cursor->node_cursor : 0,
                                       fingerprint};
    return true;
}

/* Behind the last slot from SLOT on that has the same owner. */
static uint32_t range_end(const struct kw_backend *backend, uint32_t slot)
{
    uint32_t end = slot + 1;

    while (end < KW_SLOTS_COUNT && backend->slot_node[end] == backend->slot_node[slot]) {
        end++;
    }
    return end;
}

/* The first slot from SLOT on that has an owner. */
static uint32_t range_next(const struct kw_backend *backend, uint32_t slot)
{
    while (slot < KW_SLOTS_COUNT && backend->slot_node[slot] == KW_NODE_NONE) {
        slot++;
    }
    return slot;
}

static uint64_t range_fingerprint(const struct kw_backend *backend, uint32_t slot, uint32_t end)
{
    uint16_t index = backend->slot_node[slot];
    const struct kw_node *owner = index == KW_NODE_NONE ? NULL : backend->nodes[index];
    const char *name = owner == NULL ? "" : owner->id[0] != '\0' ? owner->id : owner->name;

    return kw_hash(kw_bytes_of_text(name), (uint64_t)slot << 16 | end);
}

/* The client's command, with the cursor of the node. NULL when there is no memory. */
static struct kw_chunk *command_write(struct kw_chunk_pool *pool, const struct kw_argv *argv,
                                      uint64_t node_cursor)
{
    char number[KW_TEXT_INT_MAX];
    struct kw_bytes cursor = kw_bytes_of(number, kw_text_from_int((int64_t)node_cursor, number));
    struct kw_buf buf;
    size_t room = 0;

    kw_buf_init(&buf, pool);
    for (size_t i = 0; i < argv->count; i++) {
        room += argv->items[i].len + 32;
    }
    struct kw_chunk *chunk = kw_chunk_get(pool, room + 64);
    if (chunk == NULL) {
        return NULL;
    }
    buf.head = chunk; /* all of it fits in there */
    buf.tail = chunk;
    kw_reply_array(&buf, argv->count);
    for (size_t i = 0; i < argv->count; i++) {
        kw_reply_bulk(&buf, i == 1 ? cursor : argv->items[i]);
    }
    KW_ASSERT(chunk->next == NULL && buf.len == chunk->end);
    return chunk;
}

void kw_scan_step_drop(struct kw_scan_step *step)
{
    kw_chunk_unref(&step->command);
}

bool kw_scan_goes_on(struct kw_gather *gather)
{
    uint64_t node_cursor = 0;
    struct kw_bytes keys;
    int64_t count = 0;

    if (gather->command->merge != KW_MERGE_CURSOR || gather->client->is_gone) {
        return false;
    }
    switch (gather->scan.stage) {
    case KW_SCAN_STEP:
        if (!step_reply_read(kw__part_reply(gather->first), &node_cursor, &keys, &count) ||
            node_cursor != 0) {
            return false;
        }
        gather->scan.stage = KW_SCAN_CHECK;
        kw__gather_ask(gather, gather->scan.at.slot,
                       KW_BYTES("*2\r\n$7\r\nCLUSTER\r\n$5\r\nNODES\r\n"));
        return true;
    case KW_SCAN_CHECK:
        return kw__scan_check(gather);
    case KW_SCAN_LEAVING:
        return kw__scan_ask_types(gather);
    case KW_SCAN_TYPES:
        return false;
    }
    KW_UNREACHABLE();
}

/* [cursor, keys]: KEYS is what follows the header of the second. */
static bool step_reply_read(struct kw_bytes reply, uint64_t *cursor, struct kw_bytes *keys,
                            int64_t *count)
{
    int64_t len = 0;
    char *end = NULL;

    if (!kw_merge_take_number(&reply, '*', &len) || len != 2 ||
        !kw_merge_take_number(&reply, '$', &len) || len < 1 || len > 20) {
        return false;
    }
    *cursor = strtoull(reply.data, &end, 10); /* CR ends it */
    reply = kw_bytes_of(reply.data + len + 2, reply.len - (size_t)len - 2);
    if (!kw_merge_take_number(&reply, '*', count)) {
        return false;
    }
    *keys = reply;
    return true;
}

struct kw_step_options kw__step_options(struct kw_gather *gather)
{
    struct kw_proxy *proxy = gather->client->proxy;
    const struct kw_chunk *chunk = gather->scan.command;
    struct kw_request_parser parser = {0};
    struct kw_request_bytes cut;

    enum kw_status status =
        kw_request_parse(&parser, &proxy->limits, kw_bytes_of(chunk->data, chunk->end),
                         &proxy->gathering->argv, &cut);
    KW_ASSERT(status == KW_OK); /* we wrote it */
    return options_read(&proxy->gathering->argv);
}

bool kw__scan_key_cut(struct kw_bytes *keys, struct kw_bytes *key)
{
    int64_t len = 0;

    if (keys->len == 0 || !kw_merge_take_number(keys, '$', &len) || len < 0 ||
        (size_t)len + 2 > keys->len) {
        return false;
    }
    *key = kw_bytes_of(keys->data, (size_t)len);
    *keys = kw_bytes_of(keys->data + len + 2, keys->len - (size_t)len - 2);
    return true;
}

void kw_scan_answer(struct kw_gather *gather, struct kw_merge_job *job, struct kw_buf *out)
{
    const struct kw_scan_step *step = &gather->scan;
    uint64_t node_cursor = 0;
    struct kw_bytes keys;
    struct kw_bytes key;
    struct kw_buf body;
    int64_t count = 0;

    for (uint32_t i = 0; i < job->parts_count; i++) {
        bool is_check = i == 1; /* that error was looked at */
        if (kw_merge_is_error(job->parts[i].reply) && !is_check) {
            kw_buf_append_bytes(out, job->parts[i].reply);
            return;
        }
    }
    if (!step_reply_read(job->parts[0].reply, &node_cursor, &keys, &count)) {
        kw_reply_error(out, KW_ERROR_BAD_MERGE);
        return;
    }
    uint64_t next = next_cursor(gather, node_cursor);
    if (next == UINT64_MAX) {
        kw_reply_error_text(out, KW_ERROR_CURSOR_TOO_BIG, job->parts[0].node, NULL);
        return;
    }
    kw_buf_init(&body, out->pool);
    if (step->at.is_filtered && !step->is_one_slot) {
        count = 0;
        while (kw__scan_key_cut(&keys, &key)) {
            uint16_t slot = kw_slot_of_key(key);
            if (slot >= step->at.slot && slot < step->end) {
                kw_reply_bulk(&body, key);
                count++;
            }
        }
    } else {
        kw_buf_append_bytes(&body, keys);
    }
    count += (int64_t)answer_moved_keys(gather, job, &body);
    char number[KW_TEXT_INT_MAX];
    kw_reply_array(out, 2);
    kw_reply_bulk(out, kw_bytes_of(number, kw_text_from_int((int64_t)next, number)));
    kw_reply_array(out, (size_t)count);
    kw_buf_append_buf(out, &body);
}

/* The keys of slots that are leaving, as far as pattern and type let them. Returns their number. */
static size_t answer_moved_keys(struct kw_gather *gather, struct kw_merge_job *job,
                                struct kw_buf *body)
{
    const struct kw_scan_step *step = &gather->scan;
    uint32_t type_part = 2 + step->leaving_count;
    size_t added = 0;

    if (step->leaving_count == 0) {
        return 0;
    }
    struct kw_step_options options = kw__step_options(gather);
    for (uint32_t i = 0; i < step->leaving_count; i++) {
        struct kw_bytes keys = job->parts[2 + i].reply;
        struct kw_bytes key;
        int64_t count = 0;
        bool is_array = kw_merge_take_number(&keys, '*', &count);
        while (is_array && kw__scan_key_cut(&keys, &key)) {
            bool is_wanted =
                options.pattern.data == NULL || kw_text_glob(options.pattern, key, false);
            if (options.type.data != NULL && type_part < job->parts_count) {
                struct kw_bytes type = job->parts[type_part++].reply; /* +string CR LF */
                is_wanted =
                    is_wanted && type.len > 3 &&
                    kw_bytes_equal_nocase(kw_bytes_of(type.data + 1, type.len - 3), options.type);
            }
            if (is_wanted) {
                kw_reply_bulk(body, key);
                added++;
            }
        }
    }
    return added;
}

/* What the client goes on with: 0 at the end, UINT64_MAX when it can't be expressed. */
static uint64_t next_cursor(struct kw_gather *gather, uint64_t node_cursor)
{
    struct kw_proxy *proxy = gather->client->proxy;
    struct kw_backend *backend = proxy->backend;
    struct kw_shards *shards = &proxy->gathering->shards;
    const struct kw_scan_step *step = &gather->scan;
    struct kw_scan_cursor next = step->at;

    if (node_cursor != 0) {
        next.node_cursor = node_cursor;
        uint64_t value = kw_scan_cursor_value(&next);
        return value == 0 ? UINT64_MAX : value;
    }
    kw_shards_refresh(shards, backend);
    bool is_same = shards->fingerprint == step->map;
    if (!is_same && step->at.is_filtered) {
        is_same = (step->is_one_slot || range_end(backend, step->at.slot) == step->end) &&
                  range_fingerprint(backend, step->at.slot, step->end) == step->at.fingerprint;
    }
    next.node_cursor = 0;
    if (step->is_again || !is_same) {
        next.is_filtered = true;
        next.fingerprint = 0; /* whatever it is: from the beginning of the range */
        return kw_scan_cursor_value(&next);
    }
    if (step->is_one_slot) {
        return 0;
    }
    if (step->at.is_filtered) {
        uint32_t slot = range_next(backend, step->end);
        next.slot = (uint16_t)slot;
        next.fingerprint = 0;
        return slot == KW_SLOTS_COUNT ? 0 : kw_scan_cursor_value(&next);
    }
    for (uint32_t i = 0; i < shards->count; i++) {
        if (shards->items[i].slot > step->at.slot) {
            next.slot = shards->items[i].slot;
            return kw_scan_cursor_value(&next);
        }
    }
    return 0;
}
