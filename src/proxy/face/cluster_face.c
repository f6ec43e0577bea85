/* cluster_face.c - see cluster_face.h. Replies have the shapes of redis 7.0.15.
 *
 * The picture is made anew for each reply: it depends on which address the client talks to, unless
 * one is announced. Ids are a hash of "endpoint:port", so that every keyway of a set, and the same
 * one after a restart, names the same ids.
 *
 *   cluster-keyways a:1 b:1 c:1   ->   a 0-5460, b 5461-10921, c 10922-16383
 *
 * A keyway that is not in its own set (it is asked at another address than the set names) shows
 * itself as a master without slots, and sends its clients to those that have some.
 */
#include "proxy/face/cluster_face.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/sock.h"
#include "proxy/face/lines.h"

#include <stdio.h>

enum { BUS_PORT_OFFSET = 10000 }; /* where redis has its bus; there is none here */

struct face_node {
    char id[KW_NODE_ID_LEN + 1];
    char ip[KW_HOST_MAX];       /* "" when only a name is known */
    char hostname[KW_HOST_MAX]; /* "" when there is none */
    uint16_t port;
    bool is_myself;
    bool has_slots;
    unsigned first_slot;
    unsigned last_slot;
};

/* What CLUSTER shows: the set of keyways, and which of them is asked. */
struct face {
    struct face_node *nodes; /* owned */
    size_t count;
    const struct face_node *myself;
};

static void face_make(struct face *face, const struct kw_client *client);
static struct face_node face_own_node(const struct kw_client *client);
static void face_name(struct face_node *node, const char *host);
static bool face_node_is_same(const struct face_node *a, const struct face_node *b);
static void face_set_id(struct face_node *node);
static const char *face_endpoint(const struct face_node *node);
static const struct face_node *face_find(const struct face *face, struct kw_bytes id);
static void answer_slots(const struct face *face, struct kw_buf *buf, int proto);
static void answer_shards(const struct face *face, struct kw_buf *buf, int proto);
static void answer_nodes(const struct face *face, struct kw_client *client, struct kw_buf *buf);
static void answer_state(const struct face *face, struct kw_client *client, struct kw_buf *buf);
static enum kw_verdict answer_about_node(const struct face *face, struct kw_client *client,
                                         const struct kw_command *command, struct kw_buf *buf);

enum kw_verdict kw_cluster_face_answer(struct kw_client *client, const struct kw_command *command,
                                       struct kw_buf *buf)
{
    enum kw_verdict verdict = KW_ANSWERED;
    struct face face;

    face_make(&face, client);
    switch ((int)command->local) {
    case KW_LOCAL_CLUSTER_SLOTS:
        answer_slots(&face, buf, client->proto);
        break;
    case KW_LOCAL_CLUSTER_SHARDS:
        answer_shards(&face, buf, client->proto);
        break;
    case KW_LOCAL_CLUSTER_NODES:
        answer_nodes(&face, client, buf);
        break;
    case KW_LOCAL_CLUSTER_INFO:
        answer_state(&face, client, buf);
        break;
    case KW_LOCAL_CLUSTER_MYID:
    case KW_LOCAL_CLUSTER_MYSHARDID: /* a shard has one node */
        kw_reply_bulk(buf, kw_bytes_of_text(face.myself->id));
        break;
    case KW_LOCAL_CLUSTER_KEYSLOT:
        kw_reply_int(buf, kw_slot_of_key(client->proxy->argv.items[2]));
        break;
    case KW_LOCAL_CLUSTER_LINKS: /* no bus: no links on it */
        kw_reply_array(buf, 0);
        break;
    case KW_LOCAL_CLUSTER_REPLICAS:
    case KW_LOCAL_CLUSTER_FAILURE_REPORTS:
        verdict = answer_about_node(&face, client, command, buf);
        break;
    default:
        KW_UNREACHABLE();
    }
    kw_free(face.nodes);
    return verdict;
}

static void face_make(struct face *face, const struct kw_client *client)
{
    const struct kw_config *config = client->proxy->config;
    size_t set_count = config->cluster_keyways_count;
    struct face_node own = face_own_node(client);

    face->nodes = kw_alloc_zero(set_count + 1, sizeof *face->nodes);
    face->count = set_count;
    face->myself = NULL;
    for (size_t i = 0; i < set_count; i++) {
        struct face_node *node = &face->nodes[i];
        face_name(node, config->cluster_keyways[i].host);
        node->port = config->cluster_keyways[i].port;
        if (face->myself == NULL && face_node_is_same(node, &own)) {
            node->is_myself = true;
            face->myself = node;
        }
        node->has_slots = true;
        node->first_slot = (unsigned)(i * KW_SLOTS_COUNT / set_count);
        node->last_slot = (unsigned)((i + 1) * KW_SLOTS_COUNT / set_count) - 1;
    }
    if (face->myself == NULL) {
        own.is_myself = true;
        own.has_slots = set_count == 0;
        own.last_slot = KW_SLOTS_COUNT - 1;
        face->nodes[set_count] = own;
        face->myself = &face->nodes[set_count];
        face->count++;
    }
    for (size_t i = 0; i < face->count; i++) {
        face_set_id(&face->nodes[i]);
    }
}

