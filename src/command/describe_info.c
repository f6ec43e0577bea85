/* describe_info.c - one element of COMMAND INFO: flags, categories, tips, specifications of keys.
 *
 *     [ name, arity, {flags}, first, last, step, {categories}, {tips}, {specifications},
 *       [subcommands, each like this] ]
 *
 * First, last and step are the old way to say where keys are. They are computed from the
 * specifications as servers do it, so that old clients see the numbers that they are used to.
 */
#include "base/assert.h"
#include "command/describe.h"
#include "command/internal.h"
#include "resp/writer.h"

/* A bit and its word, in the order in which servers print them. */
struct word {
    uint32_t bit;
    const char *text;
};

#define WORDS_COUNT(words) (sizeof(words) / sizeof(words)[0])

static const struct word flag_words[] = {
    {KW_COMMAND_WRITE, "write"},
    {KW_COMMAND_READ, "readonly"},
    {KW_COMMAND_DENYOOM, "denyoom"},
    {KW_COMMAND_MODULE, "module"},
    {KW_COMMAND_ADMIN, "admin"},
    {KW_COMMAND_PUBSUB, "pubsub"},
    {KW_COMMAND_NOSCRIPT, "noscript"},
    {KW_COMMAND_BLOCKING, "blocking"},
    {KW_COMMAND_LOADING, "loading"},
    {KW_COMMAND_STALE, "stale"},
    {KW_COMMAND_SKIP_MONITOR, "skip_monitor"},
    {KW_COMMAND_SKIP_SLOWLOG, "skip_slowlog"},
    {KW_COMMAND_ASKING, "asking"},
    {KW_COMMAND_FAST, "fast"},
    {KW_COMMAND_NO_AUTH, "no_auth"},
    {KW_COMMAND_MAY_REPLICATE, "may_replicate"},
    {KW_COMMAND_NO_MANDATORY_KEYS, "no_mandatory_keys"},
    {KW_COMMAND_NO_ASYNC_LOADING, "no_async_loading"},
    {KW_COMMAND_NO_MULTI, "no_multi"},
    {KW_COMMAND_ALLOW_BUSY, "allow_busy"},
    {KW_COMMAND_MOVABLE_KEYS, "movablekeys"},
};

static const struct word key_words[] = {
    {KW_KEY_RO, "RO"},
    {KW_KEY_RW, "RW"},
    {KW_KEY_OW, "OW"},
    {KW_KEY_RM, "RM"},
    {KW_KEY_ACCESS, "access"},
    {KW_KEY_UPDATE, "update"},
    {KW_KEY_INSERT, "insert"},
    {KW_KEY_DELETE, "delete"},
    {KW_KEY_NOT_KEY, "not_key"},
    {KW_KEY_INCOMPLETE, "incomplete"},
    {KW_KEY_VARIABLE_FLAGS, "variable_flags"},
};

static const struct word acl_words[] = {
    {KW__ACL_KEYSPACE, "@keyspace"},
    {KW__ACL_READ, "@read"},
    {KW__ACL_WRITE, "@write"},
    {KW__ACL_SET, "@set"},
    {KW__ACL_SORTEDSET, "@sortedset"},
    {KW__ACL_LIST, "@list"},
    {KW__ACL_HASH, "@hash"},
    {KW__ACL_STRING, "@string"},
    {KW__ACL_BITMAP, "@bitmap"},
    {KW__ACL_HYPERLOGLOG, "@hyperloglog"},
    {KW__ACL_GEO, "@geo"},
    {KW__ACL_STREAM, "@stream"},
    {KW__ACL_PUBSUB, "@pubsub"},
    {KW__ACL_ADMIN, "@admin"},
    {KW__ACL_FAST, "@fast"},
    {KW__ACL_SLOW, "@slow"},
    {KW__ACL_BLOCKING, "@blocking"},
    {KW__ACL_DANGEROUS, "@dangerous"},
    {KW__ACL_CONNECTION, "@connection"},
    {KW__ACL_TRANSACTION, "@transaction"},
    {KW__ACL_SCRIPTING, "@scripting"},
    {KW__ACL_ARRAY, "@array"},
    {KW__ACL_JSON, "@json"},
    {KW__ACL_SEARCH, "@search"},
    {KW__ACL_BLOOM, "@bloom"},
    {KW__ACL_CUCKOO, "@cuckoo"},
    {KW__ACL_CMS, "@cms"},
    {KW__ACL_TOPK, "@topk"},
    {KW__ACL_TDIGEST, "@tdigest"},
    {KW__ACL_TIMESERIES, "@timeseries"},
};

