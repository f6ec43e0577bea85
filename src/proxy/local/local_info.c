/* local_info.c - INFO.
 *
 * INFO has the sections and the fields that drivers and tools look for, and keyway's own figures
 * under their names in stats/metrics.def. A section is a function. What only a server with data has
 * is there with the value of one that has none, as tools compute with it.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/version.h"
#include "config/describe.h"
#include "proxy/embedded/embedded.h"
#include "proxy/local/info.h"
#include "proxy/local/local.h"
#include "proxy/near/near.h"
#include "proxy/pubsub/census.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { POLICY_MAX = 32 };

static void info_server(struct kw_info *info);
static void info_clients(struct kw_info *info);
static void policy_on_value(void *arg, struct kw_bytes name, struct kw_bytes value);
static unsigned long long resident_bytes(void);
static void info_memory(struct kw_info *info);
static void memory_line(struct kw_info *info, const char *name, unsigned long long bytes);
static void info_persistence(struct kw_info *info);
static void info_stats(struct kw_info *info);
static void info_replication(struct kw_info *info);
static void info_cpu(struct kw_info *info);
static void info_modules(struct kw_info *info);
static void info_cluster(struct kw_info *info);
static void info_keyway(struct kw_info *info);
static void info_nearcache(struct kw_info *info);
static void info_keyspace(struct kw_info *info);

static const struct info_section {
    const char *name; /* as the argument of INFO */
    const char *title;
    void (*print)(struct kw_info *info);
    bool is_default; /* without arguments, or with `default` */
} info_sections[] = {
    {"server", "Server", info_server, true},
    {"clients", "Clients", info_clients, true},
    {"memory", "Memory", info_memory, true},
    {"persistence", "Persistence", info_persistence, true},
    {"stats", "Stats", info_stats, true},
    {"replication", "Replication", info_replication, true},
    {"cpu", "CPU", info_cpu, true},
    {"modules", "Modules", info_modules, true},
    {"commandstats", "Commandstats", kw__info_commandstats, false},
    {"errorstats", "Errorstats", kw__info_errorstats, true},
    {"latencystats", "Latencystats", kw__info_latencystats, false},
    {"cluster", "Cluster", info_cluster, true},
    {"keyway", "Keyway", info_keyway, true},
    {"nearcache", "Nearcache", info_nearcache, true},
    {"keyspace", "Keyspace", info_keyspace, true},
};

static bool section_is_wanted(const struct kw_argv *argv, const struct info_section *section);

void kw__local_info(struct kw_client *client, struct kw_buf *buf)
{
    struct kw_info info = {.proxy = client->proxy, .is_cluster = client->is_cluster};

    kw__proxy_publish(client->proxy);
    kw_embedded_figures(client->proxy, &info.store);
    for (size_t i = 0; i < sizeof info_sections / sizeof info_sections[0]; i++) {
        const struct info_section *section = &info_sections[i];
        if (section_is_wanted(&client->proxy->argv, section)) {
            kw_blob_print(&info.text, "%s# %s\r\n", info.text.len > 0 ? "\r\n" : "",
                          section->title);
            section->print(&info);
        }
    }
    kw_reply_verbatim(buf, kw_blob_bytes(&info.text), client->proto);
    kw_blob_deinit(&info.text);
}

static bool section_is_wanted(const struct kw_argv *argv, const struct info_section *section)
{
    for (size_t i = 1; i < argv->count; i++) {
        struct kw_bytes word = argv->items[i];
        if (kw_bytes_equal_nocase(word, kw_bytes_of_text(section->name)) ||
            (section->is_default && kw_bytes_equal_nocase(word, KW_BYTES("default"))) ||
            kw_bytes_equal_nocase(word, KW_BYTES("all")) ||
            kw_bytes_equal_nocase(word, KW_BYTES("everything"))) {
            return true;
        }
    }
    return argv->count == 1 && section->is_default;
}

/* One line, without its end. */
#define line(info, ...)                                                                            \
    (kw_blob_print(&(info)->text, __VA_ARGS__), kw_blob_print(&(info)->text, "\r\n"))

static unsigned long long sum(const struct kw_info *info, enum kw_metric metric)
{
    return (unsigned long long)kw_stats_sum(info->proxy->hub, metric);
}

