/* server.h - the process: listening sockets, workers, discovery, probes, signals, shutdown.
 *
 * Thread: main's, which is the control thread (T2).
 * Memory: kw_server_new() returns an owned pointer.
 * See also: main.c (argv to config), worker.h.
 */
#ifndef KW_SERVER_H
#define KW_SERVER_H

#include "config/config.h"

struct kw_server;

/* Open the listening sockets and make the workers. ARGV, ARGC of them, is what CONFIG was loaded
 * from; it must stay, as SIGHUP loads it again. Returns KW_OK and *server; KW_E_SYSTEM when an
 * address can't be listened on (logged).
 */
KW_CHECK enum kw_status kw_server_new(struct kw_config *config, int argc, char **argv,
                                      struct kw_server **server);

/* Serve until SIGTERM or SIGINT and the end of what is in flight; a second signal ends at once. */
void kw_server_run(struct kw_server *server);

/* Take all down, in reverse order, and clear. */
void kw_server_free(struct kw_server **server);

#endif
