#include "tests/unit/kw_test.h"

#include "cluster/shards_reply.h"
#include "tests/unit/cluster/value_reader.h"

#include <stdio.h>

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccc"

/* Words to RESP: "[ ... ]" array, "{ ... }" map, "12" integer, "nil", "'text'" bulk, else a status.
 * A map is written as RESP3 when the builder says so, else as an array of pairs.
 */
static char *resp_of(const char *words, bool is_resp3)
{
    size_t size = 64 * strlen(words) + 64;
    char *out = calloc(1, size);
    size_t len = 0;
    size_t opened[16];
    int counts[16];
    char kinds[16];
    int depth = 0;

    while (*words != '\0') {
        size_t word_len = strcspn(words, " ");
        if (word_len == 0) {
            words++;
            continue;
        }
        if (depth > 0 && *words != ']' && *words != '}') {
            counts[depth - 1]++;
        }
        if (*words == '[' || *words == '{') {
            kinds[depth] = *words;
            counts[depth] = 0;
            opened[depth++] = len;
        } else if (*words == ']' || *words == '}') {
            char head[32];
            bool is_map = kinds[--depth] == '{' && is_resp3;
            int head_len = snprintf(head, sizeof head, "%c%d\r\n", is_map ? '%' : '*',
                                    is_map ? counts[depth] / 2 : counts[depth]);
            memmove(out + opened[depth] + head_len, out + opened[depth], len - opened[depth]);
            memcpy(out + opened[depth], head, (size_t)head_len);
            len += (size_t)head_len;
        } else if (word_len == 3 && memcmp(words, "nil", 3) == 0) {
            len += (size_t)snprintf(out + len, size - len, is_resp3 ? "_\r\n" : "$-1\r\n");
        } else if (*words == '\'') {
            len += (size_t)snprintf(out + len, size - len, "$%zu\r\n%.*s\r\n", word_len - 2,
                                    (int)word_len - 2, words + 1);
        } else if (*words == '-' || (*words >= '0' && *words <= '9')) {
            len += (size_t)snprintf(out + len, size - len, ":%.*s\r\n", (int)word_len, words);
        } else {
            len += (size_t)snprintf(out + len, size - len, "+%.*s\r\n", (int)word_len, words);
        }
        words += word_len;
    }
    return out;
}

typedef enum kw_status reply_read(const struct kw_value *reply, const char *asked_host,
                                  struct kw_topology **topology);

static enum kw_status read_resp(reply_read *read, struct kw_bytes resp,
                                struct kw_topology **topology)
{
    struct value_reader reader;
    const struct kw_value *value = value_reader_read(&reader, resp);
    enum kw_status status = KW_AGAIN;

    *topology = NULL;
    if (value != NULL) {
        status = read(value, "192.0.2.9", topology);
        assert_int_equal(status == KW_OK, *topology != NULL);
    }
    value_reader_free(&reader);
    return status;
}

static enum kw_status read_words(reply_read *read, const char *words, bool is_resp3,
                                 struct kw_topology **topology)
{
    char *resp = resp_of(words, is_resp3);
    enum kw_status status = read_resp(read, kw_bytes_of_text(resp), topology);

    assert_int_not_equal(status, KW_AGAIN);
    free(resp);
    return status;
}

static const char three_shards[] =
    "[ { 'slots' [ 0 5460 5462 5462 ] 'nodes' [ "
    "{ 'id' '" ID_A "' 'port' 7000 'ip' '10.0.0.1' 'endpoint' '10.0.0.1' 'role' 'master' "
    "'replication-offset' 14 'health' 'online' } "
    "{ 'id' '" ID_B "' 'port' 7001 'ip' '10.0.0.2' 'endpoint' '10.0.0.2' 'role' 'replica' "
    "'replication-offset' 14 'health' 'online' 'future' [ 'x' { 'y' 1 } ] } ] } "
    "{ 'nodes' [ { 'id' '" ID_C "' 'tls-port' 7443 'port' 7002 'ip' '10.0.0.3' "
    "'endpoint' 'c.example' 'hostname' 'c.example' 'role' 'master' 'health' 'fail' } ] "
    "'future' nil 'slots' [ 5461 5461 5463 16383 ] } ]";

