/* policy.h - what a command means to a proxy, as enum values: one paragraph for each.
 *
 * A row of commands.def names one value of each enum; the code that implements a value is found by
 * grepping its name: two places, the table and one switch. 0 is always the safe default, so that a
 * row that says nothing is refused, not merged, not cached and not resent.
 *
 * Thread: any. Memory: none.
 * See also: command.h (the row), keys.h (where the keys are).
 */
#ifndef KW_COMMAND_POLICY_H
#define KW_COMMAND_POLICY_H

/* Where a request goes. */
enum kw_route {
    /* Never executed: node administration, replication, debugging. A clear error is the answer. */
    KW_ROUTE_REFUSED = 0,
    /* Answered by keyway itself; enum kw_local says by what. */
    KW_ROUTE_LOCAL,
    /* All keys must share one slot (trivially so with one key): the request goes verbatim to the
     * node of that slot, else it gets redis's CROSSSLOT error. Without keys (EVAL with numkeys 0)
     * any node will do. A NOT_KEY argument such as SPUBLISH's channel hashes like a key.
     */
    KW_ROUTE_ONE_SLOT,
    /* Keys may live in several slots: the request is cut by slot and the replies are merged. When
     * all keys share a slot it passes verbatim.
     */
    KW_ROUTE_SPLIT,
    /* One call to each master; the replies are merged. */
    KW_ROUTE_ALL_SHARDS,
    /* One call to any master: each would answer the same, or the node fans out by itself. */
    KW_ROUTE_ANY_SHARD,
    /* SCAN: shards are walked one after the other, the cursor says which one is next. */
    KW_ROUTE_SCAN,
    /* The third argument is a slot number (CLUSTER COUNTKEYSINSLOT): to that slot's node. */
    KW_ROUTE_SLOT_NUMBER,
    /* Needs a connection of its own for a while: blocking, MULTI, WATCH, WAIT ...; enum kw_session
     * says why.
     */
    KW_ROUTE_SESSION
};

/* Which local answer implements a KW_ROUTE_LOCAL row. */
enum kw_local {
    KW_LOCAL_NONE = 0, /* not built yet: refused with a clear error */
    /* A container such as CLIENT, reached only when its subcommand is missing or unknown: the
     * answer is the unknown-subcommand error. (COMMAND, which works alone, is KW_LOCAL_COMMAND.)
     */
    KW_LOCAL_CONTAINER,
    KW_LOCAL_HELP, /* <container> HELP: kw_describe() */
    KW_LOCAL_PING,
    KW_LOCAL_ECHO,
    KW_LOCAL_QUIT,
    KW_LOCAL_RESET,
    KW_LOCAL_HELLO,
    KW_LOCAL_AUTH,
    KW_LOCAL_SELECT,
    KW_LOCAL_CLIENT_SETNAME,
    KW_LOCAL_CLIENT_GETNAME,
    KW_LOCAL_CLIENT_SETINFO,
    KW_LOCAL_CLIENT_ID,
    KW_LOCAL_CLIENT_INFO,
    KW_LOCAL_CLIENT_LIST,
    KW_LOCAL_CLIENT_KILL,
    KW_LOCAL_CLIENT_UNBLOCK,
    KW_LOCAL_CLIENT_NO_EVICT,
    KW_LOCAL_CLIENT_NO_TOUCH,
    KW_LOCAL_CLIENT_REPLY,
    KW_LOCAL_CLIENT_PAUSE,
    KW_LOCAL_CLIENT_UNPAUSE,
    KW_LOCAL_CLIENT_CAPA,
    KW_LOCAL_CLIENT_IMPORT_SOURCE,
    KW_LOCAL_COMMAND, /* without subcommand: the whole table; with an unknown one: an error */
    KW_LOCAL_COMMAND_COUNT,
    KW_LOCAL_COMMAND_DOCS,
    KW_LOCAL_COMMAND_INFO,
    KW_LOCAL_COMMAND_LIST,
    KW_LOCAL_COMMAND_GETKEYS,
    KW_LOCAL_COMMAND_GETKEYSANDFLAGS,
    KW_LOCAL_READONLY,
    KW_LOCAL_READWRITE,
    KW_LOCAL_ASKING,
    KW_LOCAL_PROXY_CACHE,
    KW_LOCAL_PROXY_HELP,
    KW_LOCAL_PROXY_NODE,
    KW_LOCAL_PROXY_NODES,
    KW_LOCAL_PROXY_POOLS,
    KW_LOCAL_PROXY_TOPOLOGY,
    KW_LOCAL_PROXY_VERSION,
    KW_LOCAL_CLUSTER_SLOTS,
    KW_LOCAL_CLUSTER_SHARDS,
    KW_LOCAL_CLUSTER_NODES,
    KW_LOCAL_CLUSTER_INFO,
    KW_LOCAL_CLUSTER_MYID,
    KW_LOCAL_CLUSTER_MYSHARDID,
    KW_LOCAL_CLUSTER_KEYSLOT,
    KW_LOCAL_CLUSTER_LINKS,
    KW_LOCAL_CLUSTER_REPLICAS,        /* SLAVES is the same */
    KW_LOCAL_CLUSTER_FAILURE_REPORTS, /* COUNT-FAILURE-REPORTS */
    KW_LOCAL_INFO,
    KW_LOCAL_CONFIG_GET,
    KW_LOCAL_CONFIG_SET,
    KW_LOCAL_CONFIG_REWRITE,
    KW_LOCAL_CONFIG_RESETSTAT,
    KW_LOCAL_ACL_WHOAMI,
    KW_LOCAL_ACL_USERS,
    KW_LOCAL_ACL_LIST,
    KW_LOCAL_ACL_GETUSER,
    KW_LOCAL_ACL_CAT,
    KW_LOCAL_ACL_GENPASS,
    KW_LOCAL_ACL_LOG,
    KW_LOCAL_ACL_DRYRUN,
    KW_LOCAL_ACL_DELUSER,
    KW_LOCAL_ACL_SETUSER,
    KW_LOCAL_ACL_FILE, /* LOAD and SAVE */
    KW_LOCAL_MONITOR,
    KW_LOCAL_SLOWLOG_GET,
    KW_LOCAL_SLOWLOG_LEN,
    KW_LOCAL_SLOWLOG_RESET,
    KW_LOCAL_COMMANDLOG_GET,
    KW_LOCAL_COMMANDLOG_LEN,
    KW_LOCAL_COMMANDLOG_RESET,
    KW_LOCAL_LATENCY_LATEST,
    KW_LOCAL_LATENCY_HISTORY,
    KW_LOCAL_LATENCY_RESET,
    KW_LOCAL_LATENCY_GRAPH,
    KW_LOCAL_LATENCY_DOCTOR,
    KW_LOCAL_LATENCY_HISTOGRAM,
    KW_LOCAL_ROLE,
    KW_LOCAL_TIME,
    KW_LOCAL_LOLWUT,
    KW_LOCAL_COUNT
};

