/* blocked.c - a client that waits for something to happen at a node.
 *
 *   kw_blocked_start ----> leased.c: a link, or its turn ----> node: silence is legitimate
 *        ^                                                      |
 *        +---- MOVED, TRYAGAIN, "instance state changed" -------+---- reply, nil ----> answered
 *              again, with what is left of the timeout          +---- link lost: R2
 *
 * While a failover lasts there is no node to ask: who was blocked already goes on waiting for one,
 * within FAILOVER_MAX_MS; who has just come gets the error that all others get.
 *
 * The node keeps the time: keyway adds nothing to a timeout. Only when a command is sent again, or
 * had to wait for a link, its timeout is rewritten to what is left of it.
 *
 * A client that leaves has its link closed in the same tick, so the node forgets it before a later
 * push could give it an element.
 *
 * CLIENT UNBLOCK is passed on to the node, by the link's id there. The node may not have seen the
 * blocking command yet, which comes over another connection: so it is said again every 10 ms until
 * the reply is there.
 */
#include "proxy/session/blocked.h"

#include "backend/link.h"
#include "backend/node.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/client.h"
#include "proxy/embedded/stall.h"
#include "proxy/redirect.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/resend.h"
#include "proxy/route.h"
#include "proxy/session/leased.h"
#include "proxy/session/wait.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FRESH_MS = 1000,             /* blocked for so long: what went wrong before is forgotten */
    FAILOVER_MAX_MS = 30 * 1000, /* its slot has no node: the cluster promotes one, meanwhile */
    LINKS_AT_ONCE_MAX = 2,       /* lost links that are replaced at once, not in a moment */
    TIMEOUT_TEXT_MAX = 32        /* digits of a timeout that are understood */
};

/* How a blocking command is to end before its time. */
enum ending { ENDING_NONE = 0, ENDING_TIMEOUT, ENDING_ERROR, ENDING_CLOSE };

struct kw_blocked {
    struct kw_leased leased; /* first */
    struct kw_unblocking unblocking;
    uint64_t started_ms;
    uint64_t sent_ms;          /* when it was sent last */
    uint64_t patient_until_ms; /* 0: nothing has gone wrong */
    uint64_t deadline_ms;      /* 0: blocks for ever */
    size_t timeout_offset;     /* of the timeout's digits in the command's bytes */
    size_t timeout_len;
    bool is_in_ms;
    bool was_asked; /* a node has had it: it has blocked already, or nearly so */
    enum ending ending;
};

static void blocked_read_timeout(struct kw_blocked *blocked, const struct kw_command *command,
                                 struct kw_bytes wire);
static bool blocked_before_send(struct kw_leased *leased);
static bool blocked_cut_timeout(struct kw_blocked *blocked, uint64_t left_ms);
static bool blocked_on_refused(struct kw_leased *leased);
static void blocked_refresh(struct kw_blocked *blocked);
static void blocked_end_now(struct kw_blocked *blocked);
static void blocked_on_finished(struct kw_leased *leased);
static void blocked_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static bool blocked_redirected(struct kw_blocked *blocked, const struct kw_reply_part *part);
static void blocked_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                            bool was_sent);
static void blocked_end(struct kw_blocked *blocked, enum ending ending);
static void blocked_ask_to_end(const struct kw_blocked *blocked);

static const struct kw_leased_user leased_user = {.before_send = blocked_before_send,
                                                  .on_refused = blocked_on_refused,
                                                  .on_finished = blocked_on_finished};
static const struct kw_call_user call_user = {.on_reply = blocked_on_reply,
                                              .on_fail = blocked_on_fail};

enum kw_verdict kw_blocked_start(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire)
{
    struct kw_target target = {.slot = KW_SLOT_NONE};

    if (client->inflight_count > 0) {
        return KW_WAITING; /* it goes over another link: O2 */
    }
    enum kw_verdict verdict = kw_route(client, command, &target);
    if (verdict != KW_NEXT) {
        return verdict;
    }
    struct kw_blocked *blocked = kw_alloc_zero(1, sizeof *blocked);
    kw_leased_init(&blocked->leased, client, &leased_user);
    kw_list_init(&blocked->unblocking.place);
    blocked->unblocking.client = client;
    blocked->started_ms = kw_loop_now_ms(client->proxy->loop);
    blocked_read_timeout(blocked, command, wire);
    client->blocked = blocked;
    KW_STAT_ADD(client->proxy->stats, clients_blocked, 1);
    verdict = kw_leased_start(&blocked->leased, command, &call_user, target.slot, true, wire);
    if (verdict == KW_REFUSED) {
        blocked_on_finished(&blocked->leased);
    }
    return verdict;
}

