/* keys.c - see keys.h.
 *
 * Each specification of a row adds at most one run; the forms that servers find by code of their
 * own (STREAMS, STORE, SORT, MIGRATE) are walked here exactly as the server walks them, because a
 * proxy that sees other keys than the server sees is wrong twice: it sends the request to the wrong
 * node, and whoever checks access by key can be fooled.
 *
 *     ZUNIONSTORE  d  2  a  b  WEIGHTS 1 2          MSET  a 1 b 2
 *                  ^     ^-----^                          ^---^     step 2
 *     runs:        {1,1}   {3,2}                    runs: {1,2}
 *
 * INVARIANTS
 * I1  every index of every run is at least 1 and below argc.
 * I2  nothing is multiplied or added that a client chose before it was compared with argc.
 *
 * Cost: O(1) for most forms, O(argc) where options must be walked; never O(keys).
 */
#include "command/keys.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/text.h"

/* A request being looked at, and where its keys go. */
struct search {
    const struct kw_command *command;
    const struct kw_bytes *argv;
    uint32_t argc;
    struct kw_keys *keys;
};

static bool search_spec(struct search *search, const struct kw_key_spec *spec);

enum kw_keys_verdict kw_keys_find(const struct kw_command *command, const struct kw_bytes *argv,
                                  size_t argc, struct kw_keys *keys)
{
    bool is_good = argc <= KW_ARGS_MAX;
    struct search search = {command, argv, is_good ? (uint32_t)argc : 0, keys};

    keys->count = 0;
    keys->runs_count = 0;
    for (size_t i = 0; is_good && i < KW_COMMAND_KEY_SPECS_MAX; i++) {
        if (command->keys[i].find == KW_FIND_NONE) {
            break;
        }
        is_good = search_spec(&search, &command->keys[i]);
    }
    if (!is_good) {
        return KW_KEYS_BAD;
    }
    return keys->count == 0 ? KW_KEYS_NONE : KW_KEYS_OK;
}

static bool search_at(struct search *search, const struct kw_key_spec *spec);
static bool search_range(struct search *search, const struct kw_key_spec *spec);
static bool search_numkeys(struct search *search, const struct kw_key_spec *spec);
static bool search_streams(struct search *search, const struct kw_key_spec *spec);
static bool search_store(struct search *search, const struct kw_key_spec *spec);
static bool search_sort(struct search *search, const struct kw_key_spec *spec);
static bool search_migrate(struct search *search, const struct kw_key_spec *spec);
static bool search_memory(struct search *search, const struct kw_key_spec *spec);

/* Add the keys that SPEC finds. False when the request can't be right. */
static bool search_spec(struct search *search, const struct kw_key_spec *spec)
{
    switch ((enum kw_find)spec->find) {
    case KW_FIND_NONE:
    case KW_FIND_PATTERNS:
        return true;
    case KW_FIND_AT:
        return search_at(search, spec);
    case KW_FIND_RANGE:
        return search_range(search, spec);
    case KW_FIND_NUMKEYS:
        return search_numkeys(search, spec);
    case KW_FIND_STREAMS:
        return search_streams(search, spec);
    case KW_FIND_STORE:
        return search_store(search, spec);
    case KW_FIND_SORT:
        return search_sort(search, spec);
    case KW_FIND_MIGRATE:
        return search_migrate(search, spec);
    case KW_FIND_MEMORY:
        return search_memory(search, spec);
    }
    KW_UNREACHABLE();
}

/* Add one run. COUNT is at least 1 and the run ends below argc (I1). */
static void add_run(struct search *search, const struct kw_key_spec *spec, uint32_t first,
                    uint32_t count, uint32_t step)
{
    struct kw_keys *keys = search->keys;

    KW_ASSERT(first >= 1 && count >= 1);                            /* I1 */
    KW_ASSERT(first + (uint64_t)(count - 1) * step < search->argc); /* I1 */
    KW_ASSERT(keys->runs_count < KW_COMMAND_KEY_SPECS_MAX);
    keys->runs[keys->runs_count++] = (struct kw_key_run){first, count, step, spec->flags};
    keys->count += count;
}

static bool search_at(struct search *search, const struct kw_key_spec *spec)
{
    if (spec->begin >= search->argc) {
        return false;
    }
    add_run(search, spec, spec->begin, 1, 1);
    return true;
}

/* A range that the arity allows to be empty (PFMERGE dest, SUNSUBSCRIBE) may be empty. One that
 * ends within a group (MSET a 1 b) is wrong; its keys are reported all the same.
 */
