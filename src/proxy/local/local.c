/* local.c - the connection's own commands: no upstream traffic, ever.
 *
 * The handshakes of the client libraries end here. Types are exact: a library that gets a string
 * where it expects a number does not connect.
 */
#include "proxy/local/local.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/version.h"
#include "command/describe.h"
#include "proxy/account.h"
#include "proxy/client.h"
#include "proxy/embedded/embedded.h"
#include "proxy/face/cluster_face.h"
#include "proxy/face/database.h"
#include "proxy/face/monitor.h"
#include "proxy/face/mute.h"
#include "proxy/face/operator.h"
#include "proxy/face/pause.h"
#include "proxy/local/client_kill.h"
#include "proxy/local/client_list.h"
#include "proxy/local/local_config.h"
#include "proxy/near/near.h"
#include "proxy/pubsub/subscribe.h"
#include "proxy/reply.h"
#include "proxy/session/session.h"

/* What a HELLO asks for. */
struct hello {
    int64_t proto;
    const struct kw_bytes *name;   /* NULL: none */
    const struct kw_bytes *option; /* the one that it was refused for */
};

static enum kw_verdict answer(struct kw_client *client, const struct kw_command *command,
                              struct kw_buf *buf);
static void answer_describe(struct kw_client *client, const struct kw_command *command,
                            struct kw_buf *buf);
static void answer_ping(struct kw_client *client, struct kw_buf *buf);
static enum kw_verdict answer_hello(struct kw_client *client, struct kw_buf *buf);
static enum kw_error hello_read(const struct kw_argv *argv, int proto, struct hello *hello);
static void hello_reply(const struct kw_client *client, struct kw_buf *buf);
static enum kw_verdict answer_auth(struct kw_client *client, struct kw_buf *buf);
static enum kw_verdict start_reset(struct kw_client *client, const struct kw_command *command);

typedef enum kw_verdict local_start(struct kw_client *client, const struct kw_command *command);

/* What asks other threads or nodes first, or decides itself whether there is a reply at all. */
static local_start *const starts[KW_LOCAL_COUNT] = {
    [KW_LOCAL_SELECT] = kw_database_select,
    [KW_LOCAL_RESET] = start_reset,
    [KW_LOCAL_PROXY_CACHE] = kw_near_command,
    [KW_LOCAL_PROXY_HELP] = kw_operator_answer,
    [KW_LOCAL_PROXY_NODE] = kw__operator_node,
    [KW_LOCAL_PROXY_NODES] = kw__operator_survey,
    [KW_LOCAL_PROXY_POOLS] = kw__operator_survey,
    [KW_LOCAL_PROXY_TOPOLOGY] = kw_operator_answer,
    [KW_LOCAL_PROXY_VERSION] = kw_operator_answer,
    [KW_LOCAL_CLIENT_LIST] = kw_client_list_start,
    [KW_LOCAL_CLIENT_KILL] = kw_client_kill_start,
    [KW_LOCAL_CLIENT_UNBLOCK] = kw_client_unblock_start,
    [KW_LOCAL_CLIENT_REPLY] = kw_mute_start,
    [KW_LOCAL_CLIENT_PAUSE] = kw_pause_start,
    [KW_LOCAL_CLIENT_UNPAUSE] = kw_pause_end_start,
    [KW_LOCAL_CONFIG_SET] = kw_config_set_start,
    [KW_LOCAL_MONITOR] = kw_monitor_start,
};

