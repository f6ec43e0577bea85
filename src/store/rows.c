/* rows.c - commands.def as arrays: by command id, and the kinds of objects. */
#include "base/mem.h"
#include "store/internal.h"

enum {
    NONE = KW_STRIPES_NONE,
    KEYS = KW_STRIPES_KEYS,
    ALL = KW_STRIPES_ALL,
    PATTERNS = KW_STRIPES_PATTERNS
};

struct named_row {
    const char *name;
    struct kw_store_row row;
};

static const struct named_row named_rows[] = {
#define KW_STORE_COMMAND(name, word, stripes) {name, {kw__do_##word, stripes}},
#include "store/commands.def"
#undef KW_STORE_COMMAND
};

enum { NAMED_ROWS_COUNT = sizeof named_rows / sizeof named_rows[0] };

struct kw_store_row *kw__rows_new(void)
{
    struct kw_store_row *rows = kw_alloc_zero(kw_command_count() + 1, sizeof *rows);

    for (size_t i = 0; i < NAMED_ROWS_COUNT; i++) {
        const struct kw_command *command =
            kw_command_find_full(kw_bytes_of_text(named_rows[i].name));
        KW_ASSERT(command != NULL);
        rows[command->id] = named_rows[i].row;
    }
    return rows;
}

bool kw_store_offers(const struct kw_command *command)
{
    for (size_t i = 0; i < NAMED_ROWS_COUNT; i++) {
        if (strcmp(named_rows[i].name, command->name) == 0) {
            return true;
        }
    }
    return false;
}
