/* script.h - scripts and libraries that went through keyway: a shard that lacks one gets it.
 *
 * SCRIPT LOAD and FUNCTION LOAD go to all shards, but a shard may come later, restart, or be
 * flushed from elsewhere. What was loaded is remembered: a NOSCRIPT or "Function not found" for it
 * is no answer then; the script is loaded in front of the command, which is sent again. In front of
 * a transaction, which can't be sent again, it is loaded before it is missed.
 *
 * Thread: the worker's; what is loaded is told to all workers (crew.h), the text of an EVAL is
 * known to the worker that saw it. Memory: bounded, the oldest are forgotten first.
 */
#ifndef KW_PROXY_GATHER_SCRIPT_H
#define KW_PROXY_GATHER_SCRIPT_H

#include "proxy/internal.h"

struct kw_gather;
struct kw_scripts;

struct kw_scripts *kw_scripts_new(void);
void kw_scripts_free(struct kw_scripts **scripts);

/* The client's command, of the EVAL family, is about to be sent: remember its script. */
void kw_script_learn(struct kw_client *client, const struct kw_command *command);

/* GATHER, of a command for all shards, starts with the bytes WIRE, or is answered: remember or
 * forget what it loads or deletes.
 */
void kw_script_on_start(struct kw_gather *gather, struct kw_bytes wire);
void kw_script_on_complete(struct kw_gather *gather);

/* REQUEST was answered with the error LINE. True when its script is known: it must be sent again,
 * behind kw_script_send().
 */
KW_CHECK bool kw_script_is_missing(struct kw_request *request, struct kw_bytes line);

/* Queue what loads REQUEST's script, or those of its run, on LINK. */
KW_CHECK enum kw_status kw_script_send(struct kw_request *request, struct kw_link *link);

/* RUN, the commands of a transaction, is about to be queued on LINK: queue what loads those of its
 * scripts that are known, and were not sent there a moment ago. In EXEC it is too late.
 */
KW_CHECK enum kw_status kw_script_send_all(struct kw_proxy *proxy, struct kw_bytes run,
                                           struct kw_link *link);

/* True of EVALSHA, FCALL and their kin: they name what they run. */
bool kw_script_is_by_name(const struct kw_command *command);

#endif
