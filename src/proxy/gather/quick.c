/* quick.c - the keys of an MGET sorted by node, then written where each node's output ends.
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
 *   slots    of all keys: nothing waits for anything there
 *   groups   of all keys: which node it is can't be foreseen, so nothing is decided by it
 *   links    of all groups
 *   bytes    of all keys, mostly behind what the link has to write, where they stay
 *
 * INVARIANTS
 * K1  nothing of the request must wait: its client has no barrier and no redirected request in its
 *     queue, its nodes no retired link and no name to look up (split_must_wait() in gather.c).
 * K2  no two keys have one slot: a node would read them in one step (split.c does so).
 * K3  all bunches can be sent when the first one is.
 * K4  what is written for a group takes no more than its len, and the rest of a head.
 */
#include "proxy/gather/quick.h"

#include "backend/link.h"
#include "backend/node.h"
#include "proxy/gather/bulk.h"
#include "proxy/gather/bunch.h"
#include "proxy/near/near.h"

enum {
    GROUPS_MAX = 16,
    GROUP_BYTES = 1024,
    HEAD_BYTES = 32, /* "*2" and the name as a bulk; moved whole */
    NAME_MAX_BYTES = HEAD_BYTES - 12
};

/* What one node is asked for. */
struct group {
    struct kw_node *node; /* NULL: not in use */
    uint32_t len;         /* bytes at the most */
    uint32_t count;
};

/* Where that goes. */
struct run {
    struct kw_link *link;
    char *bytes;   /* from here ... */
    char *end;     /* ... to here */
    uint32_t part; /* the first one's number */
};

struct quick {
    struct group groups[GROUPS_MAX]; /* by the node's index, so without a search */
    struct run runs[GROUPS_MAX];     /* theirs */
    uint32_t used;                   /* groups: a bit for each */
    uint16_t slots[KW_BUNCH_COMMANDS_MAX];
    uint8_t group_of[KW_BUNCH_COMMANDS_MAX];
    uint8_t place[KW_BUNCH_COMMANDS_MAX]; /* of a key in its group */
    size_t head_len;
    char head[HEAD_BYTES];
    uint64_t notes[KW_BUNCH_COMMANDS_MAX]; /* bunch.c B5 */
    char bytes[GROUPS_MAX][GROUP_BYTES];   /* for links without room at hand */
};

static bool quick_is_for(const struct kw_client *client, const struct kw_command *command);
static bool quick_find_slots(struct quick *quick, const struct kw_proxy *proxy,
                             const struct kw_bytes *keys, uint32_t keys_count, uint64_t *seen);
static bool quick_has_slot(const struct quick *quick, uint32_t keys_count, uint16_t slot);
static bool quick_find_groups(struct quick *quick, struct kw_backend *backend,
                              const struct kw_bytes *keys, uint32_t keys_count);
static bool quick_find_links(struct quick *quick, const struct kw_client *client);
static void quick_write(struct quick *quick, const struct kw_bytes *keys, uint32_t keys_count);
static void quick_send(struct quick *quick, struct kw_gather *gather, uint32_t keys_count);

bool kw_quick_start(struct kw_client *client, const struct kw_command *command)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_bytes *keys = proxy->argv.items + 1;
    uint32_t keys_count = (uint32_t)proxy->argv.count - 1;
    uint64_t seen = 0;
    struct quick quick;

    if (!quick_is_for(client, command)) {
        return false;
    }
    char *end = kw__put_bulk(kw__put_number(quick.head, '*', 2), proxy->argv.items[0]);
    quick.head_len = (size_t)(end - quick.head);
    if (!quick_find_slots(&quick, proxy, keys, keys_count, &seen) ||
        !quick_find_groups(&quick, proxy->backend, keys, keys_count) ||
        !quick_find_links(&quick, client)) {
        return false;
    }
    quick_write(&quick, keys, keys_count);
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

/* SEEN: a bit for each slot modulo 64, mostly enough to tell K2. False when two keys have one slot,
 * or one must not go with the others.
 */