bool kw_blocked_unblock(struct kw_client *client, bool is_error)
{
    if (client->is_gone || !kw__client_is_blocked(client)) {
        return false;
    }
    if (client->stall != NULL) {
        kw_stall_unblock(client, is_error);
        return true;
    }
    if (client->wait != NULL) {
        kw_wait_unblock(client, is_error);
        return true;
    }
    blocked_end(client->blocked, is_error ? ENDING_ERROR : ENDING_TIMEOUT);
    return true;
}

void kw_blocked_unblock_again(struct kw_proxy *proxy)
{
    for (struct kw_list *at = proxy->unblocking.next; at != &proxy->unblocking; at = at->next) {
        struct kw_client *client = KW_LIST_ENTRY(at, struct kw_unblocking, place)->client;
        if (client->wait != NULL) {
            kw__wait_ask_to_end(client->wait);
        } else {
            blocked_ask_to_end(client->blocked);
        }
    }
}

void kw_blocked_drain(struct kw_client *client)
{
    if (!client->is_gone && client->wait != NULL) {
        kw_wait_unblock(client, false); /* with what it has so far */
    } else if (!client->is_gone && client->stall != NULL) {
        kw_client_close(client);
    } else if (!client->is_gone && client->blocked != NULL) {
        blocked_end(client->blocked, ENDING_CLOSE);
    }
}

void kw_blocked_drop(struct kw_client *client)
{
    if (client->blocked != NULL) {
        kw_leased_drop(&client->blocked->leased);
    }
    kw_stall_drop(client);
}

/* Where the timeout stands, and what it says. One that can't be read is the node's to refuse. */
static void blocked_read_timeout(struct kw_blocked *blocked, const struct kw_command *command,
                                 struct kw_bytes wire)
{
    const struct kw_argv *argv = &blocked->leased.client->proxy->argv;
    size_t place = argv->count - 1;
    char text[TIMEOUT_TEXT_MAX + 1];
    char *end = NULL;

    if (command->session == KW_SESSION_BLOCK_OPTION) {
        blocked->is_in_ms = true;
        for (place = 1; place + 1 < argv->count; place++) {
            if (kw_bytes_equal_nocase(argv->items[place], KW_BYTES("block"))) {
                place++;
                break;
            }
        }
    } else if (command->keys[0].find == KW_FIND_NUMKEYS) {
        place = 1; /* BLMPOP, BZMPOP */
    }
    struct kw_bytes digits = argv->items[place];
    if (digits.len == 0 || digits.len > TIMEOUT_TEXT_MAX) {
        return;
    }
    memcpy(text, digits.data, digits.len);
    text[digits.len] = '\0';
    double value = strtod(text, &end);
    bool is_wrong = *end != '\0' || (blocked->is_in_ms && text[strspn(text, "0123456789")] != '\0');
    if (is_wrong || !(value > 0) || value > 1e12) {
        return;
    }
    double ms = blocked->is_in_ms ? value : value * 1000;
    ms = ms < 1 ? 1 : ms; /* as servers do: a short time, not none */
    blocked->timeout_offset = (size_t)(digits.data - wire.data);
    blocked->timeout_len = digits.len;
    blocked->deadline_ms = blocked->started_ms + (uint64_t)(ms + 0.999);
}

/* Is there time left? Then the bytes say how much of it. */
static bool blocked_before_send(struct kw_leased *leased)
{
    struct kw_blocked *blocked = (struct kw_blocked *)leased;
    uint64_t now_ms = kw_loop_now_ms(leased->client->proxy->loop);

    if (blocked->ending == ENDING_NONE && blocked->deadline_ms != 0 &&
        now_ms >= blocked->deadline_ms) {
        blocked->ending = ENDING_TIMEOUT;
    }
    if (blocked->ending != ENDING_NONE) {
        blocked_end_now(blocked);
        return false;
    }
    blocked->sent_ms = now_ms;
    if (blocked->deadline_ms != 0 && now_ms > blocked->started_ms &&
        !blocked_cut_timeout(blocked, blocked->deadline_ms - now_ms)) {
        kw_reply_fail(leased->request, KW_ERROR_OUT_OF_MEMORY, NULL);
        return false;
    }
    return true;
}

