/* command.h - the command table: one immutable row for each command, and how a row is found.
 *
 * Rows are written in commands.def, the only source of truth. A subcommand has a row of its own,
 * named "client|setname", right behind its container "client". Names are found without regard to
 * ASCII case, in constant time, through a generated hash index.
 *
 * Thread: any; everything here is constant.
 * Memory: rows have static storage.
 * See also: policy.h (what the enums mean), keys.h (where the keys of a request are),
 *           describe.h (COMMAND and its family).
 */
#ifndef KW_COMMAND_COMMAND_H
#define KW_COMMAND_COMMAND_H

#include "base/bytes.h"
#include "command/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Flags of a command, with redis's meaning where redis has the word. */
#define KW_COMMAND_READ (1u << 0)              /* only reads: may be sent again after it was sent */
#define KW_COMMAND_WRITE (1u << 1)             /* may change keys: never sent twice (R2) */
#define KW_COMMAND_DENYOOM (1u << 2)           /* refused by a node that is out of memory */
#define KW_COMMAND_FAST (1u << 3)              /* O(1) or O(log n) */
#define KW_COMMAND_BLOCKING (1u << 4)          /* may block the connection it is on */
#define KW_COMMAND_MOVABLE_KEYS (1u << 5)      /* first/last/step can't say where the keys are */
#define KW_COMMAND_ADMIN (1u << 6)             /* for operators */
#define KW_COMMAND_PUBSUB (1u << 7)            /* about channels */
#define KW_COMMAND_NOSCRIPT (1u << 8)          /* not allowed in scripts */
#define KW_COMMAND_LOADING (1u << 9)           /* works while a node loads its data */
#define KW_COMMAND_STALE (1u << 10)            /* works on a replica that lost its master */
#define KW_COMMAND_NO_AUTH (1u << 11)          /* allowed before AUTH */
#define KW_COMMAND_NO_MULTI (1u << 12)         /* not allowed in MULTI */
#define KW_COMMAND_NO_ASYNC_LOADING (1u << 13) /* fails while a replica loads beside serving */
#define KW_COMMAND_ALLOW_BUSY (1u << 14)       /* works while a script is busy */
#define KW_COMMAND_NO_MANDATORY_KEYS (1u << 15) /* numkeys may be 0 (EVAL) */
#define KW_COMMAND_MAY_REPLICATE (1u << 16)     /* no write, yet replicated (PUBLISH) */
#define KW_COMMAND_SKIP_MONITOR (1u << 17)      /* not shown by MONITOR */
#define KW_COMMAND_SKIP_SLOWLOG (1u << 18)      /* not put into the slow log */
#define KW_COMMAND_ASKING (1u << 19)            /* implies ASKING */
#define KW_COMMAND_PROTECTED (1u << 20)         /* off by default on servers */
#define KW_COMMAND_TOUCHES_ANY_KEY (1u << 21)   /* keys that no argument names */
#define KW_COMMAND_SENTINEL (1u << 22)          /* a sentinel has it too */
#define KW_COMMAND_ONLY_SENTINEL (1u << 23)     /* only a sentinel has it */
#define KW_COMMAND_MODULE (1u << 24)            /* comes from a module */
#define KW_COMMAND_DEPRECATED (1u << 25)        /* there is a better command */
#define KW_COMMAND_SYSTEM (1u << 26)            /* internal to servers */
#define KW_COMMAND_CONTAINER (1u << 27)         /* has subcommands */
#define KW_COMMAND_ASKS (1u << 28) /* keyway's own word: changes nothing, though not called READ */

/* How the keys of one specification are found from where it begins. */
enum kw_find {
    KW_FIND_NONE = 0, /* no (further) specification */
    KW_FIND_AT,       /* one key, at BEGIN */
    KW_FIND_RANGE,    /* from BEGIN to LAST, every STEP-th; LAST < 0 counts from the end of argv */
    KW_FIND_NUMKEYS,  /* BEGIN holds the number of keys, which follow, every STEP-th */
    KW_FIND_STREAMS,  /* the first half of what follows STREAMS (XREAD) */
    KW_FIND_STORE,    /* the argument after the last STORE or STOREDIST, if any (GEORADIUS) */
    KW_FIND_PATTERNS, /* SORT's BY and GET: keys named by data, which only a node can see */
    KW_FIND_SORT,     /* the argument after the last STORE, if any, with SORT's options skipped */
    KW_FIND_MIGRATE,  /* at 3, or all that follows KEYS when argument 3 is empty */
    KW_FIND_MEMORY    /* the argument after MEMORY at BEGIN, if it is there (JSON.DEBUG) */
};

/* What happens to the keys of one specification. */
#define KW_KEY_RO (1u << 0)              /* read-only: not modified */
#define KW_KEY_RW (1u << 1)              /* modified */
#define KW_KEY_OW (1u << 2)              /* overwritten, whatever it was */
#define KW_KEY_RM (1u << 3)              /* deleted */
#define KW_KEY_ACCESS (1u << 4)          /* its content reaches the client */
#define KW_KEY_UPDATE (1u << 5)          /* its content changes */
#define KW_KEY_INSERT (1u << 6)          /* content is added */
#define KW_KEY_DELETE (1u << 7)          /* content is removed */
#define KW_KEY_NOT_KEY (1u << 8)         /* no key, but hashes to a slot like one (a channel) */
#define KW_KEY_INCOMPLETE (1u << 9)      /* there are keys that this does not find */
#define KW_KEY_VARIABLE_FLAGS (1u << 10) /* depends on other arguments */

