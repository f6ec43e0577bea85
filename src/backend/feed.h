/* feed.h - one connection to a node whose values are not replies to calls: subscriptions, tracking.
 *
 * What arrives is cut into values and handed on, one after the other; who asked for it, and which
 * value answers which command, is the user's business. A feed says AUTH and HELLO like a link,
 * then a greeting of its user's; it is READY when that is answered. While it is READY it is asked
 * PING when it has been quiet: a feed that is silent is lost, however still its channels are.
 *
 * Thread: the worker's. Memory: embedded in its user; kw_feed_close() gives everything back. It may
 *         be opened again after it was lost.
 * See also: link.h (for calls), proxy/inlet.h (subscriptions).
 */
#ifndef KW_BACKEND_FEED_H
#define KW_BACKEND_FEED_H

#include "base/log.h"
#include "net/address.h"
#include "net/stream.h"
#include "resp/reply_parser.h"

struct kw_backend;
struct kw_feed;

enum kw_feed_state { KW_FEED_CLOSED = 0, KW_FEED_CONNECTING, KW_FEED_HANDSHAKE, KW_FEED_READY };

/* What the user does with what comes. None of these may close the feed. */
struct kw_feed_user {
    void (*on_ready)(struct kw_feed *feed);
    /* A whole value, borrowed. CHUNK is where it lies when it may be referenced, or NULL. */
    void (*on_value)(struct kw_feed *feed, struct kw_bytes value, struct kw_chunk *chunk);
    /* The connection is gone; the feed is CLOSED. */
    void (*on_lost)(struct kw_feed *feed, enum kw_status status);
};

struct kw_feed {
    struct kw_stream stream; /* first: stream callbacks cast back */
    /* set once */
    struct kw_backend *backend;
    const struct kw_feed_user *user;
    struct kw_bytes greeting; /* a command in multibulk form; its user's */
    const char *name;         /* of the node, for logs; its user's */
    int proto;                /* 2 or 3 */

    enum kw_feed_state state;
    unsigned step; /* of the handshake */
    struct kw_reply_parser parser;
    struct kw_chunk *input; /* the start of a value that is not whole; referenced */
    size_t scanned;         /* bytes of it that the parser has seen */
    size_t value_max_bytes; /* a value above this is no value */
    uint64_t heard_ms;      /* when the node last said something, or the connection was begun */
    bool is_pinged;         /* a PING is under way */
    bool is_delivering;     /* inside on_value */
    enum kw_status failure; /* why it ends when on_value has returned */
    struct kw_log_limit log_limit;
};

/* Prepare a feed that is CLOSED. GREETING is its user's last step of the handshake, NAME the node's
 * for logs. Both are borrowed, as long as it may be opened.
 */
void kw_feed_init(struct kw_feed *feed, struct kw_backend *backend, int proto,
                  struct kw_bytes greeting, const struct kw_feed_user *user, const char *name);

/* Connect to ADDRESS. When that fails at once, on_lost runs before this returns. */
void kw_feed_open(struct kw_feed *feed, const struct kw_address *address);

/* Close it without a word. Harmless when it is closed. Not inside on_value (asserted). */
void kw_feed_close(struct kw_feed *feed);

/* It can't be trusted any more: on_lost runs, behind on_value when that is on. */
void kw_feed_fail(struct kw_feed *feed, enum kw_status status);

/* Queue a command on a READY feed; it leaves when the tick ends. */
void kw_feed_send(struct kw_feed *feed, const struct kw_bytes *argv, size_t argc);

/* The same for COMMAND in multibulk form. */
void kw_feed_send_bytes(struct kw_feed *feed, struct kw_bytes command);

/* Ask for a sign of life when it is due, end it when it has not come. Call it a few times a second.
 */
void kw_feed_check(struct kw_feed *feed, uint64_t now_ms);

/* True when VALUE is the answer to a PING of kw_feed_check(), or to one of a greeting. */
bool kw_feed_is_pong(struct kw_bytes value);

#endif
