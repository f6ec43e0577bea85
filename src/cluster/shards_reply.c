/* shards_reply.c - replies about the cluster into a topology.
 *
 * Both replies are read by one builder: they say "this node" (builder_add) and "these slots are
 * this node's" (builder_claim) in different words.
 *
 *   SHARDS   [ {slots: [from, to, from, to ...], nodes: [ {id, port, ip, endpoint, role, ...} ]} ]
 *   SLOTS    [ [from, to, [host, port, id, metadata], replica, replica ...] ]
 *
 * I1  whatever the reply says, work is bounded by its own size: nodes are found again by a hash
 *     table, ranges are checked before they are walked, and no more than SLOT_CLAIMS_MAX slots are
 *     claimed in all (overlapping ranges would multiply).
 * I2  a node has a port in 1 .. 65535 and a host that is not empty; others are left out.
 *
 * Where a node is, in words of redis: the endpoint is what clients shall use. NULL means "where you
 * asked"; "?" means that a host name was wanted and there is none; "" that the node does not know
 * its own address yet.
 */
#include "cluster/shards_reply.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    SLOT_CLAIMS_MAX = 16 * KW_SLOTS_COUNT, /* each slot claimed by several, as in a split brain */
    RANGES_MAX = 2 * KW_SLOTS_COUNT,       /* of CLUSTER SLOTS */
    TABLE_SIZE = 2 * KW_NODES_MAX,         /* a power of two, at most half full */
    NODES_FIRST = 16
};

struct builder {
    struct kw_topology *topology; /* owned until builder_finish() */
    const char *asked_host;       /* borrowed */
    uint32_t nodes_capacity;
    uint32_t claims; /* I1 */
    uint16_t *table; /* owned: node indexes by hash of identity, KW_NODE_NONE = free */
};

/* One node as a reply tells it. Texts are borrowed; len 0 = not told. */
struct told_node {
    struct kw_bytes id;
    struct kw_bytes host; /* already chosen; len 0 = where we asked */
    int64_t port;
    bool is_master;
    bool is_failing;
};

static void builder_init(struct builder *builder, const char *asked_host);
static enum kw_status builder_read_shard(struct builder *builder, const struct kw_value *shard,
                                         uint16_t shard_index);
static struct told_node told_by_shards(const struct kw_value *fields);
static struct kw_bytes host_of_shards_node(const struct kw_value *fields);
static enum kw_status builder_add(struct builder *builder, const struct told_node *told,
                                  uint16_t shard_index, uint16_t *node_index);
static uint16_t *builder_find(const struct builder *builder, const struct kw_topology_node *like);
static enum kw_status builder_claim_list(struct builder *builder, const struct kw_value *slots,
                                         uint16_t owner);
static enum kw_status builder_claim(struct builder *builder, int64_t first, int64_t last,
                                    uint16_t owner);
static enum kw_status builder_finish(struct builder *builder, enum kw_status status,
                                     struct kw_topology **topology);
static enum kw_status builder_read_range(struct builder *builder, const struct kw_value *range);
static struct told_node told_by_slots(const struct kw_value *node);
static struct kw_bytes host_of_slots_node(const struct kw_value *node);
static uint64_t epoch_of_line(struct kw_bytes line);

enum kw_status kw_shards_reply_read(const struct kw_value *reply, const char *asked_host,
                                    struct kw_topology **topology)
{
    struct builder builder;
    enum kw_status status = KW_OK;

    *topology = NULL;
    if (!kw_value_is_list(reply)) {
        return KW_E_PROTOCOL;
    }
    if (reply->elements_count > KW_NODES_MAX) {
        return KW_E_INVALID;
    }
    builder_init(&builder, asked_host);
    for (uint32_t i = 0; status == KW_OK && i < reply->elements_count; i++) {
        status = builder_read_shard(&builder, &reply->elements[i], (uint16_t)i);
    }
    builder.topology->shards_count = reply->elements_count;
    return builder_finish(&builder, status, topology);
}

static void builder_init(struct builder *builder, const char *asked_host)
{
    KW_ASSERT(asked_host[0] != '\0');
    KW_ASSERT(strlen(asked_host) < KW_HOST_MAX);
    builder->topology = kw_topology_new(0);
    builder->asked_host = asked_host;
    builder->nodes_capacity = 0;
    builder->claims = 0;
    builder->table = kw_alloc(TABLE_SIZE * sizeof *builder->table);
    memset(builder->table, 0xff, TABLE_SIZE * sizeof *builder->table);
}

