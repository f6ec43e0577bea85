/* side.c - see side.h.
 *
 * A node that refuses a database is believed for REFUSED_MS, for that database and all above it:
 * clients that select one as soon as they connect, again and again, must not open a link each time.
 *
 * INVARIANTS
 * S1  at most one link of the list takes new calls for a protocol version and a database.
 * S2  a private link carries one user's command and is never given to anybody else.
 */
#include "backend/side.h"

#include "backend/backend.h"
#include "backend/node.h"
#include "base/assert.h"
#include "net/loop.h"

enum {
    SIDE_LINKS_MAX = 64,   /* of a node and worker: 16 databases, two versions, some to spare */
    PRIVATE_LINKS_MAX = 4, /* operators at work on one node; each has connections of its own */
    IDLE_CLOSE_MS = 60000, /* a connection costs the node more than opening it again costs us */
    REFUSED_MS = 5000
};

static bool side_make_room(struct kw_node *node);
static void side_add(struct kw_node *node, struct kw_link *link);

enum kw_status kw_side_link_of_db(struct kw_node *node, int proto, uint32_t db,
                                  struct kw_link **link)
{
    for (struct kw_link *at = node->sides; at != NULL; at = at->next) {
        if (at->db == db && at->proto == proto && !at->is_private) {
            *link = at; /* S1 */
            return KW_OK;
        }
    }
    uint64_t now_ms = kw_loop_now_ms(node->backend->loop);
    if (now_ms < node->no_database.until_ms && db >= node->no_database.from) {
        return KW_E_INVALID;
    }
    if (!side_make_room(node)) {
        return KW_E_FULL;
    }
    *link = kw_link_open(node->backend, node, proto, db);
    side_add(node, *link);
    return KW_OK;
}

enum kw_status kw_side_link_open_private(struct kw_node *node, int proto, struct kw_link **link)
{
    unsigned count = 0;

    for (const struct kw_link *at = node->sides; at != NULL; at = at->next) {
        count += at->is_private ? 1 : 0;
    }
    if (node->is_down || node->lookup != NULL) {
        return node->is_down ? node->down_reason : KW_AGAIN;
    }
    if (count >= PRIVATE_LINKS_MAX || !side_make_room(node)) {
        return KW_E_FULL;
    }
    *link = kw_link_open(node->backend, node, proto, 0);
    (*link)->is_private = true;
    side_add(node, *link);
    return KW_OK;
}

void kw_side_close_idle(struct kw_node *node, uint64_t now_ms)
{
    for (struct kw_link *at = node->sides; at != NULL; at = at->next) {
        if (at->oldest == NULL && at->state == KW_LINK_READY && !at->is_private &&
            now_ms - at->progress_ms > IDLE_CLOSE_MS) {
            kw_link_fail(at, KW_E_CLOSED);
        }
    }
}

void kw_side_take_back(struct kw_node *node, struct kw_link *link)
{
    for (const struct kw_link *at = node->sides; at != NULL; at = at->next) {
        if (at->db == link->db && at->proto == link->proto && !at->is_private) {
            kw_link_fail(link, KW_E_CLOSED); /* S1: it stays retired until the tick ends */
            return;
        }
    }
    kw__node_drop_link(node, link);
    link->is_retired = false;
    side_add(node, link);
}

void kw_side_on_no_database(struct kw_node *node, const struct kw_link *link)
{
    node->no_database.from = link->db;
    node->no_database.until_ms = kw_loop_now_ms(node->backend->loop) + REFUSED_MS;
}

/* Fewer than SIDE_LINKS_MAX, or one of them can go. */
static bool side_make_room(struct kw_node *node)
{
    struct kw_link *idle = NULL;
    unsigned count = 0;

    for (struct kw_link *at = node->sides; at != NULL; at = at->next) {
        count++;
        if (at->oldest == NULL && at->state == KW_LINK_READY && at->failure == KW_OK &&
            !at->is_private && (idle == NULL || at->progress_ms < idle->progress_ms)) {
            idle = at;
        }
    }
    if (count >= SIDE_LINKS_MAX && idle != NULL) {
        kw_link_fail(idle, KW_E_CLOSED);
    }
    return count < SIDE_LINKS_MAX || idle != NULL;
}

static void side_add(struct kw_node *node, struct kw_link *link)
{
    link->next = node->sides;
    node->sides = link;
    kw_backend_watch(node->backend);
}
