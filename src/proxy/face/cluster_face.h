/* cluster_face.h - the cluster personality: CLUSTER and its kin, as a cluster of keyways answers.
 *
 * A client of this personality (cluster-port, or `personality cluster`) finds a healthy cluster
 * whose masters are keyways: this one alone, or those of cluster-keyways with equal shares of the
 * slots. Each of them serves every slot, so no request is ever redirected. Clients of the other
 * personality find a server without cluster mode.
 *
 * Thread: the worker's. Memory: none is kept.
 * See also: config/options.def (cluster-port, personality, cluster-announce-*, cluster-keyways).
 */
#ifndef KW_PROXY_FACE_CLUSTER_FACE_H
#define KW_PROXY_FACE_CLUSTER_FACE_H

#include "proxy/internal.h"

/* True when COMMAND is one of a cluster's and CLIENT takes keyway for a single server: it gets
 * KW_ERROR_CLUSTER_DISABLED.
 */
static inline bool kw_cluster_face_is_hidden(const struct kw_client *client,
                                             const struct kw_command *command)
{
    return command->group == KW_GROUP_CLUSTER && !client->is_cluster;
}

/* Answer one of KW_LOCAL_CLUSTER_*. Returns KW_ANSWERED or KW_REFUSED. */
enum kw_verdict kw_cluster_face_answer(struct kw_client *client, const struct kw_command *command,
                                       struct kw_buf *buf);

#endif
