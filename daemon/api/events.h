/* SPDX-License-Identifier: PostgreSQL */
/*
 * What /events is made of, for its own files and their tests: the picture of
 * the present, what changed between two pictures, and the ring of what was
 * told. matriarch-api(7), EVENTS, is the manual.
 */
#ifndef MT_DAEMON_API_EVENTS_H
#define MT_DAEMON_API_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* ---- event_diff.c ----------------------------------------------------- */

/*
 * A picture is a JSON object: "role", "state", "leader" and "config" are
 * objects; "members" and "decisions" are objects of objects, by name and by id.
 * The data of an event is the object that is new, or, of a member that is not
 * there any more, its name with "removed".
 */
typedef void (*api__emit)(void *arg, const char *type, json_t *data);

/* Tell of each difference, in the order of what matters: the own role first. A
 * decision that is not in the new picture any more is none. data is borrowed
 * for the call and may be changed: it is a copy. */
void api__events_diff(const json_t *old, const json_t *new, api__emit emit,
		      void *arg);

/* ---- event_ring.c ----------------------------------------------------- */

#define EVENT_RING_MAX 512
#define EVENT_RING_BYTES ((size_t)512 * 1024)

struct api__event {
	char *text; /* as it is sent, owned */
	size_t n;
	bool is_role; /* of this node: only its newest is true */
};

/* Events first to last are there, each at its number modulo the size. Numbers
 * begin with 1; nothing is there while first > last. */
struct api__ring {
	uint64_t run; /* of this life of the daemon */
	uint64_t first, last, last_role;
	size_t n_bytes;
	struct api__event events[EVENT_RING_MAX];
};

void api__ring_init(struct api__ring *ring, uint64_t run);
void api__ring_release(struct api__ring *ring);

/* The newest event; the oldest go as there is no room. data is encoded. */
void api__ring_push(struct api__ring *ring, const char *type,
		    const json_t *data);

/* One event as text, which the caller frees: NULL without memory. */
char *api__event_text(uint64_t run, uint64_t number, const char *type,
		      const json_t *data, size_t *n);

/* Whether all after the event of this id are known, and that event's number.
 * false: the id is of another node or another life, too old, or no id. */
bool api__ring_find(const struct api__ring *ring, const char *id,
		    uint64_t *number);

/* Append to buf the events after *number, as many as there is room for, and
 * move it on. What was said of this node's role is told in its newest word
 * only: an older one is not true any more. Returns the bytes. */
size_t api__ring_copy(const struct api__ring *ring, uint64_t *number, char *buf,
		      size_t size);

#endif
