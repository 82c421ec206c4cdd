/* SPDX-License-Identifier: PostgreSQL */
/*
 * The API's life. Happy path: start listens and hands requests to the router;
 * close answers what waits, closes the server, then the timer. Failure modes: a
 * listener that cannot be had leaves nothing behind. What the answers say is in
 * the other files of this folder.
 */
#include "daemon/api/api.h"

#include <stdlib.h>

#include "daemon/api/internal.h"

static void
on_timer_closed(uv_handle_t *handle)
{
	struct mt_api *api = handle->data;
	void (*cb)(void *arg) = api->closed_cb;
	void *arg = api->closed_arg;

	api__names_free(api->names);
	free(api);
	if (cb != NULL)
		cb(arg);
}

static void
on_part_closed(void *arg)
{
	struct mt_api *api = arg;

	if (--api->open_parts == 0)
		uv_close((uv_handle_t *)&api->timer, on_timer_closed);
}

static void
on_http_closed(void *arg)
{
	struct mt_api *api = arg;

	api__events_close(api->events, on_part_closed, api);
}

static void
on_change(void *arg)
{
	api__gate_look(arg);
	api__switchovers_look(arg);
	api__changes_look(arg);
	api__events_look(arg);
	api__errands_look(arg);
}

int
mt_api_start(struct mt_api **api, uv_loop_t *loop, const char *host,
	     uint16_t port, const struct mt_api_backend *backend,
	     struct mt_err *err)
{
	const struct mt_http_options options = {
	    .host = host,
	    .port = port,
	    .backlog = (int)backend->conf->restapi.request_queue_size,
	};
	struct mt_api *a = calloc(1, sizeof(*a));
	int rv;

	if (a == NULL)
		return mt_err_set(err, MT_ENOMEM,
				  "could not start the REST API");
	a->backend = backend;
	rv = mt_http_start(&a->http, loop, &options, api__route, a, err);
	if (rv != 0) {
		free(a);
		return mt_err_prefix(err, "could not start the REST API");
	}
	a->events = api__events_new(loop);
	uv_timer_init(loop, &a->timer);
	a->timer.data = a;
	a->agent = api__agent_new(a, loop);
	a->names = api__names_new(loop);
	api__gate_open(a);
	backend->watch(backend->arg, on_change, a);
	*api = a;
	return 0;
}

uint16_t
mt_api_port(const struct mt_api *api)
{
	return mt_http_port(api->http);
}

void
mt_api_reloaded(struct mt_api *api)
{
	api__agent_configure(api->agent);
}

void
mt_api_close(struct mt_api *api, void (*cb)(void *arg), void *arg)
{
	api->closed_cb = cb;
	api->closed_arg = arg;
	api->backend->unwatch(api->backend->arg, on_change, api);
	api__switchovers_end(api);
	api__changes_end(api);
	api__errands_end(api);
	api__unkeep(api);
	api__events_end(api);
	api->open_parts = 2;
	api__agent_close(api->agent, on_part_closed, api);
	mt_http_close(api->http, on_http_closed, api);
}