KW_TEST(shards_reply_is_read_in_both_protocols)
{
    for (int is_resp3 = 0; is_resp3 < 2; is_resp3++) {
        struct kw_topology *topology;

        assert_int_equal(read_words(kw_shards_reply_read, three_shards, is_resp3, &topology),
                         KW_OK);

        assert_int_equal(topology->nodes_count, 3);
        assert_int_equal(topology->shards_count, 2);
        assert_int_equal(topology->slots_covered, KW_SLOTS_COUNT);
        assert_string_equal(kw_topology_node_of_slot(topology, 5462)->id, ID_A);
        assert_string_equal(kw_topology_node_of_slot(topology, 5461)->id, ID_C);
        assert_true(topology->nodes[0].is_master);
        assert_false(topology->nodes[1].is_master);
        assert_int_equal(topology->nodes[1].shard, 0);
        assert_int_equal(topology->nodes[1].port, 7001);
        assert_true(kw_address_is_resolved(&topology->nodes[1].address));
        assert_string_equal(topology->nodes[2].host, "c.example");
        assert_int_equal(topology->nodes[2].port, 7002);
        assert_false(kw_address_is_resolved(&topology->nodes[2].address));
        assert_true(topology->nodes[2].is_failing);
        kw_topology_unref(&topology);
    }
}

/* The host that a node's FIELDS of CLUSTER SHARDS lead to. */
static void assert_shards_host(const char *fields, const char *host)
{
    char words[1024];
    struct kw_topology *topology;

    snprintf(words, sizeof words,
             "[ { 'slots' [ 0 1 ] 'nodes' [ { 'id' '" ID_A
             "' 'port' 7000 'role' 'master' 'health' 'online' %s } ] } ]",
             fields);
    assert_int_equal(read_words(kw_shards_reply_read, words, false, &topology), KW_OK);
    assert_int_equal(topology->nodes_count, 1);
    assert_string_equal(topology->nodes[0].host, host);
    kw_topology_unref(&topology);
}

KW_TEST(shards_reply_finds_the_host_among_endpoint_ip_and_hostname)
{
    assert_shards_host("'endpoint' 'a.example' 'ip' '10.0.0.1'", "a.example");
    assert_shards_host("'endpoint' '?' 'ip' '10.0.0.1' 'hostname' ''", "10.0.0.1");
    assert_shards_host("'endpoint' '' 'ip' '' 'hostname' 'a.example'", "a.example");
    assert_shards_host("'endpoint' nil 'ip' '10.0.0.1'", "192.0.2.9");
    assert_shards_host("'endpoint' '' 'ip' ''", "192.0.2.9");
    assert_shards_host("'ip' '::1'", "::1");
    assert_shards_host("", "192.0.2.9");
    assert_shards_host("'endpoint' [ 'x' ] 'ip' 5", "192.0.2.9");
}

KW_TEST(shards_reply_prefers_the_master_that_is_not_failing)
{
    struct kw_topology *topology;

    assert_int_equal(
        read_words(kw_shards_reply_read,
                   "[ { 'slots' [ 0 9 ] 'nodes' [ "
                   "{ 'id' '" ID_A "' 'port' 1 'role' 'master' 'health' 'fail' 'ip' '10.0.0.1' } "
                   "{ 'id' '" ID_B "' 'port' 2 'role' 'master' 'health' 'online' 'ip' '10.0.0.1' } "
                   "] } { 'slots' [ 5 14 ] 'nodes' [ { 'id' '" ID_C
                   "' 'port' 3 'role' 'master' 'health' 'online' 'ip' '10.0.0.1' } ] } ]",
                   false, &topology),
        KW_OK);
    assert_string_equal(kw_topology_node_of_slot(topology, 0)->id, ID_B);
    assert_string_equal(kw_topology_node_of_slot(topology, 9)->id, ID_B); /* first claim stays */
    assert_string_equal(kw_topology_node_of_slot(topology, 10)->id, ID_C);
    assert_int_equal(topology->slots_covered, 15);
    kw_topology_unref(&topology);
}

KW_TEST(shards_reply_leaves_out_what_can_not_be_reached)
{
    struct kw_topology *topology;

    assert_int_equal(read_words(kw_shards_reply_read,
                                "[ { 'slots' [ 0 9 ] 'nodes' [ { 'id' '" ID_A
                                "' 'role' 'master' } ] } { 'slots' [ ] 'nodes' [ ] } "
                                "{ 'slots' [ 10 19 ] 'nodes' [ { 'id' '" ID_B
                                "' 'tls-port' 7 'role' 'replica' } ] } ]",
                                false, &topology),
                     KW_OK);
    assert_int_equal(topology->nodes_count, 1);
    assert_int_equal(topology->nodes[0].port, 7);
    assert_int_equal(topology->slots_covered, 0);
    kw_topology_unref(&topology);
}

