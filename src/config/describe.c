/* describe.c - see describe.h.
 *
 * Everything is printed from options.def, in its order; what stands here is only what belongs to no
 * row: the prose around them, and the names that tools ask CONFIG GET for although keyway has no
 * such option. Prose is wrapped here, so rows needn't care where their lines end.
 */
#include "config/describe.h"

#include "base/text.h"
#include "config/config.h"
#include "config/file.h"
#include "config/internal.h"

enum { COLUMNS = 80 }; /* a terminal's; prose is wrapped before it */

/* The patterns of a CONFIG GET. */
struct asked {
    const struct kw_bytes *patterns;
    size_t count;
};

static void print_rule(FILE *file, const char *title);
static void print_example_option(FILE *file, const struct kw__option *option);
static void print_help_option(FILE *file, const struct kw__option *option);
static void print_wrapped(FILE *file, const char *indent, const char *text);
static bool get_pair(const struct asked *asked, const char *name, struct kw_bytes value,
                     kw_config_on_value on_value, void *arg);

static const char *const group_titles[KW__OPTION_GROUPS_COUNT] = {
    [KW__OPTION_NETWORK] = "NETWORK",      [KW__OPTION_LIMITS] = "LIMITS",
    [KW__OPTION_CLUSTER] = "CLUSTER",      [KW__OPTION_CACHE] = "CACHE",
    [KW__OPTION_STORE] = "EMBEDDED STORE", [KW__OPTION_PROCESS] = "PROCESS",
};

/* What tools ask for although it is no option here: answered as a server would that has it off. */
static const struct {
    const char *name;
    const char *value;
} fixed_values[] = {
    {"save", ""},
    {"appendonly", "no"},
    {"databases", "1"},
    {"replica-read-only", "yes"},
    {"slave-read-only", "yes"},
    {"cluster-enabled", "no"},
    {"protected-mode", "no"},
    {"requirepass", ""},
};

enum { FIXED_COUNT = sizeof fixed_values / sizeof fixed_values[0] };

void kw_config_print_example(FILE *file)
{
    size_t options_count = 0;
    const struct kw__option *options = kw__options(&options_count);

    print_wrapped(file, "# ", "redis.conf.example - every option of keyway with its default.");
    fputs("#\n", file);
    print_wrapped(file, "# ",
                  "Generated from src/config/options.def (make generate): change it there. Start "
                  "with your own copy of this file:");
    fputs("#\n#     keyway /etc/keyway.conf --port 7000\n#\n", file);
    print_wrapped(file, "# ",
                  "Options on the command line win over the file; in a file, later lines win over "
                  "earlier ones. Values with blanks are quoted as in C (\"a b\\n\\x41\") or "
                  "'like this'. Sizes are 100, 100k, 100kb, 64m, 64mb, 1g, 1gb: k, m and g count "
                  "by 1000, kb, mb and gb by 1024. A comment needs a line of its own. An unknown "
                  "directive or a bad value stops the start.");
    fputs("#\n", file);
    print_wrapped(file, "# ",
                  "Other files can be included; relative paths start where keyway was started, "
                  "and a pattern may match no file:");
    fputs("#\n# include /etc/keyway.d/*.conf\n", file);
    for (int group = 0; group < KW__OPTION_GROUPS_COUNT; group++) {
        print_rule(file, group_titles[group]);
        for (size_t i = 0; i < options_count; i++) {
            if (options[i].group == (enum kw__option_group)group) {
                print_example_option(file, &options[i]);
            }
        }
    }
}

void kw_config_print_help(FILE *file)
{
    size_t options_count = 0;
    const struct kw__option *options = kw__options(&options_count);

    fputs("keyway - a Redis Cluster behind one address\n"
          "\n"
          "USAGE\n"
          "  keyway [FILE | -] [--directive value ...] ...\n"
          "\n"
          "  FILE is a configuration file in redis.conf's format, - is stdin. Directives on\n"
          "  the command line are those of the file, and win over it.\n"
          "\n"
          "  --help, -h               print this text\n"
          "  --version, -v            print the version\n"
          "  --test-config            check FILE and the directives, then end\n"
          "  --print-example-config   print a FILE with every option and its default\n"
          "\n"
          "EXAMPLES\n"
          "  keyway --cluster-seeds 127.0.0.1:7000 127.0.0.1:7001\n"
          "  keyway /etc/keyway.conf --port 7000 --loglevel debug\n"
          "  keyway --print-example-config > keyway.conf\n"
          "  echo 'cluster-seeds redis.example.org:6379' | keyway - --threads 2\n",
          file);
    for (int group = 0; group < KW__OPTION_GROUPS_COUNT; group++) {
        fprintf(file, "\n%s\n", group_titles[group]);
        for (size_t i = 0; i < options_count; i++) {
            if (options[i].group == (enum kw__option_group)group) {
                print_help_option(file, &options[i]);
            }
        }
    }
    fputs("\n"
          "FILES\n"
          "  --include FILE\n"
          "        read another file, or all that match a pattern, at this place\n"
          "\n"
          "SIGNALS\n"
          "  TERM, INT   accept no more clients, finish what is in flight, end; the second\n"
          "              one ends at once\n"
          "  HUP         open the logfile again, after it was rotated\n"
          "\n"
          "EXIT STATUS\n"
          "  0 when it ended as asked, 1 when it could not start or had to give up\n",
          file);
}