/* What is written at once, in files of its own; all else is in answer(). */
static kw__local_writer *const writers[KW_LOCAL_COUNT] = {
    [KW_LOCAL_CONFIG_GET] = kw__local_config_get,
    [KW_LOCAL_CONFIG_REWRITE] = kw__local_config_rewrite,
    [KW_LOCAL_CONFIG_RESETSTAT] = kw__local_config_resetstat,
    [KW_LOCAL_ACL_WHOAMI] = kw__local_acl_whoami,
    [KW_LOCAL_ACL_USERS] = kw__local_acl_users,
    [KW_LOCAL_ACL_LIST] = kw__local_acl_list,
    [KW_LOCAL_ACL_GETUSER] = kw__local_acl_getuser,
    [KW_LOCAL_ACL_CAT] = kw__local_acl_cat,
    [KW_LOCAL_ACL_GENPASS] = kw__local_acl_genpass,
    [KW_LOCAL_ACL_LOG] = kw__local_acl_log,
    [KW_LOCAL_ACL_DRYRUN] = kw__local_acl_dryrun,
    [KW_LOCAL_ACL_DELUSER] = kw__local_acl_deluser,
    [KW_LOCAL_ACL_SETUSER] = kw__local_acl_setuser,
    [KW_LOCAL_ACL_FILE] = kw__local_acl_file,
    [KW_LOCAL_SLOWLOG_GET] = kw__local_slowlog_get,
    [KW_LOCAL_SLOWLOG_LEN] = kw__local_slowlog_len,
    [KW_LOCAL_SLOWLOG_RESET] = kw__local_slowlog_reset,
    [KW_LOCAL_COMMANDLOG_GET] = kw__local_commandlog_get,
    [KW_LOCAL_COMMANDLOG_LEN] = kw__local_commandlog_len,
    [KW_LOCAL_COMMANDLOG_RESET] = kw__local_commandlog_reset,
    [KW_LOCAL_LATENCY_LATEST] = kw__local_latency_latest,
    [KW_LOCAL_LATENCY_HISTORY] = kw__local_latency_history,
    [KW_LOCAL_LATENCY_RESET] = kw__local_latency_reset,
    [KW_LOCAL_LATENCY_GRAPH] = kw__local_latency_graph,
    [KW_LOCAL_LATENCY_DOCTOR] = kw__local_latency_doctor,
    [KW_LOCAL_LATENCY_HISTOGRAM] = kw__local_latency_histogram,
    [KW_LOCAL_ROLE] = kw__local_role,
    [KW_LOCAL_TIME] = kw__local_time,
    [KW_LOCAL_LOLWUT] = kw__local_lolwut,
};

enum kw_verdict kw_local_answer(struct kw_client *client, const struct kw_command *command)
{
    if (starts[command->local] != NULL) {
        return starts[command->local](client, command);
    }
    enum kw_verdict verdict = kw_local_write(client, command, kw_reply_begin(client));

    kw_reply_end(client);
    if (command->local == KW_LOCAL_QUIT) {
        kw_client_finish(client);
    }
    return verdict;
}

bool kw_local_is_written(const struct kw_command *command)
{
    return command->local != KW_LOCAL_NONE && command->local != KW_LOCAL_QUIT &&
           starts[command->local] == NULL;
}

enum kw_verdict kw_local_write(struct kw_client *client, const struct kw_command *command,
                               struct kw_buf *buf)
{
    kw__local_writer *write = writers[command->local] != NULL ? writers[command->local] : answer;
    size_t len = buf->len;
    enum kw_verdict verdict = write(client, command, buf);

    if (verdict == KW_REFUSED) {
        kw_account_written(client->proxy, buf, len);
    }
    return verdict;
}

int kw_local_hello_proto(const struct kw_argv *argv, int proto)
{
    struct hello hello;

    return hello_read(argv, proto, &hello) == KW_ERROR_COUNT ? (int)hello.proto : proto;
}

bool kw_local_changes_links(const struct kw_command *command)
{
    return command->local == KW_LOCAL_HELLO || command->local == KW_LOCAL_RESET;
}

