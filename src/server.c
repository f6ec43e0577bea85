/* server.c - setup and teardown in order, and the letters between the control thread and the
 * workers.
 *
 *   workers --"a fresh topology is wanted"--> discover --topology--> all workers, probe
 *   probe   --"node down / up"--> discover (hurry), workers (try again)
 *
 * Shutdown (P2): SIGTERM -> workers stop accepting and finish what is in flight -> the last one
 * says so, or shutdown-timeout is over, or a second signal comes -> teardown in reverse order.
 */
#include "server.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cluster/discover.h"
#include "cluster/learn.h"
#include "cluster/probe.h"
#include "config/board.h"
#include "net/inbox.h"
#include "net/loop.h"
#include "net/signals.h"
#include "net/sock.h"
#include "net/timer.h"
#include "proxy/crew.h"
#include "proxy/embedded/events.h"
#include "proxy/near/near.h"
#include "proxy/pubsub/census.h"
#include "stats/latency.h"
#include "stats/slowlog.h"
#include "store/snapshot/snapshot.h"
#include "worker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    LISTEN_MAX = 64,
    THREADS_AUTO_MAX = 4, /* more only when asked for: a proxy beside an application */
    RESERVED_FDS = 128    /* links, control connections, log */
};

struct kw_server {
    struct kw_config *config; /* one reference */
    struct kw_config_board *board;
    int argc; /* the command line, to be read again */
    char **argv;
    struct kw_letter config_letter; /* to ourselves: the board has changed */
    _Atomic bool is_config_posted;
    struct kw_loop *loop;
    struct kw_inbox *inbox;
    struct kw_signals *signals;
    struct kw_discover *discover;
    struct kw_probe *probe;
    struct kw_learn *learn;
    struct kw_timer *deadline; /* runs while shutting down */
    struct kw_stats_hub *hub;
    struct kw_crew *crew;
    struct kw_near_shared *near;  /* NULL: with the embedded store there is no near cache */
    struct kw_commons *commons;   /* with the embedded store; NULL: there is a cluster */
    struct kw_snapshot *snapshot; /* NULL: its keys are kept nowhere */
    struct kw_worker *workers[KW_WORKERS_MAX];
    unsigned workers_count;
    unsigned drained_count;
    bool is_stopping;
};

static void run_id_draw(char *text, size_t size);
static enum kw_status server_share_near(struct kw_server *server);
static const char *server_check_config(void *arg, const struct kw_config *now,
                                       const struct kw_config *next, struct kw_blob *why);
static unsigned threads_wanted(const struct kw_config *config);
static enum kw_status server_embed(struct kw_server *server);
static enum kw_status server_load_keys(struct kw_server *server);
static enum kw_status server_keep_whole(const char *path, uint64_t left_out_count);
static enum kw_status server_listen(struct kw_server *server, unsigned worker, int port,
                                    enum kw_personality personality, struct kw_door *doors,
                                    size_t *count);
static enum kw_status listen_tcp(const struct kw_config *config, const char *host, int port,
                                 bool is_first, int *fd);
static enum kw_status listen_unix(const struct kw_config *config, int *fd);
static void server_on_letter(void *arg, struct kw_letter *letter);
static void server_on_config_change(void *arg);
static void server_take_config(struct kw_server *server);
static void server_reload(struct kw_server *server);
static void server_on_signal(void *arg, int number);
static void server_watch_nodes(struct kw_server *server);
static void server_on_topology(void *arg, struct kw_topology *taken);
static void server_on_node_state(void *arg, const struct kw_topology_node *node, bool is_alive);
static void server_on_learned(void *arg, const struct kw_learned *learned);
static void server_on_deadline(void *arg);

/* As many files as clients and their links may need. */
static void files_allow(const struct kw_config *config)
{
    size_t clients = config->maxclients;
    size_t allowed = kw_sock_raise_limit(2 * clients + RESERVED_FDS); /* each may lease a link */

    if (allowed < clients + RESERVED_FDS) {
        kw_log(KW_LOG_WARNING,
               "this process may open %zu files: maxclients %zu needs some %zu, and as many again "
               "for clients that block; raise the limit (ulimit -n, LimitNOFILE)",
               allowed, clients, clients + RESERVED_FDS);
    }
}

