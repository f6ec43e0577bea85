/* client_list.c - lines about clients, in the form of redis 7.0 with the fields of later versions
 * behind those that they follow there.
 *
 * What an own server would say and keyway has no such thing of is constant: rbs and rbp (a reply
 * buffer per client), user, redir. Lines of all workers are sorted by id, which is the order in
 * which the clients came.
 */
#include "proxy/local/client_list.h"

#include "base/blob.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/sock.h"
#include "proxy/client.h"
#include "proxy/local/client_filter.h"
#include "proxy/pubsub/subscribe.h"
#include "proxy/pubsub/tracker.h"
#include "proxy/reply.h"
#include "proxy/round.h"
#include "proxy/session/transaction.h"

#include <stdlib.h>

enum { ADDRESS_TEXT_MAX = 128, FLAGS_MAX = 16 };

struct line {
    uint64_t id;
    size_t offset; /* of its bytes in the list's text */
    size_t len;
};

struct client_list {
    struct kw_round round; /* first */
    struct kw_client_filter filter;
    struct kw_blob text;
    struct line *lines; /* owned */
    size_t lines_count;
    size_t lines_max;
};

static bool parse(struct kw_client *client, struct kw_client_filter *filter);
static void list_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void list_add(struct client_list *list, const struct kw_client *client);
static void list_answer(struct kw_client *client, struct kw_round *round, struct kw_buf *buf);
static void list_end(struct kw_round *round);
static int line_compare(const void *left, const void *right);
static void client_print(const struct kw_client *client, struct kw_blob *text);
static void client_flags(const struct kw_client *client, char *flags);

enum kw_verdict kw_client_list_start(struct kw_client *client, const struct kw_command *command)
{
    struct kw_client_filter filter = {0};

    if (!parse(client, &filter)) {
        kw_client_filter_deinit(&filter);
        return KW_REFUSED;
    }
    struct client_list *list = kw_alloc_zero(1, sizeof *list);
    list->filter = filter;
    list->round.errand.visit = list_visit;
    list->round.on_answer = list_answer;
    list->round.on_end = list_end;
    return kw_round_start(client, command, &list->round);
}

void kw_client_info_answer(struct kw_client *client, struct kw_buf *buf)
{
    struct kw_blob text = {0};

    client_print(client, &text);
    kw_reply_verbatim(buf, kw_blob_bytes(&text), client->proto);
    kw_blob_deinit(&text);
}

/* False when an error is written. */
static bool parse(struct kw_client *client, struct kw_client_filter *filter)
{
    const struct kw_argv *argv = &client->proxy->argv;
    int64_t id = 0;

    if (argv->count == 2) {
        return true;
    }
    if (argv->count == 4 && kw_bytes_equal_nocase(argv->items[2], KW_BYTES("type"))) {
        filter->kind = kw_client_kind_by_name(argv->items[3]);
        if (filter->kind == KW_CLIENT_ANY) {
            kw_reply_refuse_bytes(client, KW_ERROR_CLIENT_TYPE, argv->items[3]);
            return false;
        }
        return true;
    }
    if (argv->count > 3 && kw_bytes_equal_nocase(argv->items[2], KW_BYTES("id"))) {
        filter->is_by_id = true;
        for (size_t i = 3; i < argv->count; i++) {
            if (kw_text_to_int(argv->items[i], &id) != KW_OK) {
                kw_reply_refuse(client, KW_ERROR_CLIENT_ID, NULL, NULL);
                return false;
            }
            kw_client_filter_add_id(filter, id > 0 ? (uint64_t)id : 0);
        }
        return true;
    }
    kw_reply_refuse(client, KW_ERROR_SYNTAX, NULL, NULL);
    return false;
}

static void list_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct client_list *list = (struct client_list *)errand;

    for (struct kw_list *node = proxy->clients.next; node != &proxy->clients; node = node->next) {
        const struct kw_client *client = KW_LIST_ENTRY(node, struct kw_client, all);
        if (!client->is_gone && kw_client_filter_matches(&list->filter, client)) {
            list_add(list, client);
        }
    }
}

static void list_add(struct client_list *list, const struct kw_client *client)
{
    if (list->lines_count == list->lines_max) {
        list->lines_max = list->lines_max == 0 ? 16 : list->lines_max * 2;
        list->lines = kw_realloc(list->lines, list->lines_max * sizeof *list->lines);
    }
    struct line *line = &list->lines[list->lines_count++];
    line->id = client->id;
    line->offset = list->text.len;
    client_print(client, &list->text);
    line->len = list->text.len - line->offset;
}