static enum kw_verdict answer(struct kw_client *client, const struct kw_command *command,
                              struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;

    switch ((int)command->local) { /* the tables above have the others */
    case KW_LOCAL_PING:
        answer_ping(client, buf);
        return KW_ANSWERED;
    case KW_LOCAL_ECHO:
        kw_reply_bulk(buf, argv->items[1]);
        return KW_ANSWERED;
    case KW_LOCAL_QUIT:
    case KW_LOCAL_ASKING: /* whoever says these asks an owner of the slot already */
    case KW_LOCAL_READONLY:
    case KW_LOCAL_READWRITE:
        kw_reply_status(buf, KW_BYTES("OK"));
        return KW_ANSWERED;
    case KW_LOCAL_HELLO:
        return answer_hello(client, buf);
    case KW_LOCAL_AUTH:
        return answer_auth(client, buf);
    case KW_LOCAL_CLIENT_SETNAME:
    case KW_LOCAL_CLIENT_GETNAME:
    case KW_LOCAL_CLIENT_SETINFO:
    case KW_LOCAL_CLIENT_ID:
    case KW_LOCAL_CLIENT_INFO:
    case KW_LOCAL_CLIENT_NO_EVICT:
    case KW_LOCAL_CLIENT_NO_TOUCH:
    case KW_LOCAL_CLIENT_CAPA:
    case KW_LOCAL_CLIENT_IMPORT_SOURCE:
        return kw__local_client(client, command, buf);
    case KW_LOCAL_HELP:
    case KW_LOCAL_COMMAND:
    case KW_LOCAL_COMMAND_COUNT:
    case KW_LOCAL_COMMAND_DOCS:
    case KW_LOCAL_COMMAND_INFO:
    case KW_LOCAL_COMMAND_LIST:
    case KW_LOCAL_COMMAND_GETKEYS:
    case KW_LOCAL_COMMAND_GETKEYSANDFLAGS:
        answer_describe(client, command, buf);
        return KW_ANSWERED;
    case KW_LOCAL_CLUSTER_SLOTS:
    case KW_LOCAL_CLUSTER_SHARDS:
    case KW_LOCAL_CLUSTER_NODES:
    case KW_LOCAL_CLUSTER_INFO:
    case KW_LOCAL_CLUSTER_MYID:
    case KW_LOCAL_CLUSTER_MYSHARDID:
    case KW_LOCAL_CLUSTER_KEYSLOT:
    case KW_LOCAL_CLUSTER_LINKS:
    case KW_LOCAL_CLUSTER_REPLICAS:
    case KW_LOCAL_CLUSTER_FAILURE_REPORTS:
        return kw_cluster_face_answer(client, command, buf);
    case KW_LOCAL_INFO:
        kw__local_info(client, buf);
        return KW_ANSWERED;
    default:
        KW_UNREACHABLE(); /* kw_admit() refuses what nobody answers */
    }
}

/* COMMAND and its kin, and HELP: of what there is behind us. */
static void answer_describe(struct kw_client *client, const struct kw_command *command,
                            struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;
    struct kw_describe_rows rows = {
        .learned = client->proxy->learned,
        .offers = client->proxy->embedded != NULL ? kw_embedded_offers : NULL,
    };

    kw_describe(buf, command, &rows, argv->items, argv->count, client->proto);
}

static void answer_ping(struct kw_client *client, struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;

    if (argv->count > 2) {
        kw_reply_error_text(buf, KW_ERROR_ARITY, "ping", NULL);
    } else if (kw_subscriber_is_resp2(client)) {
        kw_reply_array(buf, 2);
        kw_reply_bulk(buf, KW_BYTES("pong"));
        kw_reply_bulk(buf, argv->count == 2 ? argv->items[1] : KW_BYTES(""));
    } else if (argv->count == 2) {
        kw_reply_bulk(buf, argv->items[1]);
    } else {
        kw_reply_status(buf, KW_BYTES("PONG"));
    }
}

/* HELLO [2|3 [AUTH user password] [SETNAME name]]: nothing changes unless all of it is right. */
static enum kw_verdict answer_hello(struct kw_client *client, struct kw_buf *buf)
{
    struct hello hello;
    char option[64] = "";
    enum kw_error error = hello_read(&client->proxy->argv, client->proto, &hello);

    if (error == KW_ERROR_HELLO_OPTION) {
        kw_text_printable(*hello.option, option, sizeof option);
    }
    if (error != KW_ERROR_COUNT) {
        kw_reply_error_text(buf, error, option, NULL);
        return KW_REFUSED;
    }
    if (hello.name != NULL) {
        (void)kw__client_set_text(&client->name, *hello.name);
    }
    client->proto = (uint8_t)hello.proto;
    hello_reply(client, buf);
    return KW_ANSWERED;
}

