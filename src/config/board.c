/* board.c - see board.h.
 *
 * I1. A snapshot on the board is never written again: changes are made to a copy.
 * I2. Options of START are the same in every snapshot of a process.
 */
#include "config/board.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/file.h"
#include "config/internal.h"

#include <inttypes.h>
#include <pthread.h>

struct kw_config_board {
    pthread_mutex_t lock;
    struct kw_config *current; /* one reference */
    kw_config_check check;
    void (*on_change)(void *arg);
    void *on_change_arg; /* of both */
};

static enum kw_config_change pairs_check(const struct kw_bytes *pairs, size_t count, size_t *at,
                                         struct kw_blob *why);
static enum kw_config_change pair_set(struct kw_config *config, const struct kw_bytes *pair,
                                      struct kw_blob *why);
static void explain(const struct kw__option *option, const char *value, struct kw_blob *why);
static void explain_choice(const struct kw__option *option, struct kw_blob *why);
static void explain_limits(const char *value, struct kw_blob *why);
static const char *board_check(const struct kw_config_board *board, const struct kw_config *next,
                               struct kw_blob *why);
static size_t place_of(const struct kw_bytes *pairs, size_t count, const char *name);
static void board_hang(struct kw_config_board *board, struct kw_config *taken);

struct kw_config_board *kw_config_board_new(struct kw_config *config)
{
    struct kw_config_board *board = kw_alloc_zero(1, sizeof *board);

    pthread_mutex_init(&board->lock, NULL);
    board->current = kw_config_ref(config);
    return board;
}

void kw_config_board_free(struct kw_config_board **board)
{
    if (*board != NULL) {
        kw_config_unref(&(*board)->current);
        pthread_mutex_destroy(&(*board)->lock);
        kw_free(*board);
        *board = NULL;
    }
}

void kw_config_board_watch(struct kw_config_board *board, kw_config_check check,
                           void (*on_change)(void *arg), void *arg)
{
    board->check = check;
    board->on_change = on_change;
    board->on_change_arg = arg;
}

struct kw_config *kw_config_board_get(struct kw_config_board *board)
{
    pthread_mutex_lock(&board->lock);
    struct kw_config *config = kw_config_ref(board->current);
    pthread_mutex_unlock(&board->lock);
    return config;
}

enum kw_config_change kw_config_board_set(struct kw_config_board *board,
                                          const struct kw_bytes *pairs, size_t count, size_t *at,
                                          struct kw_blob *why)
{
    enum kw_config_change change = pairs_check(pairs, count, at, why);

    if (change != KW_CONFIG_CHANGED) {
        return change;
    }
    pthread_mutex_lock(&board->lock);
    struct kw_config *copy = kw__config_copy(board->current); /* I1 */
    for (*at = 0; *at < 2 * count && change == KW_CONFIG_CHANGED; *at += 2) {
        change = pair_set(copy, &pairs[*at], why);
    }
    const char *blamed = change == KW_CONFIG_CHANGED ? board_check(board, copy, why) : NULL;
    if (blamed != NULL) {
        change = KW_CONFIG_REFUSED;
        *at = place_of(pairs, count, blamed) + 2;
    }
    if (change == KW_CONFIG_CHANGED) {
        board_hang(board, copy);
        copy = NULL;
    }
    pthread_mutex_unlock(&board->lock);
    if (change == KW_CONFIG_CHANGED && board->on_change != NULL) {
        board->on_change(board->on_change_arg);
    }
    *at -= change == KW_CONFIG_CHANGED ? 0 : 2;
    kw_config_unref(&copy);
    return change;
}

size_t kw_config_board_reload(struct kw_config_board *board, const struct kw_config *loaded,
                              struct kw_blob *notes)
{
    size_t options_count = 0;
    size_t changed_count = 0;
    const struct kw__option *options = kw__options(&options_count);

    pthread_mutex_lock(&board->lock);
    struct kw_config *copy = kw__config_copy(board->current);
    for (size_t i = 0; i < options_count; i++) {
        if (!kw__option_differs(&options[i], copy, loaded)) {
            continue;
        }
        if (options[i].change == KW__OPTION_START) {
            kw_blob_print(notes, "%s can't change while keyway runs: it stays as it is\n",
                          options[i].name); /* I2 */
        } else {
            kw__option_copy(&options[i], copy, loaded);
            changed_count++;
        }
    }
    const char *blamed = changed_count > 0 ? board_check(board, copy, notes) : NULL;
    if (blamed != NULL) {
        kw_blob_print(notes, " (%s): nothing has changed\n", blamed);
        changed_count = 0;
    }
    if (changed_count > 0) {
        board_hang(board, copy);
        copy = NULL;
    }
    pthread_mutex_unlock(&board->lock);
    kw_config_unref(&copy);
    return changed_count;
}

