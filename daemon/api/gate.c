/* SPDX-License-Identifier: PostgreSQL */
/*
 * The door before the handlers that change something. Happy path: the facts of
 * a request are gathered, access.c decides, one line of the log says who asked
 * for what, the handler runs. Failure modes: 403 and 401, each with a line of
 * the log, of which there is one a second at most.
 *
 * It also keeps what the configuration says of all answers, and warns where
 * everybody who reaches the API may change the cluster.
 */
#include "daemon/api/internal.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/net.h"
#include "base/text.h"
#include "daemon/api/access.h"
#include "base/tls.h"

#define REFUSED_EVERY_MS 1000

/* ---- who ---- */

void
api__origin(const struct mt_api *api, const struct mt_http_request *r,
	    struct mt_origin *by)
{
	const char *username = api->backend->conf->restapi.username;
	const char *who = "-";
	struct mt_net peer;

	/* Who is here has shown the password. */
	if (username[0] != '\0')
		who = username;
	else if (r->client_subject[0] != '\0')
		who = r->client_subject;
	memset(by, 0, sizeof(*by));
	mt_copy(by->who, sizeof(by->who), who);
	if (mt_net_of(&peer, (const struct sockaddr *)&r->peer))
		mt_net_format(&peer, by->from);
	else
		mt_copy(by->from, sizeof(by->from), "-");
}

/* ---- may he? ---- */

static void
answer(struct mt_http_request *r, enum mt_access access)
{
	static const struct {
		int status;
		const char *text;
	} answers[] = {
	    [MT_ACCESS_NOT_LISTED] = {403, "Access is denied"},
	    [MT_ACCESS_NO_CERTIFICATE] = {403,
					  "a client certificate is needed"},
	    [MT_ACCESS_NO_PASSWORD] = {401, "no authorization was sent"},
	    [MT_ACCESS_WRONG_PASSWORD] = {401, "not authenticated"},
	};
	struct mt_http_answer a = {
	    .status = answers[access].status,
	    .type = "text/html",
	    .body = answers[access].text,
	    .body_bytes = strlen(answers[access].text),
	};

	if (a.status == 401) {
		a.header = "www-authenticate";
		a.value = "Basic realm=\"Patroni\"";
	}
	mt_http_respond(r, &a);
}

static void
say_refused(struct mt_api *api, const char *method, const char *what,
	    const char *from, enum mt_access access)
{
	static const char *const why[] = {
	    [MT_ACCESS_NOT_LISTED] = "the address is not in the allowlist",
	    [MT_ACCESS_NO_CERTIFICATE] = "without a client certificate",
	    [MT_ACCESS_NO_PASSWORD] = "without authorization",
	    [MT_ACCESS_WRONG_PASSWORD] = "with a wrong user or password",
	};
	int64_t now_ms = mt_clock_ms();

	if (api->refused_ms != 0 &&
	    now_ms - api->refused_ms < REFUSED_EVERY_MS) {
		api->refused_unsaid++;
		return;
	}
	api->refused_ms = now_ms;
	if (api->refused_unsaid > 0)
		mt_warn("refused %u more requests meanwhile",
			api->refused_unsaid);
	api->refused_unsaid = 0;
	mt_warn("refused %s /%s from %s: %s", method, what, from, why[access]);
}

bool
api__admit(struct mt_api *api, struct mt_http_request *r, const char *what)
{
	const struct mt_conf_restapi *c = &api->backend->conf->restapi;
	struct mt_access_facts f = {
	    .method = r->method,
	    .is_failsafe = mt_streq(what, "failsafe"),
	    .has_allowlist = json_array_size(c->allowlist) > 0,
	    .include_members = c->allowlist_include_members,
	    .is_tls = mt_http_is_secure(api->http),
	    .wants_certificate = c->verify_client != MT_TLS_VERIFY_NONE,
	    .client_verified = r->client_verified,
	    .username = c->username,
	    .password = c->password,
	    .authorization = r->authorization,
	};
	struct mt_origin by;
	enum mt_access access;

	f.has_peer = mt_net_of(&f.peer, (const struct sockaddr *)&r->peer);
	f.listed = api__names_nets(api->names, false, &f.n_listed);
	f.members = api__names_nets(api->names, true, &f.n_members);
	access = mt_access_decide(&f);
	api__origin(api, r, &by);
	if (access == MT_ACCESS_GRANTED) {
		/* Members ask each other for that again and again. */
		if (!f.is_failsafe)
			mt_info("%s /%s was asked for by %s from %s", r->method,
				what, by.who, by.from);
		return true;
	}
	if (access == MT_ACCESS_NOT_LISTED)
		api__names_refresh(api->names);
	say_refused(api, r->method, what, by.from, access);
	answer(r, access);
	return false;
}

/* ---- the configuration ---- */

bool
api__is_open(const struct mt_conf *conf)
{
	const struct mt_conf_restapi *c = &conf->restapi;

	return !mt_addr_is_loopback(&c->listen) && c->username[0] == '\0' &&
	       json_array_size(c->allowlist) == 0 &&
	       !c->allowlist_include_members &&
	       (c->certfile[0] == '\0' ||
		c->verify_client == MT_TLS_VERIFY_NONE);
}

static void
say_open(const struct mt_conf *conf)
{
	char text[MT_ADDR_MAX];

	if (api__is_open(conf))
		mt_warn(
		    "everybody who reaches the REST API at %s may change "
		    "this cluster; set \"restapi.authentication\" or "
		    "\"restapi.allowlist\"",
		    mt_addr_format(&conf->restapi.listen, text, sizeof(text)));
}

static void
set_headers(struct mt_api *api, const struct mt_conf_restapi *c)
{
	const json_t *wanted =
	    c->certfile[0] != '\0' ? c->https_headers : c->http_headers;
	struct mt_http_header headers[MT_CONF_HEADERS_MAX];
	char name[64] = "matriarch";
	const char *key;
	json_t *v;
	size_t n = 0;

	json_object_foreach ((json_t *)wanted, key, v)
		if (n < MT_COUNT(headers))
			headers[n++] =
			    (struct mt_http_header){key, json_string_value(v)};
	if (strcasecmp(c->server_tokens, "productonly") == 0)
		mt_copy(name, sizeof(name), "Patroni");
	else if (strcasecmp(c->server_tokens, "minimal") == 0)
		mt_format(name, sizeof(name), "Patroni/%s",
			  api->backend->version);
	mt_http_set_headers(api->http, name, headers, n);
}

void
api__gate_open(struct mt_api *api)
{
	const struct mt_conf *conf = api->backend->conf;

	/* Told apart by its place: the old one is still there while a new one
	 * is made, and each is looked at. */
	if (api->conf == conf)
		return;
	api->conf = conf;
	set_headers(api, &conf->restapi);
	say_open(conf);
}

void
api__gate_look(struct mt_api *api)
{
	const struct mt_api_backend *b = api->backend;
	struct mt_view view;

	api__gate_open(api);
	b->view(b->arg, &view);
	api__names_look(api->names, b->conf, view.state);
}