enum kw_status kw_server_new(struct kw_config *config, int argc, char **argv,
                             struct kw_server **server)
{
    struct kw_server *made = kw_alloc_zero(1, sizeof *made);
    enum kw_status status = KW_OK;
    int shared_fd = -1; /* the Unix socket: one for all workers, as paths can't be shared out */

    made->config = kw_config_ref(config);
    made->board = kw_config_board_new(config);
    made->argc = argc;
    made->argv = argv;
    made->hub = kw_alloc_line(1, sizeof *made->hub);
    made->hub->started_ms = kw_clock_ms();
    atomic_store(&made->hub->next_client_id, 1);
    made->hub->workers_count = threads_wanted(config);
    files_allow(config);
    kw_signals_block();
    run_id_draw(made->hub->run_id, sizeof made->hub->run_id);
    made->hub->slowlog = kw_slowlog_new();
    made->hub->latency = kw_latency_new();
    made->crew = kw_crew_new(made->board);
    made->loop = kw_loop_new();
    made->inbox = kw_inbox_open(made->loop, server_on_letter, made);
    kw_config_board_watch(made->board, server_check_config, server_on_config_change, made);
    made->signals = kw_signals_open(made->loop, server_on_signal, made);
    made->deadline = kw_timer_new(made->loop, server_on_deadline, made);
    server_watch_nodes(made);
    if (kw_config_is_embedded(config)) {
        status = server_embed(made);
    }
    if (status == KW_OK && config->unixsocket[0] != '\0') {
        status = listen_unix(config, &shared_fd);
    }
    for (unsigned i = 0; status == KW_OK && i < made->hub->workers_count; i++) {
        struct kw_door doors[LISTEN_MAX];
        size_t count = 0;
        status = server_listen(made, i, config->port, config->personality, doors, &count);
        if (status == KW_OK) {
            status =
                server_listen(made, i, config->cluster_port, KW_PERSONALITY_CLUSTER, doors, &count);
        }
        if (status == KW_OK && shared_fd >= 0) {
            doors[count++] =
                (struct kw_door){i == 0 ? shared_fd : dup(shared_fd), config->personality};
        }
        if (status == KW_OK) {
            made->workers[i] = kw_worker_new(i, config, made->hub, made->inbox, doors, count);
            kw_worker_join(made->workers[i], made->crew);
            if (made->commons != NULL) {
                kw_worker_embed(made->workers[i], made->commons);
            }
            made->workers_count++;
        }
    }
    if (status == KW_OK && made->commons == NULL) {
        status = server_share_near(made);
    }
    if (status != KW_OK) {
        kw_server_free(&made);
    }
    *server = made;
    return status;
}

/* Who is there, who is alive, what they can do: all that asks nodes without a client. */
static void server_watch_nodes(struct kw_server *server)
{
    server->discover = kw_discover_new(server->loop, server->config, server_on_topology, server);
    server->probe = kw_probe_new(&(struct kw_probe_options){.loop = server->loop,
                                                            .config = server->config,
                                                            .discover = server->discover,
                                                            .keyspace = &server->hub->keyspace,
                                                            .on_node_state = server_on_node_state,
                                                            .arg = server});
    server->learn = kw_learn_new(&(struct kw_learn_options){.loop = server->loop,
                                                            .config = server->config,
                                                            .on_learned = server_on_learned,
                                                            .arg = server});
}

void kw_server_run(struct kw_server *server)
{
    /* Not before: a keyway that can't start must not write over the file of another one. */
    if (server->commons != NULL && server->config->snapshot_file[0] != '\0') {
        server->snapshot = kw_snapshot_open(server->commons->store, server->config->snapshot_file,
                                            (uint64_t)server->config->snapshot_interval_s * 1000);
    }
    for (unsigned i = 0; i < server->workers_count; i++) {
        kw_worker_start(server->workers[i]);
    }
    kw_signals_unblock();
    if (server->commons == NULL) {
        kw_discover_start(server->discover);
    }
    kw_loop_run(server->loop);
}