size_t kw_config_get(const struct kw_config *config, const struct kw_bytes *patterns, size_t count,
                     kw_config_on_value on_value, void *arg)
{
    const struct asked asked = {patterns, count};
    size_t options_count = 0;
    const struct kw__option *options = kw__options(&options_count);
    size_t found_count = 0;

    for (size_t i = 0; i < options_count; i++) {
        struct kw__text text = {0};
        kw__option_show(&options[i], config, &text);
        struct kw_bytes value = kw_bytes_of(text.len > 0 ? text.data : "", text.len);
        found_count += get_pair(&asked, options[i].name, value, on_value, arg) ? 1 : 0;
        if (options[i].alias != NULL) {
            found_count += get_pair(&asked, options[i].alias, value, on_value, arg) ? 1 : 0;
        }
        kw__text_deinit(&text);
    }
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        struct kw_bytes value = kw_bytes_of_text(fixed_values[i].value);
        found_count += get_pair(&asked, fixed_values[i].name, value, on_value, arg) ? 1 : 0;
    }
    return found_count;
}

bool kw_config_is_servers(struct kw_bytes name)
{
    return kw__foreign_find(name) != NULL;
}

bool kw_config_is_stores(struct kw_bytes name)
{
    const struct kw__option *option = kw__option_find(name);

    return option != NULL && option->is_stores;
}

static void print_rule(FILE *file, const char *title)
{
    int width = fprintf(file, "\n# ---- %s ", title) - 1; /* the first one breaks the line */

    for (; width < COLUMNS - 1; width++) {
        fputc('-', file);
    }
    fputc('\n', file);
}

/* The sample is commented out; the default stands as it is, unless it is "none". */
static void print_example_option(FILE *file, const struct kw__option *option)
{
    struct kw_file_cursor cursor;
    struct kw_bytes line;
    bool is_none = option->by_default[0] == '\0' || strcmp(option->by_default, "\"\"") == 0;

    fputc('\n', file);
    print_wrapped(file, "# ", option->doc);
    if (option->sample != NULL) {
        fprintf(file, "#\n# %s %s\n", option->name, option->sample);
    }
    if (is_none && option->sample != NULL) {
        return;
    }
    kw_file_cursor_init(&cursor, kw_bytes_of_text(option->by_default));
    while (kw_file_cursor_next(&cursor, &line)) {
        fprintf(file, "%s %.*s\n", option->name, (int)line.len, line.data);
    }
}

static void print_help_option(FILE *file, const struct kw__option *option)
{
    struct kw__text text = {0};
    bool is_none = option->by_default[0] == '\0' || strcmp(option->by_default, "\"\"") == 0;

    bool is_long = strlen(option->name) + strlen(option->takes) + 5 > COLUMNS;
    fprintf(file, "  --%s %s\n", option->name, is_long ? "WORD" : option->takes);
    kw__text_add(&text, "%s", option->summary);
    if (!is_none) {
        kw__text_add(&text, " [");
        for (const char *at = option->by_default; at[0] != '\0'; at++) {
            kw__text_add(&text, "%s%c", at[0] == '\n' ? "," : "", at[0] == '\n' ? ' ' : at[0]);
        }
        kw__text_add(&text, "]");
    }
    print_wrapped(file, "        ", text.data);
    kw__text_deinit(&text);
}

/* Break TEXT at blanks, so that no line is wider than COLUMNS unless a word is. */
static void print_wrapped(FILE *file, const char *indent, const char *text)
{
    size_t column = 0;

    while (text[0] != '\0') {
        size_t len = strcspn(text, " ");
        if (column > 0 && column + 1 + len >= COLUMNS) {
            fputc('\n', file);
            column = 0;
        }
        const char *before = column == 0 ? indent : " ";
        fprintf(file, "%s%.*s", before, (int)len, text);
        column += strlen(before) + len;
        text += len;
        text += strspn(text, " ");
    }
    fputc('\n', file);
}

/* Returns whether NAME matched. */
static bool get_pair(const struct asked *asked, const char *name, struct kw_bytes value,
                     kw_config_on_value on_value, void *arg)
{
    struct kw_bytes name_bytes = kw_bytes_of_text(name);

    for (size_t i = 0; i < asked->count; i++) {
        if (kw_text_glob(asked->patterns[i], name_bytes, true)) {
            on_value(arg, name_bytes, value);
            return true;
        }
    }
    return false;
}
