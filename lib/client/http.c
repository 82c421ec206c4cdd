/* SPDX-License-Identifier: PostgreSQL */
/*
 * The command line's way to the daemons' REST API, over libcurl.
 *
 * A request goes through the list of servers, the one that answered last at
 * the front. GET goes on to the next one after any failure and after a server
 * error (a node without quorum may not know what another does); all others
 * go on only while no connection came about, for a request that may have been
 * heard must not be made twice.
 *
 * Failures: each try adds its own few words, and the error that comes out names
 * all of them, since "which node, and why" is what an operator asks first.
 *
 * TLS is verified against the authority that is configured. Passwords are given
 * to libcurl, and stand in no message; without redirects they go to the servers
 * of the list alone.
 *
 * It does not do proxies or redirects.
 */
#include "client/http.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/text.h"

#define CONNECT_TIMEOUT_MS 2000
#define ACCESS_TEXTS 6

struct mt_http {
	CURL *curl;
	size_t n, first; /* first: index of the base to try first */
	char bases[MT_HTTP_BASES_MAX][MT_HTTP_URL_MAX];
	char agent[64];
	bool insecure;
	char *access[ACCESS_TEXTS];   /* NULL: not given */
	char detail[CURL_ERROR_SIZE]; /* of the last failure, or "" */
};

/* What of struct mt_http_access is text, and libcurl's name for it. */
static const struct {
	size_t offset;
	CURLoption option;
} texts[ACCESS_TEXTS] = {
    {offsetof(struct mt_http_access, cacert), CURLOPT_CAINFO},
    {offsetof(struct mt_http_access, certfile), CURLOPT_SSLCERT},
    {offsetof(struct mt_http_access, keyfile), CURLOPT_SSLKEY},
    {offsetof(struct mt_http_access, keyfile_password), CURLOPT_KEYPASSWD},
    {offsetof(struct mt_http_access, username), CURLOPT_USERNAME},
    {offsetof(struct mt_http_access, password), CURLOPT_PASSWORD},
};

#define ACCESS_CACERT 0
#define ACCESS_CERTFILE 1
#define ACCESS_KEYFILE 2
#define ACCESS_USERNAME 4

