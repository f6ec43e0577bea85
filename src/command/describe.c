/* describe.c - see describe.h.
 *
 * Which commands a request is about is decided here; what is said about one of them is in
 * describe_info.c and describe_docs.c. Counts come before elements in RESP, so lists are walked
 * twice: once to count, once to write. That is 650 rows, and nobody sends COMMAND in a hurry.
 */
#include "command/describe.h"

#include "base/assert.h"
#include "base/text.h"
#include "command/internal.h"
#include "command/keys.h"
#include "resp/errors.h"
#include "resp/writer.h"

static void describe_all(struct kw_buf *buf, const struct kw_describe_rows *rows, int proto);
static void describe_infos(struct kw_buf *buf, const struct kw_describe_rows *rows,
                           const struct kw_bytes *names, size_t count, int proto);
static void describe_docs(struct kw_buf *buf, const struct kw_describe_rows *rows,
                          const struct kw_bytes *names, size_t count, int proto);
static void describe_list(struct kw_buf *buf, const struct kw_describe_rows *rows,
                          const struct kw_bytes *argv, size_t argc);
static uint32_t flags_of_request(const struct kw_command *command, const struct kw_bytes *argv,
                                 size_t argc, uint32_t flags);
static bool is_set_with_get(const struct kw_bytes *argv, size_t argc);
static bool is_bitfield_with_writes(const struct kw_bytes *argv, size_t argc);
static void describe_keys(struct kw_buf *buf, const struct kw_command *command,
                          const struct kw_bytes *argv, size_t argc, bool has_flags, int proto);
static const struct kw_command *resolve(const struct kw_describe_rows *rows,
                                        const struct kw_bytes *argv, size_t argc);
static size_t count_offered(const struct kw_describe_rows *rows);

void kw_describe(struct kw_buf *buf, const struct kw_command *command,
                 const struct kw_describe_rows *rows, const struct kw_bytes *argv, size_t argc,
                 int proto)
{
    bool has_flags = command->local == KW_LOCAL_COMMAND_GETKEYSANDFLAGS;

    KW_ASSERT(argc >= 1);
    KW_ASSERT(proto == 2 || proto == 3);
    if (command->local == KW_LOCAL_COMMAND) {
        describe_all(buf, rows, proto);
    } else if (command->local == KW_LOCAL_COMMAND_COUNT) {
        kw_reply_int(buf, (int64_t)count_offered(rows));
    } else if (command->local == KW_LOCAL_COMMAND_INFO && argc == 2) {
        describe_all(buf, rows, proto);
    } else if (command->local == KW_LOCAL_COMMAND_INFO) {
        describe_infos(buf, rows, argv + 2, argc - 2, proto);
    } else if (command->local == KW_LOCAL_COMMAND_DOCS) {
        describe_docs(buf, rows, argv + 2, argc - 2, proto);
    } else if (command->local == KW_LOCAL_COMMAND_LIST) {
        describe_list(buf, rows, argv, argc);
    } else if (command->local == KW_LOCAL_COMMAND_GETKEYS || has_flags) {
        const struct kw_command *asked = resolve(rows, argv + 2, argc - 2);
        describe_keys(buf, asked, argv + 2, argc - 2, has_flags, proto);
    } else {
        KW_ASSERT(command->local == KW_LOCAL_HELP);
        kw__describe_help(buf, command);
    }
}

static const struct kw_command *resolve(const struct kw_describe_rows *rows,
                                        const struct kw_bytes *argv, size_t argc)
{
    const struct kw_command *command = kw_command_resolve(argv, argc);

    return command != NULL ? command : kw_learned_resolve(rows->learned, argv, argc);
}

/* The rows of the table, then the learned ones. */
static size_t rows_count(const struct kw_describe_rows *rows)
{
    return kw_command_count() + (rows->learned != NULL ? kw_learned_count(rows->learned) : 0);
}

static const struct kw_command *row_at(const struct kw_describe_rows *rows, size_t index)
{
    size_t known = kw_command_count();

    return index < known ? kw_command_at(index) : kw_learned_at(rows->learned, index - known);
}

static bool is_offered(const struct kw_describe_rows *rows, const struct kw_command *command)
{
    return kw_command_is_offered(command) && (rows->offers == NULL || rows->offers(command));
}

static bool is_subcommand(const struct kw_command *command)
{
    return memchr(command->name, '|', command->name_len) != NULL;
}

/* Commands with a row in COMMAND's reply; subcommands are within their containers. */
static bool is_listed(const struct kw_describe_rows *rows, const struct kw_command *command)
{
    return !is_subcommand(command) && is_offered(rows, command);
}