void kw_server_free(struct kw_server **server)
{
    struct kw_server *ending = *server;

    for (unsigned i = ending->workers_count; i > 0; i--) {
        kw_worker_stop(ending->workers[i - 1]);
    }
    kw_crew_stop(ending->crew);
    kw_inbox_close(&ending->inbox); /* with the letters of workers in it: before they are freed */
    for (unsigned i = ending->workers_count; i > 0; i--) {
        kw_worker_free(&ending->workers[i - 1]);
    }
    kw_snapshot_close(&ending->snapshot);
    kw_commons_free(&ending->commons);
    kw_crew_free(&ending->crew);
    kw_near_shared_free(&ending->near);
    kw_learn_free(&ending->learn); /* nobody holds a row any more */
    kw_probe_free(&ending->probe);
    kw_discover_free(&ending->discover);
    kw_timer_free(&ending->deadline);
    kw_signals_close(&ending->signals);
    kw_loop_free(&ending->loop);
    if (ending->config->unixsocket[0] != '\0') {
        unlink(ending->config->unixsocket);
    }
    kw_config_board_free(&ending->board);
    kw_config_unref(&ending->config);
    kw_census_free(ending->hub);
    kw_slowlog_free(&ending->hub->slowlog);
    kw_latency_free(&ending->hub->latency);
    kw_free(ending->hub);
    kw_free(ending);
    *server = NULL;
}

/* Hexadecimal digits, which tell this run of the process from others. */
static void run_id_draw(char *text, size_t size)
{
    unsigned char byte = 0;

    for (size_t i = 0; i + 1 < size; i++) {
        while (getrandom(&byte, 1, 0) != 1) {
        }
        text[i] = "0123456789abcdef"[byte & 15];
    }
    text[size - 1] = '\0';
}

static enum kw_status server_share_near(struct kw_server *server)
{
    enum kw_status status = server->config->near_cache ? kw_near_try(server->config) : KW_OK;

    if (status == KW_OK) {
        server->near = kw_near_shared_new(server->workers_count);
    }
    for (unsigned i = 0; status == KW_OK && i < server->workers_count; i++) {
        kw_worker_share(server->workers[i], server->near);
    }
    return status;
}

/* Any thread. What no row of the options can know. */
static const char *server_check_config(void *arg, const struct kw_config *now,
                                       const struct kw_config *next, struct kw_blob *why)
{
    const struct kw_server *server = arg;
    bool is_new = next->near_cache &&
                  (!now->near_cache || next->cache_max_memory_bytes != now->cache_max_memory_bytes);

    if (is_new && server->commons != NULL) {
        kw_blob_print(why, "there are no nodes behind the embedded store");
        return "near-cache";
    }
    if (is_new && kw_near_try(next) != KW_OK) {
        kw_blob_print(why, "the system refuses the memory");
        return now->near_cache ? "cache-max-memory" : "near-cache";
    }
    return NULL;
}

static unsigned threads_wanted(const struct kw_config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (config->threads > 0) {
        return config->threads < KW_WORKERS_MAX ? config->threads : KW_WORKERS_MAX;
    }
    return cores < 1 ? 1 : cores > THREADS_AUTO_MAX ? THREADS_AUTO_MAX : (unsigned)cores;
}

/* Keys of our own, as there is no cluster. */
static enum kw_status server_embed(struct kw_server *server)
{
    struct kw_store *store = NULL;
    unsigned classes = 0;
    bool is_kept = server->config->snapshot_file[0] != '\0';
    struct kw_store_options options = {.workers_max =
                                           server->hub->workers_count + (is_kept ? 1 : 0)};

