/* side.h - links beside the shared ones: of other databases, and for one command of an operator.
 *
 * The links that kw_node_link() gives for database 0 are places in a table. All others are rare and
 * live in a list of their node: one link for each protocol version and database that somebody has
 * selected, and private ones that carry a single command and are closed behind it, so that nothing
 * the command does to its connection can harm anybody.
 *
 * Thread: the worker's. Memory: the node owns them; pointers are borrowed as those of other links.
 * See also: node.h (the shared ones), handshake.h (who says SELECT).
 */
#ifndef KW_BACKEND_SIDE_H
#define KW_BACKEND_SIDE_H

#include "backend/link.h"

struct kw_node;

/* The link of NODE for database DB, which is not 0; opened when needed. The node is up.
 * Returns KW_OK and *link; KW_E_INVALID when the node has just said that it has no such database;
 *         KW_E_FULL when too many databases are in use.
 */
KW_CHECK enum kw_status kw_side_link_of_db(struct kw_node *node, int proto, uint32_t db,
                                           struct kw_link **link);

/* A new link of NODE for one command, and prefixes; it is closed by itself when all is answered.
 * Returns KW_OK and *link; KW_E_FULL when too many are open; KW_AGAIN while the node's
 *         name is being resolved; why the node is down.
 */
KW_CHECK enum kw_status kw_side_link_open_private(struct kw_node *node, int proto,
                                                  struct kw_link **link);

/* Close links of other databases that nobody has used for a minute. */
void kw_side_close_idle(struct kw_node *node, uint64_t now_ms);

/* LINK, no longer retired, goes back among those of its database, or is closed. */
void kw_side_take_back(struct kw_node *node, struct kw_link *link);

/* LINK failed in its handshake because the node has no such database. */
void kw_side_on_no_database(struct kw_node *node, const struct kw_link *link);

#endif