static const struct word tip_words[] = {
    {KW__TIP_NONDETERMINISTIC_OUTPUT, "nondeterministic_output"},
    {KW__TIP_NONDETERMINISTIC_OUTPUT_ORDER, "nondeterministic_output_order"},
    {KW__TIP_DONT_CACHE, "dont_cache"},
    {KW__TIP_REQUEST_ALL_NODES, "request_policy:all_nodes"},
    {KW__TIP_REQUEST_ALL_SHARDS, "request_policy:all_shards"},
    {KW__TIP_REQUEST_MULTI_SHARD, "request_policy:multi_shard"},
    {KW__TIP_REQUEST_SPECIAL, "request_policy:special"},
    {KW__TIP_RESPONSE_ALL_SUCCEEDED, "response_policy:all_succeeded"},
    {KW__TIP_RESPONSE_ONE_SUCCEEDED, "response_policy:one_succeeded"},
    {KW__TIP_RESPONSE_AGG_SUM, "response_policy:agg_sum"},
    {KW__TIP_RESPONSE_AGG_MIN, "response_policy:agg_min"},
    {KW__TIP_RESPONSE_AGG_LOGICAL_AND, "response_policy:agg_logical_and"},
    {KW__TIP_RESPONSE_SPECIAL, "response_policy:special"},
};

static size_t count_words(const struct word *words, size_t count, uint32_t bits);
static void put_status_words(struct kw_buf *buf, const struct word *words, size_t count,
                             uint32_t bits, int proto);
static void put_tips(struct kw_buf *buf, uint32_t tips, int proto);
static void put_range(struct kw_buf *buf, const struct kw_command *command);
static void put_specs(struct kw_buf *buf, const struct kw_command *command, int proto);
static void put_subcommands(struct kw_buf *buf, const struct kw_command *command, int proto);

static void put_text(struct kw_buf *buf, const char *text)
{
    kw_reply_bulk(buf, kw_bytes_of_text(text));
}

/* Subcommands have none themselves, so calling this for each of them ends there. */
void kw__describe_info(struct kw_buf *buf, const struct kw_command *command, int proto)
{
    kw_reply_array(buf, 10);
    kw_reply_bulk(buf, kw_bytes_of(command->name, command->name_len));
    kw_reply_int(buf, command->arity);
    put_status_words(buf, flag_words, WORDS_COUNT(flag_words), command->flags, proto);
    put_range(buf, command);
    put_status_words(buf, acl_words, WORDS_COUNT(acl_words), kw__acl_of(command), proto);
    put_tips(buf, command->tips, proto);
    put_specs(buf, command, proto);
    put_subcommands(buf, command, proto);
}

static size_t count_words(const struct word *words, size_t count, uint32_t bits)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        found += (bits & words[i].bit) != 0 ? 1 : 0;
    }
    return found;
}

static void put_status_words(struct kw_buf *buf, const struct word *words, size_t count,
                             uint32_t bits, int proto)
{
    kw_reply_set(buf, count_words(words, count, bits), proto);
    for (size_t i = 0; i < count; i++) {
        if ((bits & words[i].bit) != 0) {
            kw_reply_status(buf, kw_bytes_of_text(words[i].text));
        }
    }
}

