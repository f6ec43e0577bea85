/* report.c - see report.h.
 *
 * I1. A secret is in no text: values are shown only of directives that are known and hold none, and
 *     a name is shown only as far as it looks like one (a password may follow a '=' or a forgotten
 *     blank). A value with an '@' may be a URL with a password: it is not shown either.
 */
#include "config/report.h"

#include "base/mem.h"
#include "base/text.h"
#include "config/internal.h"

#include <stdio.h>

enum {
    NAME_SHOWN_MAX_LEN = 64,    /* of a directive's name */
    PATH_SHOWN_MAX_LEN = 255,   /* so that the reason still fits */
    VALUES_SHOWN_MAX_LEN = 256, /* likewise */
    NOTE_MAX_LEN = 1000         /* of a note that grows */
};

static void place_show(const struct kw_report_place *place, struct kw__text *text);
static void directive_show(const struct kw_report_directive *directive, struct kw__text *text);
static bool note_has_name(const char *names, struct kw_bytes name);

void kw_report_error(const struct kw_report_place *place,
                     const struct kw_report_directive *directive, const char *reason,
                     struct kw__text *text)
{
    place_show(place, text);
    if (directive != NULL) {
        directive_show(directive, text);
    }
    kw__text_add(text, "%s", reason);
}

static void place_show(const struct kw_report_place *place, struct kw__text *text)
{
    kw__text_add(text, "Reading the ");
    if (place->source == KW_REPORT_COMMAND_LINE) {
        kw__text_add(text, "command line\n");
        return;
    }
    kw__text_add(text, "configuration");
    if (place->source == KW_REPORT_FILE) {
        kw__text_add(text, " file ");
        kw_report_path(place->path, text);
    }
    kw__text_add(text, ", at line %u\n", place->line_number);
}

/* ">>> 'port 70000'", or ">>> 'requirepass ...'" when values may be secret (I1). */
static void directive_show(const struct kw_report_directive *directive, struct kw__text *text)
{
    struct kw_bytes name = kw_report_name(directive->name);
    const struct kw__option *option = kw__option_find(kw_bytes_of_text(directive->name));
    bool has_more = directive->values_count > 0 || directive->name[name.len] != '\0';
    char printable[VALUES_SHOWN_MAX_LEN + 1];
    struct kw__text values = {0};

    for (size_t i = 0; i < directive->values_count; i++) {
        kw__text_add(&values, " %s", directive->values[i]);
    }
    bool is_include = strcasecmp(directive->name, "include") == 0;
    bool is_url = values.len > 0 && strchr(values.data, '@') != NULL; /* with a password in it */
    bool may_show =
        !is_url && (is_include || (option != NULL && option->type != KW__OPTION_SECRET));
    if (may_show && has_more) {
        (void)kw_text_printable(kw_bytes_of(values.data, values.len), printable, sizeof printable);
    } else {
        (void)snprintf(printable, sizeof printable, "%s", has_more ? " ..." : "");
    }
    kw__text_add(text, ">>> '%.*s%s%s'\n", (int)name.len, name.data, printable,
                 may_show && values.len > VALUES_SHOWN_MAX_LEN ? " ..." : "");
    kw__text_deinit(&values);
}

struct kw_bytes kw_report_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_.";
    size_t len = strspn(name, allowed);

    return kw_bytes_of(name, len < NAME_SHOWN_MAX_LEN ? len : NAME_SHOWN_MAX_LEN);
}

void kw_report_path(const char *path, struct kw__text *text)
{
    kw__text_add(text, "'%.*s'", PATH_SHOWN_MAX_LEN, path);
}

void kw_report_note_ignored(struct kw_config *config, struct kw_bytes name, const char *reason)
{
    struct kw__text start = {0};
    struct kw__text note = {0};
    size_t at = 0;

    kw__text_add(&start, "ignored (%s): ", reason);
    while (at < config->notes_count && strncmp(config->notes[at], start.data, start.len) != 0) {
        at++;
    }
    if (at == config->notes_count) {
        kw__text_add(&note, "%s%.*s", start.data, (int)name.len, name.data);
        kw_report_note(config, note.data);
    } else if (strlen(config->notes[at]) + name.len < NOTE_MAX_LEN &&
               !note_has_name(config->notes[at] + start.len, name)) {
        kw__text_add(&note, "%s, %.*s", config->notes[at], (int)name.len, name.data);
        kw_free(config->notes[at]);
        config->notes[at] = kw_text_copy(note.data);
    }
    kw__text_deinit(&note);
    kw__text_deinit(&start);
}

/* NAMES are separated by ", ". */
static bool note_has_name(const char *names, struct kw_bytes name)
{
    while (names[0] != '\0') {
        size_t len = strcspn(names, ",");
        if (kw_bytes_equal_nocase(kw_bytes_of(names, len), name)) {
            return true;
        }
        names += len;
        names += strspn(names, ", ");
    }
    return false;
}

void kw_report_note(struct kw_config *config, const char *text)
{
    for (size_t i = 0; i < config->notes_count; i++) {
        if (strcmp(config->notes[i], text) == 0) {
            return;
        }
    }
    config->notes = kw_realloc(config->notes, (config->notes_count + 1) * sizeof *config->notes);
    config->notes[config->notes_count++] = kw_text_copy(text);
}