    kw_store_options_fill(&options, server->config->maxmemory_bytes,
                          server->config->maxmemory_policy);
    options.packing = server->config->packing;
    if (!kw_events_read(kw_bytes_of_text(server->config->notify_keyspace_events), &classes)) {
        kw_log(KW_LOG_WARNING, "notify-keyspace-events '%s' has a letter that stands for nothing",
               server->config->notify_keyspace_events);
        return KW_E_INVALID;
    }
    if (options.workers_max > KW_WORKERS_MAX) {
        kw_log(KW_LOG_WARNING, "snapshot-file needs a thread of its own: at most %d threads",
               KW_WORKERS_MAX - 1);
        return KW_E_INVALID;
    }
    enum kw_status status = kw_store_new(&options, &store);
    if (status != KW_OK) {
        kw_log(KW_LOG_WARNING, "can't make room for %zu bytes of keys (maxmemory)",
               options.memory_max_bytes);
        return status;
    }
    server->commons = kw_commons_new(store);
    kw_log(KW_LOG_NOTICE, "no cluster behind: keys are kept here, in at most %zu MiB",
           options.memory_max_bytes >> 20);
    return is_kept ? server_load_keys(server) : KW_OK;
}

/* The keys of the last run. A damaged file is put aside: the next one must not take its place. */
static enum kw_status server_load_keys(struct kw_server *server)
{
    const char *path = server->config->snapshot_file;
    struct kw_snapshot_figures figures;
    char aside[4096 + 16];

    enum kw_status status =
        kw_snapshot_load(server->commons->store, path, server->hub->workers_count, &figures);
    if (status == KW_E_NOT_FOUND) {
        kw_log(KW_LOG_NOTICE, "no snapshot %s yet", path);
        return KW_OK;
    }
    if (status == KW_OK) {
        kw_log(KW_LOG_NOTICE, "snapshot: %llu keys read in %llu ms",
               (unsigned long long)figures.keys_count, (unsigned long long)figures.took_ms);
        return figures.left_out_count == 0 ? KW_OK
                                           : server_keep_whole(path, figures.left_out_count);
    }
    if (status == KW_E_REFUSED) {
        kw_log(KW_LOG_WARNING, "snapshot-file %s is a device, a pipe or a folder", path);
        return status;
    }
    if (status != KW_E_INVALID) {
        kw_log(KW_LOG_WARNING, "can't read snapshot-file %s: %m", path);
        return status;
    }
    (void)snprintf(aside, sizeof aside, "%s.damaged", path);
    if (rename(path, aside) != 0) {
        kw_log(KW_LOG_WARNING, "snapshot-file %s is damaged, and can't be put aside: %m", path);
        return KW_E_SYSTEM;
    }
    kw_log(KW_LOG_WARNING, "snapshot-file is damaged: nothing of it is used, it is %s now", aside);
    return KW_OK;
}

/* LEFT_OUT_COUNT keys of the file at PATH found no memory: it keeps another name, as the next one
 * will be without them. One that was kept before has more, and stays.
 */
static enum kw_status server_keep_whole(const char *path, uint64_t left_out_count)
{
    char aside[4096 + 16];

    (void)snprintf(aside, sizeof aside, "%s.whole", path);
    kw_log(KW_LOG_WARNING, "snapshot-file: no memory (maxmemory) for %llu of its keys",
           (unsigned long long)left_out_count);
    if (access(aside, F_OK) != 0 && link(path, aside) != 0) {
        kw_log(KW_LOG_WARNING, "snapshot-file can't be kept, whole, as %s: %m", aside);
        return KW_E_SYSTEM;
    }
    kw_log(KW_LOG_WARNING, "what it was before stays, whole, as %s", aside);
    return KW_OK;
}

/* One socket per address of PORT for WORKER: the kernel spreads connections over the workers'
 * sockets. Appends to DOORS, of LISTEN_MAX places; one stays free for the Unix socket.
 */
