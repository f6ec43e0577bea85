/* mute.c - see mute.h. OFF and SKIP have no reply themselves, ON has one also when it was off. */
#include "proxy/face/mute.h"

#include "proxy/reply.h"

enum kw_verdict kw_mute_start(struct kw_client *client, const struct kw_command *command)
{
    struct kw_bytes word = client->proxy->argv.items[2];

    (void)command;
    if (kw_bytes_equal_nocase(word, KW_BYTES("off"))) {
        client->modes |= KW_MODE_REPLY_OFF;
        client->is_muted = true;
        return KW_ANSWERED;
    }
    if (kw_bytes_equal_nocase(word, KW_BYTES("skip"))) {
        if ((client->modes & KW_MODE_REPLY_OFF) == 0) {
            client->modes |= KW_MODE_REPLY_SKIP;
            client->is_skip_fresh = true;
            client->is_muted = true;
        }
        return KW_ANSWERED;
    }
    if (!kw_bytes_equal_nocase(word, KW_BYTES("on"))) {
        return kw_reply_refuse(client, KW_ERROR_SYNTAX, NULL, NULL);
    }
    kw_mute_reset(client);
    kw_reply_status(kw_reply_begin(client), KW_BYTES("OK"));
    kw_reply_end(client);
    return KW_ANSWERED;
}

void kw_mute_step(struct kw_client *client)
{
    if (client->is_skip_fresh) {
        client->is_skip_fresh = false;
        return;
    }
    client->modes &= ~KW_MODE_REPLY_SKIP;
    client->is_muted = (client->modes & KW_MODE_REPLY_OFF) != 0;
}

void kw_mute_reset(struct kw_client *client)
{
    client->modes &= ~(KW_MODE_REPLY_OFF | KW_MODE_REPLY_SKIP);
    client->is_skip_fresh = false;
    client->is_muted = false;
}