static size_t count_offered(const struct kw_describe_rows *rows)
{
    size_t count = 0;

    for (size_t i = 0; i < rows_count(rows); i++) {
        count += is_listed(rows, row_at(rows, i)) ? 1 : 0;
    }
    return count;
}

static void describe_all(struct kw_buf *buf, const struct kw_describe_rows *rows, int proto)
{
    kw_reply_array(buf, count_offered(rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        if (is_listed(rows, row_at(rows, i))) {
            kw__describe_info(buf, row_at(rows, i), proto);
        }
    }
}

/* The offered command or subcommand called NAME, or NULL. */
static const struct kw_command *find_offered(const struct kw_describe_rows *rows,
                                             struct kw_bytes name)
{
    const struct kw_command *command = kw_command_find_full(name);

    command = command != NULL ? command : kw_learned_resolve(rows->learned, &name, 1);

    return command != NULL && is_offered(rows, command) ? command : NULL;
}

static void describe_infos(struct kw_buf *buf, const struct kw_describe_rows *rows,
                           const struct kw_bytes *names, size_t count, int proto)
{
    kw_reply_array(buf, count);
    for (size_t i = 0; i < count; i++) {
        const struct kw_command *command = find_offered(rows, names[i]);
        if (command != NULL) {
            kw__describe_info(buf, command, proto);
        } else {
            kw_reply_null(buf, proto);
        }
    }
}

/* Unknown names are left out, as redis does. */
static void describe_docs(struct kw_buf *buf, const struct kw_describe_rows *rows,
                          const struct kw_bytes *names, size_t count, int proto)
{
    size_t known = 0;

    for (size_t i = 0; i < count; i++) {
        known += find_offered(rows, names[i]) != NULL ? 1 : 0;
    }
    kw_reply_map(buf, count == 0 ? count_offered(rows) : known, proto);
    for (size_t i = 0; i < count; i++) {
        const struct kw_command *command = find_offered(rows, names[i]);
        if (command != NULL) {
            kw__describe_docs(buf, command, proto);
        }
    }
    for (size_t i = 0; count == 0 && i < rows_count(rows); i++) {
        if (is_listed(rows, row_at(rows, i))) {
            kw__describe_docs(buf, row_at(rows, i), proto);
        }
    }
}

/* FILTERBY of COMMAND LIST. */
enum filter_kind { FILTER_NONE, FILTER_MODULE, FILTER_ACL, FILTER_PATTERN };

struct filter {
    enum filter_kind kind;
    struct kw_bytes pattern;
    uint32_t acl;
};

/* COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN glob]. False: a syntax error. */
static bool filter_parse(const struct kw_bytes *argv, size_t argc, struct filter *filter)
{
    filter->kind = FILTER_NONE;
    if (argc == 2) {
        return true;
    }
    if (argc != 5 || !kw_bytes_equal_nocase(argv[2], KW_BYTES("filterby"))) {
        return false;
    }
    filter->pattern = argv[4];
    filter->acl = kw__acl_by_name(argv[4]);
    if (kw_bytes_equal_nocase(argv[3], KW_BYTES("module"))) {
        filter->kind = FILTER_MODULE;
    } else if (kw_bytes_equal_nocase(argv[3], KW_BYTES("aclcat"))) {
        filter->kind = FILTER_ACL;
    } else if (kw_bytes_equal_nocase(argv[3], KW_BYTES("pattern"))) {
        filter->kind = FILTER_PATTERN;
    }
    return filter->kind != FILTER_NONE;
}

static bool filter_passes(const struct filter *filter, const struct kw_describe_rows *rows,
                          const struct kw_command *command)
{
    struct kw_bytes name = kw_bytes_of(command->name, command->name_len);

    if (!is_offered(rows, command)) {
        return false;
    }
    switch (filter->kind) {
    case FILTER_NONE:
        return true;
    case FILTER_MODULE: /* which modules the nodes have loaded is not known here */
        return false;
    case FILTER_ACL:
        return (kw__acl_of(command) & filter->acl) != 0;
    case FILTER_PATTERN:
        return kw_text_glob(filter->pattern, name, true);
    }
    KW_UNREACHABLE();
}

static void describe_list(struct kw_buf *buf, const struct kw_describe_rows *rows,
                          const struct kw_bytes *argv, size_t argc)
{
    struct filter filter;
    size_t count = 0;

    if (!filter_parse(argv, argc, &filter)) {
        kw_reply_error(buf, KW_ERROR_SYNTAX);
        return;
    }
    for (size_t i = 0; i < rows_count(rows); i++) {
        count += filter_passes(&filter, rows, row_at(rows, i)) ? 1 : 0;
    }
    kw_reply_array(buf, count);
    for (size_t i = 0; i < rows_count(rows); i++) {
        const struct kw_command *command = row_at(rows, i);
        if (filter_passes(&filter, rows, command)) {
            kw_reply_bulk(buf, kw_bytes_of(command->name, command->name_len));
        }
    }
}

/* Keys in KEYS that are keys indeed: a channel is routed like one but is none. */
static size_t count_real(const struct kw_keys *keys)
{
    size_t count = 0;

    for (uint32_t run = 0; run < keys->runs_count; run++) {
        count += (keys->runs[run].flags & KW_KEY_NOT_KEY) == 0 ? keys->runs[run].count : 0;
    }
    return count;
}

static bool has_keys(const struct kw_command *command)
{
    return command->keys[0].find != KW_FIND_NONE && (command->keys[0].flags & KW_KEY_NOT_KEY) == 0;
}

/* ARGV is the request that is asked about, COMMAND its row or NULL. Routing uses the same code. */
static void describe_keys(struct kw_buf *buf, const struct kw_command *command,
                          const struct kw_bytes *argv, size_t argc, bool has_flags, int proto)
{
    struct kw_keys keys;

    if (command == NULL || ((command->flags & KW_COMMAND_CONTAINER) != 0 && argc > 1)) {
        kw_reply_error(buf, KW_ERROR_GETKEYS_UNKNOWN);
        return;
    }
    if (!has_keys(command)) {
        kw_reply_error(buf, KW_ERROR_NO_KEYS_IN_COMMAND);
        return;
    }
    if (!kw_command_arity_ok(command, argc)) {
        kw_reply_error(buf, KW_ERROR_GETKEYS_ARITY);
        return;
    }
    enum kw_keys_verdict verdict = kw_keys_find(command, argv, argc, &keys);
    bool may_be_none = (command->flags & KW_COMMAND_NO_MANDATORY_KEYS) != 0;
    if (verdict == KW_KEYS_BAD || (verdict == KW_KEYS_NONE && !may_be_none)) {
        kw_reply_error(buf, KW_ERROR_BAD_KEYS);
        return;
    }
    kw_reply_array(buf, count_real(&keys));
    for (uint32_t run = 0; run < keys.runs_count; run++) {
        uint32_t flags = keys.runs[run].flags;
        for (uint32_t i = 0; i < keys.runs[run].count && (flags & KW_KEY_NOT_KEY) == 0; i++) {
            if (has_flags) {
                kw_reply_array(buf, 2);
            }
            kw_reply_bulk(buf, argv[keys.runs[run].first + i * keys.runs[run].step]);
            if (has_flags) {
                kw__describe_key_flags(buf, flags_of_request(command, argv, argc, flags), proto);
            }
        }
    }
}

/* What the options of a request make of a key's FLAGS; where they don't matter, or are not known
 * to: what the table says.
 * Source: what redis 7.0 answers.
 */
static uint32_t flags_of_request(const struct kw_command *command, const struct kw_bytes *argv,
                                 size_t argc, uint32_t flags)
{
    static const struct {
        const char *name;
        bool (*is_full)(const struct kw_bytes *argv, size_t argc); /* then the table is right */
        uint32_t flags;                                            /* and these are else */
    } rows[] = {
        {"set", is_set_with_get, KW_KEY_OW | KW_KEY_UPDATE},
        {"bitfield", is_bitfield_with_writes, KW_KEY_RO | KW_KEY_ACCESS},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(command->name, rows[i].name) == 0 && !rows[i].is_full(argv, argc)) {
            return rows[i].flags;
        }
    }
    return flags & ~KW_KEY_VARIABLE_FLAGS;
}

static bool is_set_with_get(const struct kw_bytes *argv, size_t argc)
{
    for (size_t i = 3; i < argc; i++) {
        if (kw_bytes_equal_nocase(argv[i], KW_BYTES("get"))) {
            return true;
        }
    }
    return false;
}

static bool is_bitfield_with_writes(const struct kw_bytes *argv, size_t argc)
{
    for (size_t i = 2; i < argc; i++) {
        if (kw_bytes_equal_nocase(argv[i], KW_BYTES("get")) && argc - i > 2) {
            i += 2;
        } else if (kw_bytes_equal_nocase(argv[i], KW_BYTES("overflow")) && argc - i > 1) {
            i++;
        } else {
            return true; /* SET, INCRBY, or what is no bitfield at all */
        }
    }
    return false;
}
