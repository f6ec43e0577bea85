/* lease.c - the pool of a node's leased links.
 *
 *                 kw_lease_take                     kw_lease_pool_check
 *   (no link) ------------------> owing <------------------------------> quiet
 *       ^                          |                                       |
 *       |     closed, failed       |           kw_lease_give_back          |
 *       +--------------------------+---------> idle (10 s) <---------------+
 *
 * With thousands of blocked clients a walk over their links many times a second would cost the
 * others: only owing links are looked at. A link that blocks is owing for one look, then quiet.
 *
 * Idle links are used again the youngest first, so that the oldest can age out.
 *
 * INVARIANTS
 * I1  a link in the pool is in exactly one list; count is the number of them. One that was given
 *     up is in `ended`, and counts no more, until the tick closes it.
 * I2  link->lease and lease->link point at each other, or are both NULL.
 * I3  nobody takes a link while others wait for one.
 */
#include "backend/lease.h"

#include "backend/backend.h"
#include "backend/link.h"
#include "backend/node.h"
#include "base/assert.h"
#include "base/text.h"
#include "net/loop.h"

#include <stddef.h>

enum {
    IDLE_KEEP_MS = 10000,
    MAKING_MAX = 128 /* at once: a server's backlog is 511, and others connect as well */
};

static enum kw_status lease_take_now(struct kw_lease *lease, struct kw_node *node, int proto,
                                     uint32_t db);
static struct kw_link *pool_find_idle(struct kw_lease_pool *pool, int proto, uint32_t db);
static bool pool_make_room(struct kw_node *node);
static struct kw_link *pool_open(struct kw_node *node, int proto, uint32_t db);
static void pool_give_up(struct kw_link *link);
static void pool_end_making(struct kw_link *link);
static void link_ask_id(struct kw_link *link);
static void id_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static void id_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                       bool was_sent);
static struct kw_link *list_link(struct kw_list *place);

static const struct kw_call_user id_user = {.on_reply = id_on_reply, .on_fail = id_on_fail};

void kw_lease_init(struct kw_lease *lease, const struct kw_lease_user *user)
{
    lease->user = user;
    lease->link = NULL;
    kw_list_init(&lease->waiting);
}

enum kw_status kw_lease_take(struct kw_lease *lease, struct kw_node *node, int proto, uint32_t db)
{
    if (!kw_list_is_empty(&node->leases.waiters) && !node->is_down) {
        return KW_E_FULL; /* I3 */
    }
    return lease_take_now(lease, node, proto, db);
}

static enum kw_status lease_take_now(struct kw_lease *lease, struct kw_node *node, int proto,
                                     uint32_t db)
{
    struct kw_lease_pool *pool = &node->leases;

    KW_ASSERT(lease->link == NULL && !kw_list_is_linked(&lease->waiting)); /* I2 */
    if (node->is_down) {
        return node->down_reason;
    }
    struct kw_link *link = pool_find_idle(pool, proto, db);
    if (link == NULL) {
        if (kw_loop_now_ms(node->backend->loop) < node->refused[proto - 2].until_ms) {
            return node->refused[proto - 2].reason;
        }
        if (node->lookup != NULL) {
            return KW_AGAIN;
        }
        if (!pool_make_room(node)) {
            return KW_E_FULL;
        }
        link = pool_open(node, proto, db);
    }
    kw_list_remove(&link->leased);
    kw_list_append(&pool->owing, &link->leased); /* I1 */
    link->lease = lease;
    lease->link = link;
    KW_STAT_ADD(node->backend->stats, links_leased, 1);
    kw_backend_watch(node->backend);
    return KW_OK;
}

void kw_lease_wait(struct kw_lease *lease, struct kw_node *node, int proto, uint32_t db)
{
    KW_ASSERT(lease->link == NULL && !kw_list_is_linked(&lease->waiting));
    lease->proto = (uint8_t)proto;
    lease->db = db;
    kw_list_append(&node->leases.waiters, &lease->waiting);
    KW_STAT_ADD(node->backend->stats, lease_waits, 1);
}

