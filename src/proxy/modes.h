/* modes.h - what a client, or a whole worker, may be in the middle of.
 *
 * As long as no bit is set, a command needs no look at any of this.
 *
 * Thread: any; constants.
 * See also: session/session.h (who looks at which mode).
 */
#ifndef KW_PROXY_MODES_H
#define KW_PROXY_MODES_H

/* Bits of kw_client.modes, and of kw_proxy.modes for what concerns all clients of a worker. */
#define KW_MODE_MULTI (1u << 0)      /* between MULTI and EXEC: commands are queued */
#define KW_MODE_SUBSCRIBED (1u << 1) /* has subscriptions: RESP2 ones may do little else */
#define KW_MODE_REPLY_OFF (1u << 2)  /* CLIENT REPLY OFF */
#define KW_MODE_REPLY_SKIP (1u << 3) /* CLIENT REPLY SKIP: the next reply only */
#define KW_MODE_DB_LOST (1u << 4)    /* a SELECT failed: nothing may reach database 0 by mistake */
#define KW_MODE_TRACKING (1u << 5)   /* CLIENT TRACKING is on: reads are remembered */
#define KW_MODE_MONITORED (1u << 6)  /* of the proxy: somebody runs MONITOR */
#define KW_MODE_PAUSED (1u << 7)     /* of the proxy: CLIENT PAUSE */
#define KW_MODE_SELECTING (1u << 8)  /* SELECT asks a node: nothing may overtake it */
#define KW_MODE_MONITORING (1u << 9) /* runs MONITOR */
#define KW_MODE_LEASED (1u << 10)    /* a request is on a leased link: nothing overtakes it (O2) */
#define KW_MODE_HOSTING (1u << 11)   /* EXEC is under way with guests: nothing overtakes them */

#endif
