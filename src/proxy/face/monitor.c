/* monitor.c - see monitor.h.
 *
 *   kw_monitor_feed   a line into the worker's own heap text
 *   kw_monitor_flush  at the end of the tick: all lines are one errand; each worker it visits hands
 *                     them to its monitors
 *
 * Bounded everywhere: long arguments and long commands are cut, one errand of a worker is out at a
 * time and what piles up meanwhile has a limit, above which lines are left out and counted; a
 * monitor that does not read is closed. monitor-sample-rate shows one command in N.
 *
 * INVARIANTS
 * M1  KW_MODE_MONITORED is set in proxy->modes exactly while watchers_count > 0.
 * M2  each client that monitors is counted once on every worker, and uncounted once.
 */
#include "proxy/face/monitor.h"

#include "base/blob.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/sock.h"
#include "proxy/client.h"
#include "proxy/local/client_filter.h"
#include "proxy/reply.h"
#include "proxy/round.h"

enum {
    ADDRESS_TEXT_MAX = 128,
    ARGUMENTS_MAX = 64,         /* of one command that are shown */
    ARGUMENT_MAX_BYTES = 1024,  /* of one argument that are shown */
    PENDING_MAX_BYTES = 1 << 20 /* lines of a worker that wait for its errand to come back */
};

struct kw_monitor {
    struct kw_list clients;  /* of this worker that run MONITOR */
    unsigned watchers_count; /* of all workers */
    uint64_t seen_count;     /* commands, for the sample */
    struct kw_blob pending;
    bool is_sending; /* an errand is out */
};

struct count_round {
    struct kw_round round; /* first */
    int delta;
};

struct lines {
    struct kw_errand errand; /* first */
    struct kw_blob text;
};

static struct kw_monitor *monitor_of(struct kw_proxy *proxy);
static void count_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void start_answer(struct kw_client *client, struct kw_round *round, struct kw_buf *buf);
static void start_end(struct kw_round *round);
static void stop_send(struct kw_proxy *proxy);
static void stop_done(struct kw_proxy *home, struct kw_errand *errand);
static bool is_secret(const struct kw_command *command, const struct kw_argv *argv, size_t index);
static void argument_print(struct kw_blob *text, struct kw_bytes bytes);
static void lines_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void lines_done(struct kw_proxy *home, struct kw_errand *errand);

enum kw_verdict kw_monitor_start(struct kw_client *client, const struct kw_command *command)
{
    if ((client->modes & KW_MODE_MONITORING) != 0) {
        return KW_ANSWERED; /* as in redis: without a word */
    }
    struct count_round *count = kw_alloc_zero(1, sizeof *count);
    count->delta = 1;
    count->round.errand.visit = count_visit;
    count->round.on_answer = start_answer;
    count->round.on_end = start_end;
    return kw_round_start(client, command, &count->round);
}

enum kw_verdict kw_monitor_check(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire)
{
    const uint32_t about_keys = KW_COMMAND_READ | KW_COMMAND_WRITE | KW_COMMAND_MAY_REPLICATE;

    (void)wire;
    return (command->flags & about_keys) == 0
               ? KW_NEXT
               : kw_reply_refuse(client, KW_ERROR_MONITORING, NULL, NULL);
}

/* In the form of redis: +time [database address] "word" "word" ... */
void kw_monitor_feed(const struct kw_client *client, const struct kw_command *command)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_argv *argv = &proxy->argv;
    struct kw_monitor *monitor = monitor_of(proxy);
    struct kw_blob *text = &monitor->pending;
    uint64_t now_us = kw_clock_wall_us();
    char address[ADDRESS_TEXT_MAX];

    if ((command->flags & KW_COMMAND_ADMIN) != 0 ||
        monitor->seen_count++ % proxy->config->monitor_sample_rate != 0) {
        return;
    }
    if (text->len > PENDING_MAX_BYTES) {
        KW_STAT_ADD(proxy->stats, monitor_lines_dropped, 1);
        return;
    }
    kw_client_address(client, false, address, sizeof address);
    kw_blob_print(text, "+%llu.%06llu [%u %s]", (unsigned long long)(now_us / 1000000),
                  (unsigned long long)(now_us % 1000000), client->db, address);
    for (size_t i = 0; i < argv->count; i++) {
        if (i == ARGUMENTS_MAX) {
            kw_blob_print(text, " \"... (%zu more arguments)\"", argv->count - i);
            break;
        }
        if (is_secret(command, argv, i)) {
            kw_blob_print(text, " \"(redacted)\"");
        } else {
            argument_print(text, argv->items[i]);
        }
    }
    kw_blob_print(text, "\r\n");
}

void kw_monitor_flush(struct kw_proxy *proxy)
{
    struct kw_monitor *monitor = monitor_of(proxy);

    if (monitor->pending.len == 0 || monitor->is_sending) {
        return;
    }
    struct lines *lines = kw_alloc_zero(1, sizeof *lines);
    lines->text = monitor->pending;
    lines->errand.visit = lines_visit;
    lines->errand.done = lines_done;
    monitor->pending = (struct kw_blob){0};
    monitor->is_sending = true;
    kw_crew_send(proxy, &lines->errand);
}

void kw_monitor_drop(struct kw_client *client)
{
    if ((client->modes & KW_MODE_MONITORING) != 0) {
        client->modes &= ~KW_MODE_MONITORING;
        kw_list_remove(&client->monitoring);
        stop_send(client->proxy);
    }
}

