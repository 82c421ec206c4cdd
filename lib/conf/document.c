/* SPDX-License-Identifier: PostgreSQL */
/* Merging into the dynamic document; see the header. */
#include "conf/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* The text by which two values are compared: a string without its quotes. */
static char *
text_of(const json_t *v)
{
	if (json_is_string(v))
		return strdup(json_string_value(v));
	return json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
}

bool
mt_document_same(const json_t *a, const json_t *b)
{
	char *ta, *tb;
	bool same;

	if (json_is_object(a) || json_is_object(b) || json_is_array(a) ||
	    json_is_array(b))
		return json_equal(a, b);
	ta = text_of(a);
	tb = text_of(b);
	same = ta != NULL && tb != NULL && mt_streq(ta, tb);
	free(ta);
	free(tb);
	return same;
}

/* Depth is bounded by what the readers of JSON and YAML let through. */
static bool
merge_into(json_t *o, const json_t *patch, bool *changed)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)patch, key, v) {
		json_t *old = json_object_get(o, key);

		if (old == NULL && json_is_null(v))
			continue;
		if (json_is_null(v)) {
			json_object_del(o, key);
			*changed = true;
			continue;
		}
		if (json_is_object(old) && json_is_object(v)) {
			if (!merge_into(old, v, changed))
				return false;
			continue;
		}
		if (old != NULL && mt_document_same(old, v))
			continue;
		if (json_object_set_new(o, key, json_deep_copy(v)) != 0)
			return false;
		*changed = true;
	}
	return true;
}

#define CHANGE_BYTES 256

struct changes {
	char *buf;
	size_t n, size;
	bool full;
};

static void
add_change(struct changes *c, const char *path)
{
	static const char more[] = ", ...";
	size_t k = strlen(path) + 2;

	if (c->full)
		return;
	c->full = c->n + k + sizeof(more) > c->size;
	mt_format(c->buf + c->n, c->size - c->n, "%s%s", c->n > 0 ? ", " : "",
		  c->full ? "..." : path);
	c->n += strlen(c->buf + c->n);
}

static void
note_changes(const char *section, const json_t *before, const json_t *after,
	     struct changes *c)
{
	char path[CHANGE_BYTES];
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)before, key, v) {
		json_t *now = json_object_get(after, key);

		if (now != NULL && json_equal(v, now))
			continue;
		if (!mt_format(path, sizeof(path), "%s%s", section, key))
			mt_copy(path, sizeof(path), "...");
		if (json_is_object(v) && json_is_object(now) &&
		    strlen(path) + 2 < sizeof(path)) {
			strcat(path, ".");
			note_changes(path, v, now, c);
		} else {
			add_change(c, path);
		}
	}
	json_object_foreach ((json_t *)after, key, v) {
		if (json_object_get(before, key) != NULL)
			continue;
		if (!mt_format(path, sizeof(path), "%s%s", section, key))
			mt_copy(path, sizeof(path), "...");
		add_change(c, path);
	}
}

char *
mt_document_changes(const json_t *before, const json_t *after, char *buf,
		    size_t size)
{
	struct changes c = {.buf = buf, .size = size};

	buf[0] = '\0';
	note_changes("", before, after, &c);
	return buf;
}

json_t *
mt_document_merge(const json_t *document, const json_t *patch, bool *changed)
{
	json_t *o = json_deep_copy(document);

	*changed = false;
	if (o != NULL && !merge_into(o, patch, changed)) {
		json_decref(o);
		return NULL;
	}
	return o;
}
