/* operator.c - see operator.h. What this worker can tell alone; texts are lines of name=value, for
 * people and for scripts.
 */
#include "proxy/face/operator.h"

#include "backend/node.h"
#include "base/version.h"
#include "proxy/face/lines.h"
#include "proxy/reply.h"

static void answer_help(struct kw_buf *buf);
static void answer_topology(struct kw_client *client, struct kw_buf *buf);

enum kw_verdict kw_operator_answer(struct kw_client *client, const struct kw_command *command)
{
    switch ((int)command->local) {
    case KW_LOCAL_PROXY_TOPOLOGY:
        answer_topology(client, kw_reply_begin(client));
        break;
    case KW_LOCAL_PROXY_HELP:
        answer_help(kw_reply_begin(client));
        break;
    case KW_LOCAL_PROXY_VERSION:
        kw_reply_bulk(kw_reply_begin(client), KW_BYTES(KW_VERSION));
        break;
    default:
        KW_UNREACHABLE();
    }
    kw_reply_end(client);
    return KW_ANSWERED;
}

static void answer_help(struct kw_buf *buf)
{
    static const char *const lines[] = {
        "PROXY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CACHE ON|OFF",
        "    Answer this client from the near cache (the default), or always ask the nodes.",
        "CACHE STATS",
        "    Figures of the near cache.",
        "CACHE FLUSH",
        "    Drop everything that is in the near cache.",
        "HELP",
        "    Print this help.",
        "NODE <id|host:port|slot:N|key:K> <command> [<arg> ...]",
        "    Run the command on that one node, master or replica, and return its reply.",
        "NODES",
        "    The nodes as all workers together see them: links, requests in flight, bytes queued.",
        "POOLS",
        "    The same by worker: clients, memory of buffers, links.",
        "TOPOLOGY",
        "    Shards, their nodes and slots, as keyway routes requests.",
        "VERSION",
        "    The version of keyway.",
    };

    kw_reply_array(buf, sizeof lines / sizeof lines[0]);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        kw_reply_status(buf, kw_bytes_of_text(lines[i]));
    }
}

/* "0-5460,5470", from the map of TOPOLOGY. */
static void add_slots(struct kw_lines *lines, const struct kw_topology *topology, uint32_t owner)
{
    const char *gap = " slots=";

    for (unsigned slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        unsigned first = slot;
        if (topology->slot_owner[slot] != owner) {
            continue;
        }
        while (slot + 1 < KW_SLOTS_COUNT && topology->slot_owner[slot + 1] == owner) {
            slot++;
        }
        kw_lines_add(lines, first == slot ? "%s%u" : "%s%u-%u", gap, first, slot);
        gap = ",";
    }
}

static const char *state_of(const struct kw_backend *backend, const struct kw_topology_node *node)
{
    const struct kw_node *known = kw_backend_find_known(backend, node);

    if (known != NULL && known->is_down) {
        return "down";
    }
    return node->is_failing ? "failing" : "up";
}

static void add_node(struct kw_lines *lines, const struct kw_backend *backend,
                     const struct kw_topology *topology, uint32_t index)
{
    const struct kw_topology_node *node = &topology->nodes[index];

    kw_lines_add(lines, "  %s=%s:%u id=%s state=%s", node->is_master ? "master" : "replica",
                 node->host, (unsigned)node->port, node->id[0] != '\0' ? node->id : "-",
                 state_of(backend, node));
    if (node->is_master) {
        add_slots(lines, topology, index);
    }
    kw_lines_add(lines, "\r\n");
}

/* Slots that a MOVED has given to another node since the picture was made. */
static unsigned patched_count(const struct kw_backend *backend, const struct kw_topology *topology)
{
    unsigned count = 0;

    for (unsigned slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        const struct kw_topology_node *owner = kw_topology_node_of_slot(topology, (uint16_t)slot);
        uint16_t place = backend->slot_node[slot];
        const struct kw_node *node = owner == NULL ? NULL : kw_backend_find_known(backend, owner);
        count += place != (node == NULL ? KW_NODE_NONE : node->index) ? 1 : 0;
    }
    return count;
}

static void answer_topology(struct kw_client *client, struct kw_buf *buf)
{
    const struct kw_backend *backend = client->proxy->backend;
    const struct kw_topology *topology = backend->topology;
    struct kw_lines lines;
    unsigned masters = 0;

    kw_lines_init(&lines, client->proxy->chunks);
    if (topology == NULL) {
        kw_lines_add(&lines, "version=0 kind=unknown: no seed has answered yet\r\n");
        kw_lines_reply(&lines, buf, client->proto);
        return;
    }
    for (uint32_t i = 0; i < topology->nodes_count; i++) {
        masters += topology->nodes[i].is_master ? 1 : 0;
    }
    kw_lines_add(&lines, "version=%llu epoch=%llu kind=%s masters=%u replicas=%u slots_covered=%u",
                 (unsigned long long)topology->version, (unsigned long long)topology->epoch,
                 topology->is_plain ? "plain" : "cluster", masters, topology->nodes_count - masters,
                 topology->slots_covered);
    kw_lines_add(&lines, " slots_patched=%u\r\n", patched_count(backend, topology));
    for (uint32_t shard = 0; shard < topology->shards_count; shard++) {
        kw_lines_add(&lines, "shard %u\r\n", shard);
        for (uint32_t i = 0; i < topology->nodes_count; i++) {
            if (topology->nodes[i].shard == shard) {
                add_node(&lines, backend, topology, i);
            }
        }
    }
    kw_lines_reply(&lines, buf, client->proto);
}
