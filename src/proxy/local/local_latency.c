/* local_latency.c - LATENCY: events of keyway itself, and the times of commands.
 *
 * Events are `command`, a request that took long from its arrival to the end of its reply, and
 * `tick`, a turn of a worker's loop that kept all its clients waiting.
 */
#include "base/blob.h"
#include "base/clock.h"
#include "proxy/local/local.h"
#include "stats/latency.h"
#include "stats/tally.h"

enum { GRAPH_ROWS = 4, GRAPH_COLUMNS = 80 };

static const struct kw_latency_event *event_find(const struct kw_latency_event *events,
                                                 size_t count, struct kw_bytes name);
static void graph_write(struct kw_blob *text, const struct kw_latency_event *event);
static void doctor_write(struct kw_blob *text, const struct kw_latency_event *events, size_t count);
static bool is_wanted(const struct kw_argv *argv, const struct kw_command *command);
static void histogram_write(struct kw_buf *buf, const struct kw_command *command,
                            const struct kw_tally_sum *sum, int proto);

enum kw_verdict kw__local_latency_latest(struct kw_client *client, const struct kw_command *command,
                                         struct kw_buf *buf)
{
    struct kw_latency_event events[KW_LATENCY_EVENTS_MAX];
    size_t count = kw_latency_events(client->proxy->hub->latency, events);

    (void)command;
    kw_reply_array(buf, count);
    for (size_t i = 0; i < count; i++) {
        const struct kw_latency_sample *last =
            kw_latency_sample(&events[i], events[i].samples_count - 1);
        kw_reply_array(buf, 4);
        kw_reply_bulk(buf, kw_bytes_of_text(events[i].name));
        kw_reply_int(buf, (int64_t)last->at_s);
        kw_reply_int(buf, (int64_t)last->ms);
        kw_reply_int(buf, (int64_t)events[i].max_ms);
    }
    return KW_ANSWERED;
}

enum kw_verdict kw__local_latency_history(struct kw_client *client,
                                          const struct kw_command *command, struct kw_buf *buf)
{
    struct kw_latency_event events[KW_LATENCY_EVENTS_MAX];
    size_t count = kw_latency_events(client->proxy->hub->latency, events);
    const struct kw_latency_event *event = event_find(events, count, client->proxy->argv.items[2]);

    (void)command;
    kw_reply_array(buf, event == NULL ? 0 : event->samples_count);
    for (unsigned i = 0; event != NULL && i < event->samples_count; i++) {
        const struct kw_latency_sample *sample = kw_latency_sample(event, i);
        kw_reply_array(buf, 2);
        kw_reply_int(buf, (int64_t)sample->at_s);
        kw_reply_int(buf, (int64_t)sample->ms);
    }
    return KW_ANSWERED;
}

enum kw_verdict kw__local_latency_reset(struct kw_client *client, const struct kw_command *command,
                                        struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;
    size_t count = 0;

    (void)command;
    if (argv->count == 2) {
        count = kw_latency_reset(client->proxy->hub->latency, KW_BYTES(""));
    }
    for (size_t i = 2; i < argv->count; i++) {
        count += argv->items[i].len > 0
                     ? kw_latency_reset(client->proxy->hub->latency, argv->items[i])
                     : 0;
    }
    kw_reply_int(buf, (int64_t)count);
    return KW_ANSWERED;
}

enum kw_verdict kw__local_latency_graph(struct kw_client *client, const struct kw_command *command,
                                        struct kw_buf *buf)
{
    struct kw_bytes name = client->proxy->argv.items[2];
    struct kw_latency_event events[KW_LATENCY_EVENTS_MAX];
    size_t count = kw_latency_events(client->proxy->hub->latency, events);
    const struct kw_latency_event *event = event_find(events, count, name);
    struct kw_blob text = {0};

    (void)command;
    if (event == NULL) {
        kw_reply_error_bytes(buf, KW_ERROR_LATENCY_EVENT, name);
        return KW_REFUSED;
    }
    graph_write(&text, event);
    kw_reply_verbatim(buf, kw_blob_bytes(&text), client->proto);
    kw_blob_deinit(&text);
    return KW_ANSWERED;
}

enum kw_verdict kw__local_latency_doctor(struct kw_client *client, const struct kw_command *command,
                                         struct kw_buf *buf)
{
    struct kw_latency_event events[KW_LATENCY_EVENTS_MAX];
    size_t count = kw_latency_events(client->proxy->hub->latency, events);
    struct kw_blob text = {0};

    (void)command;
    if (count > 0) {
        doctor_write(&text, events, count);
    } else if (client->proxy->config->latency_threshold_ms == 0) {
        kw_blob_print(
            &text,
            "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis "
            "instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in "
            "order to enable it. If we weren't in a deep space mission I'd suggest to take a look "
            "at https://redis.io/topics/latency-monitor.\n");
    } else {
        kw_blob_print(&text, "Dave, no latency spike was observed during the lifetime of this "
                             "Redis instance, not in the slightest bit. I honestly think you "
                             "ought to sit down calmly, take a stress pill, and think things "
                             "over.\n");
    }
    kw_reply_verbatim(buf, kw_blob_bytes(&text), client->proto);
    kw_blob_deinit(&text);
    return KW_ANSWERED;
}

