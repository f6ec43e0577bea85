/* proxy.c - one worker's clients: who comes, who may go on, who ends, tick by tick.
 *
 * The end of a tick:
 *   1. failed links are closed, their requests put back or answered; clients that may go on send,
 *      parse and read again; until it is quiet                            proxy_settle
 *   2. clients that are answered in full get their answers; while these go, clients ask again and
 *      nodes answer, so another look, without waiting, collects what has come meanwhile. One write
 *      to a node then carries the commands of nearly all clients instead of a third of them
 *      (measured: 45 instead of 16 of 50 clients), and a client with requests at several nodes
 *      gets one write instead of one for each node                        proxy_write_answered
 *   3. links write (after batch-delay-us, when that is set), then clients write
 *   4. clients that have ended are freed: nobody holds a pointer to them across a tick
 */
#include "proxy/proxy.h"

#include "backend/link.h"
#include "backend/node.h"
#include "base/mem.h"
#include "net/sock.h"
#include "net/timer.h"
#include "proxy/account.h"
#include "proxy/client.h"
#include "proxy/embedded/embedded.h"
#include "proxy/embedded/events.h"
#include "proxy/face/monitor.h"
#include "proxy/gather/gather.h"
#include "proxy/gather/script.h"
#include "proxy/internal.h"
#include "proxy/near/near.h"
#include "proxy/pubsub/channels.h"
#include "proxy/pubsub/home.h"
#include "proxy/pubsub/tap.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/resend.h"
#include "proxy/session/blocked.h"
#include "proxy/session/finale.h"
#include "proxy/session/leased.h"

enum {
    HOARD_MAX_MS = 1000,
    RELIEF_AT_ONCE_BYTES = 64 * 1024, /* closing who holds less frees little ... */
    RELIEF_PAUSE_MS = 10,             /* ... and what is held may be on its way back */
    RETRY_TICK_MS = 10,
    LOOKS_MAX = 4,             /* measured: more gather nothing, fewer cost 3 % at P=1 */
    UNSTABLE_PERIOD_MIN_S = 5, /* a redirected slot counts as unstable for 5 to 10 s */
    TRIM_PERIOD_S = 10,
    REQUESTS_FREE_MAX = 16 * 1024 /* 6 MiB in reserve at most */
};

static void proxy_apply_config(struct kw_proxy *proxy);
static void proxy_on_retry(void *arg);
static void proxy_check_paused(struct kw_proxy *proxy, uint64_t now_ms);
static void proxy_on_yield(void *arg);
static void proxy_on_second(void *arg);
static void proxy_on_node_change(void *arg);
static void proxy_on_slot_moved(void *arg, uint16_t slot);
static bool proxy_write_answered(struct kw_proxy *proxy);
static void proxy_look(struct kw_proxy *proxy);
static bool proxy_has_output(const struct kw_proxy *proxy);
static bool proxy_hold_commands(struct kw_proxy *proxy);
static void proxy_on_batch_due(void *arg);
static void proxy_settle(struct kw_proxy *proxy);
static void proxy_resume_clients(struct kw_proxy *proxy);
static void proxy_free_ended(struct kw_proxy *proxy);
static void proxy_relieve(struct kw_proxy *proxy);

struct kw_proxy *kw_proxy_new(struct kw_stats_hub *hub, struct kw_backend *backend)
{
    struct kw_proxy *proxy = kw_alloc_zero(1, sizeof *proxy);
    const struct kw_config *config = backend->config;