static inline bool quick_find_slots(struct quick *quick, const struct kw_proxy *proxy,
                                    const struct kw_bytes *keys, uint32_t keys_count,
                                    uint64_t *seen)
{
    for (uint32_t key = 0; key < keys_count; key++) {
        uint16_t slot = kw_slot_of_key(keys[key]);
        uint64_t bit = 1ull << (slot % 64);
        if ((*seen & bit) != 0 && quick_has_slot(quick, key, slot)) {
            return false; /* K2 */
        }
        *seen |= bit;
        quick->slots[key] = slot;
        if (proxy->near != NULL && !kw_near_is_cold(proxy->near, keys[key], &quick->notes[key])) {
            return false;
        }
    }
    return true;
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

/* False when a key has no node, or is long, or its node's place is another one's. */
static inline bool quick_find_groups(struct quick *quick, struct kw_backend *backend,
                                     const struct kw_bytes *keys, uint32_t keys_count)
{
    bool is_taken = false;

    quick->used = 0;
    memset(quick->groups, 0, sizeof quick->groups);
    for (uint32_t key = 0; key < keys_count; key++) {
        struct kw_node *node = kw_backend_node_of_slot(backend, quick->slots[key]);
        if (node == NULL || keys[key].len > GROUP_BYTES) {
            return false;
        }
        uint32_t index = node->index % GROUPS_MAX;
        struct group *group = &quick->groups[index];
        is_taken |= (group->node != NULL) & (group->node != node);
        group->node = node;
        group->len += (uint32_t)(quick->head_len + keys[key].len + KW_BULK_EXTRA_BYTES);
        quick->used |= 1u << index;
        quick->group_of[key] = (uint8_t)index;
        quick->place[key] = (uint8_t)group->count++;
    }
    return !is_taken;
}

/* K3. Also false when K1 is not so, or a group has too many bytes. */
static inline bool quick_find_links(struct quick *quick, const struct kw_client *client)
{
    uint32_t part = 0;

    for (uint32_t left = quick->used; left != 0; left &= left - 1) {
        int index = __builtin_ctz(left);
        const struct group *group = &quick->groups[index];
        struct run *run = &quick->runs[index];
        if (group->node->lookup != NULL || kw_node_has_retired(group->node) ||
            group->len > GROUP_BYTES - HEAD_BYTES ||
            kw_node_link(group->node, client->proto, client->db, client->id, &run->link) != KW_OK ||
            kw_link_has_room(run->link, 0) != KW_OK) {
            return false;
        }
        char *spare = kw_link_spare(run->link, GROUP_BYTES);
        run->bytes = spare != NULL ? spare : quick->bytes[index];
        run->end = run->bytes;
        run->part = part;
        part += group->count;
    }
    return true;
}

static inline void quick_write(struct quick *quick, const struct kw_bytes *keys,
                               uint32_t keys_count)
{
    for (uint32_t key = 0; key < keys_count; key++) {
        struct run *run = &quick->runs[quick->group_of[key]];
        memcpy(run->end, quick->head, HEAD_BYTES); /* K4 */
        run->end = kw__put_bulk(run->end + quick->head_len, keys[key]);
    }
}

static inline void quick_send(struct quick *quick, struct kw_gather *gather, uint32_t keys_count)
{
    uint32_t parts[KW_BUNCH_COMMANDS_MAX];

    for (uint32_t key = 0; key < keys_count; key++) {
        parts[key] = quick->runs[quick->group_of[key]].part + quick->place[key];
    }
    kw__gather_keep_keys(gather, parts, keys_count);
    if (gather->key_parts == NULL) {
        return;
    }
    for (uint32_t key = 0; gather->client->proxy->near != NULL && key < keys_count; key++) {
        gather->notes[parts[key]] = quick->notes[key];
    }
    for (uint32_t left = quick->used; left != 0; left &= left - 1) {
        int index = __builtin_ctz(left);
        const struct run *run = &quick->runs[index];
        kw__bunch_post(gather, run->link, quick->groups[index].count,
                       kw_bytes_of(run->bytes, (size_t)(run->end - run->bytes)));
    }
}