/* Only commands that nodes were asked for have times. */
enum kw_verdict kw__local_latency_histogram(struct kw_client *client,
                                            const struct kw_command *command, struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;
    struct kw_tally_sum sum;
    struct kw_buf pairs;
    size_t count = 0;

    (void)command;
    kw_buf_init(&pairs, client->proxy->chunks);
    for (size_t i = 0; i < kw_command_count(); i++) {
        const struct kw_command *row = kw_command_at(i);
        if (is_wanted(argv, row)) {
            kw_tally_sum(client->proxy->hub, i, &sum);
            if (sum.timed > 0) {
                histogram_write(&pairs, row, &sum, client->proto);
                count++;
            }
        }
    }
    kw_reply_map(buf, count, client->proto);
    kw_buf_append_buf(buf, &pairs);
    return KW_ANSWERED;
}

static const struct kw_latency_event *event_find(const struct kw_latency_event *events,
                                                 size_t count, struct kw_bytes name)
{
    for (size_t i = 0; i < count; i++) {
        if (kw_bytes_equal_nocase(name, kw_bytes_of_text(events[i].name))) {
            return &events[i];
        }
    }
    return NULL;
}

/* A column for each of the last samples, the oldest one at the left. */
static void graph_write(struct kw_blob *text, const struct kw_latency_event *event)
{
    unsigned shown = event->samples_count < GRAPH_COLUMNS ? event->samples_count : GRAPH_COLUMNS;
    unsigned first = event->samples_count - shown;
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;

    for (unsigned i = first; i < event->samples_count; i++) {
        uint64_t ms = kw_latency_sample(event, i)->ms;
        low = ms < low ? ms : low;
        high = ms > high ? ms : high;
    }
    kw_blob_print(text, "%s - high %llu ms, low %llu ms (all time high %llu ms)\n", event->name,
                  (unsigned long long)high, (unsigned long long)low,
                  (unsigned long long)event->max_ms);
    for (int column = 0; column < GRAPH_COLUMNS; column++) {
        kw_blob_print(text, "-");
    }
    kw_blob_print(text, "\n");
    for (unsigned row = GRAPH_ROWS; row > 0; row--) {
        for (unsigned i = first; i < event->samples_count; i++) {
            uint64_t height = high == low ? 1
                                          : 1 + (kw_latency_sample(event, i)->ms - low) *
                                                    (GRAPH_ROWS - 1) / (high - low);
            kw_blob_print(text, "%c", height > row ? '|' : height == row ? '#' : ' ');
        }
        kw_blob_print(text, "\n");
    }
}

static void doctor_write(struct kw_blob *text, const struct kw_latency_event *events, size_t count)
{
    uint64_t now_s = kw_clock_wall_us() / 1000000;

    kw_blob_print(text, "Dave, I have observed latency spikes in this Redis instance. You don't "
                        "mind talking about it, do you Dave?\n\n");
    for (size_t i = 0; i < count; i++) {
        uint64_t sum_ms = 0;
        for (unsigned j = 0; j < events[i].samples_count; j++) {
            sum_ms += kw_latency_sample(&events[i], j)->ms;
        }
        uint64_t since_s = now_s - kw_latency_sample(&events[i], 0)->at_s;
        kw_blob_print(text,
                      "%zu. %s: %u latency spikes (average %llums, period %llu sec). Worst all "
                      "time event %llums.\n",
                      i + 1, events[i].name, events[i].samples_count,
                      (unsigned long long)(sum_ms / events[i].samples_count),
                      (unsigned long long)(since_s / events[i].samples_count),
                      (unsigned long long)events[i].max_ms);
    }
    kw_blob_print(text,
                  "\nI have a few advices for you:\n\n"
                  "- command: SLOWLOG tells which requests were slow. What a node takes is in "
                  "their times: compare with the SLOWLOG of that node (PROXY NODE id SLOWLOG "
                  "GET).\n"
                  "- tick: a worker was busy or got no processor for so long. Look at its share "
                  "of the machine, and for very large requests.\n");
}

/* Without names all are; a container stands for its subcommands. */
static bool is_wanted(const struct kw_argv *argv, const struct kw_command *command)
{
    for (size_t i = 2; i < argv->count; i++) {
        struct kw_bytes name = kw_bytes_of(command->name, command->name_len);
        size_t len = argv->items[i].len;
        bool is_within = name.len > len && name.data[len] == '|';
        if (kw_bytes_equal_nocase(argv->items[i], name) ||
            (is_within && kw_bytes_equal_nocase(argv->items[i], kw_bytes_of(name.data, len)))) {
            return true;
        }
    }
    return argv->count == 2;
}

/* As redis: only bounds at which something was added, sums of all up to there. */
static void histogram_write(struct kw_buf *buf, const struct kw_command *command,
                            const struct kw_tally_sum *sum, int proto)
{
    uint64_t so_far = 0;
    size_t used = 0;

    for (unsigned i = 0; i < KW_TALLY_BUCKETS; i++) {
        used += sum->buckets[i] > 0 ? 1 : 0;
    }
    kw_reply_bulk(buf, kw_bytes_of(command->name, command->name_len));
    kw_reply_map(buf, 2, proto);
    kw_reply_bulk(buf, KW_BYTES("calls"));
    kw_reply_int(buf, (int64_t)sum->timed);
    kw_reply_bulk(buf, KW_BYTES("histogram_usec"));
    kw_reply_map(buf, used, proto);
    for (unsigned i = 0; i < KW_TALLY_BUCKETS; i++) {
        so_far += sum->buckets[i];
        if (sum->buckets[i] > 0) {
            kw_reply_int(buf, (int64_t)kw_tally_bucket_us(i));
            kw_reply_int(buf, (int64_t)so_far);
        }
    }
}
