/* local_server.c - ROLE, TIME, LOLWUT: what one plain server would say of itself. */
#include "base/clock.h"
#include "base/text.h"
#include "base/version.h"
#include "proxy/local/local.h"

/* A master without replicas: health checks of sentinels' clients succeed. */
enum kw_verdict kw__local_role(struct kw_client *client, const struct kw_command *command,
                               struct kw_buf *buf)
{
    (void)client;
    (void)command;
    kw_reply_array(buf, 3);
    kw_reply_bulk(buf, KW_BYTES("master"));
    kw_reply_int(buf, 0);
    kw_reply_array(buf, 0);
    return KW_ANSWERED;
}

enum kw_verdict kw__local_time(struct kw_client *client, const struct kw_command *command,
                               struct kw_buf *buf)
{
    uint64_t now_us = kw_clock_wall_us();
    char text[KW_TEXT_INT_MAX];

    (void)client;
    (void)command;
    kw_reply_array(buf, 2);
    kw_reply_bulk(buf, kw_bytes_of(text, kw_text_from_int((int64_t)(now_us / 1000000), text)));
    kw_reply_bulk(buf, kw_bytes_of(text, kw_text_from_int((int64_t)(now_us % 1000000), text)));
    return KW_ANSWERED;
}

enum kw_verdict kw__local_lolwut(struct kw_client *client, const struct kw_command *command,
                                 struct kw_buf *buf)
{
    /* Many nodes, one way. */
    static const char art[] = "  o   o   o   o   o   o\n"
                              "   \\   \\  |   |  /   /\n"
                              "    `---`-+---+-'---'\n"
                              "          | K |\n"
                              "          | W |\n"
                              "    .---.-+---+-.---.\n"
                              "   /   /  |   |  \\   \\\n"
                              "  o   o   o   o   o   o\n"
                              "Redis ver. " KW_REDIS_VERSION " (keyway " KW_VERSION ")\n";
    const struct kw_argv *argv = &client->proxy->argv;
    int64_t version = 0;

    (void)command;
    if (argv->count > 2 && kw_bytes_equal_nocase(argv->items[1], KW_BYTES("version")) &&
        kw_text_to_int(argv->items[2], &version) != KW_OK) {
        kw_reply_error(buf, KW_ERROR_NOT_INTEGER);
        return KW_REFUSED;
    }
    kw_reply_verbatim(buf, KW_BYTES(art), client->proto);
    return KW_ANSWERED;
}
