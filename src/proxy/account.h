/* account.h - what a request came to: per-command figures, kinds of errors, slow requests.
 *
 * Thread: the worker's. Memory: the tally is the proxy's.
 * See also: stats/tally.h, stats/slowlog.h, stats/latency.h (where it goes).
 */
#ifndef KW_PROXY_ACCOUNT_H
#define KW_PROXY_ACCOUNT_H

#include "proxy/internal.h"
#include "stats/tally.h"

void kw_account_open(struct kw_proxy *proxy);
void kw_account_close(struct kw_proxy *proxy);

/* Options changed. */
void kw_account_apply_config(struct kw_proxy *proxy);

/* COMMAND, NULL when nobody knows it, was refused with an error; is_admitted: after it began. */
void kw_account_refused(struct kw_proxy *proxy, const struct kw_command *command, bool is_admitted);

/* LINE, an error reply behind its '-', goes to a client. */
void kw_account_error(struct kw_proxy *proxy, struct kw_bytes line);

/* The reply to REQUEST is the error LINE, behind its '-'. */
void kw_account_failed(const struct kw_request *request, struct kw_bytes line);

/* An error was written to BUF behind its first LEN bytes. */
void kw_account_written(struct kw_proxy *proxy, const struct kw_buf *buf, size_t len);

/* For kw_account_end(): REQUEST took TOOK_US. */
void kw__account_slow(const struct kw_request *request, uint64_t took_us);

/* COMMAND, in proxy->argv, took TOOK_US here, without a call. */
void kw_account_took(struct kw_client *client, const struct kw_command *command, uint64_t took_us);

/* COMMAND began. */
static inline void kw_account_begin(struct kw_proxy *proxy, const struct kw_command *command)
{
    KW_TALLY_ADD(&proxy->tally_rows[command->id].calls, 1);
}

/* The reply to REQUEST is complete. */
static inline void kw_account_end(const struct kw_request *request)
{
    struct kw_proxy *proxy = request->client->proxy;

    if (request->command == NULL || request->is_part) {
        return;
    }
    uint64_t took_us = kw_loop_now_us(proxy->loop) - request->started_us;
    kw_tally_time(&proxy->tally_rows[request->command->id], took_us);
    if (__builtin_expect(took_us >= proxy->slow_us, 0)) {
        kw__account_slow(request, took_us);
    }
}

/* Once a second: rates. */
void kw_account_second(struct kw_proxy *proxy);

/* The tick that began with the loop's time ends: was it long? */
void kw_account_tick(struct kw_proxy *proxy);

#endif