void kw__describe_key_flags(struct kw_buf *buf, uint32_t flags, int proto)
{
    put_status_words(buf, key_words, WORDS_COUNT(key_words), flags, proto);
}

static void put_tips(struct kw_buf *buf, uint32_t tips, int proto)
{
    kw_reply_set(buf, count_words(tip_words, WORDS_COUNT(tip_words), tips), proto);
    for (size_t i = 0; i < WORDS_COUNT(tip_words); i++) {
        if ((tips & tip_words[i].bit) != 0) {
            put_text(buf, tip_words[i].text);
        }
    }
}

/* The category that members of a group have unless their row says otherwise. */
static uint32_t acl_of_group(enum kw_group group)
{
    static const uint32_t categories[KW_GROUP_COUNT] = {
        [KW_GROUP_GENERIC] = KW__ACL_KEYSPACE,
        [KW_GROUP_STRING] = KW__ACL_STRING,
        [KW_GROUP_BITMAP] = KW__ACL_BITMAP,
        [KW_GROUP_LIST] = KW__ACL_LIST,
        [KW_GROUP_SET] = KW__ACL_SET,
        [KW_GROUP_SORTED_SET] = KW__ACL_SORTEDSET,
        [KW_GROUP_HASH] = KW__ACL_HASH,
        [KW_GROUP_STREAM] = KW__ACL_STREAM,
        [KW_GROUP_GEO] = KW__ACL_GEO,
        [KW_GROUP_HYPERLOGLOG] = KW__ACL_HYPERLOGLOG,
        [KW_GROUP_ARRAY] = KW__ACL_ARRAY,
        [KW_GROUP_SCRIPTING] = KW__ACL_SCRIPTING,
        [KW_GROUP_TRANSACTIONS] = KW__ACL_TRANSACTION,
        [KW_GROUP_CONNECTION] = KW__ACL_CONNECTION,
        [KW_GROUP_JSON] = KW__ACL_JSON,
        [KW_GROUP_SEARCH] = KW__ACL_SEARCH,
        [KW_GROUP_BLOOM] = KW__ACL_BLOOM,
        [KW_GROUP_CUCKOO] = KW__ACL_CUCKOO,
        [KW_GROUP_CMS] = KW__ACL_CMS,
        [KW_GROUP_TOPK] = KW__ACL_TOPK,
        [KW_GROUP_TDIGEST] = KW__ACL_TDIGEST,
        [KW_GROUP_TIMESERIES] = KW__ACL_TIMESERIES,
    };

    KW_ASSERT(group < KW_GROUP_COUNT);
    return categories[group];
}

uint32_t kw__acl_of(const struct kw_command *command)
{
    uint32_t flags = command->flags;
    uint32_t acl = command->acl != 0 ? command->acl & ~KW__ACL_NONE : acl_of_group(command->group);

    acl |= (flags & KW_COMMAND_WRITE) != 0 ? KW__ACL_WRITE : 0;
    if ((flags & KW_COMMAND_READ) != 0 && (acl & KW__ACL_SCRIPTING) == 0) {
        acl |= KW__ACL_READ; /* a script may do anything, so redis leaves those out */
    }
    acl |= (flags & KW_COMMAND_ADMIN) != 0 ? KW__ACL_ADMIN | KW__ACL_DANGEROUS : 0;
    acl |= (flags & KW_COMMAND_PUBSUB) != 0 ? KW__ACL_PUBSUB : 0;
    acl |= (flags & KW_COMMAND_BLOCKING) != 0 ? KW__ACL_BLOCKING : 0;
    acl |= (flags & KW_COMMAND_FAST) != 0 ? KW__ACL_FAST : KW__ACL_SLOW;
    return acl;
}

