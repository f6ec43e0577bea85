/* control.c - hiredis on a loop, with the sharp edges taken off. The only file including hiredis.
 *
 *            open                connected, no password
 *      ────────────▶ CONNECTING ───────────────────────▶ CONNECTED ──(timer)──▶ IDLE ◀─┐
 *                        │ connected, password                                   ▲│    │
 *                        ▼                                 +OK                   ││    │ reply
 *                    AUTHENTICATING ─────────────────────────────────────────────┘│    │
 *                        │                                                   send ▼    │
 *      any of them ──▶ FAILED  (refused, closed, timeout, surplus bytes ...)     BUSY ─┘
 *
 * I1  one command at a time: a reply that begins while none is waiting, or before its command has
 *     left, is a protocol failure (O3). hiredis itself would abort the process on it (an assert up
 *     to 1.x), so control_expects() refuses the object before it exists.
 * I2  no owner's callback runs inside hiredis's own connect and disconnect handling, where freeing
 *     the context is not safe: failures and readiness are delivered from our timer. Replies are
 *     delivered from hiredis's reply callback, where it is safe.
 * I3  when ac->data is NULL, this struct has let go of the context: its callbacks do nothing.
 * I4  REPLY_ELEMENTS_MAX bounds what a node can make us allocate by promising elements.
 *
 * hiredis has no connect or command timeouts before 1.0; one timer here serves both.
 */
#include "net/control.h"

#include "base/assert.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/timer.h"

#include <errno.h>
#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <netinet/tcp.h>
#include <string.h>

enum {
    REPLY_ELEMENTS_MAX = 1 << 20, /* a cluster of 8192 nodes in 16384 ranges has fewer */
    KEEPALIVE_IDLE_SECONDS = 15,
    KEEPALIVE_INTERVAL_SECONDS = 5,
    KEEPALIVE_COUNT = 3
};

#if HIREDIS_MAJOR >= 1
typedef size_t reply_array_len;
#else
typedef int reply_array_len;
#endif

enum control_state {
    CONTROL_CONNECTING = 0,
    CONTROL_CONNECTED, /* on_ready is about to run */
    CONTROL_AUTHENTICATING,
    CONTROL_IDLE,
    CONTROL_BUSY,
    CONTROL_FAILED
};

struct kw_control {
    struct kw_control_options options; /* its texts are owned copies */
    enum control_state state;
    enum kw_status failure;        /* in FAILED */
    redisAsyncContext *ac;         /* owned until FAILED, then NULL */
    struct kw_timer *timer;        /* owned: connect, AUTH or reply deadline; delivery */
    kw_control_on_reply *on_reply; /* of the command that waits, else NULL */
    void *on_reply_arg;
    uint64_t elements;                   /* of the reply being read, for I4 */
    redisReplyObjectFunctions *hiredis;  /* hiredis's own makers of objects, static there */
    redisReplyObjectFunctions functions; /* ours around them: I1, I4 */
};

static redisAsyncContext *control_connect(struct kw_control *control, struct kw_loop *loop);
static void control_guard(struct kw_control *control);
static void control_harden(const struct kw_control *control);
static void control_on_connect(const redisAsyncContext *ac, int result);
static void control_authenticate(struct kw_control *control);
static void control_on_auth(struct redisAsyncContext *ac, void *reply, void *privdata);
static void control_on_answer(struct redisAsyncContext *ac, void *reply, void *privdata);
static struct kw_value *values_of_reply(const redisReply *reply);
static void control_on_disconnect(const redisAsyncContext *ac, int result);
static void control_lost(struct kw_control *control, enum kw_status status);
static void control_on_timer(void *arg);
static void control_fail(struct kw_control *control, enum kw_status status);
static void control_deliver_failure(struct kw_control *control);
static void control_let_go(struct kw_control *control);
static enum kw_status status_of_errno(int error);

struct kw_control *kw_control_open(struct kw_loop *loop, const struct kw_control_options *options)
{
    struct kw_control *control = kw_alloc_zero(1, sizeof *control);

    KW_ASSERT(kw_address_is_resolved(&options->address));
    control->options = *options;
    control->options.auth_user = kw_text_copy(options->auth_user);
    control->options.auth_pass = kw_text_copy(options->auth_pass);
    control->timer = kw_timer_new(loop, control_on_timer, control);
    control->ac = control_connect(control, loop);
    if (control->ac == NULL) {
        control_lost(control, status_of_errno(errno));
    } else {
        kw_timer_start(control->timer, options->timeout_ms);
    }
    return control;
}

