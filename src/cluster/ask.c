/* ask.c - one question to one node, step by step.
 *
 *     IDLE ─▶ RESOLVING ─▶ CONNECTING ─▶ READING_EPOCH ─▶ READING_MAP ─▶ IDLE (on_answer)
 *       └───────────────────(still connected)──▲
 *
 * I1  the epoch is read before the map: a map that is newer than its epoch is harmless, an old map
 *     with a newer epoch would pass for a new one.
 * I2  on_answer is the last thing that happens in a handler: it may close the ask.
 * I3  where a node says "where you asked", it means the address we reached it at: a name may mean
 *     several nodes.
 * I4  on_answer never runs inside kw_ask_start(): asking the next one would be a recursion.
 */
#include "cluster/ask.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/text.h"
#include "cluster/shards_reply.h"
#include "config/config.h"
#include "net/control.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/timer.h"

enum ask_state { ASK_IDLE = 0, ASK_RESOLVING, ASK_CONNECTING, ASK_READING_EPOCH, ASK_READING_MAP };

struct kw_ask {
    struct kw_ask_options options; /* host is host[] below */
    char host[KW_HOST_MAX];
    enum ask_state state;
    uint32_t timeout_ms;
    struct kw_timer *deadline;  /* owned; from CONNECTING on */
    enum kw_status failure;     /* what the deadline means */
    struct kw_lookup *lookup;   /* in RESOLVING, else NULL */
    struct kw_control *control; /* owned; NULL when not connected */
    struct kw_address addresses[KW_RESOLVE_ADDRESSES_MAX];
    uint32_t addresses_count;
    uint32_t address_index; /* the one that control is about */
    bool speaks_slots;
    uint64_t epoch;
};

static void ask_on_resolved(void *arg, enum kw_status status, const struct kw_address *addresses,
                            uint32_t count);
static void ask_connect(struct kw_ask *ask);
static void ask_on_ready(void *arg);
static void ask_read_epoch(struct kw_ask *ask);
static void ask_on_epoch(void *arg, enum kw_status status, const struct kw_value *reply);
static void ask_read_map(struct kw_ask *ask);
static void ask_on_map(void *arg, enum kw_status status, const struct kw_value *reply);
static bool error_says(const struct kw_value *reply, const char *text);
static void ask_answer_plain(struct kw_ask *ask);
static void ask_answer_error(struct kw_ask *ask, const struct kw_value *error);
static void ask_on_down(void *arg, enum kw_status status);
static void ask_on_deadline(void *arg);
static void ask_fail(struct kw_ask *ask, enum kw_status status);
static void ask_finish(struct kw_ask *ask, struct kw_ask_answer *answer);

struct kw_ask *kw_ask_open(const struct kw_ask_options *options)
{
    struct kw_ask *ask = kw_alloc_zero(1, sizeof *ask);
    size_t host_len = strlen(options->host);

    KW_ASSERT(host_len < sizeof ask->host);
    ask->options = *options;
    memcpy(ask->host, options->host, host_len + 1);
    ask->options.host = ask->host;
    ask->speaks_slots = options->speaks_slots;
    ask->deadline = kw_timer_new(options->loop, ask_on_deadline, ask);
    return ask;
}

void kw_ask_start(struct kw_ask *ask, uint32_t timeout_ms)
{
    KW_ASSERT(ask->state == ASK_IDLE);
    ask->timeout_ms = timeout_ms;
    if (ask->control != NULL && kw_control_is_idle(ask->control)) {
        ask->failure = KW_E_TIMEOUT;
        kw_timer_start(ask->deadline, timeout_ms);
        ask_read_epoch(ask);
        return;
    }
    kw_control_close(&ask->control); /* it broke since, and has not told yet */
    ask->state = ASK_RESOLVING;
    ask->lookup = kw_resolver_lookup(ask->options.resolver, ask->host, ask->options.port,
                                     ask_on_resolved, ask);
}

static void ask_on_resolved(void *arg, enum kw_status status, const struct kw_address *addresses,
                            uint32_t count)
{
    struct kw_ask *ask = arg;

    KW_ASSERT(ask->state == ASK_RESOLVING);
    ask->lookup = NULL;
    if (status != KW_OK) {
        ask->failure = KW_E_UNREACHABLE;
        kw_timer_start(ask->deadline, 0); /* I4: maybe kw_ask_start() has not returned yet */
        return;
    }
    ask->failure = KW_E_TIMEOUT;
    memcpy(ask->addresses, addresses, count * sizeof *addresses);
    ask->addresses_count = count;
    ask->address_index = 0;
    kw_timer_start(ask->deadline, ask->timeout_ms);
    ask_connect(ask);
}

static void ask_connect(struct kw_ask *ask)
{
    const struct kw_control_options options = {
        .address = ask->addresses[ask->address_index],
        .auth_user = ask->options.config->cluster_auth_user,
        .auth_pass = ask->options.config->cluster_auth_pass,
        .timeout_ms = ask->timeout_ms,
        .on_ready = ask_on_ready,
        .on_down = ask_on_down,
        .arg = ask,
    };

    ask->state = ASK_CONNECTING;
    ask->control = kw_control_open(ask->options.loop, &options);
}

static void ask_on_ready(void *arg)
{
    struct kw_ask *ask = arg;

    KW_ASSERT(ask->state == ASK_CONNECTING);
    ask_read_epoch(ask);
}