static enum kw_status server_listen(struct kw_server *server, unsigned worker, int port,
                                    enum kw_personality personality, struct kw_door *doors,
                                    size_t *count)
{
    const struct kw_config *config = server->config;
    size_t before = *count;

    for (size_t i = 0; port != 0 && i < config->bind_count && *count < LISTEN_MAX - 1; i++) {
        const char *host = config->bind[i];
        bool is_optional = host[0] == '-';
        doors[*count].personality = personality;
        enum kw_status status = listen_tcp(config, host, port, worker == 0, &doors[*count].fd);
        if (status == KW_OK) {
            *count += 1;
            if (worker == 0) {
                kw_log(KW_LOG_NOTICE, "ready: accepting clients on %s port %d with %u threads%s",
                       host + (is_optional ? 1 : 0), port, server->hub->workers_count,
                       personality == KW_PERSONALITY_CLUSTER ? " (cluster personality)" : "");
            }
        } else if (!is_optional || status != KW_E_INVALID) {
            return KW_E_SYSTEM;
        }
    }
    if (port != 0 && *count == before && worker == 0) {
        kw_log(KW_LOG_WARNING, "none of the addresses of `bind` exists on this machine");
        return KW_E_SYSTEM;
    }
    return KW_OK;
}

static enum kw_status listen_tcp(const struct kw_config *config, const char *host, int port,
                                 bool is_first, int *fd)
{
    struct kw_address address;
    const char *reason = "";
    bool is_optional = host[0] == '-';
    host += is_optional ? 1 : 0;
    const char *numeric = strcmp(host, "*") == 0           ? "0.0.0.0"
                          : strcmp(host, "::*") == 0       ? "::"
                          : strcmp(host, "localhost") == 0 ? "127.0.0.1"
                                                           : host;

    if (kw_address_parse(kw_bytes_of_text(numeric), (uint16_t)port, &address) != KW_OK) {
        kw_log(KW_LOG_WARNING, "can't listen on '%s': `bind` takes IP addresses, or * for all",
               host);
        return KW_E_SYSTEM;
    }
    enum kw_status status = is_first ? kw_sock_probe(&address, &reason) : KW_OK;
    if (status == KW_OK) {
        status = kw_sock_listen(&address, config->tcp_backlog, fd, &reason);
    }
    if (status != KW_OK && !(status == KW_E_INVALID && is_optional)) {
        kw_log(KW_LOG_WARNING, "can't listen on %s:%d: %s", host, port, reason);
    } else if (status == KW_E_INVALID) {
        kw_log(KW_LOG_VERBOSE, "not listening on %s:%d: %s", host, port, reason);
    }
    return status;
}

static enum kw_status listen_unix(const struct kw_config *config, int *fd)
{
    const char *reason = "";
    enum kw_status status = kw_sock_listen_unix(config->unixsocket, config->unixsocketperm,
                                                config->tcp_backlog, fd, &reason);

    if (status != KW_OK) {
        kw_log(KW_LOG_WARNING, "can't listen on unixsocket %s: %s", config->unixsocket, reason);
        return KW_E_SYSTEM;
    }
    kw_log(KW_LOG_NOTICE, "ready: accepting clients on %s", config->unixsocket);
    return KW_OK;
}

static void server_on_letter(void *arg, struct kw_letter *letter)
{
    struct kw_server *server = arg;
    struct kw_worker_letter *from = (struct kw_worker_letter *)letter;

    if (letter == &server->config_letter) {
        atomic_store(&server->is_config_posted, false); /* first: a later change is posted anew */
        server_take_config(server);
        return;
    }
    if (from->is_drained) {
        server->drained_count++;
        if (server->drained_count == server->workers_count) {
            kw_loop_stop(server->loop);
        }
        return;
    }
    atomic_store(&from->is_posted, false); /* first: a wish made from now on is a new one */
    kw_discover_refresh(server->discover, KW_REFRESH_REDIRECTED);
}

/* Any thread: whoever changes options. */
static void server_on_config_change(void *arg)
{
    struct kw_server *server = arg;
    bool is_posted = false;

    if (atomic_compare_exchange_strong(&server->is_config_posted, &is_posted, true)) {
        kw_inbox_post(server->inbox, &server->config_letter);
    }
}

