/* scan.c - a cursor that says where a walk over the cluster is; no key that moves is missed.
 *
 * The cursor is a number below 2^63. Any keyway in front of the cluster can go on with it:
 *
 *   62 61 | 60       | 59 .. 46 | 45 .. 28 (34, 40, 46)  | 27 (33, 39, 45) .. 0
 *   width | filtered | slot     | fingerprint            | cursor of the node
 *
 * A node's cursor has as many bits as its table needs, so 28 do nearly always; width says that more
 * were needed, for which there are fewer bits of the fingerprint. One above 46 bits is an error.
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
 * When a node is through, it is asked (CLUSTER NODES) whether all slots that were walked at it are
 * still its own: keyway's map may be older than the node's. If not, they are walked again. If some
 * are on their way to another node, the keys that may have left before the walk came by are in that
 * node: it is asked for all keys of the slot. So a key is missed only if it was not there all the
 * time.
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
#include "proxy/reply.h"

#include <stdio.h>
#include <stdlib.h>

enum { REST_BITS = 46, SLOT_BITS = 14, WIDTHS_COUNT = 4 };

static const unsigned width_bits[WIDTHS_COUNT] = {28, 34, 40, 46};

/* The options of a SCAN that keyway looks at. */
struct scan_options {
    struct kw_bytes pattern; /* data NULL: none */
    struct kw_bytes type;
};

static struct scan_options options_read(const struct kw_argv *argv);
static bool step_place(struct kw_scan_step *step, struct kw_client *client,
                       const struct kw_scan_cursor *cursor, bool is_start, uint16_t only_slot);
static uint32_t range_end(const struct kw_backend *backend, uint32_t slot);
static uint32_t range_next(const struct kw_backend *backend, uint32_t slot);
static uint64_t range_fingerprint(const struct kw_backend *backend, uint32_t slot, uint32_t end);
static struct kw_chunk *command_write(struct kw_chunk_pool *pool, const struct kw_argv *argv,
                                      uint64_t node_cursor);
static const struct kw_request *gather_part(const struct kw_gather *gather, uint32_t number);
static bool step_reply_read(struct kw_bytes reply, uint64_t *cursor, struct kw_bytes *keys,
                            int64_t *count);
static bool scan_check(struct kw_gather *gather);
static bool self_owns(const struct kw_gather *gather, const struct kw_scan_self *self);
static bool scan_ask_leaving(struct kw_gather *gather, const struct kw_scan_self *self);
static bool scan_ask_types(struct kw_gather *gather);
static struct scan_options step_options(struct kw_gather *gather);
static bool key_cut(struct kw_bytes *keys, struct kw_bytes *key);
static size_t answer_moved_keys(struct kw_gather *gather, struct kw_merge_job *job,
                                struct kw_buf *body);
static uint64_t next_cursor(struct kw_gather *gather, uint64_t node_cursor);