KW_TEST(shards_reply_refuses_nonsense)
{
    static const char *const replies[] = {
        "nil",
        "12",
        "'text'",
        "OK",
        "[ 1 ]",
        "[ [ ] ]",
        "[ { 'slots' [ ] } ]",
        "[ { 'nodes' [ ] } ]",
        "[ { 'slots' 1 'nodes' [ ] } ]",
        "[ { 'slots' [ ] 'nodes' 'x' } ]",
        "[ { 'slots' [ ] 'nodes' [ 'x' ] } ]",
        "[ { 'slots' [ 1 ] 'nodes' [ ] } ]",
        "[ { 'slots' [ 1 2 3 ] 'nodes' [ ] } ]",
        "[ { 'slots' [ '1' '2' ] 'nodes' [ ] } ]",
        "[ { 'slots' [ -1 2 ] 'nodes' [ ] } ]",
        "[ { 'slots' [ 2 1 ] 'nodes' [ ] } ]",
        "[ { 'slots' [ 0 16384 ] 'nodes' [ ] } ]",
        "[ { 'slots' [ 0 9223372036854775807 ] 'nodes' [ ] } ]",
        "[ { 'slots' [ -9223372036854775807 9223372036854775807 ] 'nodes' [ ] } ]",
        "[ { 'slots' [ ] 'nodes' [ { 'port' 65536 } ] } ]",
        "[ { 'slots' [ ] 'nodes' [ { 'port' -1 } ] } ]",
        "[ { 'slots' [ ] 'nodes' [ { 'port' 1 'ip' 'bad\x7fhost' } ] } ]",
        "[ { 'slots' [ ] 'nodes' [ { 'port' 1 'ip' 'bad\nhost' } ] } ]",
    };

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct kw_topology *topology;
        enum kw_status status = read_words(kw_shards_reply_read, replies[i], false, &topology);

        assert_true(status == KW_E_PROTOCOL || status == KW_E_INVALID);
        assert_null(topology);
    }
}

KW_TEST(shards_reply_bounds_hosts_and_overlapping_claims)
{
    char host[300];
    char words[8192];
    struct kw_topology *topology;
    static const char format[] = "[ { 'slots' [ ] 'nodes' [ { 'port' 1 'ip' '%s' } ] } ]";

    memset(host, 'h', sizeof host);
    host[KW_HOST_MAX - 1] = '\0';
    snprintf(words, sizeof words, format, host);
    assert_int_equal(read_words(kw_shards_reply_read, words, false, &topology), KW_OK);
    kw_topology_unref(&topology);
    host[KW_HOST_MAX - 1] = 'h';
    host[KW_HOST_MAX] = '\0';
    snprintf(words, sizeof words, format, host);
    assert_int_equal(read_words(kw_shards_reply_read, words, false, &topology), KW_E_INVALID);

    for (int claims = 16; claims <= 17; claims++) { /* N and N + 1 of SLOT_CLAIMS_MAX */
        size_t len = (size_t)snprintf(words, sizeof words, "[ { 'nodes' [ ] 'slots' [ ");
        for (int i = 0; i < claims; i++) {
            len += (size_t)snprintf(words + len, sizeof words - len, "0 16383 ");
        }
        snprintf(words + len, sizeof words - len, "] } ]");
        assert_int_equal(read_words(kw_shards_reply_read, words, false, &topology),
                         claims == 16 ? KW_OK : KW_E_PROTOCOL);
        kw_topology_unref(&topology);
    }
}

KW_TEST(slots_reply_is_read_with_and_without_metadata)
{
    struct kw_topology *topology;

    assert_int_equal(read_words(kw_slots_reply_read,
                                "[ [ 0 99 [ '10.0.0.1' 7000 '" ID_A "' [ ] ] "
                                "[ '10.0.0.2' 7001 '" ID_B "' nil ] ] "
                                "[ 200 16383 [ 'c.example' 7002 '" ID_C
                                "' [ 'ip' '10.0.0.3' ] 'more' ] ] "
                                "[ 150 150 [ '10.0.0.1' 7000 '" ID_A "' ] ] ]",
                                false, &topology),
                     KW_OK);
    assert_int_equal(topology->nodes_count, 3);
    assert_int_equal(topology->shards_count, 2);
    assert_int_equal(topology->slots_covered, 100 + 1 + 16184);
    assert_string_equal(kw_topology_node_of_slot(topology, 150)->id, ID_A);
    assert_false(topology->nodes[1].is_master);
    assert_int_equal(topology->nodes[1].shard, topology->nodes[0].shard);
    assert_int_not_equal(topology->nodes[2].shard, topology->nodes[0].shard);
    assert_string_equal(topology->nodes[2].host, "c.example");
    kw_topology_unref(&topology);
}

