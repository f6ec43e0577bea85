/* help.c - HELP, from help.def. */
#include "proxy/embedded/steward.h"
#include "proxy/reply.h"

#include <ctype.h>
#include <stdio.h>

enum { FIRST_BYTES = 96 };

struct help_line {
    const char *container;
    const char *text;
};

static const struct help_line help_lines[] = {
#define KW_HELP(container, text) {container, text},
#include "proxy/embedded/help.def"
#undef KW_HELP
};

enum { LINES_COUNT = sizeof help_lines / sizeof help_lines[0] };

static bool line_is_of(const struct help_line *line, struct kw_bytes container);

enum kw_verdict kw_steward_help(struct kw_client *client, const struct kw_command *command)
{
    const char *bar = memchr(command->name, '|', command->name_len);
    struct kw_bytes container =
        kw_bytes_of(command->name, bar == NULL ? command->name_len : (size_t)(bar - command->name));
    char first[FIRST_BYTES];
    size_t count = 0;

    for (size_t i = 0; i < LINES_COUNT; i++) {
        count += line_is_of(&help_lines[i], container) ? 1 : 0;
    }
    if (count == 0) {
        return KW_NEXT;
    }
    int len = snprintf(first, sizeof first, "%.*s", (int)container.len, container.data);
    for (int i = 0; i < len; i++) {
        first[i] = (char)toupper((unsigned char)first[i]);
    }
    (void)snprintf(first + len, sizeof first - (size_t)len, "%s",
                   " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    struct kw_buf *buf = kw_reply_begin(client);
    kw_reply_array(buf, count + 3);
    kw_reply_status(buf, kw_bytes_of_text(first));
    for (size_t i = 0; i < LINES_COUNT; i++) {
        if (line_is_of(&help_lines[i], container)) {
            kw_reply_status(buf, kw_bytes_of_text(help_lines[i].text));
        }
    }
    kw_reply_status(buf, KW_BYTES("HELP"));
    kw_reply_status(buf, KW_BYTES("    Prints this help."));
    kw_reply_end(client);
    return KW_ANSWERED;
}

static bool line_is_of(const struct help_line *line, struct kw_bytes container)
{
    return kw_bytes_equal(kw_bytes_of_text(line->container), container);
}
