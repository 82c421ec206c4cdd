/* SPDX-License-Identifier: PostgreSQL */
/*
 * PATCH and PUT /config on any member. Happy path: the new document is made
 * from the one that this node knows, proposed on the condition that nobody
 * changed it meanwhile, and answered when the cluster has agreed. A PATCH that
 * lost the race is merged anew, a PUT is repeated.
 *
 * Failure modes: there is no document (503 for PATCH, 502 for PUT); others were
 * faster again and again (PATCH 409, PUT 502); no majority took it in time (503
 * and 502, it may still come); the daemon ends (503). "?version=N", of
 * /raft/state, makes either fail with 409 if the document is not that one.
 * Values are not judged, but where "restapi.allow_shell_settings" is off here:
 * then a change of what runs programs is refused (403).
 *
 * Life of struct api__change: in the API's list while its request waits;
 * outside of it and without an API while only its proposal is under way.
 */
#include "daemon/api/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "conf/document.h"
#include "conf/shell.h"
#include "http/query.h"

#define TRIES 5

struct api__change {
	struct mt_api *api;              /* NULL: not in the list any more */
	struct mt_http_request *request; /* set as long as api is */
	struct api__change *next;
	bool replace;     /* PUT */
	uint64_t version; /* asked for; 0 = any */
	struct mt_origin by;
	json_t *body;     /* owned */
	json_t *document; /* owned: as proposed */
	bool proposing;
	int tries;
	uint64_t proposed_version; /* what was expected to be there */
	uint64_t index;            /* agreed there, awaited here; 0 = not yet */
	int64_t deadline_ms;
};

static void propose(struct api__change *c);

static void
change_free(struct api__change *c)
{
	json_decref(c->body);
	json_decref(c->document);
	free(c);
}

/* Out of the list. c lives on only while its proposal does. */
static struct mt_http_request *
forget(struct api__change *c)
{
	struct mt_http_request *r = c->request;
	struct api__change **at = &c->api->changes;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->api = NULL;
	c->request = NULL;
	r->gone = NULL;
	if (!c->proposing)
		change_free(c);
	return r;
}

static void
on_gone(struct mt_http_request *r)
{
	(void)forget(r->owner);
}

static void
answer_document(struct api__change *c, const json_t *document)
{
	json_t *doc = json_incref((json_t *)document);

	api__respond_json(forget(c), 200, doc);
}

static void
answer_failure(struct api__change *c, int rv, const char *why)
{
	bool raced = rv == MT_EREFUSED || rv == MT_EBUSY;
	int status = raced && (c->version != 0 || !c->replace) ? 409
		     : c->replace                              ? 502
							       : 503;

	if (rv == MT_EINVAL)
		status = 400;
	api__respond_text(
	    forget(c), status, "the configuration was not changed%s%s%s",
	    raced || rv == MT_EINVAL ? "" : " for all we know",
	    why != NULL && *why != '\0' ? ": " : "", why != NULL ? why : "");
}

/* What was agreed is answered when this node shows it; what was refused is
 * tried again when this node knows better. */
static void
look(struct api__change *c)
{
	const struct mt_api_backend *b = c->api->backend;
	struct mt_view view;

	if (c->proposing)
		return;
	b->view(b->arg, &view);
	if (c->index != 0) {
		if (view.state->index >= c->index ||
		    mt_clock_ms() >= c->deadline_ms)
			answer_document(c, c->document);
	} else if (view.state->config_version > c->proposed_version) {
		propose(c);
	} else if (mt_clock_ms() >= c->deadline_ms) {
		answer_failure(c, MT_EREFUSED, "it was changed by another");
	}
}

void
api__changes_look(struct mt_api *api)
{
	struct api__change *c, *next;

	for (c = api->changes; c != NULL; c = next) {
		next = c->next;
		look(c);
	}
}

