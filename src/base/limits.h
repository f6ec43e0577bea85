/* limits.h - every compile-time bound of keyway on one page.
 *
 * A bound that operators may want to move is an option instead (config/options.def).
 * Thread: any. Memory: none.
 */
#ifndef KW_BASE_LIMITS_H
#define KW_BASE_LIMITS_H

enum {
    /* Protocol. Redis's own limits where it has them. */
    KW_ARGS_MAX = 1024 * 1024,       /* arguments of one command */
    KW_INLINE_MAX_BYTES = 64 * 1024, /* an inline command, and a length line */
    KW_LINE_MAX_BYTES =
        64 * 1024, /* an error line of a node that is looked into before it passes */

    /* Work of one event: one client must not starve the others (rule K2). */
    KW_READ_MAX_BYTES = 64 * 1024, /* bytes read from one socket a tick */
    KW_IOV_MAX = 64,               /* chunks handed to one writev */

    KW_LOCAL_MAX_BYTES = 256 * 1024,  /* local answers made for one client a tick */
    KW_PARTIAL_MAX_BYTES = 32 * 1024, /* answers that wait for one more look at other nodes */

    /* Copy or keep: measured, see base/buf.c. */
    KW_COPY_MAX_BYTES = 8 * 1024,      /* requests up to this are copied into the link's run */
    KW_LEFTOVER_MAX_BYTES = 16 * 1024, /* unfinished bytes that are copied back before a read */

    KW_UPLOAD_SERIOUS_BYTES = 4 * 1024 * 1024, /* sent so much: gets room for all it announced */

    /* Streaming replies. */
    KW_STREAM_MIN_BYTES = 32 * 1024,    /* replies above this are passed on as they arrive */
    KW_OUTPUT_PAUSE_BYTES = 256 * 1024, /* a client this far behind pauses its big reply */
    KW_OUTPUT_RESUME_BYTES = 64 * 1024,
    KW_BIG_REPLY_BYTES = 256 * 1024, /* a link carrying one takes no new calls until it is over */
    KW_PAUSE_MAX_MS = 20,            /* others behind a paused reply wait no longer than this */

    /* Requests of one client. */
    KW_CLIENT_QUEUE_MAX = 4096,               /* unanswered: then reading pauses, answers free it */
    KW_CLIENT_QUEUE_BYTES = 16 * 1024 * 1024, /* of their commands and of replies that wait */
    KW_ATTEMPTS_MAX = 16, /* redirections of one request, as cluster clients do */

    /* Per node and worker. */
    KW_LINK_INFLIGHT_MAX = 256 * 1024, /* calls waiting on one link */
    KW_NODES_MAX = 4096,

    KW_WORKERS_MAX = 64,
    KW_ERROR_MAX_BYTES = 512 /* an error line of our own */
};

_Static_assert(KW_COPY_MAX_BYTES < KW_READ_MAX_BYTES, "small requests fit one read");
_Static_assert(KW_LEFTOVER_MAX_BYTES <= KW_READ_MAX_BYTES, "leftovers fit the scratch area");
_Static_assert(KW_OUTPUT_RESUME_BYTES < KW_OUTPUT_PAUSE_BYTES, "hysteresis");
_Static_assert(KW_STREAM_MIN_BYTES <= KW_OUTPUT_PAUSE_BYTES, "only streamed replies pause");

#endif