/* A context that is connecting, or NULL and errno. */
static redisAsyncContext *control_connect(struct kw_control *control, struct kw_loop *loop)
{
    char host[KW_ADDRESS_TEXT_MAX];
    const struct kw_address *address = &control->options.address;

    errno = 0;
    redisAsyncContext *ac =
        redisAsyncConnect(kw_address_print_host(address, host), kw_address_port(address));
    if (ac == NULL) {
        return NULL;
    }
    if (ac->err != 0) {
        int error = errno;
        redisAsyncFree(ac);
        errno = error;
        return NULL;
    }
    control->ac = ac;
    ac->data = control;
    control_guard(control);
    control_harden(control);
    redisLibeventAttach(ac, kw_loop_base(loop));
    redisAsyncSetConnectCallback(ac, control_on_connect);
    redisAsyncSetDisconnectCallback(ac, control_on_disconnect);
    return ac;
}

/* True when TASK may make an object: it is inside a reply, or begins the one that is waited for. */
static bool control_expects(const redisReadTask *task)
{
    struct kw_control *control = task->privdata;

    if (task->parent != NULL) {
        return true;
    }
    control->elements = 0;
    bool is_waiting = control->state == CONTROL_BUSY || control->state == CONTROL_AUTHENTICATING;
    bool has_left = control->ac->c.obuf[0] == '\0';
    return is_waiting && has_left; /* I1 */
}

static void *guarded_string(const redisReadTask *task, char *text, size_t len)
{
    const struct kw_control *control = task->privdata;

    return control_expects(task) ? control->hiredis->createString(task, text, len) : NULL;
}

static void *guarded_array(const redisReadTask *task, reply_array_len count)
{
    struct kw_control *control = task->privdata;

    if (!control_expects(task)) {
        return NULL;
    }
    control->elements += (uint64_t)count;
    return control->elements <= REPLY_ELEMENTS_MAX ? control->hiredis->createArray(task, count)
                                                   : NULL; /* I4 */
}

static void *guarded_integer(const redisReadTask *task, long long value)
{
    const struct kw_control *control = task->privdata;

    return control_expects(task) ? control->hiredis->createInteger(task, value) : NULL;
}

static void *guarded_nil(const redisReadTask *task)
{
    const struct kw_control *control = task->privdata;

    return control_expects(task) ? control->hiredis->createNil(task) : NULL;
}

#if HIREDIS_MAJOR >= 1
static void *guarded_double(const redisReadTask *task, double value, char *text, size_t len)
{
    const struct kw_control *control = task->privdata;

    return control_expects(task) ? control->hiredis->createDouble(task, value, text, len) : NULL;
}

static void *guarded_bool(const redisReadTask *task, int value)
{
    const struct kw_control *control = task->privdata;

    return control_expects(task) ? control->hiredis->createBool(task, value) : NULL;
}
#endif

static void control_guard(struct kw_control *control)
{
    redisReader *reader = control->ac->c.reader;

    control->hiredis = (redisReplyObjectFunctions *)reader->fn;
    control->functions = *control->hiredis;
    control->functions.createString = guarded_string;
    control->functions.createArray = guarded_array;
    control->functions.createInteger = guarded_integer;
    control->functions.createNil = guarded_nil;
#if HIREDIS_MAJOR >= 1
    control->functions.createDouble = guarded_double;
    control->functions.createBool = guarded_bool;
#endif
    reader->fn = &control->functions;
    reader->privdata = control;
}

/* A node that vanished without a word is noticed by the kernel too (R3). Best effort. */
static void control_harden(const struct kw_control *control)
{
    int fd = (int)control->ac->c.fd;
    const int on = 1;
    const int idle = KEEPALIVE_IDLE_SECONDS;
    const int interval = KEEPALIVE_INTERVAL_SECONDS;
    const int count = KEEPALIVE_COUNT;
    const unsigned int user_timeout_ms = control->options.timeout_ms;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
}

