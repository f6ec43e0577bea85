/* local_client.c - what CLIENT says to and about the client itself; the rest is in client_list.c,
 * client_kill.c, pause.c and mute.c.
 */
#include "base/mem.h"
#include "proxy/local/client_list.h"
#include "proxy/local/local.h"

static enum kw_verdict set_flag(bool *flag, struct kw_bytes word, struct kw_buf *buf);
static enum kw_verdict set_info(struct kw_client *client, struct kw_buf *buf);

enum kw_verdict kw__local_client(struct kw_client *client, const struct kw_command *command,
                                 struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;

    if (command->local == KW_LOCAL_CLIENT_ID) {
        kw_reply_int(buf, (int64_t)client->id);
        return KW_ANSWERED;
    }
    if (command->local == KW_LOCAL_CLIENT_GETNAME) {
        if (client->name == NULL) {
            kw_reply_null(buf, client->proto);
        } else {
            kw_reply_bulk(buf, kw_bytes_of_text(client->name));
        }
        return KW_ANSWERED;
    }
    if (command->local == KW_LOCAL_CLIENT_SETINFO) {
        return set_info(client, buf);
    }
    if (command->local == KW_LOCAL_CLIENT_INFO) {
        kw_client_info_answer(client, buf);
        return KW_ANSWERED;
    }
    if (command->local == KW_LOCAL_CLIENT_NO_EVICT) {
        return set_flag(&client->is_no_evict, argv->items[2], buf);
    }
    if (command->local == KW_LOCAL_CLIENT_NO_TOUCH) {
        return set_flag(&client->is_no_touch, argv->items[2], buf);
    }
    if (command->local == KW_LOCAL_CLIENT_CAPA) {
        kw_reply_status(buf, KW_BYTES("OK")); /* what a client is capable of, keyway needs not */
        return KW_ANSWERED;
    }
    if (command->local == KW_LOCAL_CLIENT_IMPORT_SOURCE) {
        if (!kw_bytes_equal_nocase(argv->items[2], KW_BYTES("off"))) {
            kw_reply_error(buf, KW_ERROR_IMPORT_MODE);
            return KW_REFUSED;
        }
        kw_reply_status(buf, KW_BYTES("OK"));
        return KW_ANSWERED;
    }
    if (!kw__client_set_text(&client->name, argv->items[2])) {
        kw_reply_error(buf, KW_ERROR_CLIENT_NAME);
        return KW_REFUSED;
    }
    kw_reply_status(buf, KW_BYTES("OK"));
    return KW_ANSWERED;
}

/* ON or OFF. */
static enum kw_verdict set_flag(bool *flag, struct kw_bytes word, struct kw_buf *buf)
{
    bool is_on = kw_bytes_equal_nocase(word, KW_BYTES("on"));

    if (!is_on && !kw_bytes_equal_nocase(word, KW_BYTES("off"))) {
        kw_reply_error(buf, KW_ERROR_SYNTAX);
        return KW_REFUSED;
    }
    *flag = is_on;
    kw_reply_status(buf, KW_BYTES("OK"));
    return KW_ANSWERED;
}

bool kw__client_text_is_allowed(struct kw_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.data[i] < '!' || bytes.data[i] > '~') {
            return false;
        }
    }
    return true;
}

bool kw__client_set_text(char **text, struct kw_bytes bytes)
{
    if (!kw__client_text_is_allowed(bytes)) {
        return false;
    }
    kw_free(*text);
    *text = bytes.len > 0 ? kw_text_copy_bytes(bytes) : NULL;
    return true;
}

static enum kw_verdict set_info(struct kw_client *client, struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;
    bool is_name = kw_bytes_equal_nocase(argv->items[2], KW_BYTES("lib-name"));

    if (!is_name && !kw_bytes_equal_nocase(argv->items[2], KW_BYTES("lib-ver"))) {
        char option[64];
        size_t len = argv->items[2].len < sizeof option ? argv->items[2].len : sizeof option - 1;
        memcpy(option, argv->items[2].data, len);
        option[len] = '\0';
        kw_reply_error_text(buf, KW_ERROR_SETINFO_OPTION, option, NULL);
        return KW_REFUSED;
    }
    if (!kw__client_set_text(is_name ? &client->lib_name : &client->lib_version, argv->items[3])) {
        kw_reply_error_text(buf, KW_ERROR_LIB_NAME, is_name ? "lib-name" : "lib-ver", NULL);
        return KW_REFUSED;
    }
    kw_reply_status(buf, KW_BYTES("OK"));
    return KW_ANSWERED;
}