/* Go by what hangs on the board, and have the workers do so. */
static void server_take_config(struct kw_server *server)
{
    kw_config_unref(&server->config);
    server->config = kw_config_board_get(server->board);
    kw_log_set_level(server->config->loglevel);
    files_allow(server->config);
    kw_discover_reconfigure(server->discover, server->config);
    kw_probe_reconfigure(server->probe, server->config);
    for (unsigned i = 0; i < server->workers_count; i++) {
        kw_worker_send_config(server->workers[i], kw_config_ref(server->config));
    }
}

/* SIGHUP: the command line and its file are read again. */
static void server_reload(struct kw_server *server)
{
    char error[KW_CONFIG_ERROR_MAX];
    struct kw_config *loaded = NULL;
    struct kw_blob notes = {0};

    if (strcmp(server->config->config_file, "-") == 0) {
        kw_log(KW_LOG_NOTICE, "SIGHUP: the configuration came from stdin and stays as it is");
        return;
    }
    if (kw_config_load(server->argc, server->argv, &loaded, error, sizeof error) != KW_OK) {
        kw_log(KW_LOG_WARNING,
               "SIGHUP: the configuration stays as it is, as the new one is bad: %s", error);
        return;
    }
    size_t changed_count = kw_config_board_reload(server->board, loaded, &notes);
    struct kw_bytes rest = kw_blob_bytes(&notes);
    while (rest.len > 0) {
        size_t len = (size_t)((const char *)memchr(rest.data, '\n', rest.len) - rest.data);
        kw_log(KW_LOG_WARNING, "SIGHUP: %.*s", (int)len, rest.data);
        rest = kw_bytes_of(rest.data + len + 1, rest.len - len - 1);
    }
    kw_blob_deinit(&notes);
    kw_config_unref(&loaded);
    kw_log(KW_LOG_NOTICE, "SIGHUP: configuration read again, %zu options changed", changed_count);
    if (changed_count > 0) {
        server_take_config(server);
    }
}

static void server_on_signal(void *arg, int number)
{
    struct kw_server *server = arg;

    if (number == SIGHUP) {
        kw_log_reopen();
        kw_log(KW_LOG_NOTICE, "SIGHUP: log file opened again");
        server_reload(server);
        return;
    }
    if (server->is_stopping) {
        kw_log(KW_LOG_WARNING, "second signal: ending at once");
        kw_loop_stop(server->loop);
        return;
    }
    kw_log(KW_LOG_NOTICE, "%s: finishing what is in flight, %u s at most",
           number == SIGTERM ? "SIGTERM" : "SIGINT", server->config->shutdown_timeout_s);
    server->is_stopping = true;
    for (unsigned i = 0; i < server->workers_count; i++) {
        kw_worker_send_drain(server->workers[i]);
    }
    kw_timer_start(server->deadline, (uint64_t)server->config->shutdown_timeout_s * 1000);
}

static void server_on_topology(void *arg, struct kw_topology *taken)
{
    struct kw_server *server = arg;

    atomic_store(&server->hub->nodes_known, taken->nodes_count);
    atomic_store(&server->hub->slots_covered, taken->slots_covered);
    atomic_store(&server->hub->topology_version, taken->version);
    kw_probe_follow(server->probe, taken);
    kw_learn_follow(server->learn, taken);
    for (unsigned i = 0; i < server->workers_count; i++) {
        kw_worker_send_topology(server->workers[i], kw_topology_ref(taken));
    }
    kw_topology_unref(&taken);
}

static void server_on_node_state(void *arg, const struct kw_topology_node *node, bool is_alive)
{
    struct kw_server *server = arg;

    for (unsigned i = 0; is_alive && i < server->workers_count; i++) {
        kw_worker_send_alive(server->workers[i], &node->address);
    }
}

static void server_on_learned(void *arg, const struct kw_learned *learned)
{
    struct kw_server *server = arg;

    for (unsigned i = 0; i < server->workers_count; i++) {
        kw_worker_send_learned(server->workers[i], learned);
    }
}

static void server_on_deadline(void *arg)
{
    struct kw_server *server = arg;

    kw_log(KW_LOG_WARNING, "shutdown-timeout is over: closing clients that still wait");
    kw_loop_stop(server->loop);
}