static bool search_range(struct search *search, const struct kw_key_spec *spec)
{
    int64_t begin = spec->begin;
    int64_t last = spec->last >= 0 ? begin + spec->last : (int64_t)search->argc + spec->last;
    int64_t least = search->command->arity < 0 ? -search->command->arity : search->command->arity;

    if (last < begin) {
        return least <= begin;
    }
    if (last >= search->argc) {
        return false;
    }
    uint32_t args = (uint32_t)(last - begin) + 1;
    add_run(search, spec, spec->begin, (args + spec->step - 1u) / spec->step, spec->step);
    return args % spec->step == 0;
}

static bool search_numkeys(struct search *search, const struct kw_key_spec *spec)
{
    int64_t count = 0;

    if (spec->begin >= search->argc || kw_text_to_int(search->argv[spec->begin], &count) != KW_OK) {
        return false;
    }
    if (count == 0) {
        return (search->command->flags & KW_COMMAND_NO_MANDATORY_KEYS) != 0;
    }
    uint32_t room = (search->argc - spec->begin - 1u) / spec->step; /* I2 */
    if (count < 0 || count > room) {
        return false;
    }
    add_run(search, spec, spec->begin + 1u, (uint32_t)count, spec->step);
    return true;
}

static bool is_word(const struct search *search, uint32_t at, struct kw_bytes word)
{
    return kw_bytes_equal_nocase(search->argv[at], word);
}

/* Arguments that the option at AT takes, or -1 when it is no option of XREAD or XREADGROUP. */
static int streams_option_args(const struct search *search, uint32_t at)
{
    if (is_word(search, at, KW_BYTES("block")) || is_word(search, at, KW_BYTES("count")) ||
        is_word(search, at, KW_BYTES("claim"))) {
        return 1;
    }
    if (is_word(search, at, KW_BYTES("group"))) {
        return 2;
    }
    return is_word(search, at, KW_BYTES("noack")) ? 0 : -1;
}

/* ... STREAMS key key id id: as many identifiers as keys. */
static bool search_streams(struct search *search, const struct kw_key_spec *spec)
{
    uint32_t at = 1;

    while (at < search->argc && !is_word(search, at, KW_BYTES("streams"))) {
        int args = streams_option_args(search, at);
        if (args < 0) {
            return false;
        }
        at += 1u + (uint32_t)args;
    }
    if (at + 1 >= search->argc || (search->argc - at - 1) % 2 != 0) {
        return false;
    }
    add_run(search, spec, at + 1, (search->argc - at - 1) / 2, 1);
    return true;
}

/* The server takes the last of several STORE and STOREDIST. */
static bool search_store(struct search *search, const struct kw_key_spec *spec)
{
    uint32_t found = 0;

    for (uint32_t at = spec->begin; at + 1 < search->argc; at++) {
        if (is_word(search, at, KW_BYTES("store")) || is_word(search, at, KW_BYTES("storedist"))) {
            at++;
            found = at;
        }
    }
    if (found != 0) {
        add_run(search, spec, found, 1, 1);
    }
    return true;
}

/* SORT key [BY pattern] [LIMIT offset count] [GET pattern]... [STORE destination], in any order.
 * Patterns are no keys here: nodes of a cluster decide about them by themselves.
 */
static bool search_sort(struct search *search, const struct kw_key_spec *spec)
{
    uint32_t found = 0;

    for (uint32_t at = spec->begin; at < search->argc; at++) {
        if (is_word(search, at, KW_BYTES("limit"))) {
            at += 2;
        } else if (is_word(search, at, KW_BYTES("get")) || is_word(search, at, KW_BYTES("by"))) {
            at += 1;
        } else if (is_word(search, at, KW_BYTES("store")) && at + 1 < search->argc) {
            found = at + 1;
        }
    }
    if (found != 0) {
        add_run(search, spec, found, 1, 1);
    }
    return true;
}

/* MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH p] [AUTH2 u p] [KEYS key ...] */
static bool search_migrate(struct search *search, const struct kw_key_spec *spec)
{
    if (search->argc <= spec->begin) {
        return false;
    }
    for (uint32_t at = 6; at < search->argc && search->argv[spec->begin].len == 0; at++) {
        if (is_word(search, at, KW_BYTES("keys"))) {
            if (at + 1 >= search->argc) {
                return false;
            }
            add_run(search, spec, at + 1, search->argc - at - 1, 1);
            return true;
        }
        if (is_word(search, at, KW_BYTES("auth"))) {
            at += 1;
        } else if (is_word(search, at, KW_BYTES("auth2"))) {
            at += 2;
        }
    }
    add_run(search, spec, spec->begin, 1, 1);
    return true;
}

/* JSON.DEBUG MEMORY key; its other forms have no key. */
static bool search_memory(struct search *search, const struct kw_key_spec *spec)
{
    if (spec->begin >= search->argc || !is_word(search, spec->begin, KW_BYTES("memory"))) {
        return true;
    }
    if (spec->begin + 1u >= search->argc) {
        return false;
    }
    add_run(search, spec, spec->begin + 1u, 1, 1);
    return true;
}
