/* local.h - commands that keyway answers itself, without asking any node.
 *
 * Thread: the worker's. Memory: none.
 */
#ifndef KW_PROXY_LOCAL_LOCAL_H
#define KW_PROXY_LOCAL_LOCAL_H

#include "proxy/internal.h"

/* Answer the command in the client's proxy->argv, whose row is COMMAND with route LOCAL and a local
 * answer. Returns KW_ANSWERED, or KW_REFUSED with an error written; for SELECT also KW_WAITING and
 * KW_SENT.
 */
enum kw_verdict kw_local_answer(struct kw_client *client, const struct kw_command *command);

/* True for local commands whose answer is there at once: kw_local_write() has it. */
bool kw_local_is_written(const struct kw_command *command);

/* The same as kw_local_answer() for one of these, with the reply at the end of BUF. */
enum kw_verdict kw_local_write(struct kw_client *client, const struct kw_command *command,
                               struct kw_buf *buf);

/* The protocol version that who speaks PROTO will speak behind the HELLO in ARGV. */
int kw_local_hello_proto(const struct kw_argv *argv, int proto);

/* True for commands after which the client's requests take other links: they wait until what is in
 * flight is answered, so that nothing overtakes it (O2).
 */
bool kw_local_changes_links(const struct kw_command *command);

/* The families that have files of their own. BUF is where the reply goes. */
enum kw_verdict kw__local_client(struct kw_client *client, const struct kw_command *command,
                                 struct kw_buf *buf);
void kw__local_info(struct kw_client *client, struct kw_buf *buf);

/* One answer each. */
typedef enum kw_verdict kw__local_writer(struct kw_client *client, const struct kw_command *command,
                                         struct kw_buf *buf);
kw__local_writer kw__local_acl_whoami;
kw__local_writer kw__local_acl_users;
kw__local_writer kw__local_acl_list;
kw__local_writer kw__local_acl_getuser;
kw__local_writer kw__local_acl_cat;
kw__local_writer kw__local_acl_genpass;
kw__local_writer kw__local_acl_log;
kw__local_writer kw__local_acl_dryrun;
kw__local_writer kw__local_acl_deluser;
kw__local_writer kw__local_acl_setuser;
kw__local_writer kw__local_acl_file;
kw__local_writer kw__local_role;
kw__local_writer kw__local_slowlog_get;
kw__local_writer kw__local_slowlog_len;
kw__local_writer kw__local_slowlog_reset;
kw__local_writer kw__local_commandlog_get;
kw__local_writer kw__local_commandlog_len;
kw__local_writer kw__local_commandlog_reset;
kw__local_writer kw__local_latency_latest;
kw__local_writer kw__local_latency_history;
kw__local_writer kw__local_latency_reset;
kw__local_writer kw__local_latency_graph;
kw__local_writer kw__local_latency_doctor;
kw__local_writer kw__local_latency_histogram;
kw__local_writer kw__local_time;
kw__local_writer kw__local_lolwut;

bool kw__client_text_is_allowed(struct kw_bytes bytes);

/* Set the client's name from BYTES. False when they are not allowed in one. */
bool kw__client_set_text(char **text, struct kw_bytes bytes);

#endif