/* What redis looks at before any value: names, then what may be set, then what is there twice. */
static enum kw_config_change pairs_check(const struct kw_bytes *pairs, size_t count, size_t *at,
                                         struct kw_blob *why)
{
    for (*at = 0; *at < 2 * count; *at += 2) {
        const struct kw__option *option = kw__option_find(pairs[*at]);
        if (option == NULL) {
            return KW_CONFIG_UNKNOWN;
        }
        if (option->change == KW__OPTION_START) {
            kw_blob_print(why, "can't set immutable config");
            return KW_CONFIG_REFUSED;
        }
        for (size_t other = 0; other < *at; other += 2) {
            /* By its other name it is another one, to redis, and the last value counts. */
            if (kw_bytes_equal_nocase(pairs[other], pairs[*at])) {
                kw_blob_print(why, "duplicate parameter");
                return KW_CONFIG_REFUSED;
            }
        }
    }
    return KW_CONFIG_CHANGED;
}

static enum kw_config_change pair_set(struct kw_config *config, const struct kw_bytes *pair,
                                      struct kw_blob *why)
{
    const struct kw__option *option = kw__option_find(pair[0]);
    struct kw__text own_words = {0};
    char *value = kw_text_copy_bytes(pair[1]);
    const char *values[] = {value};

    enum kw_status status = kw__option_set(option, config, values, 1, &own_words);
    if (status != KW_OK) {
        explain(option, value, why);
    }
    kw__text_deinit(&own_words);
    kw_free(value);
    return status == KW_OK ? KW_CONFIG_CHANGED : KW_CONFIG_REFUSED;
}

/* In redis's words. */
static void explain(const struct kw__option *option, const char *value, struct kw_blob *why)
{
    int64_t number = 0;
    uint64_t size_bytes = 0;

    switch (option->type) {
    case KW__OPTION_NUMBER:
    case KW__OPTION_INTEGER:
        if (kw_text_to_int(kw_bytes_of_text(value), &number) != KW_OK) {
            kw_blob_print(why, "argument couldn't be parsed into an integer");
        } else {
            kw_blob_print(why, "argument must be between %" PRId64 " and %" PRIu64 " inclusive",
                          (int64_t)option->min, option->max);
        }
        break;
    case KW__OPTION_SIZE:
        if (kw_text_to_size(kw_bytes_of_text(value), &size_bytes) != KW_OK) {
            kw_blob_print(why, "argument must be a memory value");
        } else {
            kw_blob_print(why, "argument must be between %" PRIu64 " and %" PRIu64 " inclusive",
                          option->min, option->max);
        }
        break;
    case KW__OPTION_YES_NO:
        kw_blob_print(why, "argument must be 'yes' or 'no'");
        break;
    case KW__OPTION_LEVEL:
        kw_blob_print(why, "argument(s) must be one of the following: "
                           "debug, verbose, notice, warning");
        break;
    case KW__OPTION_OUTPUT_LIMITS:
        explain_limits(value, why);
        break;
    case KW__OPTION_CHOICE:
        kw_blob_print(why, "argument(s) must be one of the following: ");
        explain_choice(option, why);
        break;
    case KW__OPTION_OCTAL:
    case KW__OPTION_PATH:
    case KW__OPTION_SECRET:
    case KW__OPTION_ADDRESSES:
    case KW__OPTION_SEEDS:
    case KW__OPTION_PERSONALITY:
    default:
        kw_blob_print(why, "argument is not valid");
    }
}

static void explain_choice(const struct kw__option *option, struct kw_blob *why)
{
    struct kw__text words = {0};

    kw__option_allowed(option, &words);
    kw_blob_print(why, "%s", words.data);
    kw__text_deinit(&words);
}

static void explain_limits(const char *value, struct kw_blob *why)
{
    static const char *const classes[] = {"normal", "pubsub", "replica", "slave"};
    struct kw_file_words words = {0};
    const char *reason = NULL;
    bool is_known = true;

    if (kw_file_words_split(kw_bytes_of_text(value), &words, &reason) != KW_OK ||
        words.count % 4 != 0 || words.count == 0) {
        kw_blob_print(why, "Wrong number of arguments in buffer limit configuration.");
        kw_file_words_deinit(&words);
        return;
    }
    for (size_t i = 0; i < words.count && is_known; i += 4) {
        is_known = false;
        for (size_t j = 0; j < sizeof classes / sizeof classes[0]; j++) {
            is_known = is_known || strcasecmp(words.words[i], classes[j]) == 0;
        }
    }
    kw_blob_print(why, is_known ? "Error in hard, soft or soft_seconds setting in buffer limit "
                                  "configuration."
                                : "Invalid client class specified in buffer limit configuration.");
    kw_file_words_deinit(&words);
}

static const char *board_check(const struct kw_config_board *board, const struct kw_config *next,
                               struct kw_blob *why)
{
    return board->check != NULL ? board->check(board->on_change_arg, board->current, next, why)
                                : NULL;
}

/* Where NAME stands among what is to be set; the last place when it is not there itself. */
static size_t place_of(const struct kw_bytes *pairs, size_t count, const char *name)
{
    const struct kw__option *option = kw__option_find(kw_bytes_of_text(name));
    size_t at = 0;

    while (at + 2 < 2 * count && kw__option_find(pairs[at]) != option) {
        at += 2;
    }
    return at;
}

static void board_hang(struct kw_config_board *board, struct kw_config *taken)
{
    kw_config_unref(&board->current);
    board->current = taken;
}
