/* SPDX-License-Identifier: PostgreSQL */
/*
 * Who may use the REST API, and what its answers have besides. Happy path: an
 * allowlist of addresses, networks and host names; mappings of headers, whose
 * names become lower case. Failure modes: half an authentication, an entry that
 * is neither, and a header that no HTTP message can have are errors at their
 * places; a header that the server writes itself is warned of and left out. No
 * name is looked up.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/net.h"
#include "base/text.h"
#include "conf/fill.h"

#define PATH_BYTES 256
#define HEADER_NAME_MAX 64
#define HEADER_VALUE_MAX 1024

/* ---- authentication ---- */

static int
check_user(struct mt_conf_source *src, const struct mt_conf_restapi *r)
{
	static const char section[] = "restapi.authentication";
	bool user = r->username[0] != '\0', word = r->password[0] != '\0';

	/* Who only looks for a node may not be let to read the password. */
	if (user == word || src->is_lenient) {
		if (user && strchr(r->username, ':') != NULL)
			return mt_conf_fail(
			    src, "restapi.authentication.username",
			    "\"%s.username\" holds a colon, which HTTP takes "
			    "for its end",
			    section);
		return 0;
	}
	return mt_conf_fail(src, section,
			    "\"%s\" needs both, \"username\" and \"password\"; "
			    "without either anybody may use the API",
			    section);
}

/* ---- the allowlist ---- */

static bool
is_host_name(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 253 || s[0] == '-' || s[0] == '.')
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr(".-_", *s) == NULL)
			return false;
	return true;
}

/* Of figures and dots alone: an address, and not a name. */
static bool
is_numeric(const char *s)
{
	return s[strspn(s, "0123456789.")] == '\0';
}

static int
add_entry(struct mt_conf_source *src, json_t *list, const char *path,
	  const char *text)
{
	struct mt_net net;
	struct mt_err why;

	if (text == NULL)
		return mt_conf_fail(src, path,
				    "\"restapi.allowlist\" needs texts, such "
				    "as 10.0.0.0/8");
	if (mt_net_parse(&net, text, &why) != 0 &&
	    (!is_host_name(text) || is_numeric(text)))
		return mt_conf_fail(src, path,
				    "\"restapi.allowlist\": %s, nor is it the "
				    "name of a host",
				    why.text);
	if (json_array_size(list) == MT_CONF_ALLOWLIST_MAX)
		return mt_conf_fail(src, path,
				    "\"restapi.allowlist\" has more than %d "
				    "entries",
				    MT_CONF_ALLOWLIST_MAX);
	json_array_append_new(list, json_string(text));
	return 0;
}

static int
fill_allowlist(struct mt_conf_source *src, json_t *list)
{
	const json_t *v = mt_conf_lookup(src->root, "restapi.allowlist"), *item;
	const struct mt_yaml_place *place;
	char text[4096], path[PATH_BYTES], *save = NULL;
	size_t i;
	int rc = 0;

	json_array_foreach ((json_t *)v, i, item) {
		mt_format(path, sizeof(path), "restapi.allowlist[%zu]", i);
		if (mt_conf_source_part(src, path, src->n, &place) == NULL)
			mt_copy(path, sizeof(path), "restapi.allowlist");
		rc |= add_entry(src, list, path, json_string_value(item));
	}
	if (!json_is_string(v))
		return rc;
	/* "a,b", as environment files like to have it */
	if (!mt_copy(text, sizeof(text), json_string_value(v)))
		return mt_conf_fail(src, "restapi.allowlist",
				    "\"restapi.allowlist\" is too long");
	for (char *s = strtok_r(text, ", ", &save); s != NULL;
	     s = strtok_r(NULL, ", ", &save))
		rc |= add_entry(src, list, "restapi.allowlist", s);
	return rc;
}

/* ---- headers ---- */

/* RFC 9110, 5.6.2 */
static bool
is_token(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) &&
		    strchr("!#$%&'*+-.^_`|~", *s) == NULL)
			return false;
	return true;
}

