/* scan_check.c - a shard was walked to its end: was it all there?
 *
 * keyway's map may be older than the node's, so the node is asked (CLUSTER NODES) whether all slots
 * that were walked at it are still its own. If not, they are walked again. If some are on their way
 * to another node, the keys that may have left before the walk came by are in that node: it is
 * asked for all keys of the slot, and their owners for the types, where the client wants one.
 */
#include "proxy/gather/scan_check.h"

#include "backend/node.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/gather/gather.h"
#include "proxy/gather/merge_own.h"

#include <stdio.h>
#include <stdlib.h>

static bool self_owns(const struct kw_gather *gather, const struct kw_scan_self *self);
static bool scan_ask_leaving(struct kw_gather *gather, const struct kw_scan_self *self);
static const struct kw_request *gather_part(const struct kw_gather *gather, uint32_t number);

bool kw__scan_check(struct kw_gather *gather)
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

bool kw__scan_ask_types(struct kw_gather *gather)
{
    struct kw_scan_step *step = &gather->scan;
    struct kw_step_options options = kw__step_options(gather);
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
        while (kw__scan_key_cut(&keys, &key)) {
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