static enum kw_status builder_read_shard(struct builder *builder, const struct kw_value *shard,
                                         uint16_t shard_index)
{
    const struct kw_value *nodes = kw_value_field(shard, "nodes");
    const struct kw_value *slots = kw_value_field(shard, "slots");
    uint16_t owner = KW_NODE_NONE;

    if (nodes == NULL || slots == NULL || !kw_value_is_list(nodes) || !kw_value_is_list(slots)) {
        return KW_E_PROTOCOL;
    }
    for (uint32_t i = 0; i < nodes->elements_count; i++) {
        uint16_t index = KW_NODE_NONE;
        if (!kw_value_is_list(&nodes->elements[i])) {
            return KW_E_PROTOCOL;
        }
        struct told_node told = told_by_shards(&nodes->elements[i]);
        enum kw_status status = builder_add(builder, &told, shard_index, &index);
        if (status != KW_OK) {
            return status;
        }
        if (index == KW_NODE_NONE || !told.is_master) {
            continue;
        }
        if (owner == KW_NODE_NONE ||
            (builder->topology->nodes[owner].is_failing && !told.is_failing)) {
            owner = index; /* a failed master and its successor may both be listed */
        }
    }
    return builder_claim_list(builder, slots, owner);
}

static bool field_says(const struct kw_value *fields, const char *name, const char *text)
{
    const struct kw_value *field = kw_value_field(fields, name);

    return field != NULL && kw_value_is_text(field) &&
           kw_bytes_equal_nocase(field->bytes, kw_bytes_of_text(text));
}

static struct told_node told_by_shards(const struct kw_value *fields)
{
    const struct kw_value *id = kw_value_field(fields, "id");
    const struct kw_value *port = kw_value_field(fields, "port");
    struct told_node told = {.port = 0};

    if (port == NULL || port->type != KW_VALUE_INTEGER || port->integer == 0) {
        port = kw_value_field(fields, "tls-port"); /* told only when there is no other */
    }
    if (port != NULL && port->type == KW_VALUE_INTEGER) {
        told.port = port->integer;
    }
    if (id != NULL && kw_value_is_text(id)) {
        told.id = id->bytes;
    }
    told.host = host_of_shards_node(fields);
    told.is_master = field_says(fields, "role", "master");
    told.is_failing = field_says(fields, "health", "fail");
    return told;
}

/* True when VALUE names a host: text that is neither empty nor "?". */
static bool value_is_host(const struct kw_value *value)
{
    return value != NULL && kw_value_is_text(value) && value->bytes.len > 0 &&
           !kw_bytes_equal(value->bytes, KW_BYTES("?"));
}

static struct kw_bytes host_of_shards_node(const struct kw_value *fields)
{
    static const char *const names[] = {"endpoint", "ip", "hostname"};
    const struct kw_value *endpoint = kw_value_field(fields, "endpoint");

    if (endpoint != NULL && endpoint->type == KW_VALUE_NIL) {
        return KW_BYTES(""); /* "where you asked", whatever the ip says */
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct kw_value *value = kw_value_field(fields, names[i]);
        if (value_is_host(value)) {
            return value->bytes;
        }
    }
    return KW_BYTES("");
}

/* NODE is TOLD's: false when it can't be one that we could ever connect to. */
static bool node_fill(struct kw_topology_node *node, const struct told_node *told,
                      const char *asked_host)
{
    struct kw_bytes host = told->host.len > 0 ? told->host : kw_bytes_of_text(asked_host);

    memset(node, 0, sizeof *node);
    if (host.len >= sizeof node->host || memchr(host.data, '\0', host.len) != NULL) {
        return false;
    }
    for (size_t i = 0; i < host.len; i++) {
        unsigned char byte = (unsigned char)host.data[i];
        if (byte <= ' ' || byte >= 0x7f) {
            return false; /* host names are ASCII */
        }
    }
    memcpy(node->host, host.data, host.len);
    if (told->id.len == KW_NODE_ID_LEN && memchr(told->id.data, '\0', told->id.len) == NULL) {
        memcpy(node->id, told->id.data, told->id.len);
    }
    node->port = (uint16_t)told->port;
    node->is_master = told->is_master;
    node->is_failing = told->is_failing;
    if (kw_address_parse(host, node->port, &node->address) != KW_OK) {
        node->address.len = 0; /* a name: discover.c has it resolved */
    }
    return true;
}

/* Add the node that was TOLD, or find it again. *node_index is KW_NODE_NONE when it is left out.
 * Returns KW_OK, KW_E_INVALID.
 */