static void list_answer(struct kw_client *client, struct kw_round *round, struct kw_buf *buf)
{
    struct client_list *list = (struct client_list *)round;
    struct kw_blob sorted = {0};

    if (list->lines_count > 1) {
        qsort(list->lines, list->lines_count, sizeof *list->lines, line_compare);
    }
    for (size_t i = 0; i < list->lines_count; i++) {
        const struct line *line = &list->lines[i];
        kw_blob_add(&sorted, kw_bytes_of(list->text.data + line->offset, line->len));
    }
    kw_reply_verbatim(buf, kw_blob_bytes(&sorted), client->proto);
    kw_blob_deinit(&sorted);
}

static void list_end(struct kw_round *round)
{
    struct client_list *list = (struct client_list *)round;

    kw_client_filter_deinit(&list->filter);
    kw_blob_deinit(&list->text);
    kw_free(list->lines);
    kw_free(list);
}

static int line_compare(const void *left, const void *right)
{
    const struct line *a = left;
    const struct line *b = right;

    return a->id < b->id ? -1 : a->id > b->id ? 1 : 0;
}

static void client_print(const struct kw_client *client, struct kw_blob *text)
{
    char address[ADDRESS_TEXT_MAX];
    char local_address[ADDRESS_TEXT_MAX];
    char flags[FLAGS_MAX];
    uint64_t now_ms = kw_loop_now_ms(client->proxy->loop);
    const struct kw_chunk *input = client->input;
    size_t output_chunks = 0;

    for (const struct kw_chunk *at = client->stream.out.head; at != NULL; at = at->next) {
        output_chunks++;
    }
    kw_client_address(client, false, address, sizeof address);
    kw_client_address(client, true, local_address, sizeof local_address);
    client_flags(client, flags);
    kw_blob_print(text, "id=%llu addr=%s laddr=%s fd=%d name=%s age=%llu idle=%llu flags=%s db=%u",
                  (unsigned long long)client->id, address, local_address, client->stream.fd,
                  client->name != NULL ? client->name : "",
                  (unsigned long long)((now_ms - client->opened_ms) / 1000),
                  (unsigned long long)((now_ms - client->active_ms) / 1000), flags, client->db);
    kw_blob_print(text, " sub=%u psub=%u ssub=%u multi=%d watch=%u",
                  kw_subscriber_count(client, KW_CHANNEL_PLAIN),
                  kw_subscriber_count(client, KW_CHANNEL_PATTERN),
                  kw_subscriber_count(client, KW_CHANNEL_SHARD), kw_transaction_queued(client),
                  kw_transaction_watched(client));
    kw_blob_print(
        text,
        " qbuf=%zu qbuf-free=%zu argv-mem=%zu multi-mem=0 rbs=0 rbp=0 obl=0 oll=%zu "
        "omem=%zu tot-mem=%zu events=%s",
        input != NULL ? input->end - input->start : 0, input != NULL ? input->cap - input->end : 0,
        client->inflight_bytes, output_chunks, client->stream.out.len + client->parked_bytes,
        sizeof *client + kw_client_memory_bytes(client), client->stream.out.len > 0 ? "rw" : "r");
    kw_blob_print(text, " cmd=%s user=default redir=%lld resp=%u lib-name=%s lib-ver=%s\n",
                  client->command != NULL ? client->command->name : "NULL",
                  (long long)kw_tracker_redirect(client), client->proto,
                  client->lib_name != NULL ? client->lib_name : "",
                  client->lib_version != NULL ? client->lib_version : "");
}

/* redis's letters, in its order. */
static void client_flags(const struct kw_client *client, char *flags)
{
    char peer[KW_ADDRESS_TEXT_MAX];
    size_t len = 0;

    if ((client->modes & KW_MODE_MONITORING) != 0) {
        flags[len++] = 'O';
    }
    if (kw_client_kind(client) == KW_CLIENT_PUBSUB) {
        flags[len++] = 'P';
    }
    if ((client->modes & (KW_MODE_MULTI | KW_MODE_HOSTING)) != 0) {
        flags[len++] = 'x';
    }
    if (kw__client_is_blocked(client)) {
        flags[len++] = 'b';
    }
    if ((client->modes & KW_MODE_TRACKING) != 0) {
        flags[len++] = 't';
    }
    if (kw_tracker_is_redirect_broken(client)) {
        flags[len++] = 'R';
    }
    if (kw_tracker_is_bcast(client)) {
        flags[len++] = 'B';
    }
    if (client->is_closing) {
        flags[len++] = 'c';
    }
    kw_sock_peer_text(client->stream.fd, peer, sizeof peer);
    if (strcmp(peer, "unix") == 0) {
        flags[len++] = 'U';
    }
    if (client->is_no_evict) {
        flags[len++] = 'e';
    }
    if (client->is_no_touch) {
        flags[len++] = 'T';
    }
    if (len == 0) {
        flags[len++] = 'N';
    }
    flags[len] = '\0';
}