KW_TEST(slots_reply_without_ids_knows_nodes_by_host_and_port)
{
    struct kw_topology *topology;

    assert_int_equal(read_words(kw_slots_reply_read,
                                "[ [ 0 0 [ '10.0.0.1' 7000 ] ] [ 1 1 [ '10.0.0.1' 7001 ] ] "
                                "[ 2 2 [ '10.0.0.1' 7000 ] ] ]",
                                false, &topology),
                     KW_OK);
    assert_int_equal(topology->nodes_count, 2);
    assert_int_equal(topology->slot_owner[2], 0);
    kw_topology_unref(&topology);
}

static void assert_slots_host(const char *host_word, const char *metadata, const char *host)
{
    char words[512];
    struct kw_topology *topology;

    snprintf(words, sizeof words, "[ [ 0 1 [ %s 7000 '" ID_A "' %s ] ] ]", host_word, metadata);
    assert_int_equal(read_words(kw_slots_reply_read, words, false, &topology), KW_OK);
    assert_string_equal(topology->nodes[0].host, host);
    kw_topology_unref(&topology);
}

KW_TEST(slots_reply_finds_hosts_that_are_nil_empty_or_unknown)
{
    assert_slots_host("nil", "[ ]", "192.0.2.9");
    assert_slots_host("nil", "[ 'ip' '10.0.0.1' ]", "192.0.2.9");
    assert_slots_host("''", "nil", "192.0.2.9");
    assert_slots_host("'?'", "[ 'ip' '10.0.0.1' ]", "10.0.0.1");
    assert_slots_host("'?'", "{ 'hostname' 'a.example' }", "a.example");
    assert_slots_host("'::1'", "", "::1");
}

KW_TEST(slots_reply_survives_overlaps_and_holes)
{
    struct kw_topology *topology;

    assert_int_equal(read_words(kw_slots_reply_read,
                                "[ [ 0 10 [ '10.0.0.1' 1 '" ID_A "' ] ] "
                                "[ 5 15 [ '10.0.0.2' 2 '" ID_B "' ] ] [ 20 30 ] "
                                "[ 40 50 [ '' 0 '" ID_C "' ] ] ]",
                                false, &topology),
                     KW_OK);
    assert_string_equal(kw_topology_node_of_slot(topology, 10)->id, ID_A);
    assert_string_equal(kw_topology_node_of_slot(topology, 11)->id, ID_B);
    assert_null(kw_topology_node_of_slot(topology, 25));
    assert_int_equal(topology->slots_covered, 16);
    kw_topology_unref(&topology);
}

KW_TEST(slots_reply_refuses_nonsense)
{
    static const char *const replies[] = {
        "nil",
        "OK",
        "7",
        "[ 1 ]",
        "[ [ ] ]",
        "[ [ 1 ] ]",
        "[ [ '0' '1' [ '10.0.0.1' 1 ] ] ]",
        "[ [ 0 1 'x' ] ]",
        "[ [ 0 1 [ ] ] ]",
        "[ [ 0 1 [ '10.0.0.1' ] ] ]",
        "[ [ 0 1 [ '10.0.0.1' 'x' ] ] ]",
        "[ [ 0 1 [ '10.0.0.1' nil ] ] ]",
        "[ [ 0 1 [ '10.0.0.1' 65536 ] ] ]",
        "[ [ 0 1 [ '10.0.0.1' -7000 ] ] ]",
        "[ [ -1 1 [ '10.0.0.1' 1 ] ] ]",
        "[ [ 1 0 [ '10.0.0.1' 1 ] ] ]",
        "[ [ 0 16384 [ '10.0.0.1' 1 ] ] ]",
        "[ [ 4294967296 4294967297 [ '10.0.0.1' 1 ] ] ]",
    };

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct kw_topology *topology;
        enum kw_status status = read_words(kw_slots_reply_read, replies[i], false, &topology);

        assert_true(status == KW_E_PROTOCOL || status == KW_E_INVALID);
        assert_null(topology);
    }
}

