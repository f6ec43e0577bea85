/* survey.c - PROXY NODES and PROXY POOLS: an errand asks every worker what it has.
 *
 * The survey is filled on each worker's thread in turn, never by two at once (crew.h), and becomes
 * the reply on the thread of the one that asked.
 */
#include "backend/figures.h"
#include "backend/node.h"
#include "base/mem.h"
#include "proxy/crew.h"
#include "proxy/face/lines.h"
#include "proxy/face/operator.h"
#include "proxy/reply.h"

#include <stdio.h>

/* One node, over all workers. */
struct survey_node {
    char name[KW_NODE_NAME_MAX];
    char id[KW_NODE_ID_LEN + 1];
    const char *role;
    unsigned down_count; /* workers that hold it for down */
    struct kw_node_figures figures;
};

/* One worker, over all nodes. */
struct survey_pool {
    size_t clients;
    size_t buffers_bytes;
    struct kw_node_figures figures;
};

struct survey {
    struct kw_errand errand;    /* first: the errand's callbacks cast back */
    struct kw_request *request; /* that is answered with it */
    bool is_by_node;
    struct survey_node *nodes; /* owned */
    size_t nodes_count;
    struct survey_pool pools[KW_WORKERS_MAX];
    unsigned workers_count;
};

static void survey_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static struct survey_node *survey_find(struct survey *survey, const struct kw_node *node);
static const char *role_of(const struct kw_backend *backend, const struct kw_node *node);
static void survey_done(struct kw_proxy *home, struct kw_errand *errand);
static void print_nodes(const struct survey *survey, struct kw_lines *lines);
static void print_pools(const struct survey *survey, struct kw_lines *lines);

enum kw_verdict kw__operator_survey(struct kw_client *client, const struct kw_command *command)
{
    struct survey *survey = kw_alloc_zero(1, sizeof *survey);

    survey->errand.visit = survey_visit;
    survey->errand.done = survey_done;
    survey->is_by_node = command->local == KW_LOCAL_PROXY_NODES;
    survey->request = kw_reply_defer(client, command, NULL);
    kw_crew_send(client->proxy, &survey->errand);
    return KW_SENT;
}

static void survey_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct survey *survey = (struct survey *)errand;
    struct survey_pool *pool = &survey->pools[survey->workers_count++];
    const struct kw_backend *backend = proxy->backend;

    pool->clients = kw_proxy_clients_count(proxy);
    pool->buffers_bytes = proxy->chunks->in_use_bytes;
    for (uint32_t i = 0; i < backend->nodes_count; i++) {
        const struct kw_node *node = backend->nodes[i];
        if (node == NULL) {
            continue;
        }
        struct kw_node_figures figures = {.inflight = 0};
        struct survey_node *found = survey_find(survey, node);
        kw_node_add_figures(node, &figures);
        kw_figures_add(&pool->figures, &figures);
        kw_figures_add(&found->figures, &figures);
        found->down_count += node->is_down ? 1 : 0;
        found->role = role_of(backend, node);
    }
}

/* NODE among those seen; appended when it is new. */
static struct survey_node *survey_find(struct survey *survey, const struct kw_node *node)
{
    for (size_t i = 0; i < survey->nodes_count; i++) {
        struct survey_node *seen = &survey->nodes[i];
        if (strcmp(seen->id, node->id) == 0 && strcmp(seen->name, node->name) == 0) {
            return seen;
        }
    }
    survey->nodes = kw_realloc(survey->nodes, (survey->nodes_count + 1) * sizeof *survey->nodes);
    struct survey_node *added = &survey->nodes[survey->nodes_count++];
    memset(added, 0, sizeof *added);
    memcpy(added->name, node->name, sizeof added->name);
    memcpy(added->id, node->id, sizeof added->id);
    return added;
}

/* A node that a MOVED has named may run ahead of the topology. */
static const char *role_of(const struct kw_backend *backend, const struct kw_node *node)
{
    const struct kw_topology *topology = backend->topology;

    for (uint32_t i = 0; topology != NULL && i < topology->nodes_count; i++) {
        if (kw_backend_find_known(backend, &topology->nodes[i]) == node) {
            return topology->nodes[i].is_master ? "master" : "replica";
        }
    }
    return "unknown";
}

static void survey_done(struct kw_proxy *home, struct kw_errand *errand)
{
    struct survey *survey = (struct survey *)errand;
    struct kw_request *request = survey->request;

    if (!errand->is_dropped) { /* else the request ends with its proxy */
        struct kw_lines lines;
        struct kw_buf reply;
        kw_lines_init(&lines, home->chunks);
        kw_buf_init(&reply, home->chunks);
        if (survey->is_by_node) {
            print_nodes(survey, &lines);
        } else {
            print_pools(survey, &lines);
        }
        kw_lines_reply(&lines, &reply, request->client->proto);
        for (const struct kw_chunk *at = reply.head; at != NULL; at = at->next) {
            kw_reply_pass(request, kw_bytes_of(at->data + at->start, at->end - at->start));
        }
        kw_buf_reset(&reply);
        kw_reply_finish(request);
    }
    kw_free(survey->nodes);
    kw_free(survey);
}

static void print_figures(const struct kw_node_figures *figures, struct kw_lines *lines)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"links_resp2", figures->links[0]},
        {"links_resp3", figures->links[1]},
        {"links_ready", figures->links_ready},
        {"links_retired", figures->links_retired},
        {"links_database", figures->links_database},
        {"links_private", figures->links_private},
        {"links_leased", figures->links_leased},
        {"leases_waiting", figures->leases_waiting},
        {"inflight", figures->inflight},
        {"queued_bytes", figures->queued_bytes},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        kw_lines_add(lines, " %s=%llu", rows[i].name, (unsigned long long)rows[i].value);
    }
    kw_lines_add(lines, "\r\n");
}

static void print_nodes(const struct survey *survey, struct kw_lines *lines)
{
    for (size_t i = 0; i < survey->nodes_count; i++) {
        const struct survey_node *node = &survey->nodes[i];
        kw_lines_add(lines, "node=%s id=%s role=%s state=%s", node->name,
                     node->id[0] != '\0' ? node->id : "-", node->role,
                     node->down_count == 0 ? "up" : "down");
        if (node->down_count > 0) {
            kw_lines_add(lines, " down_at_workers=%u/%u", node->down_count, survey->workers_count);
        }
        print_figures(&node->figures, lines);
    }
}

static void print_pools(const struct survey *survey, struct kw_lines *lines)
{
    for (unsigned i = 0; i < survey->workers_count; i++) {
        const struct survey_pool *pool = &survey->pools[i];
        kw_lines_add(lines, "worker=%u clients=%zu buffers_bytes=%zu", i, pool->clients,
                     pool->buffers_bytes);
        print_figures(&pool->figures, lines);
    }
}