static enum kw_status builder_add(struct builder *builder, const struct told_node *told,
                                  uint16_t shard_index, uint16_t *node_index)
{
    struct kw_topology *topology = builder->topology;
    struct kw_topology_node node;

    *node_index = KW_NODE_NONE;
    if (told->port == 0) {
        return KW_OK; /* I2: a node that listens nowhere yet */
    }
    if (told->port < 0 || told->port > UINT16_MAX) {
        return KW_E_PROTOCOL;
    }
    if (!node_fill(&node, told, builder->asked_host)) {
        return KW_E_INVALID;
    }
    uint16_t *place = builder_find(builder, &node);
    if (*place == KW_NODE_NONE) {
        if (topology->nodes_count == KW_NODES_MAX) {
            return KW_E_INVALID;
        }
        if (topology->nodes_count == builder->nodes_capacity) {
            builder->nodes_capacity =
                builder->nodes_capacity == 0 ? NODES_FIRST : 2 * builder->nodes_capacity;
            topology->nodes =
                kw_realloc(topology->nodes, builder->nodes_capacity * sizeof *topology->nodes);
        }
        node.shard = shard_index;
        *place = (uint16_t)topology->nodes_count++;
        topology->nodes[*place] = node;
    }
    /* A master of one range may be called a replica of another one meanwhile: it has slots. */
    topology->nodes[*place].is_master |= node.is_master;
    *node_index = *place;
    return KW_OK;
}

/* The place in the table where LIKE is, or where it belongs. */
static uint16_t *builder_find(const struct builder *builder, const struct kw_topology_node *like)
{
    const char *key = like->id[0] != '\0' ? like->id : like->host;
    uint64_t hash = kw_hash(kw_bytes_of_text(key), like->id[0] != '\0' ? 0 : like->port);
    uint32_t at = (uint32_t)hash % TABLE_SIZE;

    for (;;) {
        uint16_t index = builder->table[at];
        if (index == KW_NODE_NONE) {
            return &builder->table[at];
        }
        const struct kw_topology_node *node = &builder->topology->nodes[index];
        if (strcmp(node->id, like->id) == 0 &&
            (like->id[0] != '\0' || kw_topology_node_is_same(node, like))) {
            return &builder->table[at];
        }
        at = (at + 1) % TABLE_SIZE;
    }
}

static enum kw_status builder_claim_list(struct builder *builder, const struct kw_value *slots,
                                         uint16_t owner)
{
    if (slots->elements_count % 2 != 0) {
        return KW_E_PROTOCOL;
    }
    for (uint32_t i = 0; i < slots->elements_count; i += 2) {
        const struct kw_value *first = &slots->elements[i];
        const struct kw_value *last = &slots->elements[i + 1];
        if (first->type != KW_VALUE_INTEGER || last->type != KW_VALUE_INTEGER) {
            return KW_E_PROTOCOL;
        }
        enum kw_status status = builder_claim(builder, first->integer, last->integer, owner);
        if (status != KW_OK) {
            return status;
        }
    }
    return KW_OK;
}

/* OWNER (may be KW_NODE_NONE) has slots FIRST..LAST, unless somebody healthier has them already. */
static enum kw_status builder_claim(struct builder *builder, int64_t first, int64_t last,
                                    uint16_t owner)
{
    struct kw_topology *topology = builder->topology;

    if (first < 0 || last < first || last >= KW_SLOTS_COUNT) {
        return KW_E_PROTOCOL;
    }
    builder->claims += (uint32_t)(last - first + 1);
    if (builder->claims > SLOT_CLAIMS_MAX) {
        return KW_E_PROTOCOL; /* I1 */
    }
    if (owner == KW_NODE_NONE) {
        return KW_OK;
    }
    for (uint16_t slot = (uint16_t)first; slot <= (uint16_t)last; slot++) {
        uint16_t before = topology->slot_owner[slot];
        if (before == KW_NODE_NONE ||
            (topology->nodes[before].is_failing && !topology->nodes[owner].is_failing)) {
            kw_topology_assign(topology, slot, slot, owner);
        }
    }
    return KW_OK;
}

static enum kw_status builder_finish(struct builder *builder, enum kw_status status,
                                     struct kw_topology **topology)
{
    kw_free(builder->table);
    if (status != KW_OK) {
        kw_topology_unref(&builder->topology);
        return status;
    }
    *topology = builder->topology;
    return KW_OK;
}

enum kw_status kw_slots_reply_read(const struct kw_value *reply, const char *asked_host,
                                   struct kw_topology **topology)
{
    struct builder builder;
    enum kw_status status = KW_OK;

    *topology = NULL;
    if (!kw_value_is_list(reply) || reply->elements_count > RANGES_MAX) {
        return KW_E_PROTOCOL;
    }
    builder_init(&builder, asked_host);
    for (uint32_t i = 0; status == KW_OK && i < reply->elements_count; i++) {
        status = builder_read_range(&builder, &reply->elements[i]);
    }
    return builder_finish(&builder, status, topology);
}