void kw_monitor_free(struct kw_proxy *proxy)
{
    if (proxy->monitor != NULL) {
        KW_ASSERT(kw_list_is_empty(&proxy->monitor->clients));
        kw_blob_deinit(&proxy->monitor->pending);
        kw_free(proxy->monitor);
        proxy->monitor = NULL;
    }
}

static struct kw_monitor *monitor_of(struct kw_proxy *proxy)
{
    if (proxy->monitor == NULL) {
        proxy->monitor = kw_alloc_zero(1, sizeof *proxy->monitor);
        kw_list_init(&proxy->monitor->clients);
    }
    return proxy->monitor;
}

static void count_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct kw_monitor *monitor = monitor_of(proxy);
    int delta = ((struct count_round *)errand)->delta;

    KW_ASSERT(delta > 0 || monitor->watchers_count > 0); /* M2 */
    monitor->watchers_count += (unsigned)delta;
    if (monitor->watchers_count > 0) {
        proxy->modes |= KW_MODE_MONITORED; /* M1 */
    } else {
        proxy->modes &= ~KW_MODE_MONITORED;
        kw_blob_deinit(&monitor->pending);
    }
}

static void start_answer(struct kw_client *client, struct kw_round *round, struct kw_buf *buf)
{
    (void)round;
    if (client->is_gone || (client->modes & KW_MODE_MONITORING) != 0) {
        stop_send(client->proxy); /* left meanwhile, or asked twice */
        return;
    }
    client->modes |= KW_MODE_MONITORING;
    kw_list_append(&monitor_of(client->proxy)->clients, &client->monitoring);
    kw_reply_status(buf, KW_BYTES("OK"));
}

static void start_end(struct kw_round *round)
{
    kw_free(round);
}

static void stop_send(struct kw_proxy *proxy)
{
    struct count_round *count = kw_alloc_zero(1, sizeof *count);

    count->delta = -1;
    count->round.errand.visit = count_visit;
    count->round.errand.done = stop_done;
    kw_crew_send(proxy, &count->round.errand);
}

static void stop_done(struct kw_proxy *home, struct kw_errand *errand)
{
    (void)home;
    kw_free(errand);
}

/* What redis redacts, too: passwords of AUTH and HELLO. */
static bool is_secret(const struct kw_command *command, const struct kw_argv *argv, size_t index)
{
    if (command->local == KW_LOCAL_AUTH) {
        return index >= 1;
    }
    if (command->local == KW_LOCAL_HELLO) {
        return (index >= 3 && kw_bytes_equal_nocase(argv->items[index - 1], KW_BYTES("auth"))) ||
               (index >= 4 && kw_bytes_equal_nocase(argv->items[index - 2], KW_BYTES("auth")));
    }
    return false;
}

/* As redis quotes it; what is long is cut. */
static void argument_print(struct kw_blob *text, struct kw_bytes bytes)
{
    static const char specials[] = "\\\"\n\r\t\a\b";
    static const char names[] = "\\\"nrtab";
    size_t shown = bytes.len > ARGUMENT_MAX_BYTES ? ARGUMENT_MAX_BYTES : bytes.len;

    kw_blob_add(text, KW_BYTES(" \""));
    for (size_t i = 0; i < shown; i++) {
        char byte = bytes.data[i];
        const char *special = byte == '\0' ? NULL : strchr(specials, byte);
        if (special != NULL) {
            kw_blob_print(text, "\\%c", names[special - specials]);
        } else if (byte >= ' ' && byte <= '~') {
            kw_blob_add(text, kw_bytes_of(&byte, 1));
        } else {
            kw_blob_print(text, "\\x%02x", (unsigned char)byte);
        }
    }
    if (shown < bytes.len) {
        kw_blob_print(text, "... (%zu more bytes)", bytes.len - shown);
    }
    kw_blob_add(text, KW_BYTES("\""));
}

static void lines_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct kw_monitor *monitor = monitor_of(proxy);
    struct kw_bytes bytes = kw_blob_bytes(&((struct lines *)errand)->text);
    uint64_t hard_bytes = proxy->config->output_pubsub.hard_bytes;

    for (struct kw_list *node = monitor->clients.next; node != &monitor->clients;) {
        struct kw_client *client = KW_LIST_ENTRY(node, struct kw_client, monitoring);
        node = node->next;
        struct kw_buf *buf = kw_reply_begin_push(client);
        kw_buf_append_bytes(buf, bytes);
        kw_reply_end_push(client, buf, bytes.len);
        if (hard_bytes != 0 && client->stream.out.len + client->parked_bytes > hard_bytes) {
            KW_STAT_ADD(proxy->stats, client_output_closed, 1);
            kw_log_limited(&proxy->log_limit, kw_loop_now_ms(proxy->loop), KW_LOG_WARNING,
                           "client id=%llu closed: it does not read what MONITOR tells it "
                           "(client-output-buffer-limit pubsub)",
                           (unsigned long long)client->id);
            kw_client_close(client);
        }
    }
}

static void lines_done(struct kw_proxy *home, struct kw_errand *errand)
{
    struct lines *lines = (struct lines *)errand;

    monitor_of(home)->is_sending = false;
    kw_blob_deinit(&lines->text);
    kw_free(lines);
}