struct kw_key_spec {
    uint8_t find;   /* enum kw_find; the fields below as it says */
    uint8_t begin;  /* index in argv */
    int8_t last;    /* index relative to BEGIN, or to the end of argv when negative */
    uint8_t step;   /* arguments that belong to one key, itself included; never 0 */
    uint16_t flags; /* KW_KEY_* */
};

enum {
    KW_COMMAND_NAME_MAX = 39, /* bytes of "sentinel|get-primary-addr-by-name", and some room */
    KW_COMMAND_KEY_SPECS_MAX = 3
};

enum kw_group {
    KW_GROUP_GENERIC = 0,
    KW_GROUP_STRING,
    KW_GROUP_BITMAP,
    KW_GROUP_LIST,
    KW_GROUP_SET,
    KW_GROUP_SORTED_SET,
    KW_GROUP_HASH,
    KW_GROUP_STREAM,
    KW_GROUP_GEO,
    KW_GROUP_HYPERLOGLOG,
    KW_GROUP_ARRAY,
    KW_GROUP_PUBSUB,
    KW_GROUP_SCRIPTING,
    KW_GROUP_TRANSACTIONS,
    KW_GROUP_CONNECTION,
    KW_GROUP_SERVER,
    KW_GROUP_CLUSTER,
    KW_GROUP_SENTINEL,
    KW_GROUP_JSON, /* from here on: modules */
    KW_GROUP_SEARCH,
    KW_GROUP_BLOOM,
    KW_GROUP_CUCKOO,
    KW_GROUP_CMS,
    KW_GROUP_TOPK,
    KW_GROUP_TDIGEST,
    KW_GROUP_TIMESERIES,
    KW_GROUP_VECTOR_SET,
    KW_GROUP_COUNT
};

struct kw_command {
    /* read for every request */
    uint16_t id;    /* for per-command counters: below kw_command_count(); all learned rows: that */
    int16_t arity;  /* arguments with the name; negative: at least that many */
    uint32_t flags; /* KW_COMMAND_* */
    enum kw_route route;
    enum kw_local local;
    struct kw_key_spec keys[KW_COMMAND_KEY_SPECS_MAX]; /* in the order of the arguments */
    uint8_t name_len;
    char name[KW_COMMAND_NAME_MAX + 1]; /* lower case, "client|setname" */

    /* read when there is more than one call, or a cache */
    enum kw_merge merge;
    enum kw_session session;
    enum kw_caching cache;

    /* read only to describe the command */
    enum kw_group group;
    uint32_t acl;  /* ACL categories that flags don't imply, internal.h; 0: the group's own */
    uint32_t tips; /* internal.h */
    char since[8]; /* the server version that brought it, "" when unknown */
};

/* The top-level command NAME, or NULL. A container is found, its subcommands are not. */
const struct kw_command *kw_command_find(struct kw_bytes name);

/* The subcommand WORD of CONTAINER, or NULL. */
const struct kw_command *kw_command_find_subcommand(const struct kw_command *container,
                                                    struct kw_bytes word);

/* True when ROW is a subcommand of CONTAINER. Its rows are those right behind it, so
 * `for (row = container + 1; kw_command_is_within(row, container); row++)` visits them all.
 */
bool kw_command_is_within(const struct kw_command *row, const struct kw_command *container);

/* The row for the request ARGV of ARGC arguments (at least 1), or NULL when nobody knows the name.
 * For a container whose subcommand is missing or unknown it is the container itself: tell by
 * KW_COMMAND_CONTAINER in flags (COMMAND alone, with argc 1, is a complete request).
 */
const struct kw_command *kw_command_resolve(const struct kw_bytes *argv, size_t argc);

/* A name as it was written, by its first and its last bytes: up to 16, so all of them. */
struct kw_command_name {
    uint64_t head;
    uint64_t tail;
    size_t len;
    const struct kw_command *command;
};

enum { KW_COMMAND_RECENT_NAMES = 8 };

/* Those found last, at places that their first letters choose: the next request's is mostly one of
 * them, and found with three comparisons. Zero is empty.
 */
struct kw_command_recent {
    struct kw_command_name names[KW_COMMAND_RECENT_NAMES];
};

/* As kw_command_resolve(), with the help of RECENT, which is kept up. */
const struct kw_command *kw_command_resolve_recent(struct kw_command_recent *recent,
                                                   const struct kw_bytes *argv, size_t argc);

/* The row that TEXT names: "get", "client|setname" in any case, or NULL. */
const struct kw_command *kw_command_find_full(struct kw_bytes text);

/* Number of rows; ids are below it. */
size_t kw_command_count(void);

/* The row with the id INDEX (asserted to be below the count). */
const struct kw_command *kw_command_at(size_t index);

/* True when ARGC arguments, the name included, are not too few or too many. */
static inline bool kw_command_arity_ok(const struct kw_command *command, size_t argc)
{
    return command->arity >= 0 ? argc == (size_t)command->arity : argc >= (size_t)-command->arity;
}

/* True when it can be sent again after its bytes have left, whatever became of the first (R2). */
static inline bool kw_command_may_retry(const struct kw_command *command)
{
    return (command->flags & (KW_COMMAND_READ | KW_COMMAND_WRITE | KW_COMMAND_BLOCKING)) ==
               KW_COMMAND_READ ||
           (command->flags & KW_COMMAND_ASKS) != 0;
}

/* True when this request may hold its connection until something happens: BLPOP always, XREAD
 * only with BLOCK.
 */
bool kw_command_is_blocking(const struct kw_command *command, const struct kw_bytes *argv,
                            size_t argc);

/* False for rows that are refused or whose route is not built yet: they are not listed to clients.
 * A container is offered when one of its subcommands is. Same verdict as kw_admit() in proxy/.
 */
bool kw_command_is_offered(const struct kw_command *command);

#endif
