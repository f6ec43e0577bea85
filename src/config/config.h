/* config.h - what the operator asked for: one immutable, reference-counted snapshot.
 *
 * A snapshot is built once, by kw_config_load(), and never written again: whoever holds a reference
 * reads its plain fields without a lock. Each field belongs to one row of options.def, which says
 * its directive, default, limits and documentation.
 *
 * Thread: any; kw_config_ref() and kw_config_unref() are atomic. Loading: one thread, at the start.
 * Memory: new and load return one reference, which the caller owns. Every pointer in the snapshot
 *         belongs to it and lives as long as a reference does.
 * See also: options.def (the table), file.h (the grammar), describe.h (CONFIG GET, --help).
 */
#ifndef KW_CONFIG_CONFIG_H
#define KW_CONFIG_CONFIG_H

#include "base/bytes.h"
#include "base/log.h"
#include "base/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KW_CONFIG_ERROR_MAX = 1024 /* bytes that hold every error text of kw_config_load(), with NUL */
};

/* One node to ask for the topology, or one keyway of a set. */
struct kw_config_seed {
    char *host; /* a name, an IPv4 address, or an IPv6 address without brackets */
    uint16_t port;
};

/* How much unread output a client may pile up; 0 = no such limit. */
struct kw_config_output_limit {
    uint64_t hard_bytes; /* close at once */
    uint64_t soft_bytes; /* close when above it for soft_s */
    unsigned soft_s;
};

/* What clients take keyway for. */
enum kw_personality {
    KW_PERSONALITY_STANDALONE = 0, /* one plain server */
    KW_PERSONALITY_CLUSTER         /* a cluster whose nodes are keyways */
};

/* What the near cache does when a node can't tell of changes. */
enum kw_near_fallback {
    KW_NEAR_FALLBACK_OFF = 0, /* nothing of that node is cached */
    KW_NEAR_FALLBACK_MAX_AGE  /* replies are as old as near-cache-max-age-ms */
};

/* Which reads share one call with those that miss the same at once. */
enum kw_coalescing {
    KW_COALESCING_NO = 0,
    KW_COALESCING_HOT, /* of keys that something may be kept of */
    KW_COALESCING_YES
};

/* Does keyway serve keys of its own? */
enum kw_embedding {
    KW_EMBEDDING_AUTO = 0, /* when no cluster is named */
    KW_EMBEDDING_YES,
    KW_EMBEDDING_NO
};

/* Up to where OBJECT ENCODING calls objects of the embedded store listpack or intset. */
struct kw_packing {
    uint64_t hash_entries_max;
    uint64_t hash_value_max; /* bytes of a field, of a value */
    uint64_t set_numbers_max;
    uint64_t zset_entries_max;
    uint64_t zset_value_max; /* bytes of a member */
};

/* Who may DEBUG. */
enum kw_debug_leave { KW_DEBUG_NO = 0, KW_DEBUG_LOCAL, KW_DEBUG_YES };

/* Which keys leave when memory is full. In this order: the words of maxmemory-policy. */
enum kw_memory_policy {
    KW_MEMORY_VOLATILE_LRU = 0,
    KW_MEMORY_VOLATILE_LFU,
    KW_MEMORY_VOLATILE_RANDOM,
    KW_MEMORY_VOLATILE_TTL,
    KW_MEMORY_ALLKEYS_LRU,
    KW_MEMORY_ALLKEYS_LFU,
    KW_MEMORY_ALLKEYS_RANDOM,
    KW_MEMORY_NOEVICTION,
    KW_MEMORY_BALANCED
};

struct kw_config {
    /* where clients come in */
    int port;          /* 0 = no TCP */
    char **bind;       /* a leading '-': skip if the address is not available; '*' = any */
    size_t bind_count; /* >= 1 */
    enum kw_personality personality; /* of port and unixsocket */
    int cluster_port;                /* one more, with the cluster personality; 0 = none */
    char *unixsocket;                /* a path; "" = none */
    unsigned unixsocketperm;         /* mode bits; 0 = as the umask says */
    int tcp_backlog;                 /* for listen(2) */
    unsigned timeout_s;              /* close clients idle for so long; 0 = never */
    unsigned tcp_keepalive_s;        /* 0 = off */

    /* limits */
    size_t maxclients;                        /* the next one gets an error and a close */
    uint64_t maxmemory_bytes;                 /* of keyway's own memory; 0 = no limit */
    uint64_t proto_max_bulk_len_bytes;        /* one argument */
    uint64_t client_query_buffer_limit_bytes; /* one client's unprocessed input */
    struct kw_config_output_limit output_normal;
    struct kw_config_output_limit output_pubsub;
    size_t tracking_table_max_keys; /* keys remembered for CLIENT TRACKING; 0 = no limit */

    /* the embedded store */
    enum kw_embedding embedded;
    enum kw_debug_leave enable_debug_command; /* who may DEBUG */
    enum kw_memory_policy maxmemory_policy;
    unsigned maxmemory_samples; /* as redis has it, without effect */
    struct kw_packing packing;
    int64_t list_packing;         /* taken note of, as redis 7.0 shows nothing of it */
    char *notify_keyspace_events; /* redis's letters */
    char *snapshot_file;          /* "" = none */
    unsigned snapshot_interval_s; /* 0 = at the end alone */