/* What clients of all workers subscribe to. */
static unsigned long long names(const struct kw_info *info, enum kw_channel_kind kind)
{
    return (unsigned long long)kw_census_names_count(info->proxy->hub, kind);
}

static void info_server(struct kw_info *info)
{
    uint64_t up_s = (kw_clock_ms() - info->proxy->hub->started_ms) / 1000;
    struct utsname system;

    line(info, "redis_version:" KW_REDIS_VERSION);
    line(info, "redis_git_sha1:00000000");
    line(info, "redis_git_dirty:0");
    line(info, "redis_build_id:0");
    line(info, "redis_mode:%s", info->is_cluster ? "cluster" : "standalone");
    line(info, "server_name:keyway");
    line(info, "keyway_version:" KW_VERSION);
    if (uname(&system) == 0) {
        line(info, "os:%s %s %s", system.sysname, system.release, system.machine);
    }
    line(info, "arch_bits:%zu", sizeof(void *) * 8);
    line(info, "multiplexing_api:epoll");
    line(info, "process_id:%d", (int)getpid());
    line(info, "process_supervised:no");
    line(info, "run_id:%s", info->proxy->hub->run_id);
    line(info, "tcp_port:%d", info->proxy->config->port);
    line(info, "server_time_usec:%llu", (unsigned long long)kw_clock_wall_us());
    line(info, "uptime_in_seconds:%llu", (unsigned long long)up_s);
    line(info, "uptime_in_days:%llu", (unsigned long long)(up_s / 86400));
    line(info, "hz:10");
    line(info, "configured_hz:10");
    line(info, "lru_clock:%llu", (unsigned long long)((kw_clock_wall_us() / 1000000) & 0xffffff));
    line(info, "io_threads_active:%u", info->proxy->hub->workers_count);
    line(info, "config_file:%s", info->proxy->config->config_file);
}

static void info_clients(struct kw_info *info)
{
    line(info, "connected_clients:%llu", sum(info, KW_METRIC_clients_connected));
    line(info, "cluster_connections:0");
    line(info, "maxclients:%zu", info->proxy->config->maxclients);
    line(info, "client_recent_max_input_buffer:0");
    line(info, "client_recent_max_output_buffer:0");
    line(info, "blocked_clients:%llu", sum(info, KW_METRIC_clients_blocked));
    line(info, "tracking_clients:%llu", sum(info, KW_METRIC_clients_tracking));
    line(info, "clients_in_timeout_table:0");
}

static void policy_on_value(void *arg, struct kw_bytes name, struct kw_bytes value)
{
    (void)name;
    (void)snprintf(arg, POLICY_MAX, "%.*s", (int)value.len, value.data);
}

