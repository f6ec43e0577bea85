/* handshake.c - a list of steps; a step that does not apply is passed over.
 *
 *   AUTH (with a password) -> HELLO 3 (RESP3) or PING (RESP2) -> SELECT n (not for database 0)
 */
#include "backend/handshake.h"

#include "backend/backend.h"
#include "backend/link.h"
#include "backend/node.h"
#include "base/log.h"
#include "base/text.h"
#include "net/loop.h"
#include "resp/errors.h"
#include "resp/writer.h"

enum handshake_step { STEP_AUTH = 0, STEP_HELLO, STEP_PING, STEP_SELECT };

static void handshake_send(struct kw_link *link);

void kw_handshake_write_auth(struct kw_buf *buf, const struct kw_config *config)
{
    struct kw_bytes argv[3];
    size_t argc = 0;

    argv[argc++] = KW_BYTES("AUTH");
    if (config->cluster_auth_user[0] != '\0') {
        argv[argc++] = kw_bytes_of_text(config->cluster_auth_user);
    }
    argv[argc++] = kw_bytes_of_text(config->cluster_auth_pass);
    kw_write_command(buf, argv, argc);
}

void kw_handshake_start(struct kw_link *link)
{
    link->handshake_step = STEP_AUTH;
    handshake_send(link);
}

/* Send the step the link is at, or the next one that applies. */
static void handshake_send(struct kw_link *link)
{
    const struct kw_config *config = link->backend->config;
    struct kw_bytes argv[3];
    size_t argc = 0;
    char db[KW_TEXT_INT_MAX];

    if (link->handshake_step == STEP_AUTH && config->cluster_auth_pass[0] == '\0') {
        link->handshake_step = STEP_HELLO;
    }
    if (link->handshake_step == STEP_HELLO && link->proto == 2) {
        link->handshake_step = STEP_PING;
    }
    if (link->handshake_step == STEP_AUTH) {
        kw_handshake_write_auth(&link->stream.out, config);
        kw_stream_mark(&link->stream);
        return;
    }
    if (link->handshake_step == STEP_HELLO) {
        argv[argc++] = KW_BYTES("HELLO");
        argv[argc++] = KW_BYTES("3");
    } else if (link->handshake_step == STEP_SELECT) {
        argv[argc++] = KW_BYTES("SELECT");
        argv[argc++] = kw_bytes_of(db, kw_text_from_int(link->db, db));
    } else {
        argv[argc++] = KW_BYTES("PING");
    }
    kw_write_command(&link->stream.out, argv, argc);
    kw_stream_mark(&link->stream);
}

/* A node that loads its data or runs a script is alive: its answer to PING is such an error. */
static bool reply_is_alive(struct kw_bytes reply)
{
    static const char *const codes[] = {"-LOADING", "-BUSY", "-MASTERDOWN", "-MISCONF"};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (kw_bytes_start_with(reply, kw_bytes_of_text(codes[i]))) {
            return true;
        }
    }
    return reply.len > 0 && reply.data[0] != '-';
}

/* A server before 6.0 does not know HELLO; one that is full turns every connection away. */
static bool reply_is_no_resp3(const struct kw_link *link, struct kw_bytes reply)
{
    struct kw_bytes text = kw_bytes_of(reply.data + 1, reply.len - 1);

    return link->handshake_step == STEP_HELLO &&
           !kw_bytes_start_with(text, kw_bytes_of_text(kw_error_text(KW_ERROR_MAXCLIENTS)));
}

enum kw_status kw_handshake_on_reply(struct kw_link *link, struct kw_bytes reply)
{
    struct kw_node *node = link->node;
    bool is_select = link->handshake_step == STEP_SELECT;

    if (is_select && reply.data[0] == '-') {
        return KW_E_INVALID; /* who asked for that database is told */
    }
    if (!reply_is_alive(reply)) {
        bool is_auth =
            link->handshake_step == STEP_AUTH || kw_bytes_start_with(reply, KW_BYTES("-NOAUTH"));
        kw_log_limited(&node->log_limit, kw_loop_now_ms(link->backend->loop), KW_LOG_WARNING,
                       "node %s answers the %s of a new link with %.*s", node->name,
                       is_auth ? "AUTH" : "handshake", (int)(reply.len > 130 ? 128 : reply.len - 2),
                       reply.data);
        return is_auth ? KW_E_AUTH : reply_is_no_resp3(link, reply) ? KW_E_PROTOCOL : KW_E_REJECTED;
    }
    bool is_greeted = link->handshake_step == STEP_HELLO || link->handshake_step == STEP_PING;
    if (is_select || (is_greeted && link->db == 0)) {
        kw_link_make_ready(link);
        return KW_OK;
    }
    link->handshake_step = is_greeted ? STEP_SELECT : STEP_HELLO;
    handshake_send(link);
    return KW_OK;
}
