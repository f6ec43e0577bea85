/* load.c - builds a snapshot from the command line and the files it names.
 *
 *     argv --> FILE or stdin --> lines --> words --> directive --> options.def's row --> field
 *                 ^                                      |
 *                 +------------- include ----------------+
 *
 * Sources are read in order and each directive is applied at once, so later wins; the command line
 * comes last. The first bad directive ends it all: there is no half-loaded snapshot.
 *
 * I1. No secret is in an error text or in a note: report.c composes both.
 * I2. Every source is bounded: bytes of a file, files in all, includes in includes.
 *
 * Deviation from the house: strerror(errno) is used here, as files are opened here and only here.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/file.h"
#include "config/internal.h"
#include "config/report.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    INCLUDE_DEPTH_MAX = 16,       /* as deep as anybody nests on purpose, and far deeper */
    FILES_MAX = 256,              /* of all includes together */
    FILE_MAX_BYTES = 1024 * 1024, /* ten times redis.conf with all its comments */
    READ_BYTES = 16 * 1024,       /* most files at once */
};

struct loader {
    struct kw_config *config; /* owned until it is done */
    struct kw__text error;    /* empty until something fails */

    /* where we are */
    struct kw_report_place place;
    bool is_world_readable; /* the file there */
    bool has_seeds;         /* this source named seeds: more of them add up */
    bool has_keyways;       /* ... keyways: the same */
    unsigned depth;         /* files open */
    unsigned files_count;   /* files opened so far */
};

static enum kw_status load_arguments(struct loader *loader, int argc, char **argv);
static enum kw_status load_command_line(struct loader *loader, int argc, char **argv);
static enum kw_status load_file(struct loader *loader, const char *path,
                                const struct kw_report_directive *include);
static const char *file_read(struct loader *loader, const char *path, bool is_stdin,
                             struct kw__text *text);
static const char *descriptor_read(int fd, struct kw__text *text);
static enum kw_status load_text(struct loader *loader, struct kw_bytes text);
static enum kw_status load_line(struct loader *loader, struct kw_bytes line);
static enum kw_status directive_apply(struct loader *loader,
                                      const struct kw_report_directive *directive);
static enum kw_status directive_include(struct loader *loader,
                                        const struct kw_report_directive *directive);
static enum kw_status directive_set(struct loader *loader,
                                    const struct kw_report_directive *directive,
                                    const struct kw__option *option);
static enum kw_status directive_ignore(struct loader *loader,
                                       const struct kw_report_directive *directive,
                                       const struct kw__foreign *foreign);
static enum kw_status directive_refuse_unknown(struct loader *loader,
                                               const struct kw_report_directive *directive);
static enum kw_status config_check(struct loader *loader);
static enum kw_status loader_finish(struct loader *loader, enum kw_status status,
                                    struct kw_config **config, char *error, size_t error_size);
static void note_secret(struct loader *loader, const struct kw__option *option);
static enum kw_status fail(struct loader *loader, const struct kw_report_directive *directive,
                           const char *reason);

enum kw_status kw_config_load(int argc, char **argv, struct kw_config **config, char *error,
                              size_t error_size)
{
    struct loader loader = {.config = kw_config_new_default()};
    enum kw_status status = load_arguments(&loader, argc, argv);

    return loader_finish(&loader, status, config, error, error_size);
}

enum kw_status kw_config_load_text(struct kw_bytes text, struct kw_config **config, char *error,
                                   size_t error_size)
{
    struct loader loader = {.config = kw_config_new_default(), .place = {.source = KW_REPORT_TEXT}};
    enum kw_status status = load_text(&loader, text);

    return loader_finish(&loader, status, config, error, error_size);
}

static enum kw_status load_arguments(struct loader *loader, int argc, char **argv)
{
    int at = 1;

