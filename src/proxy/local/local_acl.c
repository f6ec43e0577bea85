/* local_acl.c - ACL as a server with one user answers it: default, without a password, who may do
 * everything. Clients' users are not kept here: what would make some is refused.
 */
#include "base/text.h"
#include "command/describe.h"
#include "proxy/local/local.h"

#include <sys/random.h>

enum { GENPASS_BITS = 256, GENPASS_BITS_MAX = 4096 };

static enum kw_verdict refuse(struct kw_buf *buf, enum kw_error error);
static void reply_words(struct kw_buf *buf, const char *const *words, size_t count);

enum kw_verdict kw__local_acl_whoami(struct kw_client *client, const struct kw_command *command,
                                     struct kw_buf *buf)
{
    (void)client;
    (void)command;
    kw_reply_bulk(buf, KW_BYTES("default"));
    return KW_ANSWERED;
}

enum kw_verdict kw__local_acl_users(struct kw_client *client, const struct kw_command *command,
                                    struct kw_buf *buf)
{
    kw_reply_array(buf, 1);
    return kw__local_acl_whoami(client, command, buf);
}

enum kw_verdict kw__local_acl_list(struct kw_client *client, const struct kw_command *command,
                                   struct kw_buf *buf)
{
    (void)client;
    (void)command;
    kw_reply_array(buf, 1);
    kw_reply_bulk(buf, KW_BYTES("user default on nopass ~* &* +@all"));
    return KW_ANSWERED;
}

enum kw_verdict kw__local_acl_getuser(struct kw_client *client, const struct kw_command *command,
                                      struct kw_buf *buf)
{
    static const char *const flags[] = {"on", "nopass"};

    (void)command;
    if (!kw_bytes_equal(client->proxy->argv.items[2], KW_BYTES("default"))) {
        kw_reply_null(buf, client->proto);
        return KW_ANSWERED;
    }
    kw_reply_map(buf, 6, client->proto);
    kw_reply_bulk(buf, KW_BYTES("flags"));
    kw_reply_set(buf, 2, client->proto);
    reply_words(buf, flags, 2);
    kw_reply_bulk(buf, KW_BYTES("passwords"));
    kw_reply_array(buf, 0);
    kw_reply_bulk(buf, KW_BYTES("commands"));
    kw_reply_bulk(buf, KW_BYTES("+@all"));
    kw_reply_bulk(buf, KW_BYTES("keys"));
    kw_reply_bulk(buf, KW_BYTES("~*"));
    kw_reply_bulk(buf, KW_BYTES("channels"));
    kw_reply_bulk(buf, KW_BYTES("&*"));
    kw_reply_bulk(buf, KW_BYTES("selectors"));
    kw_reply_array(buf, 0);
    return KW_ANSWERED;
}

enum kw_verdict kw__local_acl_cat(struct kw_client *client, const struct kw_command *command,
                                  struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;

    (void)command;
    if (argv->count > 3) {
        kw_reply_error_text(buf, KW_ERROR_SUBCOMMAND_ARITY, "CAT", "ACL");
        return KW_REFUSED;
    }
    if (argv->count == 2) {
        kw_describe_categories(buf);
        return KW_ANSWERED;
    }
    if (!kw_describe_category(buf, argv->items[2])) {
        kw_reply_error_bytes(buf, KW_ERROR_ACL_CATEGORY, argv->items[2]);
        return KW_REFUSED;
    }
    return KW_ANSWERED;
}

enum kw_verdict kw__local_acl_genpass(struct kw_client *client, const struct kw_command *command,
                                      struct kw_buf *buf)
{
    static const char digits[] = "0123456789abcdef";
    const struct kw_argv *argv = &client->proxy->argv;
    unsigned char drawn[GENPASS_BITS_MAX / 8];
    char text[GENPASS_BITS_MAX / 4];
    int64_t bits = GENPASS_BITS;