/* What collects the body while libcurl delivers it. */
struct sink {
	char *p;
	size_t n, cap;
	bool failed;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void
start_curl(void)
{
	curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int
mt_http_new(struct mt_http **http, const char *agent, struct mt_err *err)
{
	struct mt_http *h;

	pthread_once(&curl_once, start_curl);
	if (curl_ready != CURLE_OK)
		return mt_err_set(err, MT_ENOMEM,
				  "could not initialize libcurl: %s",
				  curl_easy_strerror(curl_ready));
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return mt_err_set(err, MT_ENOMEM,
				  "could not create the HTTP client");
	h->curl = curl_easy_init();
	if (h->curl == NULL) {
		free(h);
		return mt_err_set(err, MT_ENOMEM,
				  "could not create the HTTP client");
	}
	mt_copy(h->agent, sizeof(h->agent), agent);
	*http = h;
	return 0;
}

static void
forget_access(struct mt_http *http)
{
	for (size_t i = 0; i < ACCESS_TEXTS; i++) {
		if (http->access[i] != NULL)
			explicit_bzero(http->access[i],
				       strlen(http->access[i]));
		free(http->access[i]);
		http->access[i] = NULL;
	}
	http->insecure = false;
}

int
mt_http_use(struct mt_http *http, const struct mt_http_access *access,
	    struct mt_err *err)
{
	forget_access(http);
	http->insecure = access->insecure;
	for (size_t i = 0; i < ACCESS_TEXTS; i++) {
		const char *const *text =
		    (const void *)((const char *)access + texts[i].offset);

		if (*text == NULL || **text == '\0')
			continue;
		http->access[i] = strdup(*text);
		if (http->access[i] == NULL)
			return mt_err_set(err, MT_ENOMEM, "out of memory");
	}
	return 0;
}

void
mt_http_free(struct mt_http *http)
{
	if (http == NULL)
		return;
	forget_access(http);
	curl_easy_cleanup(http->curl);
	free(http);
}

/* Cut a URL down to "scheme://host:port". */
static bool
base_of(const char *url, char *buf, size_t size)
{
	const char *host;
	size_t n;

	if (strncmp(url, "http://", 7) == 0)
		host = url + 7;
	else if (strncmp(url, "https://", 8) == 0)
		host = url + 8;
	else
		return false;
	n = strcspn(host, "/?#");
	if (n == 0 || (size_t)(host - url) + n >= size)
		return false;
	n += (size_t)(host - url);
	memcpy(buf, url, n);
	buf[n] = '\0';
	return strpbrk(buf, " \t\r\n@") == NULL;
}

int
mt_http_add(struct mt_http *http, const char *base, struct mt_err *err)
{
	char url[MT_HTTP_URL_MAX];

	if (!base_of(base, url, sizeof(url)))
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" is no URL of a REST API; write it as "
				  "http://host:port",
				  base);
	for (size_t i = 0; i < http->n; i++)
		if (strcmp(http->bases[i], url) == 0)
			return 0;
	if (http->n == MT_HTTP_BASES_MAX)
		return mt_err_set(err, MT_ENOMEM, "more than %d servers to ask",
				  MT_HTTP_BASES_MAX);
	mt_copy(http->bases[http->n++], MT_HTTP_URL_MAX, url);
	return 0;
}

size_t
mt_http_count(const struct mt_http *http)
{
	return http->n;
}

static size_t
body_cb(char *data, size_t size, size_t n, void *arg)
{
	struct sink *s = arg;
	size_t bytes = size * n, cap = s->cap == 0 ? 4096 : s->cap;
	char *p;

	if (bytes > MT_HTTP_BODY_MAX_BYTES - s->n) {
		s->failed = true;
		return 0;
	}
	while (cap < s->n + bytes + 1)
		cap *= 2;
	if (cap != s->cap) {
		p = realloc(s->p, cap);
		if (p == NULL) {
			s->failed = true;
			return 0;
		}
		s->p = p;
		s->cap = cap;
	}
	memcpy(s->p + s->n, data, bytes);
	s->n += bytes;
	s->p[s->n] = '\0';
	return bytes;
}

/* What went wrong with TLS, in words that name the option. 0: something else.
 * Nothing was heard by the server in all of these. */
static int
explain_tls(struct mt_http *http, CURLcode rc, struct mt_err *why)
{
	const char *words = NULL;
	long verified = 0;

	curl_easy_getinfo(http->curl, CURLINFO_SSL_VERIFYRESULT, &verified);
	/* an authority of the same name and another key, as after a renewal */
	if (rc == CURLE_SSL_CONNECT_ERROR &&
	    strstr(http->detail, "asn1 encoding") != NULL)
		rc = CURLE_PEER_FAILED_VERIFICATION;
	if (rc == CURLE_PEER_FAILED_VERIFICATION && verified == 0)
		words = "its certificate is for another name; name the "
			"authority of the members as \"ctl.cacert\"";
	else if (rc == CURLE_PEER_FAILED_VERIFICATION)
		words = http->access[ACCESS_CACERT] != NULL
			    ? "its certificate is not of the authority in "
			      "\"ctl.cacert\" (or \"restapi.cafile\")"
			    : "its certificate is of no known authority; name "
			      "that as \"ctl.cacert\"";
	else if (rc == CURLE_SSL_CACERT_BADFILE)
		words = "the file \"ctl.cacert\" (or \"restapi.cafile\") is "
			"missing or no PEM file";
	else if (rc == CURLE_SSL_CERTPROBLEM)
		words = "\"ctl.certfile\", \"ctl.keyfile\" or "
			"\"ctl.keyfile_password\" is wrong";
	else if (rc == CURLE_SSL_CONNECT_ERROR)
		words = "TLS could not be agreed on";
	if (words == NULL)
		return 0;
	return mt_err_set(why, MT_ENOENT, "%s%s%s%s", words,
			  http->detail[0] != '\0' ? " (" : "", http->detail,
			  http->detail[0] != '\0' ? ")" : "");
}

/* A server that does not like our certificate hangs up, and does not always say
 * why: in TLS 1.3 it looks at that when we believe to be done. */
static int
explain_break(struct mt_http *http, struct mt_err *why)
{
	const char *scheme = NULL, *alert = strstr(http->detail, " alert ");

	curl_easy_getinfo(http->curl, CURLINFO_SCHEME, &scheme);
	if (scheme == NULL || strcasecmp(scheme, "https") != 0)
		return mt_err_set(why, MT_EPROTO,
				  "the connection broke before the answer");
	if (alert == NULL)
		alert = "";
	return mt_err_set(
	    why, MT_EPROTO, "the connection broke before the answer%s%.*s; %s",
	    alert[0] != '\0' ? ":" : "", (int)strcspn(alert, ","), alert,
	    http->access[ACCESS_CERTFILE] == NULL
		? "where members ask for a certificate, name it as "
		  "\"ctl.certfile\""
		: "does the authority in the members' \"restapi.cafile\" know "
		  "\"ctl.certfile\"?");
}

/* Turn libcurl's result into our code and a few words on this server. */
static int
explain(struct mt_http *http, CURLcode rc, const struct sink *sink,
	int64_t timeout_ms, struct mt_err *why)
{
	long sys_errno = 0;
	int rv;

	if (sink->failed)
		return mt_err_set(why, MT_EPROTO, "the answer is too long");
	rv = explain_tls(http, rc, why);
	if (rv != 0)
		return rv;
	curl_easy_getinfo(http->curl, CURLINFO_OS_ERRNO, &sys_errno);
	/* Not every CURLcode matters here; the rest has libcurl's words. */
	if (rc == CURLE_COULDNT_CONNECT && sys_errno != 0 &&
	    sys_errno != EINPROGRESS)
		return mt_err_set(why, MT_ENOENT, "%s",
				  strerror((int)sys_errno));
	if (rc == CURLE_COULDNT_CONNECT)
		return mt_err_set(why, MT_ENOENT, "no connection");
	if (rc == CURLE_COULDNT_RESOLVE_HOST)
		return mt_err_set(why, MT_ENOENT, "host name not known");
	if (rc == CURLE_OPERATION_TIMEDOUT) {
		curl_off_t connected = 0;

		curl_easy_getinfo(http->curl, CURLINFO_CONNECT_TIME_T,
				  &connected);
		if (connected == 0)
			return mt_err_set(why, MT_ENOENT,
					  "no connection in time");
		return mt_err_set(why, MT_ETIMEDOUT, "no answer within %lld ms",
				  (long long)timeout_ms);
	}
	if (rc == CURLE_GOT_NOTHING || rc == CURLE_RECV_ERROR ||
	    rc == CURLE_SEND_ERROR || rc == CURLE_PARTIAL_FILE)
		return explain_break(http, why);
	return mt_err_set(why, MT_EPROTO, "%s", curl_easy_strerror(rc));
}

/* CURLOPT_KEYPASSWD also goes to where no key needs it, which does no harm. */
static void
set_access(struct mt_http *http)
{
	CURL *c = http->curl;

	for (size_t i = 0; i < ACCESS_TEXTS; i++)
		if (http->access[i] != NULL &&
		    !(http->insecure && i == ACCESS_CACERT))
			curl_easy_setopt(c, texts[i].option, http->access[i]);
	if (http->access[ACCESS_CERTFILE] != NULL &&
	    http->access[ACCESS_KEYFILE] == NULL)
		curl_easy_setopt(c, CURLOPT_SSLKEY,
				 http->access[ACCESS_CERTFILE]);
	if (http->access[ACCESS_USERNAME] != NULL)
		curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	if (http->insecure)
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
	if (http->insecure || http->access[ACCESS_CACERT] != NULL)
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	http->detail[0] = '\0';
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, http->detail);
}