void kw_lease_watch(struct kw_lease *lease)
{
    struct kw_node *node = lease->link->node;

    kw_list_remove(&lease->link->leased);
    kw_list_append(&node->leases.owing, &lease->link->leased);
    kw_backend_watch(node->backend);
}

void kw_lease_give_back(struct kw_lease *lease)
{
    struct kw_link *link = lease->link;

    kw_list_remove(&lease->waiting);
    if (link == NULL) {
        return;
    }
    if (link->failure != KW_OK || link->paused_at_ms != 0) {
        kw_lease_close(lease);
        return;
    }
    struct kw_node *node = link->node;
    lease->link = NULL;
    link->lease = NULL; /* I2 */
    link->idle_since_ms = kw_loop_now_ms(node->backend->loop);
    kw_list_remove(&link->leased);
    kw_list_append(&node->leases.idle[link->proto - 2], &link->leased); /* I1 */
    KW_STAT_ADD(node->backend->stats, links_leased, -1);
    kw_backend_watch(node->backend);
    kw_lease_serve_waiters(node);
}

void kw_lease_close(struct kw_lease *lease)
{
    struct kw_link *link = lease->link;

    kw_list_remove(&lease->waiting);
    if (link != NULL) {
        lease->link = NULL;
        link->lease = NULL; /* I2 */
        KW_STAT_ADD(link->backend->stats, links_leased, -1);
        pool_give_up(link);
    }
}

void kw_lease_pool_init(struct kw_lease_pool *pool)
{
    kw_list_init(&pool->owing);
    kw_list_init(&pool->quiet);
    kw_list_init(&pool->idle[0]);
    kw_list_init(&pool->idle[1]);
    kw_list_init(&pool->ended);
    kw_list_init(&pool->waiters);
    pool->count = 0;
    pool->making_count = 0;
}

void kw_lease_on_link_ready(struct kw_link *link)
{
    pool_end_making(link);
    kw_lease_serve_waiters(link->node);
}

void kw_lease_forget_link(struct kw_link *link)
{
    struct kw_lease *lease = link->lease;

    kw_list_remove(&link->leased);
    if (link->is_given_up) {
        return; /* counted already */
    }
    KW_ASSERT(link->is_leased && link->node->leases.count > 0); /* I1 */
    link->node->leases.count--;
    pool_end_making(link);
    if (lease != NULL) {
        link->lease = NULL;
        lease->link = NULL; /* I2 */
        KW_STAT_ADD(link->backend->stats, links_leased, -1);
        lease->user->on_lost(lease);
    }
}

void kw_lease_serve_waiters(struct kw_node *node)
{
    struct kw_list *waiters = &node->leases.waiters;

    while (!kw_list_is_empty(waiters)) {
        struct kw_lease *lease = KW_LIST_ENTRY(waiters->next, struct kw_lease, waiting);
        kw_list_remove(&lease->waiting);
        enum kw_status status = lease_take_now(lease, node, lease->proto, lease->db);
        if (status == KW_E_FULL) {
            kw_list_append(waiters->next, &lease->waiting); /* still the first */
            return;
        }
        lease->user->on_ready(lease, node, status);
    }
}

void kw_lease_fail_waiters(struct kw_node *node, enum kw_status status)
{
    struct kw_list *waiters = &node->leases.waiters;

    while (!kw_list_is_empty(waiters)) {
        struct kw_lease *lease = KW_LIST_ENTRY(waiters->next, struct kw_lease, waiting);
        kw_list_remove(&lease->waiting);
        lease->user->on_ready(lease, node, status);
    }
}

bool kw_lease_pool_check(struct kw_node *node, uint64_t now_ms)
{
    struct kw_lease_pool *pool = &node->leases;
    bool has_idle = false;

    for (struct kw_list *place = pool->owing.next; place != &pool->owing;) {
        struct kw_link *link = list_link(place);
        place = place->next;
        if (!kw_link_is_owing(link)) {
            kw_list_remove(&link->leased);
            kw_list_append(&pool->quiet, &link->leased);
        }
    }
    for (int i = 0; i < 2; i++) {
        while (!kw_list_is_empty(&pool->idle[i])) {
            struct kw_link *oldest = list_link(pool->idle[i].next);
            if (now_ms - oldest->idle_since_ms < IDLE_KEEP_MS) {
                has_idle = true;
                break;
            }
            pool_give_up(oldest);
        }
    }
    return has_idle || !kw_list_is_empty(&pool->owing);
}