static bool
is_header_value(const char *s)
{
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

/* What says where a message ends, or what the server knows better. */
static bool
is_reserved(const char *name)
{
	static const char *const names[] = {
	    "connection",
	    "content-encoding",
	    "content-length",
	    "content-type",
	    "date",
	    "keep-alive",
	    "proxy-connection",
	    "server",
	    "te",
	    "trailer",
	    "transfer-encoding",
	    "upgrade",
	    "www-authenticate",
	};

	for (size_t i = 0; i < MT_COUNT(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

/* The value as text; NULL: it is none. */
static const char *
header_text(const json_t *v, char *buf, size_t size)
{
	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_integer(v))
		mt_format(buf, size, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		mt_copy(buf, size, json_is_true(v) ? "true" : "false");
	else
		return NULL;
	return buf;
}

static int
add_header(struct mt_conf_source *src, json_t *to, const char *path,
	   const char *name, const json_t *v)
{
	char lower[HEADER_NAME_MAX], buf[32];
	const char *text = header_text(v, buf, sizeof(buf));
	size_t i = 0;

	if (!is_token(name) || strlen(name) >= sizeof(lower))
		return mt_conf_fail(src, path,
				    "\"%s\" is not named as a header of at "
				    "most %zu letters, figures and hyphens",
				    path, sizeof(lower) - 1);
	if (text == NULL || strlen(text) >= HEADER_VALUE_MAX ||
	    !is_header_value(text))
		return mt_conf_fail(src, path,
				    "\"%s\" must be one line of text of less "
				    "than %d bytes",
				    path, HEADER_VALUE_MAX);
	if (is_reserved(name)) {
		mt_conf_warn(src, path,
			     "\"%s\" is ignored: the server writes this header "
			     "itself%s",
			     path,
			     strcasecmp(name, "server") == 0
				 ? ", by \"restapi.server_tokens\""
				 : "");
		return 0;
	}
	for (; name[i] != '\0'; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	lower[i] = '\0';
	if (json_object_size(to) == MT_CONF_HEADERS_MAX &&
	    json_object_get(to, lower) == NULL)
		return mt_conf_fail(src, path,
				    "there are more than %d extra headers",
				    MT_CONF_HEADERS_MAX);
	json_object_set_new(to, lower, json_string(text));
	return 0;
}

static int
fill_headers(struct mt_conf_source *src, const char *section, json_t *to)
{
	const json_t *headers = mt_conf_lookup(src->root, section);
	char path[PATH_BYTES];
	const char *name;
	json_t *v;
	int rc = 0;

	json_object_foreach ((json_t *)headers, name, v) {
		mt_format(path, sizeof(path), "%s.%s", section, name);
		rc |= add_header(src, to, path, name, v);
	}
	return rc;
}

static void
check_tokens(struct mt_conf_source *src, const char *tokens)
{
	static const char *const words[] = {"original", "productonly",
					    "minimal"};

	for (size_t i = 0; i < MT_COUNT(words); i++)
		if (strcasecmp(words[i], tokens) == 0)
			return;
	mt_conf_warn(src, "restapi.server_tokens",
		     "\"restapi.server_tokens\" must be original, productonly "
		     "or minimal; taken as original");
}

int
mt_fill_restapi(struct mt_conf_source *src, struct mt_conf_restapi *r)
{
	int rc;

	r->allowlist = json_array();
	r->http_headers = json_object();
	MT_ASSERT(r->allowlist != NULL && r->http_headers != NULL);
	rc = check_user(src, r);
	rc |= fill_allowlist(src, r->allowlist);
	rc |= fill_headers(src, "restapi.http_extra_headers", r->http_headers);
	r->https_headers = json_copy(r->http_headers);
	MT_ASSERT(r->https_headers != NULL);
	rc |=
	    fill_headers(src, "restapi.https_extra_headers", r->https_headers);
	check_tokens(src, r->server_tokens);
	if (r->request_queue_size > MT_CONF_QUEUE_MAX) {
		mt_conf_warn(src, "restapi.request_queue_size",
			     "\"restapi.request_queue_size\" is above its "
			     "maximum and lowered to %d",
			     MT_CONF_QUEUE_MAX);
		r->request_queue_size = MT_CONF_QUEUE_MAX;
	}
	return rc != 0 ? MT_EINVAL : 0;
}