/* One request to one URL. */
static int
perform(struct mt_http *http, const char *method, const char *url,
	const char *body, int64_t timeout_ms, struct mt_http_reply *reply,
	struct mt_err *why)
{
	CURL *c = http->curl;
	struct curl_slist *headers = NULL;
	struct sink sink = {0};
	long status = 0;
	CURLcode rc;
	int rv;

	curl_easy_reset(c); /* settings only: connections stay open */
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_USERAGENT, http->agent);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, body_cb);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &sink);
	set_access(http);
	headers = curl_slist_append(NULL, "Accept: application/json");
	if (body != NULL) {
		struct curl_slist *more = curl_slist_append(
		    headers, "Content-Type: application/json");

		headers = more != NULL ? more : headers;
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
	}
	if (!mt_streq(method, "GET")) {
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
		/* A kept connection that the server has just closed would
		 * fail, and libcurl would send the request once more. */
		curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
	}
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	rc = curl_easy_perform(c);
	if (rc != CURLE_OK) {
		rv = explain(http, rc, &sink, timeout_ms, why);
		goto free_sink;
	}
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	if (sink.p == NULL) /* an empty body is a string, too */
		sink.p = strdup("");
	if (sink.p == NULL) {
		rv = mt_err_set(why, MT_ENOMEM, "out of memory");
		goto free_sink;
	}
	reply->status = (int)status;
	reply->body = sink.p;
	reply->body_bytes = sink.n;
	base_of(url, reply->base, sizeof(reply->base));
	sink.p = NULL;
	rv = 0;
free_sink:
	free(sink.p);
	curl_slist_free_all(headers);
	return rv;
}