static void ask_read_epoch(struct kw_ask *ask)
{
    ask->state = ASK_READING_EPOCH; /* I1 */
    ask->epoch = 0;
    kw_control_send(ask->control, "CLUSTER NODES", ask->timeout_ms, ask_on_epoch, ask);
}

static void ask_on_epoch(void *arg, enum kw_status status, const struct kw_value *reply)
{
    struct kw_ask *ask = arg;

    if (status != KW_OK) {
        return; /* ask_on_down() follows */
    }
    KW_ASSERT(ask->state == ASK_READING_EPOCH);
    if (error_says(reply, "cluster support disabled")) {
        ask_answer_plain(ask);
        return;
    }
    /* Any other error, such as NOPERM, only leaves the epoch unknown. */
    ask->epoch = kw_nodes_reply_epoch(reply);
    ask_read_map(ask);
}

static void ask_read_map(struct kw_ask *ask)
{
    ask->state = ASK_READING_MAP;
    kw_control_send(ask->control, ask->speaks_slots ? "CLUSTER SLOTS" : "CLUSTER SHARDS",
                    ask->timeout_ms, ask_on_map, ask);
}

static void ask_on_map(void *arg, enum kw_status status, const struct kw_value *reply)
{
    struct kw_ask *ask = arg;
    struct kw_ask_answer answer = {.speaks_slots = ask->speaks_slots};
    char host[KW_ADDRESS_TEXT_MAX];

    if (status != KW_OK) {
        return; /* ask_on_down() follows */
    }
    KW_ASSERT(ask->state == ASK_READING_MAP);
    if (reply->type == KW_VALUE_ERROR) {
        if (!ask->speaks_slots && error_says(reply, "unknown")) {
            ask->speaks_slots = true; /* before 7.0: "unknown subcommand", "unknown command" */
            ask_read_map(ask);
        } else {
            ask_answer_error(ask, reply);
        }
        return;
    }
    kw_address_print_host(&ask->addresses[ask->address_index], host); /* I3 */
    answer.status = ask->speaks_slots ? kw_slots_reply_read(reply, host, &answer.topology)
                                      : kw_shards_reply_read(reply, host, &answer.topology);
    if (answer.status == KW_OK) {
        answer.topology->epoch = ask->epoch;
    }
    ask_finish(ask, &answer);
}

static bool error_says(const struct kw_value *reply, const char *text)
{
    size_t len = strlen(text);

    if (reply->type != KW_VALUE_ERROR) {
        return false;
    }
    for (size_t i = 0; i + len <= reply->bytes.len; i++) {
        if (strncasecmp(reply->bytes.data + i, text, len) == 0) {
            return true;
        }
    }
    return false;
}

static void ask_answer_plain(struct kw_ask *ask)
{
    char host[KW_ADDRESS_TEXT_MAX];
    struct kw_ask_answer answer = {.status = KW_OK, .speaks_slots = ask->speaks_slots};

    kw_address_print_host(&ask->addresses[ask->address_index], host); /* I3 */
    answer.topology = kw_topology_of_plain_server(host, ask->options.port);
    ask_finish(ask, &answer);
}

static void ask_answer_error(struct kw_ask *ask, const struct kw_value *error)
{
    struct kw_ask_answer answer = {.status = KW_E_PROTOCOL, .speaks_slots = ask->speaks_slots};

    if (error_says(error, "NOAUTH") || error_says(error, "NOPERM")) {
        answer.status = KW_E_AUTH;
    }
    kw_text_printable(error->bytes, answer.error, sizeof answer.error);
    ask_finish(ask, &answer);
}

static void ask_on_down(void *arg, enum kw_status status)
{
    struct kw_ask *ask = arg;

    kw_control_close(&ask->control);
    if (ask->state == ASK_IDLE) {
        return; /* the next question connects again */
    }
    if (ask->state == ASK_CONNECTING && status != KW_E_AUTH &&
        ask->address_index + 1 < ask->addresses_count) {
        ask->address_index++;
        ask_connect(ask);
        return;
    }
    ask_fail(ask, status);
}

static void ask_on_deadline(void *arg)
{
    struct kw_ask *ask = arg;

    ask_fail(ask, ask->failure);
}

static void ask_fail(struct kw_ask *ask, enum kw_status status)
{
    struct kw_ask_answer answer = {.status = status, .speaks_slots = ask->speaks_slots};

    kw_control_close(&ask->control);
    ask_finish(ask, &answer);
}

static void ask_finish(struct kw_ask *ask, struct kw_ask_answer *answer)
{
    KW_ASSERT((answer->topology != NULL) == (answer->status == KW_OK));
    kw_timer_stop(ask->deadline);
    ask->state = ASK_IDLE;
    ask->options.on_answer(ask->options.arg, ask, answer); /* I2 */
}

const char *kw_ask_host(const struct kw_ask *ask)
{
    return ask->host;
}

uint16_t kw_ask_port(const struct kw_ask *ask)
{
    return ask->options.port;
}

void kw_ask_close(struct kw_ask **ask)
{
    struct kw_ask *closed = *ask;

    if (closed == NULL) {
        return;
    }
    kw_lookup_cancel(&closed->lookup);
    kw_control_close(&closed->control);
    kw_timer_free(&closed->deadline);
    kw_free(closed);
    *ask = NULL;
}
