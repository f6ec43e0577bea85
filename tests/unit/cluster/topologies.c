#include "tests/unit/cluster/topologies.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static uint16_t node_of_letter(struct kw_topology *topology, char letter)
{
    char text[32];

    for (uint32_t i = 0; i < topology->nodes_count; i++) {
        if (topology->nodes[i].id[0] == letter) {
            return (uint16_t)i;
        }
    }
    struct kw_topology_node *node = &topology->nodes[topology->nodes_count];
    memset(node->id, letter, KW_NODE_ID_LEN);
    node->is_master = isupper((unsigned char)letter) != 0;
    node->port =
        (uint16_t)(7001 + (toupper((unsigned char)letter) - 'A') + (node->is_master ? 0 : 100));
    snprintf(text, sizeof text, "127.0.0.1");
    memcpy(node->host, text, strlen(text) + 1);
    if (kw_address_parse(kw_bytes_of_text(text), node->port, &node->address) != KW_OK) {
        abort();
    }
    node->shard =
        (uint16_t)(node->is_master ? topology->shards_count++ : topology->shards_count - 1);
    return (uint16_t)topology->nodes_count++;
}

struct kw_topology *a_topology(const char *words)
{
    struct kw_topology *topology = kw_topology_new(64);

    topology->nodes_count = 0;
    while (*words != '\0') {
        unsigned first = 1;
        unsigned last = 0;
        int used = 0;
        if (sscanf(words, "%u-%u %n", &first, &last, &used) == 2) {
            words += used;
        } else if (sscanf(words, "%u %n", &first, &used) == 1) {
            last = first;
            words += used;
        }
        uint16_t index = node_of_letter(topology, *words++);
        if (*words == '!') {
            topology->nodes[index].is_failing = true;
            words++;
        }
        if (first <= last) {
            kw_topology_assign(topology, (uint16_t)first, (uint16_t)last, index);
        }
        words += strspn(words, ", ");
    }
    return topology;
}
