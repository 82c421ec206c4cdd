/* SPDX-License-Identifier: PostgreSQL */
/*
 * From path and method to a handler, by one table. Happy path: the first path
 * segment finds the row, and the gate lets the request pass. HEAD is GET
 * without the body, which the server leaves out. What no row knows is a health
 * check for GET, HEAD and OPTIONS, matched or not (503), and 501 for other
 * methods, with the phrase by which known clients notice that an action does
 * not exist here.
 */
#include "daemon/api/internal.h"

#include <string.h>

#include "base/text.h"
#include "daemon/api/access.h"

static const struct route {
	const char *segment;
	const char *second; /* NULL = any or none */
	const char *method;
	api__handler handler;
} routes[] = {
    {"patroni", NULL, "GET", api__get_patroni},
    {"cluster", NULL, "GET", api__get_cluster},
    {"history", NULL, "GET", api__get_history},
    {"config", "effective", "GET", api__get_config_effective},
    {"config", NULL, "GET", api__get_config},
    {"config", NULL, "PATCH", api__change_config},
    {"config", NULL, "PUT", api__change_config},
    {"decisions", NULL, "GET", api__get_decisions},
    {"events", NULL, "GET", api__get_events},
    {"forecast", NULL, "GET", api__get_forecast},
    {"metrics", NULL, "GET", api__get_metrics},
    {"openapi.json", NULL, "GET", api__get_openapi},
    {"reload", NULL, "POST", api__post_reload},
    {"reinitialize", NULL, "POST", api__post_reinitialize},
    {"restart", NULL, "POST", api__post_restart},
    {"restart", NULL, "DELETE", api__delete_restart},
    {"raft", "state", "GET", api__get_raft_state},
    {"raft", NULL, "GET", api__get_raft},
    {"ui", NULL, "GET", api__get_ui},
    {"switchover", NULL, "POST", api__post_switchover},
    {"switchover", NULL, "DELETE", api__delete_switchover},
    {"failover", NULL, "POST", api__post_failover},
    {"sigterm", NULL, "POST", api__post_sigterm},
    {"citus", NULL, "POST", api__post_mpp},
    {"mpp", NULL, "POST", api__post_mpp},
};

bool
api__route_row(size_t i, struct api__route_row *row)
{
	if (i >= MT_COUNT(routes))
		return false;
	row->segment = routes[i].segment;
	row->second = routes[i].second;
	row->method = routes[i].method;
	return true;
}

/* Does the path go on with this segment? Returns what follows, or NULL. */
static const char *
skip_segment(const char *path, const char *segment)
{
	size_t n = strlen(segment);

	while (*path == '/')
		path++;
	if (strncmp(path, segment, n) != 0)
		return NULL;
	path += n;
	return *path == '\0' || *path == '/' ? path : NULL;
}

static bool
matches(const struct route *route, const char *path)
{
	path = skip_segment(path, route->segment);
	if (path == NULL)
		return false;
	return route->second == NULL ||
	       skip_segment(path, route->second) != NULL;
}

/* Append to a list; whoever answers GET answers HEAD. */
static void
add_method(char *allow, size_t size, const char *method)
{
	size_t n = strlen(allow);

	if (strstr(allow, method) != NULL)
		return;
	mt_format(allow + n, size - n, "%s%s%s", n > 0 ? ", " : "", method,
		  mt_streq(method, "GET") ? ", HEAD" : "");
}

static const char unsupported[] =
    "<!DOCTYPE html>\n"
    "<title>Error response</title>\n"
    "<p>Error code: 501\n"
    "<p>Message: Server does not support this operation.\n";

void
api__route(void *arg, struct mt_http_request *r)
{
	struct mt_api *api = arg;
	const char *path = r->path;
	const char *method = mt_streq(r->method, "HEAD") ? "GET" : r->method;
	char allow[64] = "";

	while (path[0] == '/' && path[1] == '/')
		path++;
	for (size_t i = 0; i < MT_COUNT(routes); i++) {
		if (!matches(&routes[i], path))
			continue;
		if (mt_streq(method, routes[i].method)) {
			if (!mt_access_is_read(method) &&
			    !api__admit(api, r, routes[i].segment))
				return;
			routes[i].handler(api, r);
			return;
		}
		add_method(allow, sizeof(allow), routes[i].method);
	}
	if (allow[0] != '\0' && mt_streq(method, "OPTIONS")) {
		add_method(allow, sizeof(allow), "OPTIONS");
		api__respond_empty(r, 204, "allow", allow);
	} else if (mt_streq(method, "GET") || mt_streq(method, "OPTIONS")) {
		api__health(api, r, path);
	} else {
		const struct mt_http_answer answer = {
		    .status = 501,
		    .type = "text/html;charset=utf-8",
		    .body = unsupported,
		    .body_bytes = sizeof(unsupported) - 1,
		};

		mt_http_respond(r, &answer);
	}
}