    loader->place.source = KW_REPORT_COMMAND_LINE;
    if (argc > 1 && strncmp(argv[1], "--", 2) != 0) {
        if (argv[1][0] == '-' && argv[1][1] != '\0') {
            struct kw_report_directive flag = {.name = argv[1]};
            return fail(loader, &flag, "unknown flag; options are written --port 7000");
        }
        kw_free(loader->config->config_file);
        loader->config->config_file = kw_text_copy(argv[1]);
        enum kw_status status = load_file(loader, argv[1], NULL);
        if (status != KW_OK) {
            return status;
        }
        at = 2;
    }
    loader->has_seeds = false;
    loader->has_keyways = false;
    return load_command_line(loader, argc - at, argv + at);
}

/* ARGV holds only what is behind FILE. */
static enum kw_status load_command_line(struct loader *loader, int argc, char **argv)
{
    int at = 0;

    while (at < argc) {
        if (strncmp(argv[at], "--", 2) != 0) {
            struct kw_report_directive stray = {.name = argv[at]};
            return fail(loader, &stray, "options are written --port 7000, after at most one FILE");
        }
        int end = at + 1;
        while (end < argc && strncmp(argv[end], "--", 2) != 0) {
            end++;
        }
        struct kw_report_directive directive = {
            .name = argv[at] + 2,
            .values = (const char *const *)(argv + at + 1),
            .values_count = (size_t)(end - at - 1),
        };
        enum kw_status status = directive_apply(loader, &directive);
        if (status != KW_OK) {
            return status;
        }
        at = end;
    }
    return KW_OK;
}

/* INCLUDE is the directive that asked for it, NULL when the command line did. */
static enum kw_status load_file(struct loader *loader, const char *path,
                                const struct kw_report_directive *include)
{
    struct loader outer = *loader; /* where to come back to */
    struct kw__text text = {0};

    if (loader->depth == INCLUDE_DEPTH_MAX) {
        return fail(loader, include, "files include files more than 16 deep: in a circle?");
    }
    if (loader->files_count == FILES_MAX) {
        return fail(loader, include, "more than 256 files are included");
    }
    const char *reason = file_read(loader, path, include == NULL && strcmp(path, "-") == 0, &text);
    if (reason != NULL) {
        struct kw__text why = {0};
        kw__text_add(&why, "can't read the file ");
        kw_report_path(path, &why);
        kw__text_add(&why, ": %s", reason);
        enum kw_status failed = fail(loader, include, why.data);
        kw__text_deinit(&why);
        kw__text_deinit(&text);
        return failed;
    }
    loader->place.source = KW_REPORT_FILE;
    loader->place.path = path;
    loader->depth++;
    loader->files_count++;
    enum kw_status status = load_text(loader, kw_bytes_of(text.data, text.len));
    kw__text_deinit(&text);
    loader->place = outer.place;
    loader->is_world_readable = outer.is_world_readable;
    loader->depth = outer.depth;
    return status;
}

/* Fill TEXT from the file at PATH, or from stdin.
 * Returns NULL, or why it can't be read, valid until the next call.
 */
static const char *file_read(struct loader *loader, const char *path, bool is_stdin,
                             struct kw__text *text)
{
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0) {
        const char *reason = strerror(errno);
        if (fd >= 0 && !is_stdin) {
            (void)close(fd);
        }
        return reason;
    }
    loader->is_world_readable = S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0;
    const char *reason = descriptor_read(fd, text);
    if (!is_stdin) {
        (void)close(fd);
    }
    return reason;
}

static const char *descriptor_read(int fd, struct kw__text *text)
{
    for (;;) {
        if (text->size_bytes - text->len < READ_BYTES) {
            text->size_bytes = text->size_bytes * 2 + READ_BYTES;
            text->data = kw_realloc(text->data, text->size_bytes);
        }
        ssize_t got = read(fd, text->data + text->len, READ_BYTES);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got == 0 ? NULL : strerror(errno);
        }
        text->len += (size_t)got;
        if (text->len > FILE_MAX_BYTES) {
            return "it is larger than 1mb"; /* I2 */
        }
    }
}