    proxy->loop = backend->loop;
    proxy->config = config;
    proxy->hub = hub;
    proxy->stats = backend->stats;
    proxy->chunks = backend->chunks;
    proxy->backend = backend;
    proxy->scratch = backend->scratch;
    proxy->limits.args_max = KW_ARGS_MAX;
    kw_stream_set_init(&proxy->streams);
    kw_buf_init(&proxy->sink, proxy->chunks);
    kw_pool_init(&proxy->requests, sizeof(struct kw_request), REQUESTS_FREE_MAX);
    kw_argv_init(&proxy->argv);
    proxy->gathering = kw_gathering_new(backend);
    proxy->scripts = kw_scripts_new();
    kw_list_init(&proxy->clients);
    kw_list_init(&proxy->resuming);
    kw_list_init(&proxy->yielding);
    proxy->yield_timer = kw_timer_new(proxy->loop, proxy_on_yield, proxy);
    kw_list_init(&proxy->retrying);
    kw_list_init(&proxy->lease_waiting);
    kw_list_init(&proxy->lease_retrying);
    kw_list_init(&proxy->unblocking);
    kw_list_init(&proxy->ended_clients);
    proxy->retry_timer = kw_timer_new(proxy->loop, proxy_on_retry, proxy);
    proxy->second_timer = kw_timer_new(proxy->loop, proxy_on_second, proxy);
    kw_timer_start(proxy->second_timer, 1000);
    proxy->batch_timer = kw_timer_new(proxy->loop, proxy_on_batch_due, proxy);
    proxy->patient_until_ms = kw_loop_now_ms(proxy->loop) + config->request_retry_ms;
    proxy_apply_config(proxy);
    kw_account_open(proxy);
    backend->leased_links_max = config->leased_links_per_node / hub->workers_count;
    if (backend->leased_links_max == 0) {
        backend->leased_links_max = 1;
    }
    backend->on_node_change = proxy_on_node_change;
    backend->on_slot_moved = proxy_on_slot_moved;
    backend->on_node_change_arg = proxy;
    return proxy;
}

void kw_proxy_reconfigure(struct kw_proxy *proxy, struct kw_config *taken)
{
    proxy->config = taken;
    kw_backend_reconfigure(proxy->backend, taken);
    kw_config_unref(&proxy->config_taken);
    proxy->config_taken = taken;
    proxy_apply_config(proxy);
    kw_account_apply_config(proxy);
    kw_near_apply_config(proxy);
    kw_events_configure(proxy);
    kw_embedded_configure(proxy);
}

void kw_proxy_free(struct kw_proxy **proxy)
{
    struct kw_proxy *ending = *proxy;

    while (!kw_list_is_empty(&ending->clients)) {
        struct kw_client *client = KW_LIST_ENTRY(ending->clients.next, struct kw_client, all);
        kw_client_close(client);
        kw_finale_drop(client);
        kw_reply_finish_all(client); /* queued or retrying: nobody will answer them */
        kw_client_resume(client);
    }
    proxy_free_ended(ending);
    kw_embedded_close(ending);
    kw_channels_free(ending);
    kw_monitor_free(ending);
    kw_tracking_free(ending);
    kw_near_free(ending);
    kw_timer_free(&ending->retry_timer);
    kw_timer_free(&ending->pause_timer);
    kw_timer_free(&ending->second_timer);
    kw_timer_free(&ending->batch_timer);
    kw_timer_free(&ending->yield_timer);
    kw_argv_deinit(&ending->argv);
    kw_gathering_free(&ending->gathering);
    kw_scripts_free(&ending->scripts);
    kw_pool_deinit(&ending->requests);
    kw_account_close(ending);
    kw_free(ending->config_everywhere);
    kw_config_unref(&ending->config_taken);
    kw_free(ending);
    *proxy = NULL;
}

void kw_proxy_accept(struct kw_proxy *proxy, int fd, enum kw_personality personality)
{
    uint64_t count = atomic_fetch_add_explicit(&proxy->hub->clients_count, 1, memory_order_relaxed);

    if (count >= proxy->config->maxclients) {
        struct kw_buf line;
        atomic_fetch_sub_explicit(&proxy->hub->clients_count, 1, memory_order_relaxed);
        KW_STAT_ADD(proxy->stats, connections_rejected, 1);
        kw_buf_init(&line, proxy->chunks);
        kw_reply_error(&line, KW_ERROR_MAXCLIENTS);
        /* Best effort: a fresh socket takes one line. */
        enum kw_status status = kw_sock_write(fd, &line);
        (void)status;
        kw_buf_reset(&line);
        kw_sock_close(fd);
        return;
    }
    kw_client_open(proxy, fd)->is_cluster = personality == KW_PERSONALITY_CLUSTER;
}

void kw_proxy_learn(struct kw_proxy *proxy, const struct kw_learned *learned)
{
    proxy->learned = learned;
}

