/* command_reply.c - see command_reply.h.
 *
 *   1) name  2) arity  3) flags  4) first key  5) last key  6) step  7) categories  8) tips
 *   9) key specifications  10) subcommands: the same again         (9 and 10 since redis 7.0)
 *
 * Where there are specifications they are used; the three numbers are less exact.
 */
#include "cluster/command_reply.h"

enum { AT_NAME, AT_ARITY, AT_FLAGS, AT_FIRST, AT_LAST, AT_STEP, AT_SPECS = 8, AT_SUBCOMMANDS };

/* What became of the keys of a command. */
enum keys_found { KEYS_NONE, KEYS_KNOWN, KEYS_HIDDEN };

static void read_command(const struct kw_value *value, const char *container,
                         struct kw_learned *learned);
static bool read_name(const struct kw_value *value, const char *container, struct kw_command *row);
static uint32_t read_flags(const struct kw_value *value);
static enum keys_found read_keys(const struct kw_value *value, struct kw_command *row);
static bool read_spec(const struct kw_value *value, struct kw_command *row,
                      struct kw_key_spec *spec);
static bool read_find(const struct kw_value *find, int64_t begin, struct kw_key_spec *spec);
static bool make_range(int64_t first, int64_t last, int64_t step, struct kw_key_spec *spec);
static void keep_within_arity(struct kw_command *row);
static void decide(struct kw_command *row, enum keys_found keys);
static bool field_int(const struct kw_value *map, const char *name, int64_t *number);
static bool field_is(const struct kw_value *map, const char *name, const char *text);

void kw_command_reply_read(const struct kw_value *reply, struct kw_learned *learned)
{
    if (kw_value_is_list(reply)) {
        for (uint32_t i = 0; i < reply->elements_count; i++) {
            read_command(&reply->elements[i], NULL, learned);
        }
    }
}

static void read_command(const struct kw_value *value, const char *container,
                         struct kw_learned *learned)
{
    struct kw_command row;
    const struct kw_value *of = value->elements;

    memset(&row, 0, sizeof row); /* padding too: rows are compared */
    if (value->type != KW_VALUE_ARRAY || value->elements_count <= AT_STEP ||
        !read_name(&of[AT_NAME], container, &row) || of[AT_ARITY].type != KW_VALUE_INTEGER ||
        of[AT_ARITY].integer == 0 || of[AT_ARITY].integer > INT16_MAX ||
        of[AT_ARITY].integer < -INT16_MAX) {
        return;
    }
    bool has_subcommands = container == NULL && value->elements_count > AT_SUBCOMMANDS &&
                           kw_value_is_list(&of[AT_SUBCOMMANDS]) &&
                           of[AT_SUBCOMMANDS].elements_count > 0;
    row.arity = (int16_t)of[AT_ARITY].integer;
    row.flags = read_flags(&of[AT_FLAGS]) | KW_COMMAND_MODULE;
    row.group = KW_GROUP_GENERIC;
    if (has_subcommands) {
        row.flags |= KW_COMMAND_CONTAINER;
        row.route = KW_ROUTE_LOCAL;
        row.local = KW_LOCAL_CONTAINER;
    } else {
        decide(&row, read_keys(value, &row));
    }
    if (!kw_learned_add(learned, &row) || !has_subcommands) {
        return;
    }
    for (uint32_t i = 0; i < of[AT_SUBCOMMANDS].elements_count; i++) {
        read_command(&of[AT_SUBCOMMANDS].elements[i], row.name, learned);
    }
}

/* Lower case, printable; of a subcommand "container|word". */
static bool read_name(const struct kw_value *value, const char *container, struct kw_command *row)
{
    struct kw_bytes name = value->bytes;
    size_t container_len = container == NULL ? 0 : strlen(container);

    if (!kw_value_is_text(value) || name.len == 0 || name.len > KW_COMMAND_NAME_MAX) {
        return false;
    }
    if (container != NULL && (name.len <= container_len + 1 || name.data[container_len] != '|' ||
                              strncasecmp(name.data, container, container_len) != 0)) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char byte = name.data[i];
        bool is_bar = byte == '|' && (container == NULL || i != container_len);
        if (byte <= ' ' || byte > '~' || is_bar) {
            return false;
        }
        row->name[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 'a' - 'A' : byte);
    }
    row->name_len = (uint8_t)name.len;
    return true;
}