static enum kw_status load_text(struct loader *loader, struct kw_bytes text)
{
    struct kw_file_cursor cursor;
    struct kw_bytes line;
    enum kw_status status = KW_OK;

    kw_file_cursor_init(&cursor, text);
    while (status == KW_OK && kw_file_cursor_next(&cursor, &line)) {
        loader->place.line_number = cursor.line_number;
        status = load_line(loader, line);
    }
    return status;
}

static enum kw_status load_line(struct loader *loader, struct kw_bytes line)
{
    struct kw_file_words words = {0};
    struct kw_report_directive directive = {0};
    const char *reason = NULL;

    if (kw_file_words_split(line, &words, &reason) != KW_OK) {
        struct kw__text text = {0};
        kw__text_add(&text, "%.*s", (int)line.len, line.data); /* a NUL byte ends it */
        directive.name = text.data;
        enum kw_status failed = fail(loader, &directive, reason);
        kw__text_deinit(&text);
        return failed;
    }
    KW_ASSERT(words.count > 0); /* the cursor skips blank lines */
    directive.name = words.words[0];
    directive.values = (const char *const *)(words.words + 1);
    directive.values_count = words.count - 1;
    enum kw_status status = directive_apply(loader, &directive);
    kw_file_words_deinit(&words);
    return status;
}

static enum kw_status directive_apply(struct loader *loader,
                                      const struct kw_report_directive *directive)
{
    struct kw_bytes name = kw_bytes_of_text(directive->name);
    const struct kw__option *option = kw__option_find(name);

    if (option != NULL) {
        return directive_set(loader, directive, option);
    }
    if (strcasecmp(directive->name, "include") == 0) {
        return directive_include(loader, directive);
    }
    const struct kw__foreign *foreign = kw__foreign_find(name);
    if (foreign != NULL) {
        return directive_ignore(loader, directive, foreign);
    }
    return directive_refuse_unknown(loader, directive);
}

/* Without wildcards the file must be there; a pattern may match none. */
static enum kw_status directive_include(struct loader *loader,
                                        const struct kw_report_directive *directive)
{
    glob_t found = {0};
    enum kw_status status = KW_OK;

    if (loader->place.source == KW_REPORT_TEXT) {
        return fail(loader, directive, "only a file can include files");
    }
    if (directive->values_count != 1) {
        return fail(loader, directive,
                    "wrong number of arguments: one FILE or pattern is expected");
    }
    const char *pattern = directive->values[0];
    if (strpbrk(pattern, "*?[") == NULL) {
        return load_file(loader, pattern, directive);
    }
    int result = glob(pattern, 0, NULL, &found);
    if (result != 0 && result != GLOB_NOMATCH) {
        status = fail(loader, directive, "the pattern can't be expanded");
    }
    for (size_t i = 0; result == 0 && status == KW_OK && i < found.gl_pathc; i++) {
        status = load_file(loader, found.gl_pathv[i], directive);
    }
    globfree(&found);
    return status;
}

static enum kw_status directive_set(struct loader *loader,
                                    const struct kw_report_directive *directive,
                                    const struct kw__option *option)
{
    struct kw__text why = {0};

    if (option->type == KW__OPTION_SEEDS) {
        bool is_keyways = option->offset_bytes == offsetof(struct kw_config, cluster_keyways);
        bool *has_some = is_keyways ? &loader->has_keyways : &loader->has_seeds;
        if (!*has_some) {
            kw__option_clear(option, loader->config);
        }
        *has_some = true;
    }
    enum kw_status status =
        kw__option_set(option, loader->config, directive->values, directive->values_count, &why);
    if (status != KW_OK) {
        (void)fail(loader, directive, why.data);
    } else if (option->type == KW__OPTION_SECRET) {
        note_secret(loader, option);
    } else if (option->type == KW__OPTION_OUTPUT_LIMITS) {
        for (size_t i = 0; i < directive->values_count; i++) {
            const char *value = directive->values[i];
            if (strncasecmp(value, "replica", 7) == 0 || strncasecmp(value, "slave", 5) == 0) {
                kw_report_note_ignored(loader->config,
                                       KW_BYTES("client-output-buffer-limit replica"),
                                       "keyway has no replicas of its own");
            }
        }
    }
    kw__text_deinit(&why);
    return status;
}