void kw_proxy_tick(struct kw_proxy *proxy)
{
    if (__builtin_expect((proxy->modes & KW_MODE_MONITORED) != 0, 0)) {
        kw_monitor_flush(proxy);
    }
    if (proxy->near != NULL) {
        kw_near_tick(proxy);
    }
    proxy_settle(proxy);
    if (proxy_write_answered(proxy)) {
        proxy_look(proxy);
    }
    proxy_settle(proxy);
    if (proxy->embedded != NULL) {
        kw_events_tick(proxy);
    }
    while (proxy_has_output(proxy)) {
        if (!proxy_hold_commands(proxy)) {
            kw_backend_flush(proxy->backend);
        }
        kw_stream_set_flush(&proxy->streams);
        proxy_settle(proxy); /* what was written may have ended clients, or failed links */
        if (proxy->embedded != NULL) {
            kw_events_tick(proxy);
        }
    }
    proxy_free_ended(proxy);
    if (!kw_list_is_empty(&proxy->yielding)) {
        kw_timer_start(proxy->yield_timer, 0);
    }
    if (proxy->chunks->in_use_bytes > proxy->memory_max_bytes) {
        proxy_relieve(proxy);
        kw__proxy_watch(proxy); /* until it is below */
    }
    if (__builtin_expect(proxy->config->latency_threshold_ms > 0, 0)) {
        kw_account_tick(proxy);
    }
    if (proxy->near != NULL) {
        kw_near_rest(proxy);
    }
    if (proxy->embedded != NULL) {
        kw_embedded_rest(proxy);
    }
}

void kw_proxy_drain(struct kw_proxy *proxy)
{
    proxy->is_draining = true;
    kw_channels_stop(proxy);
    kw_tracking_stop(proxy);
    kw_near_stop(proxy);
    for (struct kw_list *node = proxy->clients.next; node != &proxy->clients;) {
        struct kw_client *client = KW_LIST_ENTRY(node, struct kw_client, all);
        node = node->next;
        kw_blocked_drain(client);
        kw_client_finish(client);
    }
}

size_t kw_proxy_clients_count(const struct kw_proxy *proxy)
{
    return proxy->clients_count;
}

void kw__proxy_watch(struct kw_proxy *proxy)
{
    if (!proxy->is_retry_running) {
        proxy->is_retry_running = true;
        kw_timer_start(proxy->retry_timer, RETRY_TICK_MS);
    }
}

/* What is derived from options. */
static void proxy_apply_config(struct kw_proxy *proxy)
{
    const struct kw_config *config = proxy->config;

    proxy->limits.bulk_max_bytes = config->proto_max_bulk_len_bytes;
    proxy->memory_max_bytes = config->maxmemory_bytes == 0 || kw_config_is_embedded(config)
                                  ? UINT64_MAX
                                  : config->maxmemory_bytes / proxy->hub->workers_count;
    /* Longer than a call can be in flight at a slot's old owner. */
    proxy->unstable_period_s = config->node_timeout_ms * config->node_failure_limit / 1000 + 1;
    if (proxy->unstable_period_s < UNSTABLE_PERIOD_MIN_S) {
        proxy->unstable_period_s = UNSTABLE_PERIOD_MIN_S;
    }
}

static void proxy_on_retry(void *arg)
{
    struct kw_proxy *proxy = arg;
    uint64_t now_ms = kw_loop_now_ms(proxy->loop);

    proxy->is_retry_running = false;
    kw_resend_due(proxy, now_ms);
    kw_leased_check(proxy, now_ms);
    kw_blocked_unblock_again(proxy);
    if (proxy->paused_count > 0) {
        proxy_check_paused(proxy, now_ms);
    }
    if (!kw_list_is_empty(&proxy->retrying) || !kw_list_is_empty(&proxy->lease_waiting) ||
        !kw_list_is_empty(&proxy->lease_retrying) || !kw_list_is_empty(&proxy->unblocking) ||
        proxy->paused_count > 0) {
        kw__proxy_watch(proxy);
    }
}

/* A reader that takes nothing must not hold up the others behind its reply, nor keep a link that
 * others need for their big replies: from then on the rest is collected for it, up to its output
 * limit, until it has caught up.
 */
static void proxy_check_paused(struct kw_proxy *proxy, uint64_t now_ms)
{
    for (struct kw_list *node = proxy->clients.next; node != &proxy->clients;) {
        struct kw_client *client = KW_LIST_ENTRY(node, struct kw_client, all);
        struct kw_link *link = client->paused_link;
        node = node->next;
        if (link == NULL || link->oldest == NULL) {
            continue;
        }
        uint64_t paused_ms = now_ms - link->paused_at_ms;
        bool has_others = link->oldest->next != NULL && paused_ms >= KW_PAUSE_MAX_MS;
        bool is_hoarding = paused_ms >= HOARD_MAX_MS && !kw_node_may_retire(link->node);
        if (!has_others && !is_hoarding) {
            continue;
        }
        client->is_slow = true;
        client->paused_link = NULL;
        proxy->paused_count--;
        kw_link_resume(link);
    }
}

