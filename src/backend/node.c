/* node.c - links come and go here; up and down is decided here.
 *
 *            connect or handshake fails, silence          a link becomes READY
 *      UP ------------- node_set_down --------------> DOWN ---- kw_node_on_link_ready ----> UP
 *
 * While DOWN one link at a time is tried: after 50 ms, doubling to 1 s, each with jitter, so that a
 * thousand proxies do not knock at a restarting node in step (R5). A hung process accepts
 * connections, so its trial link stays in the handshake and is answered the moment it wakes up.
 *
 * INVARIANTS
 * N1  a link is in links[][], in the retired list, among the side links (side.c) or leased: in one
 *     of them, or, when it failed, in none.
 * N2  the node is marked down before its calls are told, so that none of them comes back here.
 */
#include "backend/node.h"

#include "backend/backend.h"
#include "backend/side.h"
#include "base/assert.h"
#include "base/limits.h"
#include "net/loop.h"
#include "net/resolve.h"

enum {
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 1000,
    BYTES_PER_MS = 256 * 1024, /* a slow server reads so much: 256 MiB/s */
    RETIRED_MAX = 8, /* more big replies at once share a link with others: a node's maxclients */
    REFUSED_AGAIN_MS = 500, /* jittered: a node that is full, or does not know RESP3 */
    PRIVATE_PATIENCE_MS = 60000,
    TRIAL_MIN_MS = 1000 /* a trial link may take as long: SYNs are repeated after 1 s */
};

static bool link_check(struct kw_link *link, uint64_t now_ms);
static void node_on_resolved(void *arg, enum kw_status status, const struct kw_address *addresses,
                             uint32_t count);
static bool node_has_ready_link(const struct kw_node *node);
static void node_set_down(struct kw_node *node, enum kw_status reason);
static void node_schedule_retry(struct kw_node *node);
static bool node_try(struct kw_node *node, uint64_t now_ms);
static bool list_drop(struct kw_link **place, struct kw_link *link);

enum kw_status kw__node_open_link(struct kw_node *node, int proto, uint32_t db, uint64_t client_id,
                                  struct kw_link **link)
{
    struct kw_link **place = &node->links[proto - 2][client_id % node->per_node];

    *link = NULL;
    if (node->is_down) {
        return node->down_reason;
    }
    if (*place == NULL && kw_loop_now_ms(node->backend->loop) < node->refused[proto - 2].until_ms) {
        return node->refused[proto - 2].reason;
    }
    if (node->lookup != NULL) {
        return KW_AGAIN;
    }
    if (db != 0) {
        return kw_side_link_of_db(node, proto, db, link);
    }
    if (*place == NULL) {
        *place = kw_link_open(node->backend, node, proto, 0);
        kw_backend_watch(node->backend);
    }
    *link = *place;
    return KW_OK;
}

unsigned kw_node_dead_after_ms(const struct kw_node *node)
{
    const struct kw_config *config = node->backend->config;

    return config->node_timeout_ms * config->node_failure_limit;
}

uint32_t kw_node_inflight_count(const struct kw_node *node)
{
    uint32_t count = 0;

    for (int proto = 0; proto < 2; proto++) {
        for (unsigned i = 0; i < KW_LINKS_PER_NODE_MAX; i++) {
            count += node->links[proto][i] != NULL ? node->links[proto][i]->inflight_count : 0;
        }
    }
    for (const struct kw_link *link = node->retired; link != NULL; link = link->next) {
        count += link->inflight_count;
    }
    for (const struct kw_link *link = node->sides; link != NULL; link = link->next) {
        count += link->inflight_count;
    }
    return count;
}

bool kw_node_check(struct kw_node *node, uint64_t now_ms)
{
    bool is_busy = false;
    bool is_silent = false;

    for (int proto = 0; proto < 2; proto++) {
        for (unsigned i = 0; i < KW_LINKS_PER_NODE_MAX; i++) {
            struct kw_link *link = node->links[proto][i];
            if (link != NULL) {
                is_busy = is_busy || link->oldest != NULL || link->state != KW_LINK_READY;
                is_silent = link_check(link, now_ms) || is_silent;
            }
        }
    }
    for (struct kw_link *link = node->retired; link != NULL; link = link->next) {
        is_busy = true;
        is_silent = link_check(link, now_ms) || is_silent;
    }
    for (struct kw_link *link = node->sides; link != NULL; link = link->next) {
        is_busy = is_busy || link->oldest != NULL || link->state != KW_LINK_READY;
        if (!link->is_private) {
            is_silent = link_check(link, now_ms) || is_silent;
        } else if (link->failure == KW_OK && now_ms > link->progress_ms + PRIVATE_PATIENCE_MS) {
            kw_link_fail(link, KW_E_TIMEOUT); /* an operator's command may take its time */
        }
    }
    is_busy = kw_lease_pool_check(node, now_ms) || is_busy;
    for (struct kw_list *at = node->leases.owing.next; at != &node->leases.owing; at = at->next) {
        is_silent = link_check(KW_LIST_ENTRY(at, struct kw_link, leased), now_ms) || is_silent;
    }
    if (is_silent && !node->is_down) {
        node_set_down(node, KW_E_TIMEOUT);
        kw_node_close_links(node, KW_E_TIMEOUT);
    }
    if (node->is_down) {
        return node_try(node, now_ms) || true;
    }
    return is_busy;
}