uint32_t kw__acl_by_name(struct kw_bytes name)
{
    for (size_t i = 0; i < WORDS_COUNT(acl_words); i++) {
        if (kw_bytes_equal_nocase(name, kw_bytes_of_text(acl_words[i].text + 1))) {
            return acl_words[i].bit;
        }
    }
    return 0;
}

void kw_describe_categories(struct kw_buf *buf)
{
    size_t servers_own = WORDS_COUNT(acl_words);

    while (acl_words[servers_own - 1].bit != KW__ACL_SCRIPTING) {
        servers_own--; /* behind it are those of modules and newer servers */
    }
    kw_reply_array(buf, servers_own);
    for (size_t i = 0; i < servers_own; i++) {
        kw_reply_bulk(buf, kw_bytes_of_text(acl_words[i].text + 1));
    }
}

bool kw_describe_category(struct kw_buf *buf, struct kw_bytes name)
{
    uint32_t category = kw__acl_by_name(name);
    size_t count = 0;

    for (int pass = 0; category != 0 && pass < 2; pass++) {
        if (pass == 1) {
            kw_reply_array(buf, count);
        }
        for (size_t i = 0; i < kw_command_count(); i++) {
            const struct kw_command *command = kw_command_at(i);
            bool is_in = (kw__acl_of(command) & category) != 0 &&
                         (command->flags & KW_COMMAND_CONTAINER) == 0 &&
                         kw_command_is_offered(command);
            if (is_in && pass == 0) {
                count++;
            } else if (is_in) {
                kw_reply_bulk(buf, kw_bytes_of_text(command->name));
            }
        }
    }
    return category != 0;
}

static bool is_range(const struct kw_key_spec *spec)
{
    return spec->find == KW_FIND_AT || spec->find == KW_FIND_RANGE;
}

/* First, last and step of all specifications together, where that is possible; else zeros. The
 * last of several wins as an unsigned number, which makes "up to the end" (-1) the largest.
 */
static void put_range(struct kw_buf *buf, const struct kw_command *command)
{
    const struct kw_key_spec *specs = command->keys;
    int first = 0;
    int last = 0;
    int step = 0;

    for (size_t i = 0; i < KW_COMMAND_KEY_SPECS_MAX && is_range(&specs[i]); i++) {
        int end = specs[i].last >= 0 ? specs[i].begin + specs[i].last : specs[i].last;
        if (i > 0 && (specs[i].step != 1 || specs[i].begin != last + 1)) {
            break;
        }
        first = i == 0 ? specs[i].begin : first;
        step = i == 0 ? specs[i].step : step;
        last = i == 0 || (unsigned)end > (unsigned)last ? end : last;
    }
    kw_reply_int(buf, first);
    kw_reply_int(buf, last);
    kw_reply_int(buf, step);
}

static void put_spec(struct kw_buf *buf, const struct kw_key_spec *spec, int proto);
static void put_word_spec(struct kw_buf *buf, const struct kw_key_spec *spec, const char *word,
                          int proto);

/* Some forms of keyway's are two specifications to others. */
static void put_specs(struct kw_buf *buf, const struct kw_command *command, int proto)
{
    const struct kw_key_spec *specs = command->keys;
    size_t count = 0;

    for (size_t i = 0; i < KW_COMMAND_KEY_SPECS_MAX; i++) {
        bool is_two = specs[i].find == KW_FIND_STORE || specs[i].find == KW_FIND_MIGRATE;
        count += specs[i].find == KW_FIND_NONE ? 0 : is_two ? 2 : 1;
    }
    kw_reply_set(buf, count, proto);
    for (size_t i = 0; i < KW_COMMAND_KEY_SPECS_MAX; i++) {
        if (specs[i].find == KW_FIND_STORE) {
            put_word_spec(buf, &specs[i], "STORE", proto);
            put_word_spec(buf, &specs[i], "STOREDIST", proto);
        } else if (specs[i].find == KW_FIND_STREAMS) {
            put_word_spec(buf, &specs[i], "STREAMS", proto);
        } else if (specs[i].find == KW_FIND_MEMORY) {
            put_word_spec(buf, &specs[i], "MEMORY", proto);
        } else if (specs[i].find == KW_FIND_MIGRATE) {
            put_spec(buf, &specs[i], proto);
            put_word_spec(buf, &specs[i], "KEYS", proto);
        } else if (specs[i].find != KW_FIND_NONE) {
            put_spec(buf, &specs[i], proto);
        }
    }
}

