/* SPDX-License-Identifier: PostgreSQL */
/*
 * Changes of files by name, as the kernel tells them: written anew, replaced by
 * a rename, or reached by symbolic links of which one is turned elsewhere.
 */
#ifndef MT_HTTP_WATCH_H
#define MT_HTTP_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

/* Where names lead: the directories in which a change may matter. */
struct mt_watch_places;

/* Follow the names; NULL and "" are passed over. Any thread; waits for the
 * files' volume. Never NULL; mt_watch_forget frees it, NULL is allowed there.
 */
struct mt_watch_places *mt_watch_look(const char *const *paths, size_t n);
void mt_watch_forget(struct mt_watch_places *places);
bool mt_watch_same(const struct mt_watch_places *a,
		   const struct mt_watch_places *b);

struct mt_watch;

/* cb: something has changed there, as a rule several times for one change. */
struct mt_watch *mt_watch_new(uv_loop_t *loop, void (*cb)(void *arg),
			      void *arg);
/* From now on these places, which are taken, even if they are the same: a
 * directory may be another one under its old name. Returns how many of them
 * cannot be watched. */
int mt_watch_set(struct mt_watch *w, struct mt_watch_places *places);
/* Borrowed; NULL before the first. */
const struct mt_watch_places *mt_watch_get(const struct mt_watch *w);
/* No cb comes any more; the loop closes what is left. NULL is allowed. */
void mt_watch_free(struct mt_watch *w);

#endif