/* How the replies of several calls become the reply of one request. */
enum kw_merge {
    KW_MERGE_NONE = 0,       /* there is one call: its reply passes untouched */
    KW_MERGE_IN_KEY_ORDER,   /* arrays, their elements put back in the order of the keys (MGET) */
    KW_MERGE_SUM,            /* integers are added; any error is the answer (DEL, DBSIZE) */
    KW_MERGE_SUM_EACH,       /* arrays of name, integer: added name by name (PUBSUB NUMSUB) */
    KW_MERGE_MIN,            /* the smallest integer (WAIT, LASTSAVE) */
    KW_MERGE_MIN_EACH,       /* arrays of integers: the smallest of each position (WAITAOF) */
    KW_MERGE_AND,            /* integers: 1 when all are 1, else 0 (MSETEX) */
    KW_MERGE_AND_EACH,       /* arrays of 0 and 1: 1 where all have 1 (SCRIPT EXISTS) */
    KW_MERGE_ALL_SUCCEEDED,  /* one of the equal replies, or the first error (MSET, FLUSHALL) */
    KW_MERGE_ONE_SUCCEEDED,  /* the first reply that is no error, else an error (SCRIPT KILL) */
    KW_MERGE_CONCATENATE,    /* arrays one after the other (KEYS) */
    KW_MERGE_UNION,          /* arrays, each element once (PUBSUB CHANNELS) */
    KW_MERGE_FIRST_NOT_NULL, /* ask shard after shard until one has something (RANDOMKEY) */
    KW_MERGE_CURSOR,         /* SCAN's: elements pass, the cursor is wrapped */
    KW_MERGE_OWN             /* a rule of this one command's own (HOTKEYS GET, FUNCTION STATS) */
};

/* Why a request needs a connection, or state, that outlives it. */
enum kw_session {
    KW_SESSION_NONE = 0,
    KW_SESSION_BLOCK,          /* always may block: would stall all behind it on a shared link */
    KW_SESSION_BLOCK_OPTION,   /* blocks only with a BLOCK argument: kw_command_is_blocking() */
    KW_SESSION_TRANSACTION,    /* MULTI EXEC DISCARD: queued here, sent as one run */
    KW_SESSION_WATCH,          /* WATCH UNWATCH: the node remembers keys for this connection */
    KW_SESSION_WAIT,           /* WAIT WAITAOF: about the writes of this connection */
    KW_SESSION_SUBSCRIBE,      /* SUBSCRIBE family: replies come at any time */
    KW_SESSION_SUBSCRIBE_SLOT, /* SSUBSCRIBE family: the same, at the owner of the channel's slot */
    KW_SESSION_TRACKING,       /* CLIENT TRACKING and its kin: pushes follow at any time */
    KW_SESSION_PUBLISH,        /* its count of receivers is put right: see proxy/publish.c */
    KW_SESSION_CURSOR,         /* a later request must reach the same node (FT.CURSOR READ) */
    KW_SESSION_STATE           /* other state that the node keeps for a connection */
};

/* What the near cache may do with a request. */
enum kw_caching {
    KW_CACHE_NO = 0,          /* neither stored nor able to make stored replies stale */
    KW_CACHE_EACH_KEY,        /* answered from the values of single keys (GET, MGET, EXISTS) */
    KW_CACHE_WHOLE_REPLY,     /* the reply may be stored under the whole request, by its one key */
    KW_CACHE_INVALIDATES,     /* makes everything stored about its keys stale */
    KW_CACHE_INVALIDATES_ALL, /* makes everything stale (FLUSHALL) */
    KW_CACHE_AT_EXEC          /* makes the keys of the queued writes stale (EXEC) */
};

#endif
