/* quick.c - one pass over the keys: slot, node, and the command for that node is written at once.
 *
 *   MGET a b c      a -> 7000   "MGET a"                  7000: MGET a, MGET c
 *                   b -> 7001   "MGET b"                  7001: MGET b
 *                   c -> 7000   "MGET a" "MGET c"
 *
 * Split.c makes a part for each slot, however many keys, whatever stands around them; bunch.c puts
 * parts together. That takes two thirds more of the time of this. So whatever could go wrong, or is
 * large, or rare, is left to them: before anything is sent, which is why everything is looked at
 * first.
 *
 * INVARIANTS
 * K1  nothing of the request must wait: its client has no barrier and no redirected request in its
 *     queue, its nodes no retired link and no name to look up (split_must_wait() in gather.c).
 * K2  no two keys have one slot: a node would read them in one step (split.c does so).
 * K3  all bunches can be sent when the first one is.
 */
#include "proxy/gather/quick.h"

#include "backend/link.h"
#include "backend/node.h"
#include "proxy/gather/bulk.h"
#include "proxy/gather/bunch.h"
#include "proxy/near/near.h"

enum {
    GROUPS_MAX = 16,
    NO_GROUP = 255,
    GROUP_BYTES = 1024,
    HEAD_BYTES = 32, /* "*2" and the name as a bulk; moved whole */
    NAME_MAX_BYTES = HEAD_BYTES - 12
};

/* What one node is asked for. */
struct group {
    struct kw_node *node;
    struct kw_link *link;
    uint32_t len;
    uint32_t count;
    uint32_t part; /* the first one's number */
};

struct quick {
    uint8_t group_at[GROUPS_MAX]; /* by the node's index, so without a search */
    struct group groups[GROUPS_MAX];
    uint32_t groups_count;
    uint16_t slots[KW_BUNCH_COMMANDS_MAX];
    uint8_t group_of[KW_BUNCH_COMMANDS_MAX];
    uint8_t place[KW_BUNCH_COMMANDS_MAX]; /* of a key in its group */
    char head[HEAD_BYTES];
    size_t head_len;
    uint64_t notes[KW_BUNCH_COMMANDS_MAX]; /* bunch.c B5 */
    char bytes[GROUPS_MAX][GROUP_BYTES];
};

static bool quick_is_for(const struct kw_client *client, const struct kw_command *command);
static void quick_begin(struct quick *quick, struct kw_bytes name);
static bool quick_add(struct quick *quick, struct kw_backend *backend, uint32_t key,
                      struct kw_bytes name);
static struct group *quick_choose(struct quick *quick, struct kw_node *node);
static bool quick_has_slot(const struct quick *quick, uint32_t keys_count, uint16_t slot);
static bool quick_find_links(struct quick *quick, const struct kw_client *client);
static void quick_send(struct quick *quick, struct kw_gather *gather, uint32_t keys_count);

bool kw_quick_start(struct kw_client *client, const struct kw_command *command)
{
    const struct kw_near *near = client->proxy->near;
    const struct kw_argv *argv = &client->proxy->argv;
    uint32_t keys_count = (uint32_t)argv->count - 1;
    uint64_t seen = 0; /* a bit for each slot modulo 64: mostly enough to tell K2 */
    struct quick quick;

    if (!quick_is_for(client, command)) {
        return false;
    }
    quick_begin(&quick, argv->items[0]);
    for (uint32_t key = 0; key < keys_count; key++) {
        uint16_t slot = kw_slot_of_key(argv->items[1 + key]);
        uint64_t bit = 1ull << (slot % 64);
        if ((seen & bit) != 0 && quick_has_slot(&quick, key, slot)) {
            return false; /* K2 */
        }
        seen |= bit;
        quick.slots[key] = slot;
        if (near != NULL && !kw_near_is_cold(near, argv->items[1 + key], &quick.notes[key])) {
            return false; /* it must not go with the others */
        }
        if (!quick_add(&quick, client->proxy->backend, key, argv->items[1 + key])) {
            return false;
        }
    }
    if (!quick_find_links(&quick, client)) {
        return false;
    }
    struct kw_gather *gather = kw__gather_begin(client, command);
    gather->bunch_slots = seen;
    quick_send(&quick, gather, keys_count);
    kw__gather_end(gather);
    return true;
}

