/* client_kill.c - see client_kill.h.
 *
 * Whoever kills himself still gets his reply: his connection closes behind it. All others are cut
 * off at once, as redis does.
 */
#include "proxy/local/client_kill.h"

#include "base/mem.h"
#include "base/text.h"
#include "proxy/client.h"
#include "proxy/local/client_filter.h"
#include "proxy/reply.h"
#include "proxy/round.h"
#include "proxy/session/blocked.h"

struct kill {
    struct kw_round round; /* first */
    struct kw_client_filter filter;
    uint64_t killer_id;
    int64_t killed_count;
    bool is_old; /* CLIENT KILL address: OK or an error */
};

struct unblock {
    struct kw_round round; /* first */
    uint64_t id;
    bool with_error;
    bool has_unblocked;
};

static bool kill_parse(struct kw_client *client, struct kill *kill);
static bool kill_option(struct kw_client *client, struct kill *kill, struct kw_bytes option,
                        struct kw_bytes value);
static bool kill_number(struct kw_client *client, struct kw_bytes value, enum kw_error not_a_number,
                        enum kw_error not_positive, uint64_t *number);
static void kill_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void kill_answer(struct kw_client *client, struct kw_round *round, struct kw_buf *buf);
static void kill_end(struct kw_round *round);
static void unblock_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void unblock_answer(struct kw_client *client, struct kw_round *round, struct kw_buf *buf);
static void unblock_end(struct kw_round *round);

enum kw_verdict kw_client_kill_start(struct kw_client *client, const struct kw_command *command)
{
    struct kill *kill = kw_alloc_zero(1, sizeof *kill);

    kill->killer_id = client->id;
    kill->round.errand.visit = kill_visit;
    kill->round.on_answer = kill_answer;
    kill->round.on_end = kill_end;
    if (!kill_parse(client, kill)) {
        kill_end(&kill->round);
        return KW_REFUSED;
    }
    return kw_round_start(client, command, &kill->round);
}

/* False when an error is written. */
static bool kill_parse(struct kw_client *client, struct kill *kill)
{
    const struct kw_argv *argv = &client->proxy->argv;

    if (argv->count == 3) {
        kill->is_old = true;
        kill->filter.address = kw_text_copy_bytes(argv->items[2]);
        return true;
    }
    kill->filter.self_id = client->id; /* SKIPME yes */
    for (size_t i = 2; i < argv->count; i += 2) {
        if (i + 1 == argv->count) {
            kw_reply_refuse(client, KW_ERROR_SYNTAX, NULL, NULL);
            return false;
        }
        if (!kill_option(client, kill, argv->items[i], argv->items[i + 1])) {
            return false;
        }
    }
    return true;
}

static bool kill_option(struct kw_client *client, struct kill *kill, struct kw_bytes option,
                        struct kw_bytes value)
{
    struct kw_client_filter *filter = &kill->filter;
    uint64_t id = 0;

    if (kw_bytes_equal_nocase(option, KW_BYTES("id"))) {
        if (!kill_number(client, value, KW_ERROR_KILL_ID, KW_ERROR_KILL_ID, &id)) {
            return false;
        }
        kw_free(filter->ids); /* the last one counts */
        filter->ids = NULL;
        filter->ids_count = 0;
        kw_client_filter_add_id(filter, id);
        return true;
    }
    if (kw_bytes_equal_nocase(option, KW_BYTES("maxage"))) {
        return kill_number(client, value, KW_ERROR_KILL_MAXAGE_NUMBER, KW_ERROR_KILL_MAXAGE,
                           &filter->age_min_s);
    }
    if (kw_bytes_equal_nocase(option, KW_BYTES("type"))) {
        filter->kind = kw_client_kind_by_name(value);
        if (filter->kind == KW_CLIENT_ANY) {
            kw_reply_refuse_bytes(client, KW_ERROR_CLIENT_TYPE, value);
            return false;
        }
        return true;
    }
    if (kw_bytes_equal_nocase(option, KW_BYTES("addr"))) {
        kw_free(filter->address);
        filter->address = kw_text_copy_bytes(value);
        return true;
    }
    if (kw_bytes_equal_nocase(option, KW_BYTES("laddr"))) {
        kw_free(filter->local_address);
        filter->local_address = kw_text_copy_bytes(value);
        return true;
    }
    if (kw_bytes_equal_nocase(option, KW_BYTES("user"))) {
        if (!kw_bytes_equal(value, KW_BYTES("default"))) {
            kw_reply_refuse_bytes(client, KW_ERROR_NO_SUCH_USER, value);
            return false;
        }
        return true; /* everybody is */
    }
    if (kw_bytes_equal_nocase(option, KW_BYTES("skipme"))) {
        bool is_yes = kw_bytes_equal_nocase(value, KW_BYTES("yes"));
        if (is_yes || kw_bytes_equal_nocase(value, KW_BYTES("no"))) {
            filter->self_id = is_yes ? client->id : 0;
            return true;
        }
    }
    kw_reply_refuse(client, KW_ERROR_SYNTAX, NULL, NULL);
    return false;
}