static uint32_t read_flags(const struct kw_value *value)
{
    static const struct {
        const char *word;
        uint32_t flag;
    } known[] = {
        {"readonly", KW_COMMAND_READ},
        {"write", KW_COMMAND_WRITE},
        {"denyoom", KW_COMMAND_DENYOOM},
        {"fast", KW_COMMAND_FAST},
        {"blocking", KW_COMMAND_BLOCKING},
        {"movablekeys", KW_COMMAND_MOVABLE_KEYS},
        {"admin", KW_COMMAND_ADMIN},
        {"pubsub", KW_COMMAND_PUBSUB},
        {"noscript", KW_COMMAND_NOSCRIPT},
        {"loading", KW_COMMAND_LOADING},
        {"stale", KW_COMMAND_STALE},
        {"no_multi", KW_COMMAND_NO_MULTI},
        {"no_mandatory_keys", KW_COMMAND_NO_MANDATORY_KEYS},
    };
    uint32_t flags = 0;

    for (uint32_t i = 0; i < value->elements_count; i++) {
        const struct kw_value *word = &value->elements[i];
        for (size_t n = 0; kw_value_is_text(word) && n < sizeof known / sizeof known[0]; n++) {
            if (kw_bytes_equal_nocase(word->bytes, kw_bytes_of_text(known[n].word))) {
                flags |= known[n].flag;
            }
        }
    }
    return flags;
}

static enum keys_found read_keys(const struct kw_value *value, struct kw_command *row)
{
    const struct kw_value *of = value->elements;
    const struct kw_value *specs = value->elements_count > AT_SPECS ? &of[AT_SPECS] : NULL;

    if (specs != NULL && kw_value_is_list(specs) && specs->elements_count > 0) {
        if (specs->elements_count > KW_COMMAND_KEY_SPECS_MAX) {
            return KEYS_HIDDEN;
        }
        for (uint32_t i = 0; i < specs->elements_count; i++) {
            if (!read_spec(&specs->elements[i], row, &row->keys[i])) {
                memset(row->keys, 0, sizeof row->keys);
                return KEYS_HIDDEN;
            }
        }
        return KEYS_KNOWN;
    }
    bool are_numbers = of[AT_FIRST].type == KW_VALUE_INTEGER &&
                       of[AT_LAST].type == KW_VALUE_INTEGER && of[AT_STEP].type == KW_VALUE_INTEGER;
    if ((row->flags & KW_COMMAND_MOVABLE_KEYS) != 0 || !are_numbers) {
        return KEYS_HIDDEN;
    }
    if (of[AT_FIRST].integer == 0) {
        return KEYS_NONE;
    }
    int64_t first = of[AT_FIRST].integer;
    int64_t last = of[AT_LAST].integer;
    row->keys[0].flags = (row->flags & KW_COMMAND_READ) != 0 ? KW_KEY_RO : KW_KEY_RW;
    if (last > 0 && last < first) {
        return KEYS_HIDDEN;
    }
    last = last > 0 ? last - first : last;
    return make_range(first, last, of[AT_STEP].integer, &row->keys[0]) ? KEYS_KNOWN : KEYS_HIDDEN;
}

static bool read_spec(const struct kw_value *value, struct kw_command *row,
                      struct kw_key_spec *spec)
{
    const struct kw_value *begin = kw_value_field(value, "begin_search");
    const struct kw_value *find = kw_value_field(value, "find_keys");
    const struct kw_value *flags = kw_value_field(value, "flags");
    const struct kw_value *where = begin == NULL ? NULL : kw_value_field(begin, "spec");
    int64_t index = 0;

    if (find == NULL || where == NULL || !field_is(begin, "type", "index") ||
        !field_int(where, "index", &index) || index < 1 || index > UINT8_MAX) {
        return false;
    }
    spec->flags = (row->flags & KW_COMMAND_READ) != 0 ? KW_KEY_RO : KW_KEY_RW;
    for (uint32_t i = 0; flags != NULL && i < flags->elements_count; i++) {
        struct kw_bytes word = flags->elements[i].bytes;
        if (kw_bytes_equal_nocase(word, KW_BYTES("incomplete"))) {
            return false;
        }
        if (kw_bytes_equal_nocase(word, KW_BYTES("not_key"))) {
            spec->flags |= KW_KEY_NOT_KEY;
        }
    }
    return read_find(find, index, spec);
}