/* KW_ERROR_COUNT: all of it is right. */
static enum kw_error hello_read(const struct kw_argv *argv, int proto, struct hello *hello)
{
    size_t i = 2;

    *hello = (struct hello){.proto = proto};
    if (argv->count > 1 && kw_text_to_int(argv->items[1], &hello->proto) != KW_OK) {
        return KW_ERROR_HELLO_VERSION;
    }
    if (hello->proto != 2 && hello->proto != 3) {
        return KW_ERROR_NOPROTO;
    }
    while (i < argv->count) {
        size_t left = argv->count - i - 1;
        if (left >= 2 && kw_bytes_equal_nocase(argv->items[i], KW_BYTES("AUTH"))) {
            if (!kw_bytes_equal(argv->items[i + 1], KW_BYTES("default"))) {
                return KW_ERROR_WRONGPASS;
            }
            i += 3;
        } else if (left >= 1 && kw_bytes_equal_nocase(argv->items[i], KW_BYTES("SETNAME"))) {
            hello->name = &argv->items[i + 1];
            i += 2;
        } else {
            hello->option = &argv->items[i];
            return KW_ERROR_HELLO_OPTION;
        }
    }
    return hello->name == NULL || kw__client_text_is_allowed(*hello->name) ? KW_ERROR_COUNT
                                                                           : KW_ERROR_CLIENT_NAME;
}

static void hello_reply(const struct kw_client *client, struct kw_buf *buf)
{
    kw_reply_map(buf, 7, client->proto);
    kw_reply_bulk(buf, KW_BYTES("server"));
    kw_reply_bulk(buf, KW_BYTES("redis"));
    kw_reply_bulk(buf, KW_BYTES("version"));
    kw_reply_bulk(buf, KW_BYTES(KW_REDIS_VERSION));
    kw_reply_bulk(buf, KW_BYTES("proto"));
    kw_reply_int(buf, client->proto);
    kw_reply_bulk(buf, KW_BYTES("id"));
    kw_reply_int(buf, (int64_t)client->id);
    kw_reply_bulk(buf, KW_BYTES("mode"));
    kw_reply_bulk(buf, client->is_cluster ? KW_BYTES("cluster") : KW_BYTES("standalone"));
    kw_reply_bulk(buf, KW_BYTES("role"));
    kw_reply_bulk(buf, KW_BYTES("master"));
    kw_reply_bulk(buf, KW_BYTES("modules"));
    kw_reply_array(buf, 0);
}

/* Passwords are off: as a server whose default user has none. */
static enum kw_verdict answer_auth(struct kw_client *client, struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;

    if (argv->count > 3) {
        kw_reply_error(buf, KW_ERROR_SYNTAX);
        return KW_REFUSED;
    }
    if (argv->count == 2) {
        kw_reply_error(buf, KW_ERROR_AUTH_NO_PASSWORD);
        return KW_REFUSED;
    }
    if (!kw_bytes_equal(argv->items[1], KW_BYTES("default"))) {
        kw_reply_error(buf, KW_ERROR_WRONGPASS);
        return KW_REFUSED;
    }
    kw_reply_status(buf, KW_BYTES("OK"));
    return KW_ANSWERED;
}

/* All that a connection has taken on is given up; nothing of it is in flight
 * (kw_local_changes_links()).
 */
static enum kw_verdict start_reset(struct kw_client *client, const struct kw_command *command)
{
    (void)command;
    kw_session_drop(client);
    kw_mute_reset(client);
    kw_database_reset(client);
    client->proto = 2;
    client->is_no_evict = false;
    client->is_no_touch = false;
    client->is_near_refused = false;
    kw_free(client->name);
    client->name = NULL;
    kw_reply_status(kw_reply_begin(client), KW_BYTES("RESET"));
    kw_reply_end(client);
    return KW_ANSWERED;
}