static void put_pair(struct kw_buf *buf, const char *name, int value)
{
    put_text(buf, name);
    kw_reply_int(buf, value);
}

/* NAME: {type: TYPE, spec: {COUNT pairs, which must follow}} */
static void put_part(struct kw_buf *buf, const char *name, const char *type, size_t count,
                     int proto)
{
    put_text(buf, name);
    kw_reply_map(buf, 2, proto);
    put_text(buf, "type");
    put_text(buf, type);
    put_text(buf, "spec");
    kw_reply_map(buf, count, proto);
}

static void put_found_range(struct kw_buf *buf, int last, int step, int limit, int proto)
{
    put_part(buf, "find_keys", "range", 3, proto);
    put_pair(buf, "lastkey", last);
    put_pair(buf, "keystep", step);
    put_pair(buf, "limit", limit);
}

static void put_spec(struct kw_buf *buf, const struct kw_key_spec *spec, int proto)
{
    kw_reply_map(buf, 3, proto);
    put_text(buf, "flags");
    kw__describe_key_flags(buf, spec->flags, proto);
    if (spec->find == KW_FIND_SORT || spec->find == KW_FIND_PATTERNS) { /* anywhere in argv */
        put_part(buf, "begin_search", "unknown", 0, proto);
        put_part(buf, "find_keys", "unknown", 0, proto);
        return;
    }
    put_part(buf, "begin_search", "index", 1, proto);
    put_pair(buf, "index", spec->begin);
    if (spec->find == KW_FIND_NUMKEYS) {
        put_part(buf, "find_keys", "keynum", 3, proto);
        put_pair(buf, "keynumidx", 0);
        put_pair(buf, "firstkey", 1);
        put_pair(buf, "keystep", spec->step);
        return;
    }
    put_found_range(buf, spec->last, spec->step, 0, proto);
}

/* Keys behind a WORD: all up to the end for KEYS, half of that for STREAMS, else one. */
static void put_word_spec(struct kw_buf *buf, const struct kw_key_spec *spec, const char *word,
                          int proto)
{
    bool is_streams = spec->find == KW_FIND_STREAMS;
    bool is_keys = spec->find == KW_FIND_MIGRATE;

    kw_reply_map(buf, 3, proto);
    put_text(buf, "flags");
    kw__describe_key_flags(buf, spec->flags | (is_keys ? KW_KEY_INCOMPLETE : 0), proto);
    put_part(buf, "begin_search", "keyword", 2, proto);
    put_text(buf, "keyword");
    put_text(buf, word);
    put_pair(buf, "startfrom", is_keys ? -2 : spec->begin);
    put_found_range(buf, is_streams || is_keys ? -1 : 0, 1, is_streams ? 2 : 0, proto);
}

static void put_subcommands(struct kw_buf *buf, const struct kw_command *command, int proto)
{
    size_t count = 0;
    const struct kw_command *row;

    for (row = command + 1; kw_command_is_within(row, command); row++) {
        count += kw_command_is_offered(row) ? 1 : 0;
    }
    if (count == 0) {
        kw_reply_set(buf, 0, proto); /* redis's way to say none */
        return;
    }
    kw_reply_array(buf, count);
    for (row = command + 1; kw_command_is_within(row, command); row++) {
        if (kw_command_is_offered(row)) {
            kw__describe_info(buf, row, proto);
        }
    }
}
