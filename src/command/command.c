/* command.c - see command.h.
 *
 * commands.def becomes one const array, in its order; a row's id is its place there. A name is
 * found in four steps, without a branch on its letters:
 *
 *     "GeT" -> two words: the first and the last bytes, folded to lower case eight at a time
 *           -> factor x head + factor x tail, its top bits: a slot of the generated name index
 *           -> row -> the row's name, length and words equal? (up to 16 bytes that is the whole
 *              name; longer ones have their middle compared too)
 *
 *     name_index.def    | - | 12 | - | - | 301 | 44 | - | ...        2048 slots, row + 1, 0 = free
 *                              |           |
 *     rows                   "getdel"     "zscore"
 *
 * INVARIANTS
 * I1  subcommands stand right behind their container (checked by a test).
 * I2  the index belongs to this commands.def: same number of rows (checked when compiled), every
 *     top-level name is found (checked by a test).
 *
 * Commands that keyway's table does not know are rows of another one, which is asked when this one
 * has no answer: learned.h.
 */
#include "command/command.h"

#include "base/apart.h"
#include "base/assert.h"
#include "command/internal.h"

/* The words that commands.def is written in: flags, flags of keys, tips, ACL categories. */
enum {
    READ = KW_COMMAND_READ,
    WRITE = KW_COMMAND_WRITE,
    DENYOOM = KW_COMMAND_DENYOOM,
    FAST = KW_COMMAND_FAST,
    BLOCKING = KW_COMMAND_BLOCKING,
    MOVABLE_KEYS = KW_COMMAND_MOVABLE_KEYS,
    ADMIN = KW_COMMAND_ADMIN,
    PUBSUB = KW_COMMAND_PUBSUB,
    NOSCRIPT = KW_COMMAND_NOSCRIPT,
    LOADING = KW_COMMAND_LOADING,
    STALE = KW_COMMAND_STALE,
    NO_AUTH = KW_COMMAND_NO_AUTH,
    NO_MULTI = KW_COMMAND_NO_MULTI,
    NO_ASYNC_LOADING = KW_COMMAND_NO_ASYNC_LOADING,
    ALLOW_BUSY = KW_COMMAND_ALLOW_BUSY,
    NO_MANDATORY_KEYS = KW_COMMAND_NO_MANDATORY_KEYS,
    MAY_REPLICATE = KW_COMMAND_MAY_REPLICATE,
    SKIP_MONITOR = KW_COMMAND_SKIP_MONITOR,
    SKIP_SLOWLOG = KW_COMMAND_SKIP_SLOWLOG,
    ASKING = KW_COMMAND_ASKING,
    MODULE = KW_COMMAND_MODULE,
    DEPRECATED = KW_COMMAND_DEPRECATED,
    SYSTEM = KW_COMMAND_SYSTEM,
    CONTAINER = KW_COMMAND_CONTAINER,
    ASKS = KW_COMMAND_ASKS,

    RO = KW_KEY_RO,
    RW = KW_KEY_RW,
    OW = KW_KEY_OW,
    RM = KW_KEY_RM,
    ACCESS = KW_KEY_ACCESS,
    UPDATE = KW_KEY_UPDATE,
    INSERT = KW_KEY_INSERT,
    DELETE = KW_KEY_DELETE,
    NOT_KEY = KW_KEY_NOT_KEY,
    VARIABLE_FLAGS = KW_KEY_VARIABLE_FLAGS,

    NONDETERMINISTIC_OUTPUT = KW__TIP_NONDETERMINISTIC_OUTPUT,
    NONDETERMINISTIC_OUTPUT_ORDER = KW__TIP_NONDETERMINISTIC_OUTPUT_ORDER,
    DONT_CACHE = KW__TIP_DONT_CACHE,
    ALL_NODES = KW__TIP_REQUEST_ALL_NODES,
    ALL_SHARDS = KW__TIP_REQUEST_ALL_SHARDS,
    MULTI_SHARD = KW__TIP_REQUEST_MULTI_SHARD,
    REQUEST_SPECIAL = KW__TIP_REQUEST_SPECIAL,
    ALL_SUCCEEDED = KW__TIP_RESPONSE_ALL_SUCCEEDED,
    ONE_SUCCEEDED = KW__TIP_RESPONSE_ONE_SUCCEEDED,
    AGG_SUM = KW__TIP_RESPONSE_AGG_SUM,
    AGG_MIN = KW__TIP_RESPONSE_AGG_MIN,
    AGG_LOGICAL_AND = KW__TIP_RESPONSE_AGG_LOGICAL_AND,
    RESPONSE_SPECIAL = KW__TIP_RESPONSE_SPECIAL,