/* Write LEFT_MS in place of the timeout. */
static bool blocked_cut_timeout(struct kw_blocked *blocked, uint64_t left_ms)
{
    struct kw_bytes wire = kw_call_bytes(&blocked->leased.request->call);
    size_t header = blocked->timeout_offset - 2; /* the CR LF of "$LEN" */
    char text[TIMEOUT_TEXT_MAX];
    char length[TIMEOUT_TEXT_MAX];

    while (wire.data[header] != '$') {
        header--;
    }
    int text_len = blocked->is_in_ms
                       ? snprintf(text, sizeof text, "%llu", (unsigned long long)left_ms)
                       : snprintf(text, sizeof text, "%llu.%03u",
                                  (unsigned long long)(left_ms / 1000), (unsigned)(left_ms % 1000));
    int length_len = snprintf(length, sizeof length, "$%d\r\n", text_len);
    size_t behind = blocked->timeout_offset + blocked->timeout_len;
    struct kw_bytes pieces[] = {
        kw_bytes_of(wire.data, header),
        kw_bytes_of(length, (size_t)length_len),
        kw_bytes_of(text, (size_t)text_len),
        kw_bytes_of(wire.data + behind, wire.len - behind),
    };
    if (kw_leased_set_bytes(&blocked->leased, pieces, sizeof pieces / sizeof pieces[0]) != KW_OK) {
        return false;
    }
    blocked->timeout_offset = header + (size_t)length_len;
    blocked->timeout_len = (size_t)text_len;
    return true;
}

/* It was blocked, and now no node can be asked: a failover is likely. It waits as it did before,
 * within reason; one that has just come is told at once.
 */
static bool blocked_on_refused(struct kw_leased *leased)
{
    struct kw_blocked *blocked = (struct kw_blocked *)leased;
    uint64_t now_ms = kw_loop_now_ms(leased->client->proxy->loop);

    if (!blocked->was_asked || leased->client->proxy->is_draining) {
        return false;
    }
    if (blocked->patient_until_ms == 0) {
        blocked->patient_until_ms = now_ms + FAILOVER_MAX_MS;
    }
    if (now_ms >= blocked->patient_until_ms) {
        return false;
    }
    kw_leased_try_later(leased);
    return true;
}

/* It has been blocked for a while: troubles of the past don't count. */
static void blocked_refresh(struct kw_blocked *blocked)
{
    struct kw_request *request = blocked->leased.request;

    if (kw_loop_now_ms(request->client->proxy->loop) - blocked->sent_ms >= FRESH_MS) {
        blocked->patient_until_ms = 0;
        request->attempts = 0;
        request->lost_links = 0;
        request->deadline_ms = 0;
    }
}

/* Answer as the node would; nothing is in flight. */
static void blocked_end_now(struct kw_blocked *blocked)
{
    struct kw_client *client = blocked->leased.client;
    struct kw_request *request = blocked->leased.request;

    if (blocked->ending == ENDING_ERROR) {
        kw_reply_fail(request, KW_ERROR_UNBLOCKED, NULL);
        return;
    }
    if (blocked->ending == ENDING_CLOSE) {
        kw_client_close(client); /* ends the request, too */
        return;
    }
    kw_reply_pass(request, client->proto == 2 ? KW_BYTES("*-1\r\n") : KW_BYTES("_\r\n"));
    kw_reply_finish(request);
}

static void blocked_on_finished(struct kw_leased *leased)
{
    struct kw_blocked *blocked = (struct kw_blocked *)leased;
    struct kw_client *client = leased->client;

    if (blocked->ending == ENDING_NONE) {
        kw_lease_give_back(&leased->lease); /* its reply is whole: clean */
    }
    kw_lease_close(&leased->lease); /* else: a late CLIENT UNBLOCK must not meet its next user */
    kw_list_remove(&blocked->unblocking.place);
    client->blocked = NULL;
    kw_free(blocked);
    KW_STAT_ADD(client->proxy->stats, clients_blocked, -1);
}

