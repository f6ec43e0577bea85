/* learned.c - see learned.h. Rows are kept in the order of their names: found by halving. */
#include "command/learned.h"

#include "base/assert.h"
#include "base/mem.h"

struct kw_learned {
    struct kw_command **rows; /* owned, each of its own: they stay where they are */
    size_t count;
    unsigned databases;
};

static size_t place_of(const struct kw_learned *learned, const char *name, size_t len);
static bool is_at(const struct kw_learned *learned, size_t place, const char *name, size_t len);
static size_t name_fold(char *out, struct kw_bytes word);

struct kw_learned *kw_learned_new(void)
{
    return kw_alloc_zero(1, sizeof(struct kw_learned));
}

bool kw_learned_add(struct kw_learned *learned, const struct kw_command *row)
{
    size_t place = place_of(learned, row->name, row->name_len);

    KW_ASSERT(row->name_len > 0 && row->name_len <= KW_COMMAND_NAME_MAX);
    if (learned->count >= KW_LEARNED_ROWS_MAX || is_at(learned, place, row->name, row->name_len) ||
        kw_command_find_full(kw_bytes_of(row->name, row->name_len)) != NULL) {
        return false;
    }
    learned->rows = kw_realloc(learned->rows, (learned->count + 1) * sizeof(struct kw_command *));
    memmove(learned->rows + place + 1, learned->rows + place,
            (learned->count - place) * sizeof(struct kw_command *));
    learned->rows[place] = kw_alloc(sizeof(struct kw_command));
    memcpy(learned->rows[place], row, sizeof *row); /* with its padding */
    learned->rows[place]->id = (uint16_t)kw_command_count();
    learned->count++;
    return true;
}

void kw_learned_set_databases(struct kw_learned *learned, unsigned databases)
{
    learned->databases = databases;
}

unsigned kw_learned_databases(const struct kw_learned *learned)
{
    return learned->databases;
}

size_t kw_learned_count(const struct kw_learned *learned)
{
    return learned->count;
}

const struct kw_command *kw_learned_at(const struct kw_learned *learned, size_t index)
{
    KW_ASSERT(index < learned->count);
    return learned->rows[index];
}

const struct kw_command *kw_learned_resolve(const struct kw_learned *learned,
                                            const struct kw_bytes *argv, size_t argc)
{
    char name[2 * KW_COMMAND_NAME_MAX + 2];

    if (learned == NULL || argv[0].len > KW_COMMAND_NAME_MAX ||
        memchr(argv[0].data, '|', argv[0].len) != NULL) {
        return NULL;
    }
    size_t len = name_fold(name, argv[0]);
    size_t place = place_of(learned, name, len);
    if (!is_at(learned, place, name, len)) {
        return NULL;
    }
    const struct kw_command *row = learned->rows[place];
    if ((row->flags & KW_COMMAND_CONTAINER) == 0 || argc < 2 || argv[1].len > KW_COMMAND_NAME_MAX) {
        return row;
    }
    name[len++] = '|';
    len += name_fold(name + len, argv[1]);
    place = place_of(learned, name, len);
    return is_at(learned, place, name, len) ? learned->rows[place] : row;
}

/* Padding is zero in all rows: they are made from zeroed ones. */
bool kw_learned_equal(const struct kw_learned *a, const struct kw_learned *b)
{
    if (a->count != b->count || a->databases != b->databases) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (memcmp(a->rows[i], b->rows[i], sizeof(struct kw_command)) != 0) {
            return false;
        }
    }
    return true;
}

void kw_learned_free(struct kw_learned **learned)
{
    struct kw_learned *freed = *learned;

    *learned = NULL;
    if (freed != NULL) {
        for (size_t i = 0; i < freed->count; i++) {
            kw_free(freed->rows[i]);
        }
        kw_free(freed->rows);
        kw_free(freed);
    }
}

/* Where the row called NAME is, or would be. */
static size_t place_of(const struct kw_learned *learned, const char *name, size_t len)
{
    size_t first = 0;
    size_t last = learned->count;

    while (first < last) {
        size_t middle = first + (last - first) / 2;
        const struct kw_command *row = learned->rows[middle];
        size_t common = row->name_len < len ? row->name_len : len;
        int order = memcmp(row->name, name, common);
        if (order < 0 || (order == 0 && row->name_len < len)) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first;
}

static bool is_at(const struct kw_learned *learned, size_t place, const char *name, size_t len)
{
    return place < learned->count && learned->rows[place]->name_len == len &&
           memcmp(learned->rows[place]->name, name, len) == 0;
}

static size_t name_fold(char *out, struct kw_bytes word)
{
    for (size_t i = 0; i < word.len; i++) {
        char byte = word.data[i];
        out[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 'a' - 'A' : byte);
    }
    return word.len;
}