static bool quick_is_for(const struct kw_client *client, const struct kw_command *command)
{
    const struct kw_argv *argv = &client->proxy->argv;
    const struct kw_key_spec *spec = &command->keys[0];

    return command->merge == KW_MERGE_IN_KEY_ORDER && spec->find == KW_FIND_RANGE &&
           spec->begin == 1 && spec->last == -1 && spec->step == 1 && argv->count >= 3 &&
           argv->count <= KW_BUNCH_COMMANDS_MAX + 1 && argv->items[0].len <= NAME_MAX_BYTES &&
           client->barriers_count == 0 && client->redirecting_count == 0 /* K1 */ &&
           kw_bunch_may(client->proxy, command);
}

static void quick_begin(struct quick *quick, struct kw_bytes name)
{
    char *at = quick->head;

    memset(quick->group_at, NO_GROUP, sizeof quick->group_at);
    quick->groups_count = 0;
    at = kw__put_bulk(kw__put_number(at, '*', 2), name);
    quick->head_len = (size_t)(at - quick->head);
}

/* The command for NAME, KEY, goes to its node's group. False when there is none, or it must wait,
 * or there is no room.
 */
static inline bool quick_add(struct quick *quick, struct kw_backend *backend, uint32_t key,
                             struct kw_bytes name)
{
    struct kw_node *node = kw_backend_node_of_slot(backend, quick->slots[key]);
    struct group *group = node != NULL ? quick_choose(quick, node) : NULL;

    if (group == NULL || name.len > GROUP_BYTES ||
        group->len + HEAD_BYTES + name.len + KW_BULK_EXTRA_BYTES > GROUP_BYTES) {
        return false;
    }
    uint32_t index = (uint32_t)(group - quick->groups);
    char *at = quick->bytes[index] + group->len;
    memcpy(at, quick->head, HEAD_BYTES);
    at = kw__put_bulk(at + quick->head_len, name);
    group->len = (uint32_t)(at - quick->bytes[index]);
    quick->group_of[key] = (uint8_t)index;
    quick->place[key] = (uint8_t)group->count++;
    return true;
}

/* The group of NODE; NULL when another node has its place, or K1 is not so. */
static inline struct group *quick_choose(struct quick *quick, struct kw_node *node)
{
    uint8_t *place = &quick->group_at[node->index % GROUPS_MAX];

    if (*place != NO_GROUP) {
        return quick->groups[*place].node == node ? &quick->groups[*place] : NULL;
    }
    if (node->lookup != NULL || kw_node_has_retired(node)) {
        return NULL;
    }
    *place = (uint8_t)quick->groups_count;
    struct group *group = &quick->groups[quick->groups_count++];
    *group = (struct group){.node = node};
    return group;
}

static bool quick_has_slot(const struct quick *quick, uint32_t keys_count, uint16_t slot)
{
    for (uint32_t key = 0; key < keys_count; key++) {
        if (quick->slots[key] == slot) {
            return true;
        }
    }
    return false;
}

/* K3 */
static bool quick_find_links(struct quick *quick, const struct kw_client *client)
{
    uint32_t part = 0;

    for (uint32_t i = 0; i < quick->groups_count; i++) {
        struct group *group = &quick->groups[i];
        if (kw_node_link(group->node, client->proto, client->db, client->id, &group->link) !=
                KW_OK ||
            kw_link_has_room(group->link, 0) != KW_OK) {
            return false;
        }
        group->part = part;
        part += group->count;
    }
    return true;
}

static void quick_send(struct quick *quick, struct kw_gather *gather, uint32_t keys_count)
{
    uint32_t parts[KW_BUNCH_COMMANDS_MAX];

    for (uint32_t key = 0; key < keys_count; key++) {
        parts[key] = quick->groups[quick->group_of[key]].part + quick->place[key];
    }
    kw__gather_keep_keys(gather, parts, keys_count);
    if (gather->key_parts == NULL) {
        return;
    }
    for (uint32_t key = 0; gather->client->proxy->near != NULL && key < keys_count; key++) {
        gather->notes[parts[key]] = quick->notes[key];
    }
    for (uint32_t i = 0; i < quick->groups_count; i++) {
        const struct group *group = &quick->groups[i];
        kw__bunch_post(gather, group->link, group->count, kw_bytes_of(quick->bytes[i], group->len));
    }
}