/* This keyway as it is announced, or as CLIENT has reached it. */
static struct face_node face_own_node(const struct kw_client *client)
{
    const struct kw_config *config = client->proxy->config;
    struct face_node own = {.port = (uint16_t)config->cluster_announce_port};
    struct kw_address local;

    if (kw_sock_local_address(client->stream.fd, &local) == KW_OK) {
        kw_address_print_host(&local, own.ip);
        own.port = own.port != 0 ? own.port : kw_address_port(&local);
    } else { /* a Unix socket: where would others connect? */
        int port = config->cluster_port != 0 ? config->cluster_port : config->port;
        snprintf(own.ip, sizeof own.ip, "127.0.0.1");
        own.port = own.port != 0 ? own.port : (uint16_t)port;
    }
    if (config->cluster_announce_ip[0] != '\0') {
        snprintf(own.ip, sizeof own.ip, "%s", config->cluster_announce_ip);
    }
    snprintf(own.hostname, sizeof own.hostname, "%s", config->cluster_announce_hostname);
    return own;
}

/* HOST is an address or a name. */
static void face_name(struct face_node *node, const char *host)
{
    struct kw_address address;
    bool is_ip = kw_address_parse(kw_bytes_of_text(host), 1, &address) == KW_OK;

    snprintf(is_ip ? node->ip : node->hostname, KW_HOST_MAX, "%s", host);
}

static bool face_node_is_same(const struct face_node *a, const struct face_node *b)
{
    bool is_same_ip = a->ip[0] != '\0' && strcasecmp(a->ip, b->ip) == 0;
    bool is_same_name = a->hostname[0] != '\0' && strcasecmp(a->hostname, b->hostname) == 0;

    return a->port == b->port && (is_same_ip || is_same_name);
}

/* 160 bits of FNV-1a over "endpoint:port", each word begun differently: ids must be stable and
 * different, they protect nothing.
 */
static void face_set_id(struct face_node *node)
{
    char text[KW_HOST_MAX + 8];
    int len = snprintf(text, sizeof text, "%s:%u", face_endpoint(node), (unsigned)node->port);

    for (unsigned word = 0; word < 5; word++) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325) + word;
        for (int i = 0; i < len; i++) {
            hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
        }
        hash ^= hash >> 32;
        snprintf(node->id + (size_t)word * 8, 9, "%08x", (unsigned)hash);
    }
}

/* What clients are to connect to. */
static const char *face_endpoint(const struct face_node *node)
{
    return node->hostname[0] != '\0' ? node->hostname : node->ip;
}

static const struct face_node *face_find(const struct face *face, struct kw_bytes id)
{
    for (size_t i = 0; i < face->count; i++) {
        if (kw_bytes_equal(id, kw_bytes_of_text(face->nodes[i].id))) {
            return &face->nodes[i];
        }
    }
    return NULL;
}

static void answer_slots(const struct face *face, struct kw_buf *buf, int proto)
{
    size_t owners = 0;

    for (size_t i = 0; i < face->count; i++) {
        owners += face->nodes[i].has_slots ? 1 : 0;
    }
    kw_reply_array(buf, owners);
    for (size_t i = 0; i < face->count; i++) {
        const struct face_node *node = &face->nodes[i];
        bool has_both = node->hostname[0] != '\0' && node->ip[0] != '\0';
        if (!node->has_slots) {
            continue;
        }
        kw_reply_array(buf, 3);
        kw_reply_int(buf, node->first_slot);
        kw_reply_int(buf, node->last_slot);
        kw_reply_array(buf, 4);
        kw_reply_bulk(buf, kw_bytes_of_text(face_endpoint(node)));
        kw_reply_int(buf, node->port);
        kw_reply_bulk(buf, kw_bytes_of_text(node->id));
        kw_reply_map(buf, has_both ? 1 : 0, proto);
        if (has_both) {
            kw_reply_bulk(buf, KW_BYTES("ip"));
            kw_reply_bulk(buf, kw_bytes_of_text(node->ip));
        }
    }
}

static void shard_node(const struct face_node *node, struct kw_buf *buf, int proto)
{
    bool has_hostname = node->hostname[0] != '\0';

    kw_reply_array(buf, 1);
    kw_reply_map(buf, has_hostname ? 8 : 7, proto);
    kw_reply_bulk(buf, KW_BYTES("id"));
    kw_reply_bulk(buf, kw_bytes_of_text(node->id));
    kw_reply_bulk(buf, KW_BYTES("port"));
    kw_reply_int(buf, node->port);
    kw_reply_bulk(buf, KW_BYTES("ip"));
    kw_reply_bulk(buf, kw_bytes_of_text(node->ip));
    kw_reply_bulk(buf, KW_BYTES("endpoint"));
    kw_reply_bulk(buf, kw_bytes_of_text(face_endpoint(node)));
    if (has_hostname) {
        kw_reply_bulk(buf, KW_BYTES("hostname"));
        kw_reply_bulk(buf, kw_bytes_of_text(node->hostname));
    }
    kw_reply_bulk(buf, KW_BYTES("role"));
    kw_reply_bulk(buf, KW_BYTES("master"));
    kw_reply_bulk(buf, KW_BYTES("replication-offset"));
    kw_reply_int(buf, 0);
    kw_reply_bulk(buf, KW_BYTES("health"));
    kw_reply_bulk(buf, KW_BYTES("online"));
}