static bool kill_number(struct kw_client *client, struct kw_bytes value, enum kw_error not_a_number,
                        enum kw_error not_positive, uint64_t *number)
{
    int64_t read = 0;

    if (kw_text_to_int(value, &read) != KW_OK) {
        kw_reply_refuse(client, not_a_number, NULL, NULL);
        return false;
    }
    if (read <= 0) {
        kw_reply_refuse(client, not_positive, NULL, NULL);
        return false;
    }
    *number = (uint64_t)read;
    return true;
}

static void kill_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct kill *kill = (struct kill *)errand;

    for (struct kw_list *node = proxy->clients.next; node != &proxy->clients;) {
        struct kw_client *client = KW_LIST_ENTRY(node, struct kw_client, all);
        node = node->next;
        if (client->is_gone || !kw_client_filter_matches(&kill->filter, client)) {
            continue;
        }
        kill->killed_count++;
        if (client->id == kill->killer_id) {
            kw_client_finish(client);
        } else {
            kw_client_close(client);
        }
    }
}

static void kill_answer(struct kw_client *client, struct kw_round *round, struct kw_buf *buf)
{
    struct kill *kill = (struct kill *)round;

    (void)client;
    if (!kill->is_old) {
        kw_reply_int(buf, kill->killed_count);
    } else if (kill->killed_count > 0) {
        kw_reply_status(buf, KW_BYTES("OK"));
    } else {
        kw_reply_error(buf, KW_ERROR_NO_SUCH_CLIENT);
    }
}

static void kill_end(struct kw_round *round)
{
    struct kill *kill = (struct kill *)round;

    kw_client_filter_deinit(&kill->filter);
    kw_free(kill);
}

enum kw_verdict kw_client_unblock_start(struct kw_client *client, const struct kw_command *command)
{
    const struct kw_argv *argv = &client->proxy->argv;
    bool with_error = false;
    int64_t id = 0;

    if (argv->count > 4) {
        return kw_reply_refuse(client, KW_ERROR_SUBCOMMAND_ARITY, "UNBLOCK", "CLIENT");
    }
    if (argv->count == 4) {
        with_error = kw_bytes_equal_nocase(argv->items[3], KW_BYTES("error"));
        if (!with_error && !kw_bytes_equal_nocase(argv->items[3], KW_BYTES("timeout"))) {
            return kw_reply_refuse(client, KW_ERROR_UNBLOCK_REASON, NULL, NULL);
        }
    }
    if (kw_text_to_int(argv->items[2], &id) != KW_OK) {
        return kw_reply_refuse(client, KW_ERROR_NOT_INTEGER, NULL, NULL);
    }
    struct unblock *unblock = kw_alloc_zero(1, sizeof *unblock);
    unblock->id = id > 0 ? (uint64_t)id : 0;
    unblock->with_error = with_error;
    unblock->round.errand.visit = unblock_visit;
    unblock->round.on_answer = unblock_answer;
    unblock->round.on_end = unblock_end;
    return kw_round_start(client, command, &unblock->round);
}

static void unblock_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct unblock *unblock = (struct unblock *)errand;

    for (struct kw_list *node = proxy->clients.next;
         node != &proxy->clients && !unblock->has_unblocked; node = node->next) {
        struct kw_client *client = KW_LIST_ENTRY(node, struct kw_client, all);
        if (client->id == unblock->id) {
            unblock->has_unblocked = kw_blocked_unblock(client, unblock->with_error);
        }
    }
}

static void unblock_answer(struct kw_client *client, struct kw_round *round, struct kw_buf *buf)
{
    (void)client;
    kw_reply_int(buf, ((struct unblock *)round)->has_unblocked ? 1 : 0);
}

static void unblock_end(struct kw_round *round)
{
    kw_free(round);
}