    NONE = KW__ACL_NONE,
    KEYSPACE = KW__ACL_KEYSPACE,
    LIST = KW__ACL_LIST,
    SET = KW__ACL_SET,
    SORTEDSET = KW__ACL_SORTEDSET,
    CONNECTION = KW__ACL_CONNECTION,
    SEARCH = KW__ACL_SEARCH,
    DANGEROUS = KW__ACL_DANGEROUS,
    ADMIN_CATEGORY = KW__ACL_ADMIN
};

/* One row. Its arguments become struct fields; see the top of commands.def. */
#define KW_COMMAND(text, version, count, where, words, ...)                                        \
    {.id = __COUNTER__ - ROWS_BEFORE_FIRST,                                                        \
     .name = text,                                                                                 \
     .name_len = sizeof(text) - 1,                                                                 \
     .since = version,                                                                             \
     .arity = (count),                                                                             \
     .route = KW_ROUTE_##where,                                                                    \
     .flags = (words),                                                                             \
     .group = GROUP,                                                                               \
     __VA_ARGS__},
#define NO_KEYS .keys = {{0}}
#define KEYS(...) .keys = {__VA_ARGS__}
#define AT(at, how)                                                                                \
    {                                                                                              \
        .find = KW_FIND_AT, .begin = (at), .step = 1, .flags = (how)                               \
    }
#define FROM(at, to, every, how)                                                                   \
    {                                                                                              \
        .find = KW_FIND_RANGE, .begin = (at), .last = (to), .step = (every), .flags = (how)        \
    }
#define NUMKEYS(at, every, how)                                                                    \
    {                                                                                              \
        .find = KW_FIND_NUMKEYS, .begin = (at), .step = (every), .flags = (how)                    \
    }
#define FIND(form, at, how)                                                                        \
    {                                                                                              \
        .find = KW_FIND_##form, .begin = (at), .step = 1, .flags = (how)                           \
    }
#define ANSWER(what) .local = KW_LOCAL_##what
#define MERGE(how) .merge = KW_MERGE_##how
#define SESSION(why) .session = KW_SESSION_##why
#define CACHE(how) .cache = KW_CACHE_##how
#define ACL(categories) .acl = (categories)
#define TIPS(words) .tips = (words)

enum { ROWS_BEFORE_FIRST = __COUNTER__ + 1 };

static const struct kw_command rows[] = {
#include "command/commands.def"
};

enum { ROWS_COUNT = sizeof rows / sizeof rows[0] };

/* The last slots are there so that probing need not wrap. */
#define SLOT(place, row, text) [place] = (row) + 1,
static const uint16_t name_index[] = {
#include "command/name_index.def"
    [(1 << NAME_INDEX_BITS) - 1 + NAME_INDEX_PROBES_MAX] = 0};

_Static_assert(ROWS_COUNT == NAME_INDEX_ROWS, "commands.def changed: make generate"); /* I2 */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the name index is little-endian");

/* What a name is hashed by and compared by. */
struct name_words {
    uint64_t head; /* its first 8 bytes, or 4, or all when it is shorter */
    uint64_t tail; /* its last 8 or 4; they may overlap */
};

static struct name_words name_words(const char *name, size_t len);
static const struct kw_command *resolve_and_remember(struct kw_command_recent *recent,
                                                     const struct kw_bytes *argv, size_t argc);
static uint64_t fold(uint64_t bytes);
static bool name_matches(const struct kw_command *row, struct kw_bytes name,
                         struct name_words words);