static char *many_ranges(int count)
{
    char *resp = malloc(64 * (size_t)count + 64);
    size_t len = (size_t)sprintf(resp, "*%d\r\n", count);

    for (int i = 0; i < count; i++) {
        len += (size_t)sprintf(resp + len, "*3\r\n:%d\r\n:%d\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n",
                               i % KW_SLOTS_COUNT, i % KW_SLOTS_COUNT, 1 + i % 1000);
    }
    return resp;
}

KW_TEST(slots_reply_takes_many_ranges_but_not_any_number)
{
    static const int counts[] = {KW_SLOTS_COUNT, 2 * KW_SLOTS_COUNT, 2 * KW_SLOTS_COUNT + 1};

    for (int i = 0; i < 3; i++) {
        char *resp = many_ranges(counts[i]);
        struct kw_topology *topology;

        assert_int_equal(read_resp(kw_slots_reply_read, kw_bytes_of_text(resp), &topology),
                         i < 2 ? KW_OK : KW_E_PROTOCOL);
        if (topology != NULL) {
            assert_int_equal(topology->slots_covered, KW_SLOTS_COUNT);
            assert_int_equal(topology->nodes_count, 1000);
        }
        kw_topology_unref(&topology);
        free(resp);
    }
}

KW_TEST(shards_reply_truncated_anywhere_is_never_a_topology)
{
    char *resp = resp_of(three_shards, true);
    size_t len = strlen(resp);

    for (size_t cut = 0; cut < len; cut++) {
        char *part = malloc(cut + 1);
        struct kw_topology *topology;

        memcpy(part, resp, cut);
        assert_int_equal(read_resp(kw_shards_reply_read, kw_bytes_of(part, cut), &topology),
                         KW_AGAIN);
        free(part);
    }
    free(resp);
}

KW_TEST(shards_reply_with_any_byte_changed_is_read_or_refused)
{
    char *resp = resp_of(three_shards, false);
    size_t len = strlen(resp);

    for (size_t at = 0; at < len; at++) {
        static const char bytes[] = "\0$*:-9%_\xff";
        char before = resp[at];
        for (size_t i = 0; i < sizeof bytes - 1; i++) {
            struct kw_topology *topology;
            resp[at] = bytes[i];
            enum kw_status status =
                read_resp(kw_shards_reply_read, kw_bytes_of(resp, len), &topology);
            assert_true(status == KW_OK || status == KW_AGAIN || status == KW_E_PROTOCOL ||
                        status == KW_E_INVALID);
            kw_topology_unref(&topology);
        }
        resp[at] = before;
    }
    free(resp);
}

static uint64_t epoch_of(const char *text)
{
    const struct kw_value value = {.type = KW_VALUE_BYTES, .bytes = kw_bytes_of_text(text)};

    return kw_nodes_reply_epoch(&value);
}

KW_TEST(nodes_reply_tells_the_highest_epoch_of_a_master)
{
    const struct kw_value error = {.type = KW_VALUE_ERROR, .bytes = KW_BYTES("ERR unknown")};

    assert_int_equal(
        epoch_of(ID_A " 127.0.0.1:7000@17000,a.example myself,master - 0 0 3 connected 0-5 "
                      "[7->-" ID_B "]\n" ID_B " :0@0 master,noaddr - 1 1 12 disconnected\n" ID_C
                      " 127.0.0.1:7002@17002 slave " ID_A " 0 0 99 connected\n"),
        12);
    assert_int_equal(epoch_of(""), 0);
    assert_int_equal(epoch_of("\n\n\n"), 0);
    assert_int_equal(epoch_of("a b master d e f"), 0);
    assert_int_equal(epoch_of("a b master d e f x g"), 0);
    assert_int_equal(epoch_of("a b master d e f -5 g"), 0);
    assert_int_equal(epoch_of("a b master d e f 99999999999999999999 g"), 0);
    assert_int_equal(epoch_of("a b master d e f 7"), 7);
    assert_int_equal(kw_nodes_reply_epoch(&error), 0);
}

KW_TEST(plain_server_owns_all_slots)
{
    struct kw_topology *topology = kw_topology_of_plain_server("127.0.0.1", 6379);

    assert_true(topology->is_plain);
    assert_int_equal(topology->slots_covered, KW_SLOTS_COUNT);
    assert_int_equal(kw_topology_node_of_slot(topology, 16383)->port, 6379);
    assert_true(kw_address_is_resolved(&topology->nodes[0].address));
    kw_topology_unref(&topology);
}
