/* describe_docs.c - COMMAND DOCS and <container> HELP, composed from the table.
 *
 * The summary says what keyway does with a request, in one sentence put together from the row's
 * route and flags. The arguments are those that the table knows of: keys with their names, the rest
 * as plain "arg", so that redis-cli can give hints. What a command does to data is told by the
 * server's documentation, not here.
 */
#include "base/assert.h"
#include "command/describe.h"
#include "command/internal.h"
#include "command/keys.h"
#include "resp/writer.h"

#include <stdio.h>

enum { ARGUMENTS_MAX = 16, SUMMARY_MAX = 160 };

/* One argument as COMMAND DOCS shows it. */
struct argument {
    const char *name;
    const char *type;
    const char *with; /* the name of what travels with each key (MSET's value), or NULL */
    int spec;         /* number of its key specification, or -1 */
    bool is_optional;
    bool is_multiple;
};

struct arguments {
    struct argument list[ARGUMENTS_MAX];
    size_t count;
};

static void put_arguments(struct kw_buf *buf, const struct arguments *arguments, int proto);
static void put_subcommands(struct kw_buf *buf, const struct kw_command *command, size_t count,
                            int proto);
static size_t count_subcommands(const struct kw_command *command);
static size_t summarize(const struct kw_command *command, char *out, size_t out_size);
static void find_arguments(const struct kw_command *command, struct arguments *arguments);

static void put_text(struct kw_buf *buf, const char *text)
{
    kw_reply_bulk(buf, kw_bytes_of_text(text));
}

void kw__describe_docs(struct kw_buf *buf, const struct kw_command *command, int proto)
{
    size_t subcommands = count_subcommands(command);
    bool is_deprecated = (command->flags & KW_COMMAND_DEPRECATED) != 0;
    struct arguments arguments = {.count = 0};
    char summary[SUMMARY_MAX];

    if (subcommands == 0) {
        find_arguments(command, &arguments);
    }
    kw_reply_bulk(buf, kw_bytes_of(command->name, command->name_len));
    kw_reply_map(buf,
                 3 + (is_deprecated ? 1u : 0u) + (arguments.count > 0 ? 1u : 0u) +
                     (subcommands > 0 ? 1u : 0u),
                 proto);
    put_text(buf, "summary");
    kw_reply_bulk(buf, kw_bytes_of(summary, summarize(command, summary, sizeof summary)));
    put_text(buf, "since");
    put_text(buf, command->since);
    put_text(buf, "group");
    put_text(buf, kw_group_name(command->group));
    if (is_deprecated) {
        put_text(buf, "doc_flags");
        kw_reply_set(buf, 1, proto);
        kw_reply_status(buf, KW_BYTES("deprecated"));
    }
    if (arguments.count > 0) {
        put_arguments(buf, &arguments, proto);
    }
    if (subcommands > 0) {
        put_subcommands(buf, command, subcommands, proto);
    }
}

static size_t count_subcommands(const struct kw_command *command)
{
    size_t count = 0;

    for (const struct kw_command *row = command + 1; kw_command_is_within(row, command); row++) {
        count += kw_command_is_offered(row) ? 1 : 0;
    }
    return count;
}

static void put_subcommands(struct kw_buf *buf, const struct kw_command *command, size_t count,
                            int proto)
{
    put_text(buf, "subcommands");
    kw_reply_map(buf, count, proto);
    for (const struct kw_command *row = command + 1; kw_command_is_within(row, command); row++) {
        if (kw_command_is_offered(row)) {
            kw__describe_docs(buf, row, proto);
        }
    }
}

/* ---- the summary ---- */

static const char *where_it_goes(const struct kw_command *command)
{
    bool has_many = kw_keys_single(command) == 0;

    switch (command->route) {
    case KW_ROUTE_REFUSED:
        return "not available through keyway";
    case KW_ROUTE_LOCAL:
        return command->local == KW_LOCAL_CONTAINER ? "has subcommands"
                                                    : "answered by keyway itself";
    case KW_ROUTE_ONE_SLOT:
        return has_many ? "goes to the node of its keys, which must share a slot"
                        : "goes to the node of its key";
    case KW_ROUTE_SPLIT:
        return "goes to the nodes of its keys";
    case KW_ROUTE_ALL_SHARDS:
        return "goes to every master, the replies become one";
    case KW_ROUTE_ANY_SHARD:
        return "goes to one of the masters";
    case KW_ROUTE_SCAN:
        return "goes from master to master";
    case KW_ROUTE_SLOT_NUMBER:
        return "goes to the node of that slot";
    case KW_ROUTE_SESSION:
        return "has a connection of its own to the node";
    }
    KW_UNREACHABLE();
}