static bool read_find(const struct kw_value *find, int64_t begin, struct kw_key_spec *spec)
{
    const struct kw_value *how = kw_value_field(find, "spec");
    int64_t first = 0;
    int64_t last = 0;
    int64_t step = 0;
    int64_t limit = 0;

    if (how == NULL || !field_int(how, "keystep", &step)) {
        return false;
    }
    if (field_is(find, "type", "range")) {
        bool is_whole = !field_int(how, "limit", &limit) || limit <= 1;
        return is_whole && field_int(how, "lastkey", &last) && make_range(begin, last, step, spec);
    }
    if (!field_is(find, "type", "keynum") || !field_int(how, "keynumidx", &last) ||
        !field_int(how, "firstkey", &first) || last < 0 || last > UINT8_MAX || first != last + 1 ||
        begin + last > UINT8_MAX || step < 1 || step > UINT8_MAX) {
        return false;
    }
    spec->find = KW_FIND_NUMKEYS;
    spec->begin = (uint8_t)(begin + last);
    spec->step = (uint8_t)step;
    return true;
}

/* LAST is relative to FIRST, or to the end when negative. */
static bool make_range(int64_t first, int64_t last, int64_t step, struct kw_key_spec *spec)
{
    if (first < 1 || first > UINT8_MAX || last < INT8_MIN || last > INT8_MAX || step > UINT8_MAX ||
        step < (last == 0 ? 0 : 1)) {
        return false;
    }
    spec->find = last == 0 ? KW_FIND_AT : KW_FIND_RANGE;
    spec->begin = (uint8_t)first;
    spec->last = (int8_t)last;
    spec->step = (uint8_t)(step < 1 ? 1 : step);
    return true;
}

/* Modules say "any number of arguments" and count them themselves: a key may be missing then. Only
 * KW_FIND_AT relies on the arity; a range of one is the same, checked.
 */
static void keep_within_arity(struct kw_command *row)
{
    int least = row->arity < 0 ? -row->arity : row->arity;

    for (size_t i = 0; i < KW_COMMAND_KEY_SPECS_MAX; i++) {
        if (row->keys[i].find == KW_FIND_AT && row->keys[i].begin >= least) {
            row->keys[i].find = KW_FIND_RANGE;
        }
    }
}

static void decide(struct kw_command *row, enum keys_found keys)
{
    bool is_write = (row->flags & KW_COMMAND_WRITE) != 0;
    bool is_for_data = is_write || (row->flags & KW_COMMAND_READ) != 0;
    bool is_other = (row->flags & (KW_COMMAND_ADMIN | KW_COMMAND_PUBSUB)) != 0;

    row->cache = is_write ? KW_CACHE_INVALIDATES : KW_CACHE_NO;
    row->route = KW_ROUTE_REFUSED;
    if (!is_for_data || is_other || keys == KEYS_HIDDEN || (keys == KEYS_NONE && is_write)) {
        return;
    }
    keep_within_arity(row);
    row->route = KW_ROUTE_ONE_SLOT;
    if ((row->flags & KW_COMMAND_BLOCKING) != 0) {
        row->route = KW_ROUTE_SESSION;
        row->session = KW_SESSION_BLOCK;
    }
}

static bool field_int(const struct kw_value *map, const char *name, int64_t *number)
{
    const struct kw_value *field = kw_value_is_list(map) ? kw_value_field(map, name) : NULL;

    if (field == NULL || field->type != KW_VALUE_INTEGER) {
        return false;
    }
    *number = field->integer;
    return true;
}

static bool field_is(const struct kw_value *map, const char *name, const char *text)
{
    const struct kw_value *field = kw_value_field(map, name);

    return field != NULL && kw_value_is_text(field) &&
           kw_bytes_equal(field->bytes, kw_bytes_of_text(text));
}