/* Count the silences of a link that owes something. True when the limit is reached. */
static bool link_check(struct kw_link *link, uint64_t now_ms)
{
    const struct kw_config *config = link->backend->config;

    if (!kw_link_is_owing(link) || link->paused_at_ms != 0 || link->failure != KW_OK) {
        return false;
    }
    uint64_t silent_ms = now_ms > link->progress_ms ? now_ms - link->progress_ms : 0;
    uint64_t work_ms =
        kw_link_owed_bytes(link) / BYTES_PER_MS; /* big values take time to swallow */
    silent_ms = silent_ms > work_ms ? silent_ms - work_ms : 0;
    uint32_t silences = (uint32_t)(silent_ms / config->node_timeout_ms);
    if (silences > link->silences) {
        link->silences = silences;
        KW_STAT_ADD(link->backend->stats, node_timeouts, 1);
        kw_backend_want_topology(link->backend);
    }
    return silences >= config->node_failure_limit;
}

void kw_node_resolve(struct kw_node *node)
{
    struct kw_backend *backend = node->backend;

    if (node->lookup != NULL) {
        return;
    }
    if (backend->resolver == NULL) {
        backend->resolver = kw_resolver_new(backend->loop, NULL);
    }
    node->lookup =
        kw_resolver_lookup(backend->resolver, node->host, node->port, node_on_resolved, node);
}

static void node_on_resolved(void *arg, enum kw_status status, const struct kw_address *addresses,
                             uint32_t count)
{
    struct kw_node *node = arg;

    node->lookup = NULL;
    if (count > 0) {
        node->address = addresses[0];
    } else {
        node_set_down(node, status == KW_E_TIMEOUT ? KW_E_TIMEOUT : KW_E_UNREACHABLE);
    }
    kw_backend_node_changed(node->backend);
}

void kw_node_retry_now(struct kw_node *node)
{
    if (node->is_down) {
        node->retry_at_ms = 0;
        node->backoff_ms = 0;
        kw_backend_watch(node->backend);
    }
}

void kw_node_close_links(struct kw_node *node, enum kw_status status)
{
    for (int proto = 0; proto < 2; proto++) {
        for (unsigned i = 0; i < KW_LINKS_PER_NODE_MAX; i++) {
            struct kw_link *link = node->links[proto][i];
            node->links[proto][i] = NULL; /* first: a call's user may ask for a link again */
            kw_link_close(&link, status);
        }
    }
    struct kw_link **lists[2] = {&node->retired, &node->sides};
    for (int i = 0; i < 2; i++) {
        while (*lists[i] != NULL) {
            struct kw_link *link = *lists[i];
            *lists[i] = link->next;
            kw_link_close(&link, status);
        }
    }
    kw_lease_close_all(node, status);
}

void kw_node_on_link_ready(struct kw_node *node, struct kw_link *link)
{
    node->backoff_ms = 0;
    if (node->is_down) {
        node->is_down = false;
        KW_STAT_ADD(node->backend->stats, node_ups, 1);
        kw_log(KW_LOG_NOTICE, "node %s answers again after %llu ms", node->name,
               (unsigned long long)(kw_loop_now_ms(node->backend->loop) - node->down_since_ms));
    }
    if (link->is_leased) {
        kw_lease_on_link_ready(link);
    }
}

void kw_node_on_link_failed(struct kw_node *node, struct kw_link *link, enum kw_status status)
{
    bool was_ready = link->state == KW_LINK_READY;
    bool is_no_database = !was_ready && status == KW_E_INVALID && link->db != 0;
    bool is_news = !link->is_given_up && (!was_ready || link->oldest != NULL);
    bool is_only_resp3 = !was_ready && status == KW_E_PROTOCOL && link->proto == 3;

    kw__node_drop_link(node, link);
    if (is_no_database) {
        kw_side_on_no_database(node, link);
        kw_link_close(&link, status);
        kw_lease_serve_waiters(node);
        return;
    }
    if (is_news) {
        KW_STAT_ADD(node->backend->stats, links_failed, 1);
        kw_log_limited(&node->log_limit, kw_loop_now_ms(node->backend->loop),
                       node->is_down ? KW_LOG_VERBOSE : KW_LOG_WARNING,
                       "link to node %s failed: %s (%u requests were waiting)", node->name,
                       kw_status_meaning(status), (unsigned)link->inflight_count);
        kw_backend_want_topology(node->backend);
    }
    if (status == KW_E_PROTOCOL && was_ready) {
        KW_STAT_ADD(node->backend->stats, links_protocol_errors, 1);
    }
    bool is_down = is_news && !was_ready && !is_only_resp3 && !node_has_ready_link(node);
    if (is_down) {
        node_set_down(node, status); /* N2 */
    } else if (is_news && !was_ready) {
        node->refused[link->proto - 2].until_ms =
            kw_loop_now_ms(node->backend->loop) + REFUSED_AGAIN_MS / 2 +
            kw_backend_random(node->backend) % REFUSED_AGAIN_MS;
        node->refused[link->proto - 2].reason = status;
    }
    kw_link_close(&link, status);
    kw_lease_serve_waiters(node);
}