    (void)command;
    if (argv->count > 3) {
        kw_reply_error_text(buf, KW_ERROR_SUBCOMMAND_ARITY, "GENPASS", "ACL");
        return KW_REFUSED;
    }
    if (argv->count == 3 && kw_text_to_int(argv->items[2], &bits) != KW_OK) {
        return refuse(buf, KW_ERROR_NOT_INTEGER);
    }
    if (bits <= 0 || bits > GENPASS_BITS_MAX) {
        return refuse(buf, KW_ERROR_ACL_GENPASS);
    }
    size_t len = (size_t)(bits + 3) / 4;
    for (size_t got = 0; got < (len + 1) / 2;) {
        ssize_t more = getrandom(drawn + got, (len + 1) / 2 - got, 0);
        got += more > 0 ? (size_t)more : 0; /* interrupted by a signal: again */
    }
    for (size_t i = 0; i < len; i++) {
        text[i] = digits[(drawn[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15];
    }
    kw_reply_bulk(buf, kw_bytes_of(text, len));
    return KW_ANSWERED;
}

/* Nothing is ever denied. */
enum kw_verdict kw__local_acl_log(struct kw_client *client, const struct kw_command *command,
                                  struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;
    int64_t count = 0;

    (void)command;
    if (argv->count > 3) {
        kw_reply_error_text(buf, KW_ERROR_SUBCOMMAND_ARITY, "LOG", "ACL");
        return KW_REFUSED;
    }
    if (argv->count == 3 && kw_bytes_equal_nocase(argv->items[2], KW_BYTES("reset"))) {
        kw_reply_status(buf, KW_BYTES("OK"));
        return KW_ANSWERED;
    }
    if (argv->count == 3 && kw_text_to_int(argv->items[2], &count) != KW_OK) {
        return refuse(buf, KW_ERROR_NOT_INTEGER);
    }
    kw_reply_array(buf, 0);
    return KW_ANSWERED;
}

enum kw_verdict kw__local_acl_dryrun(struct kw_client *client, const struct kw_command *command,
                                     struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;

    (void)command;
    if (!kw_bytes_equal(argv->items[2], KW_BYTES("default"))) {
        kw_reply_error_bytes(buf, KW_ERROR_ACL_NO_USER, argv->items[2]);
        return KW_REFUSED;
    }
    const struct kw_command *asked = kw_command_resolve(argv->items + 3, argv->count - 3);
    bool is_container =
        asked != NULL && (asked->flags & KW_COMMAND_CONTAINER) != 0 && argv->count > 4;
    if (asked == NULL || is_container) {
        kw_reply_error_bytes(buf, KW_ERROR_ACL_NO_COMMAND, argv->items[3]);
        return KW_REFUSED;
    }
    if (!kw_command_arity_ok(asked, argv->count - 3)) {
        kw_reply_error_text(buf, KW_ERROR_ARITY, asked->name, NULL);
        return KW_REFUSED;
    }
    kw_reply_status(buf, KW_BYTES("OK"));
    return KW_ANSWERED;
}

enum kw_verdict kw__local_acl_deluser(struct kw_client *client, const struct kw_command *command,
                                      struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;

    (void)command;
    for (size_t i = 2; i < argv->count; i++) {
        if (kw_bytes_equal(argv->items[i], KW_BYTES("default"))) {
            return refuse(buf, KW_ERROR_ACL_DELUSER);
        }
    }
    kw_reply_int(buf, 0);
    return KW_ANSWERED;
}

enum kw_verdict kw__local_acl_file(struct kw_client *client, const struct kw_command *command,
                                   struct kw_buf *buf)
{
    (void)client;
    (void)command;
    return refuse(buf, KW_ERROR_ACL_FILE);
}

enum kw_verdict kw__local_acl_setuser(struct kw_client *client, const struct kw_command *command,
                                      struct kw_buf *buf)
{
    (void)client;
    (void)command;
    return refuse(buf, KW_ERROR_ACL_SETUSER);
}

static enum kw_verdict refuse(struct kw_buf *buf, enum kw_error error)
{
    kw_reply_error(buf, error);
    return KW_REFUSED;
}

static void reply_words(struct kw_buf *buf, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kw_reply_bulk(buf, kw_bytes_of_text(words[i]));
    }
}