    /* the cluster personality */
    char *cluster_announce_ip;              /* "" = the address that the client talks to */
    char *cluster_announce_hostname;        /* "" = none; else what clients are to connect to */
    int cluster_announce_port;              /* 0 = the port that the client talks to */
    struct kw_config_seed *cluster_keyways; /* who share the slots; NULL when the count is 0 */
    size_t cluster_keyways_count;           /* 0: this keyway alone */

    /* the cluster behind */
    struct kw_config_seed *cluster_seeds; /* NULL when the count is 0 */
    size_t cluster_seeds_count;
    char *cluster_auth_user;        /* secret; "" = AUTH with the password alone */
    char *cluster_auth_pass;        /* secret; "" = no AUTH */
    unsigned links_per_node;        /* per worker */
    unsigned leased_links_per_node; /* of the whole process */
    unsigned node_timeout_ms;       /* a reply later than this is a timeout */
    unsigned node_failure_limit;    /* consecutive timeouts that open the breaker (R4) */
    unsigned health_interval_ms;    /* between probes of a node whose breaker is open (R4) */
    unsigned topology_refresh_ms;   /* periodic discovery, to be jittered (T3) */
    unsigned request_retry_ms;      /* redirections and TRYAGAIN/CLUSTERDOWN/LOADING: R1's budget */
    bool partial_reads;             /* MGET of a failed node: errors as elements (C6) */
    bool pubsub_in_order;           /* across channels: all of them live at one node */
    uint64_t
        node_queue_limit_bytes; /* unsent requests to one node, per worker (L1); 0 = no limit */

    /* the cache */
    bool near_cache;
    unsigned near_cache_lease_ms;       /* a hit is at most so old (R4) */
    unsigned near_cache_max_age_ms;     /* an entry is fetched anew after so long (R8) */
    uint64_t near_cache_max_item_bytes; /* of a reply */
    unsigned near_cache_admit_reads;    /* a key is hot that was read so often lately */
    char *near_cache_prefix;            /* only keys with one of these, blanks between; "" = all */
    char *near_cache_skip_prefix;       /* no keys with one of these */
    enum kw_near_fallback near_cache_fallback;
    enum kw_coalescing near_cache_coalesce;
    bool near_cache_broadcast; /* nodes tell of all that is written */
    uint64_t cache_max_memory_bytes;
    unsigned cache_eviction; /* enum kw_cache_policy */
    bool cache_huge_pages;
    bool cache_lock_memory;

    /* the process */
    unsigned threads;        /* 0 = one per core, at most 4 */
    bool io_uring;           /* bursts may use it (net/burst.h) */
    unsigned batch_delay_us; /* 0 = output leaves at the end of each tick (K1) */
    bool daemonize;
    char *pidfile; /* "" = none */
    char *logfile; /* "" = stdout */
    enum kw_log_level loglevel;
    int64_t slowlog_slower_than_us; /* -1 = no slow log */
    unsigned slowlog_max_len;       /* entries */
    unsigned latency_threshold_ms;  /* events at least so long are kept; 0 = none */
    unsigned monitor_sample_rate;   /* MONITOR shows one command in so many */
    unsigned shutdown_timeout_s;    /* SIGTERM: how long requests in flight may take (P2) */

    /* how it was loaded */
    char *config_file; /* the FILE argument as given; "" = none */
    char **notes;      /* what the operator should read: directives ignored, secrets exposed */
    size_t notes_count;

    _Atomic unsigned references_count; /* config.c's */
};

/* The defaults of options.def: no seeds, no notes. */
struct kw_config *kw_config_new_default(void);

/* Build a snapshot from the command line, as redis-server reads it: [FILE | -] [--directive
 * value ...] ...; `-` is stdin. What is on the command line wins over the file; else later wins
 * over earlier (but cluster-seeds lines add up within their source).
 *
 * argc, argv  as main() got them; argv[0] is skipped. Flags such as --help are the caller's to
 *             take out first: here they are unknown directives.
 * error       on failure: lines of text without a final newline, never with a secret in them
 * Returns KW_OK and *config (one reference), or KW_E_INVALID with *config = NULL and the text.
 */
KW_CHECK enum kw_status kw_config_load(int argc, char **argv, struct kw_config **config,
                                       char *error, size_t error_size);

/* The same from TEXT in redis.conf's grammar; `include` is refused there. For tests and fuzzing. */
KW_CHECK enum kw_status kw_config_load_text(struct kw_bytes text, struct kw_config **config,
                                            char *error, size_t error_size);

/* True when keyway serves keys of its own, with no cluster behind. */
static inline bool kw_config_is_embedded(const struct kw_config *config)
{
    return config->embedded == KW_EMBEDDING_YES ||
           (config->embedded == KW_EMBEDDING_AUTO && config->cluster_seeds_count == 0);
}

/* Another reference to CONFIG, which is returned. */
struct kw_config *kw_config_ref(struct kw_config *config);

/* Give the reference *CONFIG back and set it to NULL; NULL is allowed. The last one frees. */
void kw_config_unref(struct kw_config **config);

/* Write the notes to the log, one line each: once, after kw_log_open(). */
void kw_config_log_notes(const struct kw_config *config);

#endif
