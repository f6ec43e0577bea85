/* tracker.h - the client's side of CLIENT TRACKING: its commands, and what it reads.
 *
 * Thread: the worker's. Memory: a tracker belongs to its client, from CLIENT TRACKING ON to OFF.
 * See also: tracking.h (the table), session.h (who calls this).
 */
#ifndef KW_PROXY_PUBSUB_TRACKER_H
#define KW_PROXY_PUBSUB_TRACKER_H

#include "proxy/pubsub/tracking.h"

/* CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR. */
enum kw_verdict kw_tracker_start(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire);

/* CLIENT tracks (KW_MODE_TRACKING): remember what COMMAND reads. Says NEXT. */
enum kw_verdict kw_tracker_check(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire);

/* CLIENT executes COMMAND, in proxy->argv, now, and may track: remember what it reads. */
void kw_tracker_note(struct kw_client *client, const struct kw_command *command);

/* CLIENT is closed, or RESET: it tracks no more. */
void kw_tracker_drop(struct kw_client *client);

/* COMMAND, in proxy->argv, may be CLIENT CACHING, and has its turn later than the reads behind it,
 * which are remembered now: they are remembered as it says.
 */
void kw_tracker_foresee(struct kw_client *client, const struct kw_command *command);

/* Where CLIENT's invalidations go: CLIENT GETREDIR, CLIENT LIST. -1: it tracks nothing. */
int64_t kw_tracker_redirect(const struct kw_client *client);

/* The client that CLIENT named is gone; CLIENT tracks all keys with some prefix: CLIENT LIST. */
bool kw_tracker_is_redirect_broken(const struct kw_client *client);
bool kw_tracker_is_bcast(const struct kw_client *client);

/* For tap.c: feeds have come or failed; whoever waits for them may be answered. */
void kw_trackers_advance(struct kw_tracking *tracking);

/* For referral.c: the client CLIENT_ID, named by REDIRECT, is gone. */
void kw_trackers_on_redirect_gone(struct kw_tracking *tracking, uint64_t client_id);

#endif