static void control_on_connect(const redisAsyncContext *ac, int result)
{
    struct kw_control *control = ac->data;

    if (control == NULL) {
        return; /* I3 */
    }
    KW_ASSERT(control->state == CONTROL_CONNECTING);
    if (result != REDIS_OK) {
        control_lost(control, status_of_errno(errno));
    } else if (control->options.auth_pass[0] != '\0') {
        control_authenticate(control);
    } else {
        control->state = CONTROL_CONNECTED;
        kw_timer_start(control->timer, 0); /* I2 */
    }
}

/* In a round trip of its own: a server may swallow replies after an AUTH that fails. */
static void control_authenticate(struct kw_control *control)
{
    const char *words[] = {"AUTH", control->options.auth_user, control->options.auth_pass};
    int words_count = 3;

    if (control->options.auth_user[0] == '\0') {
        words[1] = words[2];
        words_count = 2;
    }
    control->state = CONTROL_AUTHENTICATING;
    redisAsyncCommandArgv(control->ac, control_on_auth, NULL, words_count, words, NULL);
}

static void control_on_auth(struct redisAsyncContext *ac, void *reply, void *privdata)
{
    struct kw_control *control = ac->data;
    const redisReply *answer = reply;

    (void)privdata;
    if (control == NULL || answer == NULL) {
        return; /* I3, or control_on_disconnect() follows */
    }
    KW_ASSERT(control->state == CONTROL_AUTHENTICATING);
    if (answer->type == REDIS_REPLY_ERROR) {
        control_fail(control, KW_E_AUTH);
        return;
    }
    control->state = CONTROL_IDLE;
    kw_timer_stop(control->timer);
    control->options.on_ready(control->options.arg); /* may close: nothing after it */
}

bool kw_control_is_idle(const struct kw_control *control)
{
    return control->state == CONTROL_IDLE;
}

void kw_control_send(struct kw_control *control, const char *text, uint32_t timeout_ms,
                     kw_control_on_reply *on_reply, void *arg)
{
    KW_ASSERT(control->state == CONTROL_IDLE);
    KW_ASSERT(strchr(text, '%') == NULL);
    control->state = CONTROL_BUSY;
    control->on_reply = on_reply;
    control->on_reply_arg = arg;
    kw_timer_start(control->timer, timeout_ms);
    redisAsyncCommand(control->ac, control_on_answer, NULL, text);
}

static void control_on_answer(struct redisAsyncContext *ac, void *reply, void *privdata)
{
    struct kw_control *control = ac->data;

    (void)privdata;
    if (control == NULL || reply == NULL) {
        return; /* I3, or control_on_disconnect() follows */
    }
    KW_ASSERT(control->state == CONTROL_BUSY);
    kw_control_on_reply *on_reply = control->on_reply;
    struct kw_value *values = values_of_reply(reply);
    kw_timer_stop(control->timer);
    control->state = CONTROL_IDLE;
    control->on_reply = NULL;
    on_reply(control->on_reply_arg, KW_OK, values); /* may close: control is not used after it */
    kw_free(values);
}

static uint32_t reply_elements_count(const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_ARRAY:
#if HIREDIS_MAJOR >= 1
    case REDIS_REPLY_MAP:
    case REDIS_REPLY_SET:
    case REDIS_REPLY_PUSH:
#endif
        return (uint32_t)reply->elements; /* I4 */
    default:
        return 0;
    }
}

static enum kw_value_type value_type_of(const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        return KW_VALUE_INTEGER;
    case REDIS_REPLY_STATUS:
        return KW_VALUE_STATUS;
    case REDIS_REPLY_ERROR:
        return KW_VALUE_ERROR;
    case REDIS_REPLY_NIL:
        return KW_VALUE_NIL;
    case REDIS_REPLY_ARRAY:
        return KW_VALUE_ARRAY;
#if HIREDIS_MAJOR >= 1
    case REDIS_REPLY_MAP:
        return KW_VALUE_MAP;
    case REDIS_REPLY_SET:
    case REDIS_REPLY_PUSH:
        return KW_VALUE_ARRAY;
    case REDIS_REPLY_BOOL:
        return KW_VALUE_INTEGER;
#endif
    default:
        return KW_VALUE_BYTES;
    }
}

/* REPLY as one array of values, breadth first, so that an element list is a part of it. The first
 * pass lists the replies in that order, the second fills in the values. To be freed.
 */
static struct kw_value *values_of_reply(const redisReply *reply)
{
    size_t count = 1;
    size_t capacity = 16;
    const redisReply **order = kw_alloc(capacity * sizeof *order);