const struct kw_command *kw_command_find(struct kw_bytes name)
{
    if (name.len == 0 || name.len > KW_COMMAND_NAME_MAX) {
        return NULL;
    }
    struct name_words words = name_words(name.data, name.len);
    words.head = fold(words.head);
    words.tail = fold(words.tail);
    uint64_t mixed = words.head * NAME_INDEX_HEAD_FACTOR + words.tail * NAME_INDEX_TAIL_FACTOR;
    const uint16_t *slot = &name_index[mixed >> (64 - NAME_INDEX_BITS)];

    for (size_t i = 0; i < NAME_INDEX_PROBES_MAX && slot[i] != 0; i++) {
        const struct kw_command *row = &rows[slot[i] - 1];
        if (name_matches(row, name, words)) {
            return row;
        }
    }
    return NULL;
}

/* Loads that never leave the name: two overlapping halves, as hash functions do it. */
static inline struct name_words name_words(const char *name, size_t len)
{
    struct name_words words = {0, 0};

    if (len >= 8) {
        memcpy(&words.head, name, 8);
        memcpy(&words.tail, name + len - 8, 8);
    } else if (len >= 4) {
        memcpy(&words.head, name, 4);
        memcpy(&words.tail, name + len - 4, 4);
    } else {
        words.head = (uint64_t)(unsigned char)name[0] |
                     (uint64_t)(unsigned char)name[len / 2] << 8 |
                     (uint64_t)(unsigned char)name[len - 1] << 16;
    }
    return words;
}

/* A to Z become a to z in all eight bytes at once; every other byte stays as it is. A plain
 * "| 0x20" would let "\rET" and "-et" meet.
 */
static inline uint64_t fold(uint64_t bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = bytes & (ones * 0x7f);
    uint64_t from_a = low + ones * (0x80 - 'A');      /* high bit: at least 'A' */
    uint64_t above_z = low + ones * (0x80 - 'Z' - 1); /* high bit: behind 'Z' */
    uint64_t is_upper = (from_a ^ above_z) & ~bytes & (ones * 0x80);

    return bytes | is_upper >> 2;
}

static inline bool name_matches(const struct kw_command *row, struct kw_bytes name,
                                struct name_words words)
{
    if (row->name_len != name.len) {
        return false;
    }
    struct name_words wanted = name_words(row->name, row->name_len);
    if (wanted.head != words.head || wanted.tail != words.tail) {
        return false;
    }
    return name.len <= 16 || strncasecmp(row->name, name.data, name.len) == 0;
}

const struct kw_command *kw_command_resolve(const struct kw_bytes *argv, size_t argc)
{
    const struct kw_command *command = kw_command_find(argv[0]);

    if (command == NULL || (command->flags & KW_COMMAND_CONTAINER) == 0 || argc < 2) {
        return command;
    }
    const struct kw_command *subcommand = kw_command_find_subcommand(command, argv[1]);
    return subcommand != NULL ? subcommand : command;
}

const struct kw_command *kw_command_resolve_recent(struct kw_command_recent *recent,
                                                   const struct kw_bytes *argv, size_t argc)
{
    struct kw_bytes name = argv[0];

    if (name.len - 1 < 2 * sizeof(uint64_t)) { /* more is not all in the two words */
        struct name_words words = name_words(name.data, name.len);
        const struct kw_command_name *last = &recent->names[words.head % KW_COMMAND_RECENT_NAMES];
        if (last->head == words.head && last->tail == words.tail && last->len == name.len) {
            return last->command;
        }
    }
    return resolve_and_remember(recent, argv, argc);
}

static KW_APART const struct kw_command *resolve_and_remember(struct kw_command_recent *recent,
                                                              const struct kw_bytes *argv,
                                                              size_t argc)
{
    const struct kw_command *command = kw_command_resolve(argv, argc);
    struct kw_bytes name = argv[0];

    /* What a container comes to is for its second word to say. */
    if (command != NULL && command->name_len == name.len &&
        (command->flags & KW_COMMAND_CONTAINER) == 0 && name.len <= 2 * sizeof(uint64_t)) {
        struct name_words words = name_words(name.data, name.len);
        recent->names[words.head % KW_COMMAND_RECENT_NAMES] =
            (struct kw_command_name){words.head, words.tail, name.len, command};
    }
    return command;
}

