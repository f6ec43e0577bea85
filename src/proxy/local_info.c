/* local_info.c - INFO.
 *
 * INFO has the sections and the fields that drivers and tools look for, and keyway's own figures
 * under their names in stats/metrics.def. A section is a function; `everything`, `all` and
 * `default` print them all.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/version.h"
#include "proxy/census.h"
#include "proxy/local.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

struct info_text {
    const struct kw_proxy *proxy;
    bool is_cluster; /* for a client of the cluster personality */
    struct kw_buf *out;
};

static void info_line(struct info_text *info, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void info_server(struct info_text *info);
static void info_clients(struct info_text *info);
static void info_memory(struct info_text *info);
static void info_stats(struct info_text *info);
static void info_replication(struct info_text *info);
static void info_cpu(struct info_text *info);
static void info_cluster(struct info_text *info);
static void info_keyway(struct info_text *info);
static void info_keyspace(struct info_text *info);

static const struct info_section {
    const char *name; /* as the argument of INFO */
    const char *title;
    void (*print)(struct info_text *info);
} info_sections[] = {
    {"server", "Server", info_server},
    {"clients", "Clients", info_clients},
    {"memory", "Memory", info_memory},
    {"stats", "Stats", info_stats},
    {"replication", "Replication", info_replication},
    {"cpu", "CPU", info_cpu},
    {"cluster", "Cluster", info_cluster},
    {"keyway", "Keyway", info_keyway},
    {"keyspace", "Keyspace", info_keyspace},
};

static bool section_is_wanted(const struct kw_argv *argv, const char *name);

void kw__local_info(struct kw_client *client, struct kw_buf *buf)
{
    struct kw_buf text;
    struct info_text info = {
        .proxy = client->proxy, .is_cluster = client->is_cluster, .out = &text};

    kw_buf_init(&text, client->proxy->chunks);
    kw__proxy_publish(client->proxy);
    for (size_t i = 0; i < sizeof info_sections / sizeof info_sections[0]; i++) {
        const struct info_section *section = &info_sections[i];
        if (section_is_wanted(&client->proxy->argv, section->name)) {
            info_line(&info, "%s# %s", text.len > 0 ? "\r\n" : "", section->title);
            section->print(&info);
        }
    }
    char *joined = kw_alloc(text.len + 1);
    size_t len = 0;
    for (const struct kw_chunk *chunk = text.head; chunk != NULL; chunk = chunk->next) {
        memcpy(joined + len, chunk->data + chunk->start, chunk->end - chunk->start);
        len += chunk->end - chunk->start;
    }
    kw_reply_verbatim(buf, kw_bytes_of(joined, len), client->proto);
    kw_free(joined);
    kw_buf_reset(&text);
}

static bool section_is_wanted(const struct kw_argv *argv, const char *name)
{
    for (size_t i = 1; i < argv->count; i++) {
        struct kw_bytes word = argv->items[i];
        if (kw_bytes_equal_nocase(word, kw_bytes_of_text(name)) ||
            kw_bytes_equal_nocase(word, KW_BYTES("default")) ||
            kw_bytes_equal_nocase(word, KW_BYTES("all")) ||
            kw_bytes_equal_nocase(word, KW_BYTES("everything"))) {
            return true;
        }
    }
    return argv->count == 1;
}

static void info_line(struct info_text *info, const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (len > 0) {
        kw_buf_append(info->out, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
        kw_buf_append(info->out, "\r\n", 2);
    }
}

static unsigned long long sum(const struct info_text *info, enum kw_metric metric)
{
    return (unsigned long long)kw_stats_sum(info->proxy->hub, metric);
}

/* What clients of all workers subscribe to. */
static unsigned long long names(const struct info_text *info, enum kw_channel_kind kind)
{
    return (unsigned long long)kw_census_names_count(info->proxy->hub, kind);
}

static void info_server(struct info_text *info)
{
    uint64_t up_s = (kw_clock_ms() - info->proxy->hub->started_ms) / 1000;

    info_line(info, "redis_version:" KW_REDIS_VERSION);
    info_line(info, "redis_mode:%s", info->is_cluster ? "cluster" : "standalone");
    info_line(info, "server_name:keyway");
    info_line(info, "keyway_version:" KW_VERSION);
    info_line(info, "arch_bits:%zu", sizeof(void *) * 8);
    info_line(info, "multiplexing_api:epoll");
    info_line(info, "process_id:%d", (int)getpid());
    info_line(info, "tcp_port:%d", info->proxy->config->port);
    info_line(info, "server_time_usec:%llu", (unsigned long long)kw_clock_wall_us());
    info_line(info, "uptime_in_seconds:%llu", (unsigned long long)up_s);
    info_line(info, "uptime_in_days:%llu", (unsigned long long)(up_s / 86400));
    info_line(info, "io_threads_active:%u", info->proxy->hub->workers_count);
    info_line(info, "config_file:%s", info->proxy->config->config_file);
}

static void info_clients(struct info_text *info)
{
    info_line(info, "connected_clients:%llu", sum(info, KW_METRIC_clients_connected));
    info_line(info, "maxclients:%zu", info->proxy->config->maxclients);
    info_line(info, "blocked_clients:%llu", sum(info, KW_METRIC_clients_blocked));
    info_line(info, "tracking_clients:%llu", sum(info, KW_METRIC_clients_tracking));
}

static void info_memory(struct info_text *info)
{
    unsigned long long used = (unsigned long long)kw_mem_allocated_bytes();

    info_line(info, "used_memory:%llu", used);
    info_line(info, "used_memory_rss:%llu", (unsigned long long)kw_mem_resident_bytes());
    info_line(info, "used_memory_buffers:%llu", sum(info, KW_METRIC_buffers_bytes));
    info_line(info, "maxmemory:%llu", (unsigned long long)info->proxy->config->maxmemory_bytes);
    info_line(info, "maxmemory_policy:noeviction");
    info_line(info, "mem_allocator:jemalloc");
    info_line(info, "heap_allocations:%llu", (unsigned long long)kw_mem_allocations_count());
}

static void info_stats(struct info_text *info)
{
    info_line(info, "total_connections_received:%llu", sum(info, KW_METRIC_connections_received));
    info_line(info, "total_commands_processed:%llu", sum(info, KW_METRIC_requests));
    info_line(info, "total_net_input_bytes:%llu", sum(info, KW_METRIC_input_bytes));
    info_line(info, "total_net_output_bytes:%llu", sum(info, KW_METRIC_output_bytes));
    info_line(info, "rejected_connections:%llu", sum(info, KW_METRIC_connections_rejected));
    info_line(info, "total_error_replies:%llu", sum(info, KW_METRIC_requests_refused));
    info_line(info, "pubsub_channels:%llu", names(info, KW_CHANNEL_PLAIN));
    info_line(info, "pubsub_patterns:%llu", names(info, KW_CHANNEL_PATTERN));
    info_line(info, "pubsubshard_channels:%llu", names(info, KW_CHANNEL_SHARD));
}

static void info_replication(struct info_text *info)
{
    info_line(info, "role:master");
    info_line(info, "connected_slaves:0");
}

static void info_cpu(struct info_text *info)
{
    long ticks = sysconf(_SC_CLK_TCK);
    unsigned long user = 0;
    unsigned long sys = 0;
    FILE *file = fopen("/proc/self/stat", "r");

    if (file == NULL || ticks <= 0) {
        return;
    }
    /* Field 14 and 15, behind the name in parentheses. */
    if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &sys) == 2) {
        info_line(info, "used_cpu_sys:%.2f", (double)sys / (double)ticks);
        info_line(info, "used_cpu_user:%.2f", (double)user / (double)ticks);
    }
    fclose(file);
}

static void info_cluster(struct info_text *info)
{
    info_line(info, "cluster_enabled:%d", info->is_cluster ? 1 : 0);
}

static void info_keyway(struct info_text *info)
{
    const struct kw_stats_hub *hub = info->proxy->hub;

    info_line(info, "topology_version:%llu",
              (unsigned long long)atomic_load(&hub->topology_version));
    info_line(info, "topology_nodes:%u", atomic_load(&hub->nodes_known));
    info_line(info, "topology_slots_covered:%u", atomic_load(&hub->slots_covered));
    for (int metric = 0; metric < KW_METRIC_COUNT; metric++) {
        info_line(info, "%s:%llu", kw_metric_name((enum kw_metric)metric),
                  sum(info, (enum kw_metric)metric));
    }
}

static void info_keyspace(struct info_text *info)
{
    (void)info; /* keys are counted by the nodes; DBSIZE is the command that asks them all */
}