/* Remember one failed try; the list is cut where it gets too long. */
static void
add_reason(char *reasons, size_t size, const char *base,
	   const struct mt_err *why)
{
	size_t n = strlen(reasons);

	mt_format(reasons + n, size - n, "%s%s: %s", n == 0 ? "" : "; ", base,
		  why->text);
}

/* Try the servers in order, the one that answered last first. */
static int
try_all(struct mt_http *http, const char *method, const char *path,
	const char *body, int64_t timeout_ms, struct mt_http_reply *reply,
	struct mt_err *err)
{
	char url[MT_HTTP_URL_MAX * 2], reasons[400] = "";
	struct mt_http_reply poor = {0};
	struct mt_err why = {0};
	int rv = MT_ENOENT;

	for (size_t k = 0; k < http->n; k++) {
		/* the preferred one, then all others in their order */
		size_t i = k == 0 ? http->first : k <= http->first ? k - 1 : k;

		mt_format(url, sizeof(url), "%s%s", http->bases[i], path);
		*reply = (struct mt_http_reply){0};
		rv = perform(http, method, url, body, timeout_ms, reply, &why);
		if (rv == 0 &&
		    (!mt_streq(method, "GET") || reply->status < 500)) {
			mt_http_reply_release(&poor);
			http->first = i;
			return 0;
		}
		if (rv == 0 && poor.body == NULL)
			poor = *reply;
		else if (rv == 0)
			mt_http_reply_release(reply);
		else
			add_reason(reasons, sizeof(reasons), http->bases[i],
				   &why);
		if (!mt_streq(method, "GET") && rv != MT_ENOENT)
			break; /* it may have been heard */
	}
	if (poor.body != NULL) {
		*reply = poor;
		return 0;
	}
	*reply = (struct mt_http_reply){0};
	if (http->n == 0)
		return mt_err_set(err, MT_ENOENT, "no server to ask is known");
	return mt_err_set(err, rv, "could not %s \"%s\": %s",
			  mt_streq(method, "GET")      ? "get"
			  : mt_streq(method, "DELETE") ? "delete"
						       : "send to",
			  path, reasons);
}

int
mt_http_get(struct mt_http *http, const char *path, int64_t timeout_ms,
	    struct mt_http_reply *reply, struct mt_err *err)
{
	return try_all(http, "GET", path, NULL, timeout_ms, reply, err);
}

int
mt_http_delete(struct mt_http *http, const char *path, int64_t timeout_ms,
	       struct mt_http_reply *reply, struct mt_err *err)
{
	return try_all(http, "DELETE", path, NULL, timeout_ms, reply, err);
}

int
mt_http_post(struct mt_http *http, const char *path, const json_t *body,
	     int64_t timeout_ms, struct mt_http_reply *reply,
	     struct mt_err *err)
{
	return mt_http_send(http, "POST", path, body, timeout_ms, reply, err);
}

int
mt_http_send(struct mt_http *http, const char *method, const char *path,
	     const json_t *body, int64_t timeout_ms,
	     struct mt_http_reply *reply, struct mt_err *err)
{
	char *text = json_dumps(body, JSON_COMPACT);
	int rv;

	if (text == NULL)
		return mt_err_set(err, MT_ENOMEM,
				  "could not write the request as JSON");
	rv = try_all(http, method, path, text, timeout_ms, reply, err);
	free(text);
	return rv;
}

int
mt_http_get_url(struct mt_http *http, const char *url, int64_t timeout_ms,
		struct mt_http_reply *reply, struct mt_err *err)
{
	struct mt_err why = {0};
	int rv;

	*reply = (struct mt_http_reply){0};
	rv = perform(http, "GET", url, NULL, timeout_ms, reply, &why);
	if (rv != 0)
		return mt_err_set(err, rv, "could not get \"%s\": %s", url,
				  why.text);
	return 0;
}

int
mt_http_json(const struct mt_http_reply *reply, json_t **json,
	     struct mt_err *err)
{
	json_error_t where;
	json_t *root;

	root =
	    json_loadb(reply->body, reply->body_bytes, JSON_DECODE_ANY, &where);
	if (root == NULL)
		return mt_err_set(err, MT_EPROTO,
				  "%s answered with status %d and no JSON "
				  "(line %d: %s); is this a Matriarch node's "
				  "restapi address?",
				  reply->base, reply->status, where.line,
				  where.text);
	*json = root;
	return 0;
}

void
mt_http_reply_release(struct mt_http_reply *reply)
{
	free(reply->body);
	*reply = (struct mt_http_reply){0};
}