/* Of the whole process, as the kernel counts. */
static unsigned long long resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file != NULL) {
        if (fscanf(file, "%*u %llu", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return pages * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static void info_memory(struct kw_info *info)
{
    bool is_embedded = info->proxy->embedded != NULL;
    /* The heap's figures would count addresses that are only reserved for keys. */
    unsigned long long used = is_embedded
                                  ? info->store.used_bytes + sum(info, KW_METRIC_buffers_bytes)
                                  : (unsigned long long)kw_mem_allocated_bytes();
    unsigned long long resident =
        is_embedded ? resident_bytes() : (unsigned long long)kw_mem_resident_bytes();
    unsigned long long system =
        (unsigned long long)sysconf(_SC_PHYS_PAGES) * (unsigned long long)sysconf(_SC_PAGESIZE);

    memory_line(info, "used_memory", used);
    memory_line(info, "used_memory_rss", resident);
    unsigned long long most = resident > used ? resident : used;
    if (is_embedded) {
        most = used - info->store.used_bytes + info->store.used_most_bytes;
    }
    memory_line(info, "used_memory_peak", most);
    line(info, "used_memory_buffers:%llu", sum(info, KW_METRIC_buffers_bytes));
    line(info, "used_memory_dataset:%llu", (unsigned long long)info->store.used_bytes);
    memory_line(info, "total_system_memory", system);
    line(info, "used_memory_lua:0");
    line(info, "number_of_cached_scripts:0");
    char policy[POLICY_MAX] = "noeviction";
    const struct kw_bytes asked = KW_BYTES("maxmemory-policy");
    (void)kw_config_get(info->proxy->config, &asked, 1, policy_on_value, policy);
    memory_line(info, "maxmemory",
                (unsigned long long)(is_embedded ? info->store.memory_max_bytes
                                                 : info->proxy->config->maxmemory_bytes));
    line(info, "maxmemory_policy:%s", policy);
    line(info, "mem_fragmentation_ratio:%.2f", used > 0 ? (double)resident / (double)used : 1.0);
    line(info, "mem_clients_slaves:0");
    line(info, "mem_clients_normal:%llu", sum(info, KW_METRIC_buffers_bytes));
    line(info, "mem_allocator:jemalloc");
    line(info, "active_defrag_running:0");
    line(info, "lazyfree_pending_objects:0");
    line(info, "heap_allocations:%llu", (unsigned long long)kw_mem_allocations_count());
}

/* NAME, and the same for people. */
static void memory_line(struct kw_info *info, const char *name, unsigned long long bytes)
{
    static const char units[] = "BKMGTP";
    double shown = (double)bytes;
    size_t unit = 0;

    while (shown >= 1024 && units[unit + 1] != '\0') {
        shown /= 1024;
        unit++;
    }
    line(info, "%s:%llu", name, bytes);
    line(info, "%s_human:%.*f%c", name, unit == 0 ? 0 : 2, shown, units[unit]);
}

/* Only the embedded store keeps keys, in snapshots; clients come in when these are loaded. */
static void info_persistence(struct kw_info *info)
{
    line(info, "loading:0");
    line(info, "async_loading:0");
    const struct kw_store_figures *store = &info->store;
    uint64_t now_s = kw_clock_wall_us() / 1000000;
    uint64_t start_s = now_s - (kw_clock_ms() - info->proxy->hub->started_ms) / 1000;
    line(info, "rdb_changes_since_last_save:%llu", (unsigned long long)store->changes_count);
    line(info, "rdb_bgsave_in_progress:%d", store->save_began_ms != 0 ? 1 : 0);
    line(info, "rdb_last_save_time:%llu",
         (unsigned long long)(store->saved_ms != 0 ? store->saved_ms / 1000 : start_s));
    line(info, "rdb_last_bgsave_status:%s", store->has_save_failed ? "err" : "ok");
    line(info, "rdb_last_bgsave_time_sec:%lld",
         store->saves_count > 0 ? (long long)(store->save_took_ms / 1000) : -1LL);
    line(info, "rdb_current_bgsave_time_sec:%lld",
         store->save_began_ms != 0 ? (long long)(now_s - store->save_began_ms / 1000) : -1LL);
    line(info, "rdb_saves:%llu", (unsigned long long)store->saves_count);
    line(info, "aof_enabled:0");
    line(info, "aof_rewrite_in_progress:0");
    line(info, "aof_rewrite_scheduled:0");
    line(info, "aof_last_rewrite_time_sec:-1");
    line(info, "aof_current_rewrite_time_sec:-1");
    line(info, "aof_last_bgrewrite_status:ok");
    line(info, "aof_last_write_status:ok");
}

static void info_stats(struct kw_info *info)
{
    line(info, "total_connections_received:%llu", sum(info, KW_METRIC_connections_received));
    line(info, "total_commands_processed:%llu", sum(info, KW_METRIC_requests));
    line(info, "instantaneous_ops_per_sec:%llu", sum(info, KW_METRIC_requests_per_second));
    line(info, "total_net_input_bytes:%llu", sum(info, KW_METRIC_input_bytes));
    line(info, "total_net_output_bytes:%llu", sum(info, KW_METRIC_output_bytes));
    line(info, "instantaneous_input_kbps:%.2f",
         (double)sum(info, KW_METRIC_input_bytes_per_second) / 1024);
    line(info, "instantaneous_output_kbps:%.2f",
         (double)sum(info, KW_METRIC_output_bytes_per_second) / 1024);
    line(info, "rejected_connections:%llu", sum(info, KW_METRIC_connections_rejected));
    line(info, "sync_full:0");
    line(info, "sync_partial_ok:0");
    line(info, "sync_partial_err:0");
    line(info, "expired_keys:%llu", (unsigned long long)info->store.expired_count);
    line(info, "evicted_keys:%llu", (unsigned long long)info->store.evicted_count);
    line(info, "keyspace_hits:%llu", (unsigned long long)info->store.hits_count);
    line(info, "keyspace_misses:%llu", (unsigned long long)info->store.misses_count);
    line(info, "pubsub_channels:%llu", names(info, KW_CHANNEL_PLAIN));
    line(info, "pubsub_patterns:%llu", names(info, KW_CHANNEL_PATTERN));
    line(info, "pubsubshard_channels:%llu", names(info, KW_CHANNEL_SHARD));
    line(info, "latest_fork_usec:0");
    line(info, "total_forks:0");
    line(info, "unexpected_error_replies:0");
    line(info, "total_error_replies:%llu", (unsigned long long)kw__info_errors(info));
    line(info, "total_reads_processed:%llu", sum(info, KW_METRIC_requests));
    line(info, "total_writes_processed:%llu", sum(info, KW_METRIC_client_writes));
}

static void info_replication(struct kw_info *info)
{
    line(info, "role:master");
    line(info, "connected_slaves:0");
    line(info, "master_failover_state:no-failover");
    line(info, "master_replid:%s", info->proxy->hub->run_id);
    line(info, "master_replid2:0000000000000000000000000000000000000000");
    line(info, "master_repl_offset:0");
    line(info, "second_repl_offset:-1");
    line(info, "repl_backlog_active:0");
    line(info, "repl_backlog_size:0");
    line(info, "repl_backlog_first_byte_offset:0");
    line(info, "repl_backlog_histlen:0");
}

static void info_cpu(struct kw_info *info)
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
        line(info, "used_cpu_sys:%.2f", (double)sys / (double)ticks);
        line(info, "used_cpu_user:%.2f", (double)user / (double)ticks);
    }
    fclose(file);
    line(info, "used_cpu_sys_children:0.00");
    line(info, "used_cpu_user_children:0.00");
}

/* Modules are the nodes'. */
static void info_modules(struct kw_info *info)
{
    (void)info;
}

static void info_cluster(struct kw_info *info)
{
    line(info, "cluster_enabled:%d", info->is_cluster ? 1 : 0);
}

static void info_keyway(struct kw_info *info)
{
    const struct kw_stats_hub *hub = info->proxy->hub;

    line(info, "topology_version:%llu", (unsigned long long)atomic_load(&hub->topology_version));
    line(info, "topology_nodes:%u", atomic_load(&hub->nodes_known));
    line(info, "topology_slots_covered:%u", atomic_load(&hub->slots_covered));
    for (int metric = 0; metric < KW_METRIC_COUNT; metric++) {
        line(info, "%s:%llu", kw_metric_name((enum kw_metric)metric),
             sum(info, (enum kw_metric)metric));
    }
}

static void info_nearcache(struct kw_info *info)
{
    kw_near_report(info->proxy, &info->text);
}

/* As of the last time that the nodes were asked, which happens more often now: cluster/probe.h. */
static void info_keyspace(struct kw_info *info)
{
    struct kw_keyspace *keyspace = &info->proxy->hub->keyspace;

    if (info->store.keys_count > 0) {
        line(info, "db0:keys=%llu,expires=%llu,avg_ttl=0",
             (unsigned long long)info->store.keys_count,
             (unsigned long long)info->store.timed_count);
    }
    atomic_store_explicit(&keyspace->wanted_ms, kw_loop_now_ms(info->proxy->loop),
                          memory_order_relaxed);
    for (int db = 0; db < KW_KEYSPACE_DBS_MAX; db++) {
        unsigned long long keys = atomic_load(&keyspace->dbs[db].keys);
        if (keys > 0) {
            line(info, "db%d:keys=%llu,expires=%llu,avg_ttl=%llu", db, keys,
                 (unsigned long long)atomic_load(&keyspace->dbs[db].expires),
                 (unsigned long long)atomic_load(&keyspace->dbs[db].avg_ttl_ms));
        }
    }
}