static void proxy_on_yield(void *arg)
{
    struct kw_proxy *proxy = arg;

    while (!kw_list_is_empty(&proxy->yielding)) {
        struct kw_client *client = KW_LIST_ENTRY(proxy->yielding.next, struct kw_client, resuming);
        kw_list_remove(&client->resuming);
        kw__client_resume_later(client);
    }
}

static void proxy_on_second(void *arg)
{
    struct kw_proxy *proxy = arg;
    uint64_t now_ms = kw_loop_now_ms(proxy->loop);

    kw_timer_start(proxy->second_timer, 1000);
    proxy->seconds++;
    for (struct kw_list *node = proxy->clients.next; node != &proxy->clients;) {
        struct kw_client *client = KW_LIST_ENTRY(node, struct kw_client, all);
        node = node->next;
        kw_client_check(client, now_ms);
    }
    if (!proxy->backend->has_topology) {
        kw__proxy_resume_waiting(proxy); /* they get an error when their patience is over */
    }
    if (proxy->seconds % proxy->unstable_period_s == 0) {
        proxy->unstable_now = 1 - proxy->unstable_now;
        memset(proxy->unstable[proxy->unstable_now], 0, sizeof proxy->unstable[0]);
        proxy->has_unstable[proxy->unstable_now] = false;
    }
    if (proxy->seconds % TRIM_PERIOD_S == 0) {
        kw_chunk_pool_trim(proxy->chunks);
        kw_argv_trim(&proxy->argv);
        kw_gathering_trim(proxy->gathering);
        kw_backend_close_idle(proxy->backend);
    }
    kw__proxy_publish(proxy);
    kw_account_second(proxy);
}

void kw__proxy_publish(struct kw_proxy *proxy)
{
    KW_STAT_SET(proxy->stats, buffers_bytes, proxy->chunks->in_use_bytes);
    KW_STAT_SET(proxy->stats, output_bytes, proxy->streams.written_bytes);
    KW_STAT_SET(proxy->stats, client_writes, proxy->streams.writes_count);
    KW_STAT_SET(proxy->stats, node_output_bytes, proxy->backend->streams.written_bytes);
    KW_STAT_SET(proxy->stats, node_writes, proxy->backend->streams.writes_count);
    KW_STAT_SET(proxy->stats, ticks, kw_loop_ticks_count(proxy->loop));
}

/* Who waits for the first picture of the cluster may go on. */
static void proxy_on_node_change(void *arg)
{
    struct kw_proxy *proxy = arg;

    kw__proxy_resume_waiting(proxy);
    if (proxy->channels != NULL) {
        kw_channels_align_soon(proxy->channels);
    }
    if (proxy->tracking != NULL) {
        kw_taps_align_soon(proxy->tracking);
    }
    if (proxy->near != NULL) {
        kw_near_align_soon(proxy);
    }
}

/* Requests in flight at the old owner may still be redirected: nothing must overtake them (O2). */
static void proxy_on_slot_moved(void *arg, uint16_t slot)
{
    struct kw_proxy *proxy = arg;

    kw__slot_set_unstable(proxy, slot);
    if (proxy->near != NULL) {
        kw_near_forget_slot(proxy, slot);
    }
}

void kw__proxy_resume_waiting(struct kw_proxy *proxy)
{
    for (struct kw_list *node = proxy->clients.next; node != &proxy->clients; node = node->next) {
        struct kw_client *client = KW_LIST_ENTRY(node, struct kw_client, all);
        if (client->is_waiting) {
            kw__client_resume_later(client);
        }
    }
}

/* Write to the clients that wait for nothing more. True when one more look may be worth it: others
 * have part of their answers, or commands for nodes wait, too.
 */