    order[0] = reply;
    for (size_t i = 0; i < count; i++) {
        uint32_t children = reply_elements_count(order[i]);
        while (count + children > capacity) {
            capacity *= 2;
            order = kw_realloc(order, capacity * sizeof *order);
        }
        if (children > 0) {
            memcpy(order + count, order[i]->element, children * sizeof *order);
        }
        count += children;
    }
    struct kw_value *values = kw_alloc_zero(count, sizeof *values);
    size_t next_child = 1;
    for (size_t i = 0; i < count; i++) {
        values[i].type = value_type_of(order[i]);
        values[i].integer = order[i]->integer;
        values[i].bytes = kw_bytes_of(order[i]->str, order[i]->str == NULL ? 0 : order[i]->len);
        values[i].elements_count = reply_elements_count(order[i]);
        values[i].elements = &values[next_child];
        next_child += values[i].elements_count;
    }
    KW_ASSERT(next_child == count);
    kw_free(order);
    return values;
}

/* hiredis is about to free the context, whoever wanted it. */
static void control_on_disconnect(const redisAsyncContext *ac, int result)
{
    struct kw_control *control = ac->data;

    (void)result;
    if (control == NULL) {
        return; /* I3 */
    }
    enum kw_status status = ac->err == REDIS_ERR_EOF  ? KW_E_CLOSED
                            : ac->err == REDIS_ERR_IO ? status_of_errno(errno)
                                                      : KW_E_PROTOCOL;
    control_lost(control, status);
}

/* The context is gone, or about to be freed by hiredis: say so from the timer (I2). */
static void control_lost(struct kw_control *control, enum kw_status status)
{
    if (control->ac != NULL) {
        control->ac->data = NULL;
        control->ac = NULL;
    }
    control->state = CONTROL_FAILED;
    control->failure = status;
    kw_timer_start(control->timer, 0);
}

static void control_on_timer(void *arg)
{
    struct kw_control *control = arg;

    switch (control->state) {
    case CONTROL_CONNECTED:
        control->state = CONTROL_IDLE;
        control->options.on_ready(control->options.arg); /* may close: nothing after it */
        return;
    case CONTROL_FAILED:
        control_deliver_failure(control);
        return;
    case CONTROL_CONNECTING:
    case CONTROL_AUTHENTICATING:
    case CONTROL_BUSY:
        control_fail(control, KW_E_TIMEOUT);
        return;
    case CONTROL_IDLE:
    default:
        KW_UNREACHABLE();
    }
}

/* Close from our side; the owner hears of it from the timer. */
static void control_fail(struct kw_control *control, enum kw_status status)
{
    control_let_go(control);
    control_lost(control, status);
}

static void control_deliver_failure(struct kw_control *control)
{
    kw_control_on_reply *on_reply = control->on_reply;

    if (on_reply != NULL) {
        /* on_reply may close, so on_down comes with the next turn of the timer. */
        control->on_reply = NULL;
        kw_timer_start(control->timer, 0);
        on_reply(control->on_reply_arg, control->failure, NULL);
        return;
    }
    control->options.on_down(control->options.arg, control->failure); /* may close */
}

void kw_control_close(struct kw_control **control)
{
    struct kw_control *closed = *control;

    if (closed == NULL) {
        return;
    }
    control_let_go(closed);
    kw_timer_free(&closed->timer);
    explicit_bzero((char *)closed->options.auth_pass, strlen(closed->options.auth_pass));
    kw_free((char *)closed->options.auth_user);
    kw_free((char *)closed->options.auth_pass);
    kw_free(closed);
    *control = NULL;
}

/* Have hiredis free the context, now or when its callback returns, and never call us again (I3). */
static void control_let_go(struct kw_control *control)
{
    redisAsyncContext *ac = control->ac;

    if (ac != NULL) {
        control->ac = NULL;
        ac->data = NULL;
        ac->c.reader->fn = control->hiredis;
        ac->c.reader->privdata = NULL;
        redisAsyncFree(ac);
    }
}

static enum kw_status status_of_errno(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return KW_E_REFUSED;
    case ETIMEDOUT:
        return KW_E_TIMEOUT;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
        return KW_E_UNREACHABLE;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return KW_E_SYSTEM;
    default:
        return KW_E_RESET;
    }
}