static void
on_proposed(void *arg, int rv, uint64_t index, const char *why)
{
	struct api__change *c = arg;

	c->proposing = false;
	if (c->api == NULL) {
		change_free(c);
	} else if (rv == 0) {
		c->index = index;
		look(c);
	} else if (rv == MT_EREFUSED && c->version == 0 && c->tries < TRIES) {
		look(c);
	} else {
		answer_failure(c, rv, why);
	}
}

/* Is it a change that the API must not make? Then it is answered. */
static bool
refuse_shell(struct api__change *c, const json_t *old)
{
	char path[256];

	if (c->api->backend->conf->restapi.allow_shell_settings ||
	    !mt_conf_shell_differs(old, c->document, path, sizeof(path)))
		return false;
	api__respond_text(forget(c), 403,
			  "the configuration was not changed: \"%s\" can run "
			  "programs, and \"restapi.allow_shell_settings\" is "
			  "off",
			  path);
	return true;
}

/* May end c. */
static void
propose(struct api__change *c)
{
	const struct mt_api_backend *b = c->api->backend;
	struct mt_command cmd = {.kind = MT_CMD_CONFIG_PUT};
	char changes[MT_WHY_MAX - 16];
	const json_t *old;
	struct mt_view view;
	bool changed;

	b->view(b->arg, &view);
	old = view.state->config;
	if (old == NULL) {
		api__respond_text(forget(c), c->replace ? 502 : 503,
				  "the cluster has no configuration yet");
		return;
	}
	if (c->version != 0 && c->version != view.state->config_version) {
		api__respond_text(forget(c), 409,
				  "the configuration was changed by another: "
				  "it is version %" PRIu64,
				  view.state->config_version);
		return;
	}
	json_decref(c->document);
	if (c->replace) {
		c->document = json_incref(c->body);
	} else {
		c->document = mt_document_merge(old, c->body, &changed);
	}
	if (c->document == NULL) {
		api__respond_text(forget(c), 500, "out of memory");
		return;
	}
	if (refuse_shell(c, old))
		return;
	/* Also where nothing changes: what this node sees may be old, and the
	 * log alone knows. It takes the same document without a change. */
	cmd.u.config_put.expect_version = view.state->config_version;
	cmd.u.config_put.config = c->document;
	cmd.u.config_put.by = c->by;
	cmd.u.config_put.at_ms = view.wall_ms;
	mt_format(
	    cmd.u.config_put.why, sizeof(cmd.u.config_put.why), "changed: %s",
	    mt_document_changes(old, c->document, changes, sizeof(changes)));
	c->proposing = true;
	c->proposed_version = view.state->config_version;
	c->tries++;
	/* Last: the callback may come from within, and end c. */
	b->propose(b->arg, &cmd, view.settings->retry_timeout_ms, on_proposed,
		   c);
}

void
api__change_config(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	char version[32];
	struct api__change *c;
	struct mt_view view;
	json_error_t error;
	json_t *body;

	if (!r->has_body) {
		api__respond_text(r, 411, "a body with its length is needed");
		return;
	}
	body = json_loadb(r->body_bytes > 0 ? r->body : "", r->body_bytes, 0,
			  &error);
	if (json_object_size(body) == 0) {
		api__respond_text(r, 400,
				  "the body must be a JSON object that is "
				  "not empty");
		json_decref(body);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		json_decref(body);
		api__respond_text(r, 500, "could not keep the request");
		return;
	}
	c->api = api;
	c->request = r;
	c->replace = mt_streq(r->method, "PUT");
	c->body = body;
	api__origin(api, r, &c->by);
	b->view(b->arg, &view);
	c->deadline_ms = mt_clock_ms() + view.settings->retry_timeout_ms;
	if (mt_http_query(r->query, "version", version, sizeof(version)))
		c->version = strtoull(version, NULL, 10);
	c->next = api->changes;
	api->changes = c;
	r->owner = c;
	r->gone = on_gone;
	propose(c);
}

void
api__changes_end(struct mt_api *api)
{
	while (api->changes != NULL)
		api__respond_text(forget(api->changes), 503,
				  "it is not known whether the configuration "
				  "was changed: this daemon ends");
}