static void blocked_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct kw_request *request = (struct kw_request *)call;
    struct kw_blocked *blocked = (struct kw_blocked *)request->leased;

    if (part->type == '-' && part->is_first && part->is_last && blocked_redirected(blocked, part)) {
        return;
    }
    if (part->is_last) {
        blocked->leased.request = NULL; /* the client may be closed for its output: not by us */
    }
    kw_request_pass(request, part, call->link);
}

/* An error that is no answer: the request goes on, or has been ended. */
static bool blocked_redirected(struct kw_blocked *blocked, const struct kw_reply_part *part)
{
    struct kw_client *client = blocked->leased.client;
    struct kw_request *request = blocked->leased.request;
    struct kw_proxy *proxy = client->proxy;
    struct kw_redirect redirect;

    if (client->is_gone) {
        return false;
    }
    if (blocked->ending == ENDING_CLOSE) {
        kw_client_close(client); /* there is nothing to tell it */
        return true;
    }
    blocked_refresh(blocked);
    blocked->was_asked = true;
    if (kw_bytes_start_with(part->bytes, KW_BYTES("-UNBLOCKED force unblock")) ||
        (kw_redirect_classify(part->bytes, request->slot, &redirect) &&
         redirect.kind == KW_REDIRECT_LATER)) {
        kw_backend_want_topology(proxy->backend); /* a failover: it may take a while */
        return blocked_on_refused(&blocked->leased);
    }
    return kw_request_redirected(request, part->node, part->bytes);
}

static void blocked_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                            bool was_sent)
{
    struct kw_request *request = (struct kw_request *)call;
    struct kw_blocked *blocked = (struct kw_blocked *)request->leased;
    bool is_read =
        (request->command->flags & (KW_COMMAND_READ | KW_COMMAND_WRITE)) == KW_COMMAND_READ;

    if (request->client->is_gone) {
        kw_reply_finish(request);
        return;
    }
    if (blocked->ending != ENDING_NONE) {
        blocked_end_now(blocked);
        return;
    }
    blocked_refresh(blocked);
    blocked->was_asked = blocked->was_asked || was_sent;
    bool may_retry = !was_sent || is_read;
    if (may_retry && request->lost_links >= LINKS_AT_ONCE_MAX &&
        blocked_on_refused(&blocked->leased)) {
        return;
    }
    kw_request_lost(request, link, status, was_sent, may_retry);
}

static void blocked_end(struct kw_blocked *blocked, enum ending ending)
{
    blocked->ending = ending;
    if (blocked->leased.request->call.link == NULL) {
        blocked_end_now(blocked); /* it waits for its turn, here */
        return;
    }
    blocked_ask_to_end(blocked);
    kw__unblocking_start(&blocked->unblocking);
}

void kw__unblocking_start(struct kw_unblocking *unblocking)
{
    struct kw_proxy *proxy = unblocking->client->proxy;

    if (!kw_list_is_linked(&unblocking->place)) {
        kw_list_append(&proxy->unblocking, &unblocking->place);
        kw__proxy_watch(proxy);
    }
}

static void blocked_ask_to_end(const struct kw_blocked *blocked)
{
    kw__unblock_at_node(blocked->leased.client, blocked->leased.lease.link,
                        blocked->ending == ENDING_TIMEOUT);
}

/* Over the shared link, by the id that the leased one has at the node. */
void kw__unblock_at_node(const struct kw_client *client, const struct kw_link *leased,
                         bool is_timeout)
{
    struct kw_link *link = NULL;
    char digits[KW_TEXT_INT_MAX];

    if (leased == NULL || leased->id_at_node == 0 ||
        kw_node_link(leased->node, client->proto, 0, client->id, &link) != KW_OK ||
        kw_link_has_room(link, KW_INLINE_MAX_BYTES) != KW_OK) {
        return;
    }
    struct kw_bytes argv[] = {
        KW_BYTES("CLIENT"),
        KW_BYTES("UNBLOCK"),
        kw_bytes_of(digits, kw_text_from_int(leased->id_at_node, digits)),
        is_timeout ? KW_BYTES("TIMEOUT") : KW_BYTES("ERROR"),
    };
    struct kw_buf wire;
    kw_buf_init(&wire, client->proxy->chunks);
    kw_write_command(&wire, argv, 4);
    enum kw_status status =
        kw_link_send_prefix(link, kw_bytes_of(wire.head->data + wire.head->start, wire.len));
    (void)status; /* it is said again in a moment */
    kw_buf_reset(&wire);
}