static void answer_shards(const struct face *face, struct kw_buf *buf, int proto)
{
    kw_reply_array(buf, face->count);
    for (size_t i = 0; i < face->count; i++) {
        const struct face_node *node = &face->nodes[i];
        kw_reply_map(buf, 2, proto);
        kw_reply_bulk(buf, KW_BYTES("slots"));
        kw_reply_array(buf, node->has_slots ? 2 : 0);
        if (node->has_slots) {
            kw_reply_int(buf, node->first_slot);
            kw_reply_int(buf, node->last_slot);
        }
        kw_reply_bulk(buf, KW_BYTES("nodes"));
        shard_node(node, buf, proto);
    }
}

static void answer_nodes(const struct face *face, struct kw_client *client, struct kw_buf *buf)
{
    uint64_t now_ms = kw_clock_wall_us() / 1000;
    struct kw_lines lines;

    kw_lines_init(&lines, client->proxy->chunks);
    for (size_t i = 0; i < face->count; i++) {
        const struct face_node *node = &face->nodes[i];
        unsigned bus_port = node->port + BUS_PORT_OFFSET;
        kw_lines_add(&lines, "%s %s:%u@%u%s%s %smaster - 0 %llu %zu connected", node->id, node->ip,
                     (unsigned)node->port, bus_port <= UINT16_MAX ? bus_port : node->port,
                     node->hostname[0] != '\0' ? "," : "", node->hostname,
                     node->is_myself ? "myself," : "",
                     node->is_myself ? 0 : (unsigned long long)now_ms, i + 1);
        if (node->has_slots) {
            kw_lines_add(&lines, " %u-%u", node->first_slot, node->last_slot);
        }
        kw_lines_add(&lines, "\n");
    }
    kw_lines_reply(&lines, buf, client->proto);
}

/* CLUSTER INFO: as healthy as the cluster behind is. */
static void answer_state(const struct face *face, struct kw_client *client, struct kw_buf *buf)
{
    const struct kw_proxy *proxy = client->proxy;
    unsigned covered = atomic_load(&proxy->hub->slots_covered);
    size_t epoch = (size_t)(face->myself - face->nodes) + 1;
    size_t owners = proxy->config->cluster_keyways_count;
    struct kw_lines lines;

    kw_lines_init(&lines, proxy->chunks);
    kw_lines_add(&lines, "cluster_state:%s\r\n", covered == KW_SLOTS_COUNT ? "ok" : "fail");
    kw_lines_add(&lines, "cluster_slots_assigned:%d\r\n", KW_SLOTS_COUNT);
    kw_lines_add(&lines, "cluster_slots_ok:%u\r\n", covered);
    kw_lines_add(&lines, "cluster_slots_pfail:0\r\n");
    kw_lines_add(&lines, "cluster_slots_fail:%u\r\n", KW_SLOTS_COUNT - covered);
    kw_lines_add(&lines, "cluster_known_nodes:%zu\r\n", face->count);
    kw_lines_add(&lines, "cluster_size:%zu\r\n", owners == 0 ? 1 : owners);
    kw_lines_add(&lines, "cluster_current_epoch:%zu\r\n", face->count);
    kw_lines_add(&lines, "cluster_my_epoch:%zu\r\n", epoch);
    kw_lines_add(&lines, "cluster_stats_messages_sent:0\r\n");
    kw_lines_add(&lines, "cluster_stats_messages_received:0\r\n");
    kw_lines_add(&lines, "total_cluster_links_buffer_limit_exceeded:0\r\n");
    kw_lines_reply(&lines, buf, client->proto);
}

/* REPLICAS, SLAVES and COUNT-FAILURE-REPORTS: there are no replicas, and nobody complains. */
static enum kw_verdict answer_about_node(const struct face *face, struct kw_client *client,
                                         const struct kw_command *command, struct kw_buf *buf)
{
    struct kw_bytes id = client->proxy->argv.items[2];
    char shown[KW_HOST_MAX];

    if (face_find(face, id) == NULL) {
        snprintf(shown, sizeof shown, "%.*s", (int)(id.len < KW_HOST_MAX ? id.len : KW_HOST_MAX),
                 id.data);
        kw_reply_error_text(buf, KW_ERROR_UNKNOWN_NODE, shown, NULL);
        return KW_REFUSED;
    }
    if (command->local == KW_LOCAL_CLUSTER_REPLICAS) {
        kw_reply_array(buf, 0);
    } else {
        kw_reply_int(buf, 0);
    }
    return KW_ANSWERED;
}