void kw_lease_close_all(struct kw_node *node, enum kw_status status)
{
    struct kw_lease_pool *pool = &node->leases;
    struct kw_list *lists[] = {&pool->owing, &pool->quiet, &pool->idle[0], &pool->idle[1],
                               &pool->ended};

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        while (!kw_list_is_empty(lists[i])) {
            struct kw_link *link = list_link(lists[i]->next);
            kw_lease_forget_link(link);
            kw_link_close(&link, status);
        }
    }
    kw_lease_fail_waiters(node, node->is_down ? node->down_reason : status);
}

/* The youngest idle link that has not failed. */
static struct kw_link *pool_find_idle(struct kw_lease_pool *pool, int proto, uint32_t db)
{
    struct kw_list *idle = &pool->idle[proto - 2];

    for (struct kw_list *place = idle->prev; place != idle; place = place->prev) {
        struct kw_link *link = list_link(place);
        if (link->failure == KW_OK && link->db == db) {
            return link;
        }
    }
    return NULL;
}

/* May one more be opened? The oldest idle one makes room for it: it is of another protocol version
 * or database, or it has failed.
 */
static bool pool_make_room(struct kw_node *node)
{
    struct kw_lease_pool *pool = &node->leases;

    if (pool->making_count >= MAKING_MAX) {
        return false; /* thousands come at once when a node is back: one after the other */
    }
    if (pool->count < node->backend->leased_links_max) {
        return true;
    }
    for (int i = 0; i < 2; i++) {
        if (!kw_list_is_empty(&pool->idle[i])) {
            pool_give_up(list_link(pool->idle[i].next));
            break;
        }
    }
    return pool->count < node->backend->leased_links_max;
}

static struct kw_link *pool_open(struct kw_node *node, int proto, uint32_t db)
{
    struct kw_link *link = kw_link_open(node->backend, node, proto, db);

    link->is_leased = true;
    link->is_making = true;
    node->leases.count++;
    node->leases.making_count++;
    link_ask_id(link);
    return link;
}

/* Close LINK, which nobody holds, before this tick writes. It counts no more at once. */
static void pool_give_up(struct kw_link *link)
{
    KW_ASSERT(link->lease == NULL && link->node->leases.count > 0);
    kw_list_remove(&link->leased);
    kw_list_append(&link->node->leases.ended, &link->leased);
    link->node->leases.count--;
    pool_end_making(link);
    link->is_given_up = true;
    kw_link_fail(link, KW_E_CLOSED);
}

/* LINK is READY, or never will be. */
static void pool_end_making(struct kw_link *link)
{
    if (link->is_making) {
        link->is_making = false;
        link->node->leases.making_count--;
    }
}

/* CLIENT UNBLOCK at the node needs to know the link's id there. Nobody waits for it. */
static void link_ask_id(struct kw_link *link)
{
    link->id_call.user = &id_user;
    enum kw_status status =
        kw_link_send(link, &link->id_call, KW_BYTES("*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n"), NULL);
    KW_ASSERT(status == KW_OK); /* the first call of its link */
}

static void id_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct kw_link *link = KW_LIST_ENTRY(call, struct kw_link, id_call);
    struct kw_bytes line = part->bytes;
    int64_t id = 0;

    if (part->is_first && part->is_last && part->type == ':' &&
        kw_text_to_int(kw_bytes_of(line.data + 1, line.len - 3), &id) == KW_OK) {
        link->id_at_node = id;
    }
    if (part->is_last) {
        kw_call_release(call);
    }
}

static void id_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                       bool was_sent)
{
    (void)link;
    (void)status;
    (void)was_sent;
    kw_call_release(call);
}

static struct kw_link *list_link(struct kw_list *place)
{
    return KW_LIST_ENTRY(place, struct kw_link, leased);
}