/* Linear over the container's rows (I1): 30 at most, and no data command is among them. */
const struct kw_command *kw_command_find_subcommand(const struct kw_command *container,
                                                    struct kw_bytes word)
{
    size_t word_at = container->name_len + 1u;

    for (const struct kw_command *row = container + 1; kw_command_is_within(row, container);
         row++) {
        if (row->name_len - word_at == word.len &&
            strncasecmp(row->name + word_at, word.data, word.len) == 0) {
            return row;
        }
    }
    return NULL;
}

bool kw_command_is_within(const struct kw_command *row, const struct kw_command *container)
{
    return row >= rows && row < rows + ROWS_COUNT && row->name[container->name_len] == '|' &&
           memcmp(row->name, container->name, container->name_len) == 0;
}

const struct kw_command *kw_command_find_full(struct kw_bytes text)
{
    const char *bar = text.len > 0 ? memchr(text.data, '|', text.len) : NULL;

    if (bar == NULL) {
        return kw_command_find(text);
    }
    size_t container_len = (size_t)(bar - text.data);
    struct kw_bytes argv[2] = {{text.data, container_len}, {bar + 1, text.len - container_len - 1}};
    const struct kw_command *container = kw_command_find(argv[0]);
    return container != NULL ? kw_command_find_subcommand(container, argv[1]) : NULL;
}

size_t kw_command_count(void)
{
    return ROWS_COUNT;
}

const struct kw_command *kw_command_at(size_t index)
{
    KW_ASSERT(index < ROWS_COUNT);
    return &rows[index];
}

/* The options before STREAMS are walked as the server does, so that a group or a consumer called
 * "block" is none. TS.READ has its options behind the key.
 */
bool kw_command_is_blocking(const struct kw_command *command, const struct kw_bytes *argv,
                            size_t argc)
{
    if (command->session != KW_SESSION_BLOCK_OPTION) {
        return command->session == KW_SESSION_BLOCK || command->session == KW_SESSION_WAIT;
    }
    size_t i = command->keys[0].find == KW_FIND_AT ? command->keys[0].begin + 1u : 1;
    for (; i < argc; i++) {
        if (kw_bytes_equal_nocase(argv[i], KW_BYTES("block"))) {
            return true;
        }
        if (kw_bytes_equal_nocase(argv[i], KW_BYTES("streams"))) {
            return false;
        }
        if (kw_bytes_equal_nocase(argv[i], KW_BYTES("count"))) {
            i += 1;
        } else if (kw_bytes_equal_nocase(argv[i], KW_BYTES("group"))) {
            i += 2;
        }
    }
    return false;
}

static bool has_offered_subcommand(const struct kw_command *container)
{
    for (const struct kw_command *row = container + 1; kw_command_is_within(row, container);
         row++) {
        if (row->local != KW_LOCAL_HELP && kw_command_is_offered(row)) {
            return true;
        }
    }
    return false;
}

bool kw_command_is_offered(const struct kw_command *command)
{
    switch (command->route) {
    case KW_ROUTE_ONE_SLOT:
    case KW_ROUTE_SPLIT:
    case KW_ROUTE_ANY_SHARD:
    case KW_ROUTE_SCAN:
    case KW_ROUTE_SLOT_NUMBER:
    case KW_ROUTE_ALL_SHARDS:
        return true;
    case KW_ROUTE_LOCAL:
        return command->local == KW_LOCAL_CONTAINER ? has_offered_subcommand(command)
                                                    : command->local != KW_LOCAL_NONE;
    case KW_ROUTE_REFUSED:
        return false;
    case KW_ROUTE_SESSION:
        return command->session != KW_SESSION_STATE && command->session != KW_SESSION_CURSOR;
    }
    KW_UNREACHABLE();
}
