/* known.c - see known.h.
 *
 *   queue:   [part 0: DONE, as the node said] [part 1] [part 2] [answer]
 */
#include "proxy/gather/known.h"

#include "backend/node.h"
#include "proxy/gather/gather.h"
#include "proxy/gather/script.h"
#include "proxy/reply.h"

static void gather_know(struct kw_gather *gather, const struct kw_known *known);

enum kw_verdict kw_known_start(struct kw_client *client, const struct kw_command *command,
                               struct kw_bytes wire, const struct kw_known *known)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_shards *shards = &proxy->gathering->shards;
    uint16_t slot = KW_SLOT_NONE;

    if (command->merge == KW_MERGE_CONCATENATE && proxy->argv.count == 2) {
        slot = kw_scan_pattern_slot(proxy->argv.items[1]); /* KEYS of one slot */
    }
    kw_shards_refresh(shards, proxy->backend);
    struct kw_gather *gather = kw__gather_begin(client, command);
    kw_script_on_start(gather, wire);
    gather_know(gather, known);
    for (uint32_t i = 0; i < shards->count; i++) {
        const struct kw_node *node = proxy->backend->nodes[shards->items[i].node];
        bool is_meant =
            slot == KW_SLOT_NONE || proxy->backend->slot_node[slot] == shards->items[i].node;
        if (is_meant && strcmp(node->name, known->node_name) != 0) {
            kw__gather_ask(gather, shards->items[i].slot, wire);
        }
    }
    kw__gather_end(gather);
    return KW_SENT;
}

/* A part that was answered before it was asked. */
static void gather_know(struct kw_gather *gather, const struct kw_known *known)
{
    struct kw_request *part = kw__gather_add(gather, known->slot, 0);

    kw_reply_expect(part);
    gather->first = part;
    gather->last = part;
    kw_reply_pass(part, known->reply);
    kw_reply_finish(part);
}