/* "Read: goes to the node of its key; sent again when a node fails." Returns the length. */
static size_t summarize(const struct kw_command *command, char *out, size_t out_size)
{
    const char *kind = "";
    const char *retry = "";

    if ((command->flags & KW_COMMAND_WRITE) != 0) {
        kind = "write, ";
        retry = "; never sent twice";
    } else if ((command->flags & KW_COMMAND_READ) != 0) {
        kind = "read, ";
        retry = kw_command_may_retry(command) ? "; sent again when a node fails" : "";
    }
    int len = snprintf(out, out_size, "%s%s%s", kind, where_it_goes(command), retry);

    KW_ASSERT(len > 0 && (size_t)len < out_size);
    out[0] = (char)(out[0] >= 'a' && out[0] <= 'z' ? out[0] - 'a' + 'A' : out[0]);
    return (size_t)len;
}

/* ---- the arguments ---- */

static void add_argument(struct arguments *arguments, struct argument argument)
{
    KW_ASSERT(arguments->count < ARGUMENTS_MAX);
    arguments->list[arguments->count++] = argument;
}

static void add_plain(struct arguments *arguments, int count)
{
    for (int i = 0; i < count; i++) {
        add_argument(arguments, (struct argument){.name = "arg", .type = "string", .spec = -1});
    }
}

/* Add the keys of SPEC, number NUMBER. Returns how many arguments that are at least. */
static int add_keys(struct arguments *arguments, const struct kw_command *command, int number)
{
    const struct kw_key_spec *spec = &command->keys[number];
    bool is_key = (spec->flags & KW_KEY_NOT_KEY) == 0;
    struct argument key = {.name = is_key ? "key" : "channel",
                           .type = is_key ? "key" : "string",
                           .spec = is_key ? number : -1};

    if (spec->find == KW_FIND_AT) {
        add_argument(arguments, key);
        return 1;
    }
    if (spec->find == KW_FIND_RANGE && spec->last >= 0) {
        for (int i = 0; i <= spec->last; i++) {
            add_argument(arguments, key);
        }
        return spec->last + 1;
    }
    key.is_multiple = true;
    key.with = spec->step > 1 ? "value" : NULL;
    if (spec->find == KW_FIND_NUMKEYS) {
        add_argument(arguments,
                     (struct argument){.name = "numkeys", .type = "integer", .spec = -1});
        key.is_optional = (command->flags & KW_COMMAND_NO_MANDATORY_KEYS) != 0;
        add_argument(arguments, key);
        return 1 + (key.is_optional ? 0 : spec->step);
    }
    key.is_optional = spec->begin >= -command->arity;
    add_argument(arguments, key);
    add_plain(arguments, -spec->last - 1);
    return (key.is_optional ? 0 : spec->step) - spec->last - 1;
}

/* The arguments in order: those that specifications place, the rest as "arg". */
static void find_arguments(const struct kw_command *command, struct arguments *arguments)
{
    int least = command->arity < 0 ? -command->arity : command->arity;
    int at = memchr(command->name, '|', command->name_len) != NULL ? 2 : 1;
    bool is_open = command->arity < 0;

    for (int number = 0; number < KW_COMMAND_KEY_SPECS_MAX; number++) {
        const struct kw_key_spec *spec = &command->keys[number];
        if (spec->find != KW_FIND_AT && spec->find != KW_FIND_RANGE &&
            spec->find != KW_FIND_NUMKEYS) {
            break;
        }
        if (spec->begin > at) {
            add_plain(arguments, spec->begin - at);
            at = spec->begin;
        }
        at += add_keys(arguments, command, number);
        is_open = is_open && (spec->find != KW_FIND_RANGE || spec->last >= 0);
    }
    add_plain(arguments, least - at);
    if (is_open) {
        add_argument(arguments, (struct argument){.name = "arg",
                                                  .type = "string",
                                                  .spec = -1,
                                                  .is_optional = true,
                                                  .is_multiple = true});
    }
}

