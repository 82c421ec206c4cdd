/* SPDX-License-Identifier: PostgreSQL */
/*
 * The events that were told, as many as memory is set aside for, so that a
 * client that was away may hear what it missed. Happy path: push formats an
 * event once, for all streams; copy gives a stream what is after its cursor.
 *
 * An id is "RUN-NUMBER": the run is drawn anew at each start of the daemon, so
 * that an id of another node or another life is known as such. Nothing is on
 * disk: a client whose id is not known gets the whole picture instead.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/api/events.h"

#define RUN_DIGITS 16

void
api__ring_init(struct api__ring *ring, uint64_t run)
{
	*ring = (struct api__ring){.run = run, .first = 1};
}

static struct api__event *
slot(struct api__ring *ring, uint64_t number)
{
	return &ring->events[number % EVENT_RING_MAX];
}

static void
drop_first(struct api__ring *ring)
{
	struct api__event *e = slot(ring, ring->first++);

	ring->n_bytes -= e->n;
	free(e->text);
	*e = (struct api__event){0};
}

void
api__ring_release(struct api__ring *ring)
{
	while (ring->first <= ring->last)
		drop_first(ring);
}

char *
api__event_text(uint64_t run, uint64_t number, const char *type,
		const json_t *data, size_t *n)
{
	/* escapes keep it on one line */
	char *json = json_dumps(data, JSON_COMPACT), *text = NULL;
	int bytes = -1;

	if (json != NULL)
		bytes = asprintf(&text,
				 "id: %016" PRIx64 "-%" PRIu64 "\nevent: %s\n"
				 "data: %s\n\n",
				 run, number, type, json);
	free(json);
	if (bytes < 0)
		return NULL;
	*n = (size_t)bytes;
	return text;
}

void
api__ring_push(struct api__ring *ring, const char *type, const json_t *data)
{
	size_t n = 0;
	char *text = api__event_text(ring->run, ++ring->last, type, data, &n);

	/* Its number stays: without memory it is an event without text. */
	if (ring->last - ring->first >= EVENT_RING_MAX)
		drop_first(ring);
	while (ring->first < ring->last && ring->n_bytes + n > EVENT_RING_BYTES)
		drop_first(ring);
	*slot(ring, ring->last) = (struct api__event){
	    .text = text,
	    .n = n,
	    .is_role = mt_streq(type, "role"),
	};
	ring->n_bytes += n;
	if (mt_streq(type, "role"))
		ring->last_role = ring->last;
}

bool
api__ring_find(const struct api__ring *ring, const char *id, uint64_t *number)
{
	char run[RUN_DIGITS + 2];
	const char *digits;
	uint64_t found;

	snprintf(run, sizeof(run), "%016" PRIx64 "-", ring->run);
	if (strncmp(id, run, RUN_DIGITS + 1) != 0)
		return false;
	digits = id + RUN_DIGITS + 1;
	if (*digits == '\0' || strlen(digits) > 18 ||
	    digits[strspn(digits, "0123456789")] != '\0')
		return false;
	found = strtoull(digits, NULL, 10);
	if (found > ring->last || found + 1 < ring->first)
		return false;
	*number = found;
	return true;
}

size_t
api__ring_copy(const struct api__ring *ring, uint64_t *number, char *buf,
	       size_t size)
{
	size_t n = 0;

	for (; *number < ring->last; ++*number) {
		const struct api__event *e =
		    &ring->events[(*number + 1) % EVENT_RING_MAX];

		if (e->text == NULL ||
		    (e->is_role && *number + 1 != ring->last_role) ||
		    e->n > size)
			continue;
		if (e->n > size - n)
			break;
		memcpy(buf + n, e->text, e->n);
		n += e->n;
	}
	return n;
}
