/* board.h - where the snapshot in force hangs, and how it is changed while keyway runs.
 *
 * A change builds a new snapshot from the one in force, all of it or nothing, and hangs it up.
 * Readers keep the snapshot that they have until they are told to look again: workers by a letter,
 * the control thread by ON_CHANGE. So the path of requests takes no lock; only changes do.
 *
 * Thread: any. ON_CHANGE runs on the thread that made the change.
 * Memory: kw_config_board_new() returns an owned pointer; snapshots are reference-counted.
 * See also: config.h (snapshots), proxy/local_config.c (CONFIG SET), server.c (SIGHUP).
 */
#ifndef KW_CONFIG_BOARD_H
#define KW_CONFIG_BOARD_H

#include "base/blob.h"
#include "config/config.h"

struct kw_config_board;

/* How a CONFIG SET ended. */
enum kw_config_change {
    KW_CONFIG_CHANGED = 0,
    KW_CONFIG_UNKNOWN, /* no such option, or none of keyway's */
    KW_CONFIG_REFUSED  /* this one can't be set so, or not at all while keyway runs */
};

/* A board with CONFIG on it, which is referenced. */
struct kw_config_board *kw_config_board_new(struct kw_config *config);
void kw_config_board_free(struct kw_config_board **board);

/* May NEXT take the place of NOW? The name of the option that is to blame, and WHY; else NULL. */
typedef const char *(*kw_config_check)(void *arg, const struct kw_config *now,
                                       const struct kw_config *next, struct kw_blob *why);

/* Call CHECK before each change, under the board's lock, and ON_CHANGE after each one. Before
 * threads start.
 */
void kw_config_board_watch(struct kw_config_board *board, kw_config_check check,
                           void (*on_change)(void *arg), void *arg);

/* The snapshot in force: one reference. */
struct kw_config *kw_config_board_get(struct kw_config_board *board);

/* Set COUNT options, PAIRS being name, value, name, value ...; nothing changes unless all may be.
 * When they may not, *at is the place of the name that is to blame and WHY what redis says of it.
 */
enum kw_config_change kw_config_board_set(struct kw_config_board *board,
                                          const struct kw_bytes *pairs, size_t count, size_t *at,
                                          struct kw_blob *why);

/* Take over from LOADED, a snapshot read again, what may change while keyway runs; what may not and
 * differs is named in NOTES, a line each. Returns how many options changed.
 */
size_t kw_config_board_reload(struct kw_config_board *board, const struct kw_config *loaded,
                              struct kw_blob *notes);

#endif