static enum kw_status builder_read_range(struct builder *builder, const struct kw_value *range)
{
    struct kw_topology *topology = builder->topology;
    uint16_t owner = KW_NODE_NONE;

    if (!kw_value_is_list(range) || range->elements_count < 2 ||
        range->elements[0].type != KW_VALUE_INTEGER ||
        range->elements[1].type != KW_VALUE_INTEGER) {
        return KW_E_PROTOCOL;
    }
    for (uint32_t i = 2; i < range->elements_count; i++) {
        const struct kw_value *node = &range->elements[i];
        uint16_t index = KW_NODE_NONE;
        if (!kw_value_is_list(node) || node->elements_count < 2) {
            return KW_E_PROTOCOL;
        }
        uint32_t nodes_before = topology->nodes_count;
        uint16_t shard =
            owner == KW_NODE_NONE ? (uint16_t)topology->shards_count : topology->nodes[owner].shard;
        struct told_node told = told_by_slots(node);
        told.is_master = i == 2;
        enum kw_status status = builder_add(builder, &told, shard, &index);
        if (status != KW_OK) {
            return status;
        }
        if (i == 2) {
            owner = index;
            topology->shards_count += topology->nodes_count > nodes_before;
        }
        if (owner == KW_NODE_NONE) {
            break; /* a master that listens nowhere: its replicas are of no use */
        }
    }
    return builder_claim(builder, range->elements[0].integer, range->elements[1].integer, owner);
}

static struct told_node told_by_slots(const struct kw_value *node)
{
    struct told_node told = {.port = -1};

    if (node->elements[1].type == KW_VALUE_INTEGER) {
        told.port = node->elements[1].integer;
    }
    if (node->elements_count > 2 && kw_value_is_text(&node->elements[2])) {
        told.id = node->elements[2].bytes;
    }
    told.host = host_of_slots_node(node);
    return told;
}

static struct kw_bytes host_of_slots_node(const struct kw_value *node)
{
    static const char *const names[] = {"ip", "hostname"};
    const struct kw_value *host = &node->elements[0];

    if (value_is_host(host)) {
        return host->bytes;
    }
    if (host->type != KW_VALUE_NIL && node->elements_count > 3 &&
        kw_value_is_list(&node->elements[3])) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            const struct kw_value *value = kw_value_field(&node->elements[3], names[i]);
            if (value_is_host(value)) {
                return value->bytes;
            }
        }
    }
    return KW_BYTES("");
}

uint64_t kw_nodes_reply_epoch(const struct kw_value *reply)
{
    struct kw_bytes rest = reply->bytes;
    uint64_t highest = 0;

    while (kw_value_is_text(reply) && rest.len > 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.data);
        uint64_t epoch = epoch_of_line(kw_bytes_of(rest.data, len));
        highest = epoch > highest ? epoch : highest;
        len = end == NULL ? len : len + 1;
        rest = kw_bytes_of(rest.data + len, rest.len - len);
    }
    return highest;
}

/* <id> <ip:port@cport[,hostname]> <flags> <master> <ping> <pong> <config-epoch> <state> ... */
static uint64_t epoch_of_line(struct kw_bytes line)
{
    enum { FLAGS = 2, EPOCH = 6 };
    bool is_master = false;
    int64_t epoch = 0;

    for (int field = 0; field <= EPOCH && line.len > 0; field++) {
        const char *end = memchr(line.data, ' ', line.len);
        size_t len = end == NULL ? line.len : (size_t)(end - line.data);
        if (field == FLAGS) {
            is_master = memmem(line.data, len, "master", sizeof "master" - 1) != NULL;
        }
        if (field == EPOCH && kw_text_to_int(kw_bytes_of(line.data, len), &epoch) != KW_OK) {
            epoch = 0;
        }
        len = end == NULL ? len : len + 1;
        line = kw_bytes_of(line.data + len, line.len - len);
    }
    return is_master && epoch > 0 ? (uint64_t)epoch : 0;
}

struct kw_topology *kw_topology_of_plain_server(const char *host, uint16_t port)
{
    struct kw_topology *topology = kw_topology_new(1);
    struct told_node told = {.port = port, .is_master = true};
    bool is_filled = node_fill(&topology->nodes[0], &told, host);

    KW_ASSERT(is_filled);
    topology->shards_count = 1;
    topology->is_plain = true;
    kw_topology_assign(topology, 0, KW_SLOTS_COUNT - 1, 0);
    return topology;
}