static void put_flags(struct kw_buf *buf, const struct argument *argument, int proto)
{
    put_text(buf, "flags");
    kw_reply_set(buf, (argument->is_optional ? 1u : 0u) + (argument->is_multiple ? 1u : 0u), proto);
    if (argument->is_optional) {
        kw_reply_status(buf, KW_BYTES("optional"));
    }
    if (argument->is_multiple) {
        kw_reply_status(buf, KW_BYTES("multiple"));
    }
}

static void put_argument(struct kw_buf *buf, const struct argument *argument, int proto)
{
    bool has_flags = argument->is_optional || argument->is_multiple;

    kw_reply_map(buf, 2 + (argument->spec >= 0 ? 1u : 0u) + (has_flags ? 1u : 0u), proto);
    put_text(buf, "name");
    put_text(buf, argument->name);
    put_text(buf, "type");
    put_text(buf, argument->type);
    if (argument->spec >= 0) {
        put_text(buf, "key_spec_index");
        kw_reply_int(buf, argument->spec);
    }
    if (has_flags) {
        put_flags(buf, argument, proto);
    }
}

/* A key that brings something along is a block of two, repeated together. */
static void put_block(struct kw_buf *buf, const struct argument *argument, int proto)
{
    struct argument key = *argument;
    struct argument with = {.name = argument->with, .type = "string", .spec = -1};

    key.is_optional = false;
    key.is_multiple = false;
    kw_reply_map(buf, 4, proto);
    put_text(buf, "name");
    put_text(buf, "data");
    put_text(buf, "type");
    put_text(buf, "block");
    put_flags(buf, argument, proto);
    put_text(buf, "arguments");
    kw_reply_array(buf, 2);
    put_argument(buf, &key, proto);
    put_argument(buf, &with, proto);
}

static void put_arguments(struct kw_buf *buf, const struct arguments *arguments, int proto)
{
    put_text(buf, "arguments");
    kw_reply_array(buf, arguments->count);
    for (size_t i = 0; i < arguments->count; i++) {
        if (arguments->list[i].with != NULL) {
            put_block(buf, &arguments->list[i], proto);
        } else {
            put_argument(buf, &arguments->list[i], proto);
        }
    }
}

/* ---- HELP ---- */

/* Print upper-cased LEN bytes of NAME to OUT, which has room for them and the NUL. */
static void upper(const char *name, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
    }
    out[len] = '\0';
}

void kw__describe_help(struct kw_buf *buf, const struct kw_command *help)
{
    size_t container_len =
        (size_t)((const char *)memchr(help->name, '|', help->name_len) - help->name);
    const struct kw_command *container = kw_command_find(kw_bytes_of(help->name, container_len));
    char line[SUMMARY_MAX];
    char word[KW_COMMAND_NAME_MAX + 1];

    KW_ASSERT(container != NULL);
    upper(help->name, container_len, word);
    kw_reply_array(buf, 1 + 2 * count_subcommands(container));
    int len = snprintf(line, sizeof line,
                       "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", word);
    kw_reply_status(buf, kw_bytes_of(line, (size_t)len));
    for (const struct kw_command *row = container + 1; kw_command_is_within(row, container);
         row++) {
        if (!kw_command_is_offered(row)) {
            continue;
        }
        upper(row->name + container_len + 1, row->name_len - container_len - 1, word);
        kw_reply_status(buf, kw_bytes_of_text(word));
        memset(line, ' ', 4);
        kw_reply_status(buf, kw_bytes_of(line, 4 + summarize(row, line + 4, sizeof line - 4)));
    }
}

const char *kw_group_name(enum kw_group group)
{
    static const char *const names[] = {
        "generic",   "string",       "bitmap",     "list",        "set",     "sorted-set",
        "hash",      "stream",       "geo",        "hyperloglog", "array",   "pubsub",
        "scripting", "transactions", "connection", "server",      "cluster", "sentinel",
    };

    return group < KW_GROUP_JSON ? names[group] : "module";
}
