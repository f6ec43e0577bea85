/* account.c - see account.h.
 *
 * On the path of a request are three plain additions and one comparison; times are the loop's, so
 * no clock is read for them. What is slow, refused or failed takes longer ways.
 */
#include "proxy/account.h"

#include "base/clock.h"
#include "base/text.h"
#include "proxy/local/client_filter.h"
#include "stats/latency.h"
#include "stats/slowlog.h"

enum { ADDRESS_TEXT_MAX = 128, ARGUMENTS_SEEN_MAX = 64 };

static void account_slow(const struct kw_client *client, const struct kw_command *command,
                         uint64_t took_us, const struct kw_bytes *arguments, size_t count);
static size_t wire_split(struct kw_bytes wire, struct kw_bytes *arguments);
static bool wire_number(struct kw_bytes *wire, char type, int64_t *number);

void kw_account_open(struct kw_proxy *proxy)
{
    size_t index = (size_t)(proxy->stats - proxy->hub->workers);

    proxy->tally = kw_tally_new(kw_command_count() + 1); /* the last one: all that are learned */
    proxy->tally_rows = kw_tally_row(proxy->tally, 0);
    if (index < KW_WORKERS_MAX) {
        proxy->hub->tallies[index] = proxy->tally;
    }
    kw_account_apply_config(proxy);
}

void kw_account_close(struct kw_proxy *proxy)
{
    size_t index = (size_t)(proxy->stats - proxy->hub->workers);

    if (index < KW_WORKERS_MAX) {
        proxy->hub->tallies[index] = NULL;
    }
    kw_tally_free(&proxy->tally);
}

void kw_account_apply_config(struct kw_proxy *proxy)
{
    const struct kw_config *config = proxy->config;
    bool has_log = config->slowlog_slower_than_us >= 0 && config->slowlog_max_len > 0;
    uint64_t log_us = has_log ? (uint64_t)config->slowlog_slower_than_us : UINT64_MAX;
    uint64_t event_us = config->latency_threshold_ms > 0
                            ? (uint64_t)config->latency_threshold_ms * 1000
                            : UINT64_MAX;

    proxy->slow_us = log_us < event_us ? log_us : event_us;
}

void kw_account_refused(struct kw_proxy *proxy, const struct kw_command *command, bool is_admitted)
{
    if (command == NULL) {
        return;
    }
    struct kw_tally_row *row = &proxy->tally_rows[command->id];
    if (is_admitted) {
        KW_TALLY_ADD(&row->calls, 1);
        KW_TALLY_ADD(&row->failed, 1);
    } else {
        KW_TALLY_ADD(&row->rejected, 1);
    }
}

void kw_account_error(struct kw_proxy *proxy, struct kw_bytes line)
{
    size_t len = 0;

    while (len < line.len && line.data[len] > ' ') {
        len++;
    }
    kw_tally_error(proxy->tally, kw_bytes_of(line.data, len));
}

void kw_account_failed(const struct kw_request *request, struct kw_bytes line)
{
    struct kw_proxy *proxy = request->client->proxy;

    if (!request->is_part && request->command != NULL) {
        KW_TALLY_ADD(&proxy->tally_rows[request->command->id].failed, 1);
        kw_account_error(proxy, line);
    }
}

void kw_account_written(struct kw_proxy *proxy, const struct kw_buf *buf, size_t len)
{
    const struct kw_chunk *chunk = buf->head;

    while (chunk != NULL && len >= chunk->end - chunk->start) {
        len -= chunk->end - chunk->start;
        chunk = chunk->next;
    }
    if (chunk != NULL && chunk->data[chunk->start + len] == '-') {
        size_t at = chunk->start + len + 1;
        kw_account_error(proxy, kw_bytes_of(chunk->data + at, chunk->end - at));
    }
}

void kw__account_slow(const struct kw_request *request, uint64_t took_us)
{
    struct kw_bytes arguments[ARGUMENTS_SEEN_MAX];
    size_t count = 0;

    /* What an operator tells a node (PROXY NODE) may hold passwords. */
    if (request->call.chunk != NULL && request->command->route != KW_ROUTE_LOCAL) {
        count = wire_split(kw_call_bytes(&request->call), arguments);
    }
    account_slow(request->client, request->command, took_us, arguments, count);
}

void kw_account_took(struct kw_client *client, const struct kw_command *command, uint64_t took_us)
{
    const struct kw_proxy *proxy = client->proxy;
    const struct kw_argv *argv = &proxy->argv;

    kw_tally_time(&proxy->tally_rows[command->id], took_us);
    if (took_us >= proxy->slow_us) {
        bool is_shown = command->route != KW_ROUTE_LOCAL; /* CONFIG SET may hold passwords */
        account_slow(client, command, took_us, argv->items, is_shown ? argv->count : 0);
    }
}

