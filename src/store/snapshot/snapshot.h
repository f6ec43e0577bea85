/* snapshot.h - the keys of a store in a file, for a warm restart.
 *
 * A thread of its own writes the file: when it is asked to, every interval, and at the end. Each
 * key is saved as it is at one moment, but not all keys at the same one: what a transaction did to
 * two keys may be there for one of them only. The file is written beside the old one and takes its
 * place when it is whole and on the disk. What is damaged is refused as a whole.
 *
 * Thread: the owner's of the store, but for kw__snapshot_*(), which are for workers.
 * Memory: _open() returns an owned pointer.
 * See also: file.h (the form), pack.h (objects as bytes).
 */
#ifndef KW_STORE_SNAPSHOT_SNAPSHOT_H
#define KW_STORE_SNAPSHOT_SNAPSHOT_H

#include "store/store.h"

struct kw_snapshot;

struct kw_snapshot_figures {
    uint64_t keys_count;
    uint64_t left_out_count; /* keys of the file that there was no memory for */
    uint64_t bytes_count;
    uint64_t took_ms;
};

/* Put the keys of the file at PATH into STORE, which nobody has joined yet, with up to THREADS
 * threads. Returns KW_OK; KW_E_NOT_FOUND; KW_E_INVALID when it is damaged: STORE is empty then;
 * KW_E_REFUSED when it is no file; KW_E_SYSTEM.
 */
KW_CHECK enum kw_status kw_snapshot_load(struct kw_store *store, const char *path, unsigned threads,
                                         struct kw_snapshot_figures *figures);

/* Write all keys of STORE to PATH. One worker more must be able to join. KW_OK or KW_E_SYSTEM. */
KW_CHECK enum kw_status kw_snapshot_save(struct kw_store *store, const char *path,
                                         struct kw_snapshot_figures *figures);

/* Save to PATH every INTERVAL (0: never) and when asked to. */
struct kw_snapshot *kw_snapshot_open(struct kw_store *store, const char *path,
                                     uint64_t interval_ms);

/* The thread ends, and saves once more. All other workers have left. */
void kw_snapshot_close(struct kw_snapshot **snapshot);

/* Save now. False: it is at it already. With IS_AWAITED the caller waits until it is done, and
 * STATUS says how it went.
 */
bool kw__snapshot_ask(struct kw_snapshot *snapshot, bool is_awaited, enum kw_status *status);

/* What FIGURES has about snapshots. */
void kw__snapshot_figures(struct kw_snapshot *snapshot, struct kw_store_figures *figures);

/* When it was saved last, or opened. */
uint64_t kw__snapshot_last_ms(struct kw_snapshot *snapshot);

#endif
