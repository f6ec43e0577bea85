/* local_config.c - CONFIG GET, SET, REWRITE, RESETSTAT.
 *
 * CONFIG SET changes the snapshot of the whole process (config/board.h), then an errand has each
 * worker take it, the client's own first: when the client gets its OK all workers have. What
 * belongs to the servers is refused, but for notify-keyspace-events, which applications read, add
 * to, and set: that is asked of a master and goes to all.
 */
#include "proxy/local/local_config.h"

#include "base/mem.h"
#include "base/text.h"
#include "config/board.h"
#include "config/describe.h"
#include "config/rewrite.h"
#include "proxy/embedded/events.h"
#include "proxy/gather/gather.h"
#include "proxy/reply.h"
#include "proxy/round.h"
#include "stats/tally.h"

struct pairs {
    struct kw_buf values;
    size_t count;
    unsigned databases; /* as the servers say; 0: not known yet */
    bool is_cluster;    /* for a client of the cluster personality */
};

enum { KEYSPACE_EVENTS_MAX_BYTES = 64 }; /* all letters there are, twice */

static const char EVENTS[] = "notify-keyspace-events";
static const char EVENTS_WRONG[] = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";

static bool events_are_letters(struct kw_client *client);
static enum kw_verdict set_everywhere(struct kw_client *client);
static void on_value(void *arg, struct kw_bytes name, struct kw_bytes value);
static enum kw_verdict refuse_set(struct kw_client *client, enum kw_config_change change,
                                  struct kw_bytes name, const struct kw_blob *why);
static void take_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void round_free(struct kw_round *round);

enum kw_verdict kw__local_config_get(struct kw_client *client, const struct kw_command *command,
                                     struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;
    const struct kw_learned *learned = client->proxy->learned;
    struct pairs pairs = {
        .is_cluster = client->is_cluster,
        .databases = client->proxy->embedded != NULL ? 1
                     : learned != NULL               ? kw_learned_databases(learned)
                                                     : 0,
    };

    (void)command;
    kw_buf_init(&pairs.values, client->proxy->chunks);
    (void)kw_config_get(client->proxy->config, argv->items + 2, argv->count - 2, on_value, &pairs);
    kw_reply_map(buf, pairs.count, client->proto);
    kw_buf_append_buf(buf, &pairs.values);
    return KW_ANSWERED;
}

bool kw_config_get_is_for_node(const struct kw_client *client, const struct kw_command *command)
{
    const struct kw_argv *argv = &client->proxy->argv;

    return command->local == KW_LOCAL_CONFIG_GET && client->proxy->embedded == NULL &&
           argv->count == 3 && kw_bytes_equal_nocase(argv->items[2], kw_bytes_of_text(EVENTS));
}

enum kw_verdict kw_config_set_start(struct kw_client *client, const struct kw_command *command)
{
    const struct kw_argv *argv = &client->proxy->argv;
    struct kw_config_board *board = kw_crew_board(client->proxy->crew);
    struct kw_blob why = {0};
    size_t at = 0;

    if (argv->count % 2 != 0) {
        return kw_reply_refuse(client, KW_ERROR_SYNTAX, NULL, NULL);
    }
    if (client->proxy->embedded == NULL && argv->count == 4 &&
        kw_bytes_equal_nocase(argv->items[2], kw_bytes_of_text(EVENTS))) {
        return set_everywhere(client);
    }
    if (client->proxy->embedded != NULL && !events_are_letters(client)) {
        return kw_reply_refuse(client, KW_ERROR_CONFIG_SET, EVENTS, EVENTS_WRONG);
    }
    for (size_t i = 2; client->proxy->embedded == NULL && i < argv->count; i += 2) {
        if (kw_config_is_stores(argv->items[i])) {
            return kw_reply_refuse_bytes(client, KW_ERROR_CONFIG_SERVERS, argv->items[i]);
        }
    }
    enum kw_config_change change =
        kw_config_board_set(board, argv->items + 2, (argv->count - 2) / 2, &at, &why);
    if (change != KW_CONFIG_CHANGED) {
        enum kw_verdict verdict = refuse_set(client, change, argv->items[2 + at], &why);
        kw_blob_deinit(&why);
        return verdict;
    }
    struct kw_round *round = kw_alloc_zero(1, sizeof *round);
    round->errand.visit = take_visit;
    take_visit(client->proxy, &round->errand); /* what the client has sent behind it goes by it */
    round->on_end = round_free;
    return kw_round_start(client, command, round);
}

/* Are the letters of notify-keyspace-events, if it is to be set, those of redis? */
static bool events_are_letters(struct kw_client *client)
{
    const struct kw_argv *argv = &client->proxy->argv;
    unsigned classes = 0;

    for (size_t i = 2; i + 1 < argv->count; i += 2) {
        if (!kw_bytes_equal_nocase(argv->items[i], kw_bytes_of_text(EVENTS))) {
            continue;
        }
        if (!kw_events_read(argv->items[i + 1], &classes)) {
            return false;
        }
    }
    return true;
}

