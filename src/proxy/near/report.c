/* report.c - what people see of the near cache, and tell it: INFO nearcache, PROXY CACHE. */
#include "base/blob.h"
#include "cache/cache_extra.h"
#include "proxy/near/near.h"
#include "proxy/origin/origin.h"
#include "proxy/reply.h"

#include <inttypes.h>

static void report_origin(const struct kw_near *near, const struct kw_origin *origin,
                          unsigned number, struct kw_blob *text);

enum kw_verdict kw_near_command(struct kw_client *client, const struct kw_command *command)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_bytes word = proxy->argv.items[2];
    bool is_on = kw_bytes_equal_nocase(word, KW_BYTES("on"));
    struct kw_blob text = {0};

    (void)command;
    if (kw_bytes_equal_nocase(word, KW_BYTES("stats"))) {
        kw_near_report(proxy, &text);
        kw_reply_verbatim(kw_reply_begin(client), kw_blob_bytes(&text), client->proto);
        kw_blob_deinit(&text);
    } else if (is_on || kw_bytes_equal_nocase(word, KW_BYTES("off"))) {
        client->is_near_refused = !is_on;
        kw_reply_status(kw_reply_begin(client), KW_BYTES("OK"));
    } else if (kw_bytes_equal_nocase(word, KW_BYTES("flush"))) {
        if (proxy->near != NULL) {
            kw_cache_flush(kw__near_awake(proxy->near));
        }
        kw_reply_status(kw_reply_begin(client), KW_BYTES("OK"));
    } else {
        return kw_reply_refuse(client, KW_ERROR_SYNTAX, NULL, NULL);
    }
    kw_reply_end(client);
    return KW_ANSWERED;
}

void kw_near_report(const struct kw_proxy *proxy, struct kw_blob *text)
{
    const struct kw_near *near = proxy->near;
    const struct kw_stats_hub *hub = proxy->hub;
    struct kw_cache_figures figures = {0};
    unsigned tracked_count = 0;
    unsigned number = 0;

    kw_blob_print(text, "near_cache:%s\r\n", near != NULL ? "yes" : "no");
    if (near == NULL) {
        return;
    }
    kw_cache_figures(near->shared->cache, &figures);
    for (int metric = KW_METRIC_near_cache_hits; metric <= KW_METRIC_near_cache_flushes; metric++) {
        kw_blob_print(text, "%s:%" PRIu64 "\r\n", kw_metric_name((enum kw_metric)metric),
                      kw_stats_sum(hub, (enum kw_metric)metric));
    }
    kw_blob_print(text, "near_cache_entries:%" PRIu64 "\r\n", figures.entries_count);
    kw_blob_print(text, "near_cache_memory_bytes:%" PRIu64 "\r\n", figures.resident_bytes);
    kw_blob_print(text, "near_cache_memory_max_bytes:%" PRIu64 "\r\n", figures.memory_max_bytes);
    kw_blob_print(text, "near_cache_evicted:%" PRIu64 "\r\n", figures.evicted_count);
    kw_blob_print(text, "near_cache_expired:%" PRIu64 "\r\n", figures.expired_count);
    pthread_mutex_lock(&near->shared->lock);
    for (const struct kw_list *at = near->shared->origins.next; at != &near->shared->origins;
         at = at->next) {
        const struct kw_origin *origin = KW_LIST_ENTRY(at, struct kw_origin, shown);
        tracked_count += origin->is_ready && !origin->is_shown_blind ? 1 : 0;
    }
    kw_blob_print(text, "near_cache_nodes_tracked:%u\r\n", tracked_count);
    for (const struct kw_list *at = near->shared->origins.next; at != &near->shared->origins;
         at = at->next) {
        report_origin(near, KW_LIST_ENTRY(at, struct kw_origin, shown), number++, text);
    }
    pthread_mutex_unlock(&near->shared->lock);
}

/* Under the lock. */
static void report_origin(const struct kw_near *near, const struct kw_origin *origin,
                          unsigned number, struct kw_blob *text)
{
    uint64_t heard_us = atomic_load(&near->shared->heard_us[origin->shown_domain]);
    uint64_t until_ms = heard_us / 1000 + near->proxy->config->near_cache_lease_ms;
    uint64_t now_ms = kw_loop_now_us(near->proxy->loop) / 1000;
    bool is_refused = origin->failure == KW_E_REJECTED || origin->failure == KW_E_AUTH;
    bool is_held = origin->is_ready && until_ms > now_ms;
    const char *tracking = !origin->is_ready            ? (is_refused ? "refused" : "connecting")
                           : origin->is_shown_blind     ? "fallback"
                           : origin->is_shown_broadcast ? "broadcast"
                                                        : "on";

    kw_blob_print(text,
                  "near_cache_node%u:addr=%s,tracking=%s,lease_left_ms=%" PRIu64 ",lost=%" PRIu64
                  ",reason=%s\r\n",
                  number, origin->name, tracking, is_held ? until_ms - now_ms : 0,
                  origin->lost_count,
                  origin->failure == KW_OK ? "" : kw_status_meaning(origin->failure));
}