static bool proxy_write_answered(struct kw_proxy *proxy)
{
    struct kw_list *marked = &proxy->streams.marked;
    bool is_partial = false;
    struct kw_list due;

    kw_list_init(&due);
    for (struct kw_list *place = marked->next; place != marked;) {
        struct kw_stream *stream = KW_LIST_ENTRY(place, struct kw_stream, marked);
        struct kw_client *client = (struct kw_client *)stream;
        place = place->next;
        if (client->oldest != NULL && stream->out.len < KW_PARTIAL_MAX_BYTES) {
            is_partial = true;
            continue;
        }
        kw_list_remove(&stream->marked);
        kw_list_append(&due, &stream->marked);
    }
    bool has_written = !kw_list_is_empty(&due);
    kw_stream_list_flush(&due);
    return is_partial || (has_written && kw_backend_has_output(proxy->backend));
}

/* Take what has come meanwhile: a few looks at the most (K2), none after one that found nothing. */
static void proxy_look(struct kw_proxy *proxy)
{
    uint64_t seen = 0;
    int looks = 0;

    do {
        seen = kw_stat_value(proxy->stats, KW_METRIC_input_bytes) +
               kw_stat_value(proxy->stats, KW_METRIC_node_input_bytes);
        kw_loop_poll(proxy->loop);
        looks++;
    } while (looks < LOOKS_MAX &&
             seen != kw_stat_value(proxy->stats, KW_METRIC_input_bytes) +
                         kw_stat_value(proxy->stats, KW_METRIC_node_input_bytes));
}

static bool proxy_has_output(const struct kw_proxy *proxy)
{
    return !kw_list_is_empty(&proxy->streams.marked) ||
           (kw_backend_has_output(proxy->backend) && !proxy->is_batching);
}

/* With batch-delay-us, commands wait for others from the first one on. True while they do. */
static bool proxy_hold_commands(struct kw_proxy *proxy)
{
    if (proxy->config->batch_delay_us > 0 && !proxy->is_batching &&
        kw_backend_has_output(proxy->backend)) {
        proxy->is_batching = true;
        kw_timer_start_us(proxy->batch_timer, proxy->config->batch_delay_us);
    }
    return proxy->is_batching;
}

static void proxy_on_batch_due(void *arg)
{
    struct kw_proxy *proxy = arg;

    proxy->is_batching = false;
    kw_backend_flush(proxy->backend);
}

static void proxy_settle(struct kw_proxy *proxy)
{
    do {
        kw_backend_close_failed(proxy->backend);
        proxy_resume_clients(proxy);
    } while (proxy->backend->failed != NULL);
}

static void proxy_resume_clients(struct kw_proxy *proxy)
{
    while (!kw_list_is_empty(&proxy->resuming)) {
        struct kw_client *client = KW_LIST_ENTRY(proxy->resuming.next, struct kw_client, resuming);
        kw_list_remove(&client->resuming);
        kw_client_resume(client);
    }
}

static void proxy_free_ended(struct kw_proxy *proxy)
{
    while (!kw_list_is_empty(&proxy->ended_clients)) {
        struct kw_client *client = KW_LIST_ENTRY(proxy->ended_clients.next, struct kw_client, all);
        proxy->clients_count--;
        kw_client_free(client);
    }
}

/* maxmemory is reached: close who holds most. */
static void proxy_relieve(struct kw_proxy *proxy)
{
    struct kw_client *largest = NULL;
    size_t largest_bytes = 0;

    for (struct kw_list *node = proxy->clients.next; node != &proxy->clients; node = node->next) {
        struct kw_client *client = KW_LIST_ENTRY(node, struct kw_client, all);
        size_t bytes = client->is_gone ? 0 : kw_client_memory_bytes(client);
        if (bytes > largest_bytes) {
            largest = client;
            largest_bytes = bytes;
        }
    }
    uint64_t now_ms = kw_loop_now_ms(proxy->loop);
    bool is_pausing =
        largest_bytes < RELIEF_AT_ONCE_BYTES && now_ms - proxy->relieved_at_ms < RELIEF_PAUSE_MS;
    if (largest != NULL && !is_pausing) {
        proxy->relieved_at_ms = now_ms;
        char peer[KW_ADDRESS_TEXT_MAX];
        kw_sock_peer_text(largest->stream.fd, peer, sizeof peer);
        kw_log_limited(&proxy->log_limit, kw_loop_now_ms(proxy->loop), KW_LOG_WARNING,
                       "client %s id=%llu closed: it held %zu bytes, the most of all, when "
                       "maxmemory was reached",
                       peer, (unsigned long long)largest->id, largest_bytes);
        KW_STAT_ADD(proxy->stats, client_memory_closed, 1);
        kw_client_close(largest);
        proxy_free_ended(proxy);
    }
}
