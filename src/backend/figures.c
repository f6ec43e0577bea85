/* figures.c - see figures.h. */
#include "backend/figures.h"

#include "backend/node.h"

static void add_link(const struct kw_link *link, struct kw_node_figures *sum);

void kw_node_add_figures(const struct kw_node *node, struct kw_node_figures *sum)
{
    for (int proto = 0; proto < 2; proto++) {
        for (unsigned i = 0; i < KW_LINKS_PER_NODE_MAX; i++) {
            const struct kw_link *link = node->links[proto][i];
            if (link != NULL) {
                sum->links[proto]++;
                sum->links_ready += link->state == KW_LINK_READY ? 1 : 0;
                add_link(link, sum);
            }
        }
    }
    for (const struct kw_link *link = node->retired; link != NULL; link = link->next) {
        sum->links_retired++;
        add_link(link, sum);
    }
    const struct kw_list *waiters = &node->leases.waiters;
    sum->links_leased += node->leases.count;
    for (const struct kw_list *at = waiters->next; at != waiters; at = at->next) {
        sum->leases_waiting++;
    }
    for (const struct kw_link *link = node->sides; link != NULL; link = link->next) {
        sum->links_private += link->is_private ? 1 : 0;
        sum->links_database += link->is_private ? 0 : 1;
        add_link(link, sum);
    }
}

static void add_link(const struct kw_link *link, struct kw_node_figures *sum)
{
    sum->inflight += link->inflight_count;
    sum->queued_bytes += link->waiting.len + link->stream.out.len;
}

void kw_figures_add(struct kw_node_figures *sum, const struct kw_node_figures *from)
{
    sum->links[0] += from->links[0];
    sum->links[1] += from->links[1];
    sum->links_ready += from->links_ready;
    sum->links_retired += from->links_retired;
    sum->links_database += from->links_database;
    sum->links_private += from->links_private;
    sum->links_leased += from->links_leased;
    sum->leases_waiting += from->leases_waiting;
    sum->inflight += from->inflight;
    sum->queued_bytes += from->queued_bytes;
}