void kw_account_second(struct kw_proxy *proxy)
{
    uint64_t now[] = {
        kw_stat_value(proxy->stats, KW_METRIC_requests),
        kw_stat_value(proxy->stats, KW_METRIC_input_bytes),
        kw_stat_value(proxy->stats, KW_METRIC_output_bytes),
    };
    uint64_t rates[sizeof now / sizeof now[0]];

    for (size_t i = 0; i < sizeof now / sizeof now[0]; i++) {
        bool was_reset = now[i] < proxy->last_second[i]; /* CONFIG RESETSTAT */
        rates[i] = was_reset ? now[i] : now[i] - proxy->last_second[i];
        proxy->last_second[i] = now[i];
    }
    KW_STAT_SET(proxy->stats, requests_per_second, rates[0]);
    KW_STAT_SET(proxy->stats, input_bytes_per_second, rates[1]);
    KW_STAT_SET(proxy->stats, output_bytes_per_second, rates[2]);
}

void kw_account_tick(struct kw_proxy *proxy)
{
    uint64_t threshold_ms = proxy->config->latency_threshold_ms;
    uint64_t began_us = kw_loop_now_us(proxy->loop); /* first: may be read just now */
    uint64_t took_ms = (kw_clock_us() - began_us) / 1000;

    if (took_ms >= threshold_ms && proxy->hub->latency != NULL) {
        kw_latency_add(proxy->hub->latency, "tick", took_ms);
    }
}

/* COMMAND was slow; COUNT of its ARGUMENTS may be shown. */
static void account_slow(const struct kw_client *client, const struct kw_command *command,
                         uint64_t took_us, const struct kw_bytes *arguments, size_t count)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_config *config = proxy->config;
    const uint32_t not_slow = KW_COMMAND_BLOCKING | KW_COMMAND_SKIP_SLOWLOG;
    struct kw_bytes name = kw_bytes_of(command->name, command->name_len);
    char address[ADDRESS_TEXT_MAX] = "";

    if ((command->flags & not_slow) != 0) {
        return; /* waiting is what it is for */
    }
    if (config->latency_threshold_ms > 0 && proxy->hub->latency != NULL &&
        took_us >= (uint64_t)config->latency_threshold_ms * 1000) {
        kw_latency_add(proxy->hub->latency, "command", took_us / 1000);
    }
    if (proxy->hub->slowlog == NULL || config->slowlog_slower_than_us < 0 ||
        took_us < (uint64_t)config->slowlog_slower_than_us) {
        return;
    }
    if (!client->is_gone) {
        kw_client_address(client, false, address, sizeof address);
    }
    struct kw_slowlog_request slow = {
        .took_us = took_us,
        .arguments = count > 0 ? arguments : &name,
        .arguments_count = count > 0 ? count : 1,
        .address = address,
        .name = client->name != NULL ? client->name : "",
    };
    kw_slowlog_add(proxy->hub->slowlog, &slow, config->slowlog_max_len);
}

/* The arguments of a multibulk command, as many as are of interest. */
static size_t wire_split(struct kw_bytes wire, struct kw_bytes *arguments)
{
    int64_t all = 0;
    int64_t len = 0;
    size_t found = 0;

    if (!wire_number(&wire, '*', &all) || all < 0) {
        return 0;
    }
    while (found < (size_t)all && found < ARGUMENTS_SEEN_MAX && wire_number(&wire, '$', &len) &&
           len >= 0 && (size_t)len + 2 <= wire.len) {
        arguments[found++] = kw_bytes_of(wire.data, (size_t)len);
        wire = kw_bytes_of(wire.data + len + 2, wire.len - (size_t)len - 2);
    }
    return found;
}

/* Take a line of TYPE and a number from the front. */
static bool wire_number(struct kw_bytes *wire, char type, int64_t *number)
{
    const char *end = wire->len > 1 ? memchr(wire->data, '\r', wire->len) : NULL;

    if (end == NULL || wire->data[0] != type || (size_t)(end - wire->data) + 2 > wire->len) {
        return false;
    }
    size_t len = (size_t)(end - wire->data);
    if (kw_text_to_int(kw_bytes_of(wire->data + 1, len - 1), number) != KW_OK) {
        return false;
    }
    *wire = kw_bytes_of(wire->data + len + 2, wire->len - len - 2);
    return true;
}
