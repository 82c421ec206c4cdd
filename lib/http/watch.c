/* SPDX-License-Identifier: PostgreSQL */
/*
 * Watching files by name. Happy path: a name is followed component by component
 * as the kernel would; each directory that holds a link on the way, or the file
 * itself, is a place, together with the name that matters in it. The kernel
 * tells of all names in a directory; what is of no interest is passed over.
 *
 * Failure modes: what does not exist is watched for where the way ends, so that
 * it is noticed when it comes. A directory that cannot be watched (it cannot be
 * read, or the kernel's watches have run out) is counted. A directory that is
 * renamed is noticed where it holds a file or a link, not further up.
 *
 * It does not read files, and cannot tell whether their content has changed.
 */
#include "http/watch.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"

#define PLACES_MAX 24
#define HOPS_MAX 40 /* as the kernel */

struct place {
	char dir[PATH_MAX];
	char name[NAME_MAX + 1];
};

struct mt_watch_places {
	size_t n;
	struct place at[PLACES_MAX];
};

struct handle {
	uv_fs_event_t event;
	struct mt_watch *watch; /* NULL: it is closed */
	const char *dir;        /* of the places */
};

struct mt_watch {
	uv_loop_t *loop;
	void (*cb)(void *arg);
	void *arg;
	struct mt_watch_places *places;
	struct handle *handles[PLACES_MAX];
	size_t n;
};

/* ---- places ---- */

static void
add_place(struct mt_watch_places *p, const char *dir, const char *name)
{
	struct place *to = &p->at[p->n];

	if (dir[0] == '\0')
		dir = "/";
	for (size_t i = 0; i < p->n; i++)
		if (mt_streq(p->at[i].dir, dir) &&
		    mt_streq(p->at[i].name, name))
			return;
	if (p->n < PLACES_MAX && mt_copy(to->dir, sizeof(to->dir), dir) &&
	    mt_copy(to->name, sizeof(to->name), name))
		p->n++;
}

/* Take the first component off rest. False: there is none. */
static bool
next_name(char *rest, char *name, size_t size)
{
	char *from = rest + strspn(rest, "/");
	size_t n = strcspn(from, "/");

	if (n == 0 || n >= size)
		return false;
	memcpy(name, from, n);
	name[n] = '\0';
	memmove(rest, from + n, strlen(from + n) + 1);
	return true;
}

/* One link: what it says comes before the rest. */
static bool
turn_off(const char *full, char *done, char *rest)
{
	char target[PATH_MAX], whole[2 * PATH_MAX];
	ssize_t n = readlink(full, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	if (target[0] == '/')
		done[0] = '\0';
	return mt_format(whole, sizeof(whole), "%s/%s", target, rest) &&
	       mt_copy(rest, PATH_MAX, whole);
}

static void
follow(struct mt_watch_places *p, char *rest)
{
	char done[PATH_MAX] = "", full[PATH_MAX], name[NAME_MAX + 1];
	struct stat st;
	int hops = 0;

	while (next_name(rest, name, sizeof(name))) {
		if (mt_streq(name, "."))
			continue;
		if (mt_streq(name, "..")) {
			char *slash = strrchr(done, '/');

			if (slash != NULL)
				*slash = '\0';
			continue;
		}
		if (!mt_format(full, sizeof(full), "%s/%s", done, name))
			return;
		if (lstat(full, &st) != 0) {
			add_place(p, done, name);
			return;
		}
		if (S_ISLNK(st.st_mode)) {
			add_place(p, done, name);
			if (++hops > HOPS_MAX || !turn_off(full, done, rest))
				return;
			continue;
		}
		if (strspn(rest, "/") == strlen(rest)) /* the last one */
			add_place(p, done, name);
		mt_copy(done, sizeof(done), full);
	}
}

struct mt_watch_places *
mt_watch_look(const char *const *paths, size_t n)
{
	struct mt_watch_places *p = calloc(1, sizeof(*p));
	char rest[PATH_MAX], here[PATH_MAX];

	MT_ASSERT(p != NULL);
	for (size_t i = 0; i < n; i++) {
		if (paths[i] == NULL || paths[i][0] == '\0')
			continue;
		if (paths[i][0] == '/' || getcwd(here, sizeof(here)) == NULL)
			here[0] = '\0';
		if (mt_format(rest, sizeof(rest), "%s/%s", here, paths[i]))
			follow(p, rest);
	}
	return p;
}

void
mt_watch_forget(struct mt_watch_places *places)
{
	free(places);
}

bool
mt_watch_same(const struct mt_watch_places *a, const struct mt_watch_places *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!mt_streq(a->at[i].dir, b->at[i].dir) ||
		    !mt_streq(a->at[i].name, b->at[i].name))
			return false;
	return true;
}

/* ---- handles ---- */

static void
on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
	struct handle *h = container_of(event, struct handle, event);
	const struct mt_watch_places *p;
	const char *base;

	(void)events;
	if (h->watch == NULL || status != 0)
		return;
	p = h->watch->places;
	base = strrchr(h->dir, '/');
	/* its own name: the directory itself was moved or removed */
	bool matters = name == NULL || mt_streq(name, base + 1);

	for (size_t i = 0; !matters && i < p->n; i++)
		matters = mt_streq(p->at[i].dir, h->dir) &&
			  mt_streq(p->at[i].name, name);
	if (matters)
		h->watch->cb(h->watch->arg);
}

static void
on_closed(uv_handle_t *event)
{
	free(container_of((uv_fs_event_t *)event, struct handle, event));
}

static void
close_all(struct mt_watch *w)
{
	for (size_t i = 0; i < w->n; i++) {
		w->handles[i]->watch = NULL;
		uv_close((uv_handle_t *)&w->handles[i]->event, on_closed);
	}
	w->n = 0;
}

static bool
is_open(const struct mt_watch *w, const char *dir)
{
	for (size_t i = 0; i < w->n; i++)
		if (mt_streq(w->handles[i]->dir, dir))
			return true;
	return false;
}

struct mt_watch *
mt_watch_new(uv_loop_t *loop, void (*cb)(void *arg), void *arg)
{
	struct mt_watch *w = calloc(1, sizeof(*w));

	MT_ASSERT(w != NULL);
	w->loop = loop;
	w->cb = cb;
	w->arg = arg;
	return w;
}

int
mt_watch_set(struct mt_watch *w, struct mt_watch_places *places)
{
	int bad = 0;

	close_all(w);
	mt_watch_forget(w->places);
	w->places = places;
	for (size_t i = 0; i < places->n; i++) {
		struct handle *h;

		if (is_open(w, places->at[i].dir))
			continue;
		h = calloc(1, sizeof(*h));
		MT_ASSERT(h != NULL);
		h->watch = w;
		h->dir = places->at[i].dir;
		MT_ASSERT(uv_fs_event_init(w->loop, &h->event) == 0);
		w->handles[w->n++] = h;
		if (uv_fs_event_start(&h->event, on_event, h->dir, 0) != 0)
			bad++;
	}
	return bad;
}

const struct mt_watch_places *
mt_watch_get(const struct mt_watch *w)
{
	return w->places;
}

void
mt_watch_free(struct mt_watch *w)
{
	if (w == NULL)
		return;
	close_all(w);
	mt_watch_forget(w->places);
	free(w);
}
