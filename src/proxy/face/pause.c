/* pause.c - see pause.h.
 *
 * A command that has to wait is not parsed away: its client waits with it, as behind a barrier, and
 * is looked at again when the pause ends. So nothing is stored for it and order holds by itself.
 * What is in flight already goes on. As in redis the longer end and the stricter kind win when a
 * pause is asked for during a pause, and UNPAUSE waits itself when everything is paused.
 */
#include "proxy/face/pause.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/timer.h"
#include "proxy/reply.h"
#include "proxy/round.h"

#define TIMER_MAX_MS (1000ull * 60 * 60 * 24) /* a timer's; the pause goes on behind it */

struct pause {
    struct kw_round round; /* first */
    uint64_t end_ms;       /* 0: there is to be none */
    bool is_all;
};

static enum kw_verdict pause_send(struct kw_client *client, const struct kw_command *command,
                                  uint64_t end_ms, bool is_all);
static void pause_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void pause_on_due(void *arg);
static void pause_wait(struct kw_proxy *proxy);
static void pause_lift(struct kw_proxy *proxy);
static void pause_free(struct kw_round *round);

enum kw_verdict kw_pause_start(struct kw_client *client, const struct kw_command *command)
{
    const struct kw_argv *argv = &client->proxy->argv;
    bool is_all = true;
    int64_t length_ms = 0;

    if (argv->count > 4) {
        return kw_reply_refuse(client, KW_ERROR_SUBCOMMAND_ARITY, "PAUSE", "CLIENT");
    }
    if (argv->count == 4) {
        is_all = kw_bytes_equal_nocase(argv->items[3], KW_BYTES("all"));
        if (!is_all && !kw_bytes_equal_nocase(argv->items[3], KW_BYTES("write"))) {
            return kw_reply_refuse(client, KW_ERROR_PAUSE_MODE, NULL, NULL);
        }
    }
    if (kw_text_to_int(argv->items[2], &length_ms) != KW_OK) {
        return kw_reply_refuse(client, KW_ERROR_TIMEOUT_NUMBER, NULL, NULL);
    }
    if (length_ms < 0) {
        return kw_reply_refuse(client, KW_ERROR_TIMEOUT_NEGATIVE, NULL, NULL);
    }
    uint64_t now_ms = kw_clock_ms();
    if ((uint64_t)length_ms > (uint64_t)INT64_MAX - now_ms) {
        return kw_reply_refuse(client, KW_ERROR_TIMEOUT_RANGE, NULL, NULL);
    }
    return pause_send(client, command, now_ms + (uint64_t)length_ms, is_all);
}

enum kw_verdict kw_pause_end_start(struct kw_client *client, const struct kw_command *command)
{
    return pause_send(client, command, 0, false);
}

enum kw_verdict kw_pause_check(struct kw_client *client, const struct kw_command *command,
                               struct kw_bytes wire)
{
    const uint32_t writes = KW_COMMAND_WRITE | KW_COMMAND_MAY_REPLICATE;
    bool is_exec = strcmp(command->name, "exec") == 0; /* may hold writes: not looked into */

    (void)wire;
    return client->proxy->is_all_paused || is_exec || (command->flags & writes) != 0 ? KW_WAITING
                                                                                     : KW_NEXT;
}

static enum kw_verdict pause_send(struct kw_client *client, const struct kw_command *command,
                                  uint64_t end_ms, bool is_all)
{
    struct pause *pause = kw_alloc_zero(1, sizeof *pause);

    pause->end_ms = end_ms;
    pause->is_all = is_all;
    pause->round.errand.visit = pause_visit;
    pause->round.on_end = pause_free;
    return kw_round_start(client, command, &pause->round);
}

static void pause_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    const struct pause *pause = (const struct pause *)errand;

    if (pause->end_ms == 0) {
        pause_lift(proxy);
        return;
    }
    if (proxy->pause_timer == NULL) {
        proxy->pause_timer = kw_timer_new(proxy->loop, pause_on_due, proxy);
    }
    proxy->modes |= KW_MODE_PAUSED;
    proxy->is_all_paused = proxy->is_all_paused || pause->is_all;
    if (pause->end_ms > proxy->pause_end_ms) {
        proxy->pause_end_ms = pause->end_ms;
    }
    pause_wait(proxy);
}

static void pause_on_due(void *arg)
{
    pause_wait(arg);
}

/* Until it is over; timers have an end. */
static void pause_wait(struct kw_proxy *proxy)
{
    uint64_t now_ms = kw_clock_ms();

    if (proxy->pause_end_ms <= now_ms) {
        pause_lift(proxy);
        return;
    }
    uint64_t left_ms = proxy->pause_end_ms - now_ms;
    kw_timer_start(proxy->pause_timer, left_ms < TIMER_MAX_MS ? left_ms : TIMER_MAX_MS);
}

static void pause_lift(struct kw_proxy *proxy)
{
    if (proxy->pause_timer != NULL) {
        kw_timer_stop(proxy->pause_timer);
    }
    proxy->modes &= ~KW_MODE_PAUSED;
    proxy->is_all_paused = false;
    proxy->pause_end_ms = 0;
    kw__proxy_resume_waiting(proxy);
}

static void pause_free(struct kw_round *round)
{
    kw_free(round);
}