enum kw_verdict kw__local_config_rewrite(struct kw_client *client, const struct kw_command *command,
                                         struct kw_buf *buf)
{
    const struct kw_config *config = client->proxy->config;
    struct kw_blob why = {0};

    (void)command;
    if (config->config_file[0] == '\0' || strcmp(config->config_file, "-") == 0) {
        kw_reply_error(buf, KW_ERROR_NO_CONFIG_FILE);
        return KW_REFUSED;
    }
    if (kw_config_rewrite(config, &why) != KW_OK) {
        kw_log(KW_LOG_WARNING, "CONFIG REWRITE failed: %.*s", (int)why.len, why.data);
        kw_reply_error_bytes(buf, KW_ERROR_REWRITE, kw_blob_bytes(&why));
        kw_blob_deinit(&why);
        return KW_REFUSED;
    }
    kw_log(KW_LOG_NOTICE, "CONFIG REWRITE: %s is written", config->config_file);
    kw_reply_status(buf, KW_BYTES("OK"));
    return KW_ANSWERED;
}

enum kw_verdict kw__local_config_resetstat(struct kw_client *client,
                                           const struct kw_command *command, struct kw_buf *buf)
{
    (void)command;
    kw_stats_reset(client->proxy->hub);
    kw_tally_reset(client->proxy->hub);
    kw_reply_status(buf, KW_BYTES("OK"));
    return KW_ANSWERED;
}

static void on_value(void *arg, struct kw_bytes name, struct kw_bytes value)
{
    struct pairs *pairs = arg;
    unsigned classes = 0;

    kw_reply_bulk(&pairs->values, name);
    if (kw_bytes_equal(name, kw_bytes_of_text(EVENTS)) && kw_events_read(value, &classes)) {
        char text[KEYSPACE_EVENTS_MAX_BYTES];
        kw_events_write(classes, text); /* in redis's order, and without the n that A hides there */
        kw_reply_bulk(&pairs->values, kw_bytes_of_text(text));
        pairs->count++;
        return;
    }
    if (pairs->databases > 0 && kw_bytes_equal(name, KW_BYTES("databases"))) {
        char number[KW_TEXT_INT_MAX];
        kw_reply_bulk(&pairs->values,
                      kw_bytes_of(number, kw_text_from_int(pairs->databases, number)));
    } else if (pairs->is_cluster && kw_bytes_equal(name, KW_BYTES("cluster-enabled"))) {
        kw_reply_bulk(&pairs->values, KW_BYTES("yes"));
    } else {
        kw_reply_bulk(&pairs->values, value);
    }
    pairs->count++;
}

static enum kw_verdict refuse_set(struct kw_client *client, enum kw_config_change change,
                                  struct kw_bytes name, const struct kw_blob *why)
{
    bool is_servers = client->proxy->embedded == NULL && kw_config_is_servers(name);
    char *name_text = kw_text_copy_bytes(name);
    char *why_text = kw_text_copy_bytes(kw_blob_bytes(why));
    enum kw_error error = change == KW_CONFIG_REFUSED ? KW_ERROR_CONFIG_SET
                          : is_servers                ? KW_ERROR_CONFIG_SERVERS
                                                      : KW_ERROR_CONFIG_UNKNOWN;

    enum kw_verdict verdict = kw_reply_refuse(client, error, name_text, why_text);
    kw_free(name_text);
    kw_free(why_text);
    return verdict;
}

/* At all masters: applications set it themselves before they subscribe to events of keys. */
static enum kw_verdict set_everywhere(struct kw_client *client)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_argv *argv = &proxy->argv;
    struct kw_buf wire;

    if (proxy->config_everywhere == NULL) {
        proxy->config_everywhere = kw_alloc(sizeof *proxy->config_everywhere);
        *proxy->config_everywhere = *kw_command_find_full(KW_BYTES("config|set"));
        proxy->config_everywhere->route = KW_ROUTE_ALL_SHARDS;
        proxy->config_everywhere->local = KW_LOCAL_NONE;
        proxy->config_everywhere->merge = KW_MERGE_ALL_SUCCEEDED;
    }
    if (argv->items[3].len > KEYSPACE_EVENTS_MAX_BYTES) {
        return kw_reply_refuse(client, KW_ERROR_CONFIG_SET, EVENTS, EVENTS_WRONG);
    }
    kw_buf_init(&wire, proxy->chunks);
    kw_write_command(&wire, argv->items, argv->count); /* small: one chunk */
    enum kw_verdict verdict =
        kw_gather_start(client, proxy->config_everywhere,
                        kw_bytes_of(wire.head->data + wire.head->start, wire.len));
    kw_buf_reset(&wire);
    if (verdict == KW_NEXT) {
        return kw_reply_refuse(client, KW_ERROR_NO_TOPOLOGY, NULL, NULL);
    }
    return verdict;
}

static void take_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    (void)errand;
    kw_proxy_reconfigure(proxy, kw_config_board_get(kw_crew_board(proxy->crew)));
}

static void round_free(struct kw_round *round)
{
    kw_free(round);
}