static bool node_has_ready_link(const struct kw_node *node)
{
    for (unsigned i = 0; i < 2 * KW_LINKS_PER_NODE_MAX; i++) {
        const struct kw_link *link = node->links[i % 2][i / 2];
        if (link != NULL && link->state == KW_LINK_READY && link->failure == KW_OK) {
            return true;
        }
    }
    return !kw_list_is_empty(&node->leases.quiet);
}

bool kw_node_may_retire(const struct kw_node *node)
{
    unsigned count = 0;

    for (const struct kw_link *link = node->retired; link != NULL; link = link->next) {
        count++;
    }
    return count < RETIRED_MAX;
}

void kw_node_retire_link(struct kw_node *node, struct kw_link *link)
{
    if (!link->is_retired && !link->is_leased && kw_node_may_retire(node)) {
        kw__node_drop_link(node, link);
        link->is_retired = true;
        link->next = node->retired;
        node->retired = link;
    }
}

void kw_node_on_retired_idle(struct kw_node *node, struct kw_link *link)
{
    struct kw_link **places = node->links[link->proto - 2];

    if (link->db != 0) {
        kw_side_take_back(node, link);
        return;
    }
    for (unsigned i = 0; i < node->backend->config->links_per_node; i++) {
        if (places[i] == NULL) { /* nobody needed another one meanwhile */
            kw__node_drop_link(node, link);
            link->is_retired = false;
            places[i] = link;
            return;
        }
    }
    kw_link_fail(link, KW_E_CLOSED); /* idle: nothing fails but the link */
}

static void node_set_down(struct kw_node *node, enum kw_status reason)
{
    uint64_t now_ms = kw_loop_now_ms(node->backend->loop);

    node->down_reason = reason;
    if (!node->is_down) {
        node->is_down = true;
        node->down_since_ms = now_ms;
        KW_STAT_ADD(node->backend->stats, node_downs, 1);
        kw_log(KW_LOG_WARNING, "node %s is down (%s): requests for its slots fail until it answers",
               node->name, kw_status_meaning(reason));
    }
    node_schedule_retry(node);
    kw_backend_want_topology(node->backend);
    kw_backend_watch(node->backend);
}

static void node_schedule_retry(struct kw_node *node)
{
    uint32_t backoff_ms = node->backoff_ms == 0 ? BACKOFF_FIRST_MS : node->backoff_ms * 2;

    node->backoff_ms = backoff_ms < BACKOFF_MAX_MS ? backoff_ms : BACKOFF_MAX_MS;
    node->retry_at_ms = kw_loop_now_ms(node->backend->loop) + node->backoff_ms / 2 +
                        kw_backend_random(node->backend) % (node->backoff_ms / 2 + 1);
}

/* Open a trial link when it is due, or give the present one up when it takes too long. */
static bool node_try(struct kw_node *node, uint64_t now_ms)
{
    unsigned dead_after_ms = kw_node_dead_after_ms(node);
    unsigned patience_ms = dead_after_ms > TRIAL_MIN_MS ? dead_after_ms : TRIAL_MIN_MS;
    struct kw_link *trial = node->links[0][0];

    if (trial != NULL && trial->failure == KW_OK && now_ms - trial->progress_ms > patience_ms) {
        kw_link_fail(trial, KW_E_TIMEOUT);
        return true;
    }
    if (trial == NULL && now_ms >= node->retry_at_ms) {
        if (!kw_address_is_resolved(&node->address)) {
            node_schedule_retry(node);
            kw_node_resolve(node);
            if (!kw_address_is_resolved(&node->address)) {
                return true;
            }
        }
        node->links[0][0] = kw_link_open(node->backend, node, 2, 0);
        return true;
    }
    return false;
}

void kw__node_drop_link(struct kw_node *node, struct kw_link *link)
{
    if (link->is_leased) {
        kw_lease_forget_link(link);
        return;
    }
    for (unsigned i = 0; i < KW_LINKS_PER_NODE_MAX; i++) {
        if (node->links[link->proto - 2][i] == link) {
            node->links[link->proto - 2][i] = NULL;
            return;
        }
    }
    if (!list_drop(&node->retired, link) && !list_drop(&node->sides, link)) {
        KW_UNREACHABLE(); /* N1 */
    }
}

static bool list_drop(struct kw_link **place, struct kw_link *link)
{
    for (; *place != NULL; place = &(*place)->next) {
        if (*place == link) {
            *place = link->next;
            link->next = NULL;
            return true;
        }
    }
    return false;
}