bool kw_scan_cursor_read(struct kw_bytes text, struct kw_scan_cursor *cursor, bool *is_start)
{
    size_t at = text.len > 0 && text.data[0] == '+' ? 1 : 0; /* redis takes it, and nothing for 0 */
    uint64_t value = 0;

    for (; at < text.len; at++) {
        unsigned digit = (unsigned char)text.data[at] - (unsigned)'0';
        if (digit > 9 || value > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    unsigned bits = width_bits[value >> 61 & 3];
    uint64_t rest = value & ((UINT64_C(1) << REST_BITS) - 1);
    *is_start = value == 0;
    cursor->is_filtered = (value >> 60 & 1) != 0;
    cursor->slot = (uint16_t)(value >> REST_BITS & (KW_SLOTS_COUNT - 1));
    cursor->node_cursor = rest & ((UINT64_C(1) << bits) - 1);
    cursor->fingerprint = rest >> bits;
    return true;
}

static uint64_t fingerprint_cut(uint64_t fingerprint, uint64_t node_cursor, unsigned *width)
{
    for (*width = 0; *width < WIDTHS_COUNT; ++*width) {
        if (node_cursor >> width_bits[*width] == 0) {
            return fingerprint & ((UINT64_C(1) << (REST_BITS - width_bits[*width])) - 1);
        }
    }
    return 0;
}

uint64_t kw_scan_cursor_value(const struct kw_scan_cursor *cursor)
{
    unsigned width = 0;
    uint64_t fingerprint = fingerprint_cut(cursor->fingerprint, cursor->node_cursor, &width);

    if (width == WIDTHS_COUNT) {
        return 0;
    }
    return (uint64_t)width << 61 | (uint64_t)(cursor->is_filtered ? 1 : 0) << 60 |
           (uint64_t)cursor->slot << REST_BITS | fingerprint << width_bits[width] |
           cursor->node_cursor;
}

bool kw_scan_cursor_fits(const struct kw_scan_cursor *cursor, uint64_t fingerprint)
{
    unsigned width = 0;

    return fingerprint_cut(fingerprint, cursor->node_cursor, &width) == cursor->fingerprint;
}

/* A hash tag counts when no wildcard stands before its end; a pattern without any is a key. */
uint16_t kw_scan_pattern_slot(struct kw_bytes pattern)
{
    size_t open = SIZE_MAX;

    for (size_t i = 0; i < pattern.len; i++) {
        char byte = pattern.data[i];
        if (byte == '*' || byte == '?' || byte == '[' || byte == '\\') {
            return KW_SLOT_NONE;
        }
        if (byte == '{' && open == SIZE_MAX) {
            open = i;
        } else if (byte == '}' && open != SIZE_MAX) {
            /* An empty tag is none: then the rest of the key counts, and must be known. */
            if (i > open + 1) {
                return kw_slot_of_key(kw_bytes_of(pattern.data + open, i - open + 1));
            }
            open = pattern.len;
        }
    }
    return kw_slot_of_key(pattern);
}

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
    struct scan_options options = options_read(argv);
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
static struct scan_options options_read(const struct kw_argv *argv)
{
    struct scan_options options = {{NULL, 0}, {NULL, 0}};

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
        return scan_check(gather);
    case KW_SCAN_LEAVING:
        return scan_ask_types(gather);
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

/* What the node says of its slots has come. True when more is asked. */
static bool scan_check(struct kw_gather *gather)
{
    struct kw_scan_step *step = &gather->scan;
    struct kw_bytes text;
    struct kw_scan_self *self = kw_alloc(sizeof *self); /* 3 KiB, once for each shard */
    bool is_asked = false;

    /* A server that is no cluster, or does not let us ask, is believed; one that is gone is not. */
    struct kw_bytes reply = kw__part_reply(gather->last);
    bool is_gone =
        kw_merge_is_error(reply) &&
        kw_bytes_start_with(kw_bytes_of(reply.data + 1, reply.len - 1), KW_BYTES("ERR keyway: "));
    if (is_gone) {
        step->is_again = true;
    } else if (kw_merge_text(reply, &text) && kw_scan_self_read(text, self)) {
        if (!self_owns(gather, self)) {
            step->is_again = true;
            kw_backend_want_topology(gather->client->proxy->backend);
        } else {
            is_asked = scan_ask_leaving(gather, self);
        }
    }
    kw_free(self);
    return is_asked;
}

bool kw_scan_self_read(struct kw_bytes text, struct kw_scan_self *self)
{
    const char *at = memmem(text.data, text.len, "myself", 6);
    const char *end = text.data + text.len;

    memset(self, 0, sizeof *self);
    if (at == NULL) {
        return false;
    }
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    line_end = line_end == NULL ? end : line_end;
    for (unsigned word = 2; at < line_end; word++) { /* the flags are the third word */
        const char *space = memchr(at, ' ', (size_t)(line_end - at));
        struct kw_bytes item = kw_bytes_of(at, (size_t)((space == NULL ? line_end : space) - at));
        at = item.data + item.len + 1;
        if (word == 2) {
            self->is_master = memmem(item.data, item.len, "master", 6) != NULL;
        }
        if (word < 8 || item.len == 0) {
            continue;
        }
        char *rest = NULL;
        bool is_moving = item.data[0] == '[';
        unsigned long first = strtoul(item.data + (is_moving ? 1 : 0), &rest, 10);
        unsigned long last = !is_moving && *rest == '-' ? strtoul(rest + 1, NULL, 10) : first;
        if (is_moving && item.len > 3 && memcmp(rest, "->-", 3) == 0) {
            if (self->leaving_count == sizeof self->leaving / sizeof self->leaving[0]) {
                self->is_master = false; /* once more, later */
                return true;
            }
            size_t skip = (size_t)(rest - item.data) + 3;
            self->leaving[self->leaving_count].slot = (uint16_t)first;
            self->leaving[self->leaving_count].to =
                kw_bytes_of(item.data + skip, item.len - skip - 1);
            self->leaving_count++;
        }
        for (unsigned long slot = first; !is_moving && slot <= last && slot < KW_SLOTS_COUNT;
             slot++) {
            self->owned[slot / 64] |= 1ull << (slot % 64);
        }
    }
    return true;
}

/* Does the node own what was walked at it? */
static bool self_owns(const struct kw_gather *gather, const struct kw_scan_self *self)
{
    const struct kw_backend *backend = gather->client->proxy->backend;
    const struct kw_scan_step *step = &gather->scan;
    uint16_t node = backend->slot_node[step->at.slot];
    uint32_t end = step->at.is_filtered ? step->end : KW_SLOTS_COUNT;

    for (uint32_t slot = step->at.slot; slot < end; slot++) {
        bool is_its_own = (self->owned[slot / 64] & 1ull << (slot % 64)) != 0;
        if (backend->slot_node[slot] == node && !is_its_own) {
            return false;
        }
    }
    return self->is_master;
}

/* Ask the nodes that slots are moving to for the keys that are there. */
static bool scan_ask_leaving(struct kw_gather *gather, const struct kw_scan_self *self)
{
    struct kw_scan_step *step = &gather->scan;
    struct kw_backend *backend = gather->client->proxy->backend;
    char text[128];

    gather->left_count++; /* G2 */
    for (uint32_t i = 0; i < self->leaving_count; i++) {
        uint16_t slot = self->leaving[i].slot;
        if (step->at.is_filtered && (slot < step->at.slot || slot >= step->end)) {
            continue;
        }
        struct kw_node *to = kw_backend_node_of_id(backend, self->leaving[i].to);
        if (to == NULL) {
            step->is_again = true; /* we don't know it yet */
            kw_backend_want_topology(backend);
            break;
        }
        char number[KW_TEXT_INT_MAX];
        size_t len = kw_text_from_int(slot, number);
        int text_len = snprintf(text, sizeof text,
                                "*4\r\n$7\r\nCLUSTER\r\n$13\r\nGETKEYSINSLOT\r\n$%zu\r\n%.*s\r\n"
                                "$9\r\n999999999\r\n",
                                len, (int)len, number);
        step->leaving_count++;
        kw__gather_ask_node(gather, to, slot, kw_bytes_of(text, (size_t)text_len));
    }
    if (step->leaving_count == 0) {
        gather->left_count--;
        return false;
    }
    step->stage = KW_SCAN_LEAVING;
    kw_gather_on_part(gather);
    return true;
}

/* The keys that have left are here. With TYPE, ask for theirs: their nodes redirect. */
static bool scan_ask_types(struct kw_gather *gather)
{
    struct kw_scan_step *step = &gather->scan;
    struct scan_options options = step_options(gather);
    uint32_t asked = 0;

    if (options.type.data == NULL) {
        return false;
    }
    gather->left_count++; /* G2 */
    for (uint32_t i = 0; i < step->leaving_count; i++) {
        const struct kw_request *part = gather_part(gather, 2 + i);
        struct kw_bytes keys = kw__part_reply(part);
        struct kw_bytes key;
        int64_t count = 0;
        if (!kw_merge_take_number(&keys, '*', &count)) {
            break; /* an error: it will be the answer */
        }
        while (key_cut(&keys, &key)) {
            struct kw_chunk *chunk = kw_chunk_get(gather->client->proxy->chunks, key.len + 64);
            if (chunk == NULL) {
                break;
            }
            int len = snprintf(chunk->data, chunk->cap, "*2\r\n$4\r\nTYPE\r\n$%zu\r\n", key.len);
            memcpy(chunk->data + len, key.data, key.len);
            memcpy(chunk->data + (size_t)len + key.len, "\r\n", 2);
            kw__gather_ask(gather, kw_slot_of_key(key),
                           kw_bytes_of(chunk->data, (size_t)len + key.len + 2));
            kw_chunk_unref(&chunk);
            asked++;
        }
    }
    if (asked == 0) {
        gather->left_count--;
        return false;
    }
    step->stage = KW_SCAN_TYPES;
    kw_gather_on_part(gather);
    return true;
}

static const struct kw_request *gather_part(const struct kw_gather *gather, uint32_t number)
{
    const struct kw_request *part = gather->first;

    while (part->part != number) {
        part = part->next;
    }
    return part;
}

/* The client's options, from the command that was sent. Valid until another command is cut. */
static struct scan_options step_options(struct kw_gather *gather)
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

/* Cut one bulk off the front of *KEYS. False at the end. */
static bool key_cut(struct kw_bytes *keys, struct kw_bytes *key)
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
        while (key_cut(&keys, &key)) {
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
    struct scan_options options = step_options(gather);
    for (uint32_t i = 0; i < step->leaving_count; i++) {
        struct kw_bytes keys = job->parts[2 + i].reply;
        struct kw_bytes key;
        int64_t count = 0;
        bool is_array = kw_merge_take_number(&keys, '*', &count);
        while (is_array && key_cut(&keys, &key)) {
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