static enum kw_status directive_ignore(struct loader *loader,
                                       const struct kw_report_directive *directive,
                                       const struct kw__foreign *foreign)
{
    if (foreign->is_refused) {
        return fail(loader, directive, foreign->reason);
    }
    kw_report_note_ignored(loader->config, kw_report_name(directive->name), foreign->reason);
    return KW_OK;
}

static enum kw_status directive_refuse_unknown(struct loader *loader,
                                               const struct kw_report_directive *directive)
{
    struct kw_bytes name = kw_report_name(directive->name);
    const char *rest = directive->name + name.len;
    const struct kw__option *option = kw__option_find(name);
    bool is_assignment = rest[0] == '=' && option != NULL;
    const struct kw__option *nearest = is_assignment ? NULL : kw__option_nearest(name);
    struct kw__text why = {0};

    kw__text_add(&why, "unknown directive");
    if (is_assignment) {
        kw__text_add(&why, ": '%s' and its value are separated by a blank, not by '='",
                     option->name);
    }
    if (nearest != NULL) {
        kw__text_add(&why, "; did you mean '%s'?", nearest->name);
    }
    enum kw_status status = fail(loader, directive, why.data);
    kw__text_deinit(&why);
    return status;
}

static enum kw_status loader_finish(struct loader *loader, enum kw_status status,
                                    struct kw_config **config, char *error, size_t error_size)
{
    *config = NULL;
    if (status == KW_OK) {
        status = config_check(loader);
    }
    if (status == KW_OK) {
        *config = loader->config;
        loader->config = NULL;
    } else if (error_size > 0) {
        size_t len = loader->error.len < error_size ? loader->error.len : error_size - 1;
        memcpy(error, loader->error.data, len);
        error[len] = '\0';
    }
    kw_config_unref(&loader->config);
    kw__text_deinit(&loader->error);
    return status;
}

/* What no single directive can know. */
static enum kw_status config_check(struct loader *loader)
{
    const struct kw_config *config = loader->config;

    if (config->port == 0 && config->unixsocket[0] == '\0') {
        kw__text_add(&loader->error, "port is 0 and there is no unixsocket: keyway would listen "
                                     "nowhere");
        return KW_E_INVALID;
    }
    return KW_OK;
}

static void note_secret(struct loader *loader, const struct kw__option *option)
{
    struct kw__text note = {0};
    char *const *secret = (char *const *)((const char *)loader->config + option->offset_bytes);

    if (**secret == '\0') {
        return;
    }
    if (loader->place.source == KW_REPORT_COMMAND_LINE) {
        kw__text_add(&note, "%s is on the command line, which every user of this machine can read",
                     option->name);
    } else if (loader->place.source == KW_REPORT_FILE && loader->is_world_readable) {
        kw__text_add(&note,
                     "%s is in a file that every user of this machine can read (chmod 600 "
                     "it): ",
                     option->name);
        kw_report_path(loader->place.path, &note);
    }
    if (note.len > 0) {
        kw_report_note(loader->config, note.data);
    }
    kw__text_deinit(&note);
}

/* The first failure ends the load. Returns KW_E_INVALID. */
static enum kw_status fail(struct loader *loader, const struct kw_report_directive *directive,
                           const char *reason)
{
    KW_ASSERT(loader->error.len == 0);
    kw_report_error(&loader->place, directive, reason, &loader->error);
    return KW_E_INVALID;
}
