/* SPDX-License-Identifier: PostgreSQL */
/*
 * From h2o's requests to ours, and back. Happy path: on_request hands a plain
 * request to the handler, mt_http_respond sends the answer with its length.
 *
 * Failure modes: a long path gets 414, a long head 431, a head that may be
 * understood in two ways 400, and one that changes something 503 while too many
 * such wait. A request whose connection ends is told to its owner once (gone).
 * h2o frees a request with its memory pool; a chunk in that pool with a dispose
 * function is how we learn of it.
 *
 * It does not know paths.
 */
#include "http/internal.h"

#include <string.h>

#include "base/text.h"
#include "http/head.h"

#define PATH_MAX_BYTES 8192

struct handler {
	h2o_handler_t h2o; /* first: h2o allocates and passes it */
	struct mt_http_server *server;
};

static void
request_unlink(struct request *r)
{
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		r->server->requests = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	r->req = NULL;
}

/* h2o frees the request's memory. */
static void
request_dispose(void *p)
{
	struct request *r = p;

	http__phase(r->connection, HTTP_WAITS);
	if (r->req == NULL)
		return;
	request_unlink(r);
	if (r->pub.gone != NULL)
		r->pub.gone(&r->pub);
}

static struct request *
request_new(struct mt_http_server *server, h2o_req_t *req)
{
	struct request *r =
	    h2o_mem_alloc_shared(&req->pool, sizeof(*r), request_dispose);

	memset(r, 0, sizeof(*r));
	r->req = req;
	r->server = server;
	r->connection = http__connection(req);
	http__phase(r->connection, HTTP_HANDLED);
	r->next = server->requests;
	if (r->next != NULL)
		r->next->prev = r;
	server->requests = r;
	return r;
}

static char *
pool_string(h2o_req_t *req, const char *p, size_t n)
{
	return h2o_strdup(&req->pool, p, n).base;
}

static void
fill_request(struct request *r, h2o_req_t *req)
{
	struct mt_http_request *pub = &r->pub;
	const char *target, *mark;
	size_t n;
	ssize_t at =
	    h2o_find_header(&req->headers, H2O_TOKEN_AUTHORIZATION, SIZE_MAX);

	mt_http_head_path(req->path.base, req->path.len, &target, &n);
	mark = memchr(target, '?', n);
	pub->method = pool_string(req, req->method.base, req->method.len);
	pub->query = "";
	if (mark != NULL) {
		pub->query =
		    pool_string(req, mark + 1, n - (size_t)(mark - target) - 1);
		n = (size_t)(mark - target);
	}
	pub->path = n == 0 ? "/" : pool_string(req, target, n);
	pub->body = req->entity.base;
	pub->body_bytes = req->entity.base == NULL ? 0 : req->entity.len;
	/* h2o takes the length header away from what it hands over, but has an
	 * entity wherever the client announced one */
	pub->has_body = req->entity.base != NULL;
	pub->authorization = "";
	if (at >= 0)
		pub->authorization =
		    pool_string(req, req->headers.entries[at].value.base,
				req->headers.entries[at].value.len);
	memset(&pub->peer, 0, sizeof(pub->peer));
	req->conn->callbacks->get_peername(req->conn,
					   (struct sockaddr *)&pub->peer);
	pub->client_verified = http__client_verified(req);
	pub->client_subject = http__client_subject(req);
}

static void
respond_text(struct request *r, int status, const char *text)
{
	const struct mt_http_answer answer = {
	    .status = status,
	    .type = "text/html;charset=utf-8",
	    .body = text,
	    .body_bytes = strlen(text),
	};

	mt_http_respond(&r->pub, &answer);
}

/* Whoever changes something may be kept until the outcome is known, and a
 * handler that began cannot be told that there are too many. */
static bool
may_change(const struct mt_http_request *r)
{
	return !mt_streq(r->method, "GET") && !mt_streq(r->method, "HEAD") &&
	       !mt_streq(r->method, "OPTIONS");
}

/* The head's bytes, which the library keeps until the request has its answer.
 * The status of a refusal, or 0. */
static int
judge_head(h2o_req_t *req, const char **why)
{
	const h2o_buffer_t *in =
	    req->conn->callbacks->get_socket(req->conn)->input;

	if (req->path.len > PATH_MAX_BYTES) {
		*why = "the path is too long";
		return 414;
	}
	if (mt_http_head_bytes(in->bytes, in->size) > HTTP_HEAD_MAX_BYTES) {
		*why = "the head is too long";
		return 431;
	}
	return mt_http_head_judge(in->bytes, in->size, why);
}

static void
refuse(struct request *r, int status, const char *why)
{
	char text[128];

	/* What follows on this connection is not to be trusted. */
	r->req->http1_is_persistent = 0;
	mt_format(text, sizeof(text), "%s\n", why);
	respond_text(r, status, text);
}

static int
on_request(h2o_handler_t *self, h2o_req_t *req)
{
	struct mt_http_server *server = ((struct handler *)self)->server;
	bool may_keep = http__may_keep(server, req->entity.len);
	struct request *r = request_new(server, req);
	const char *why;
	int status;

	fill_request(r, req);
	status = judge_head(req, &why);
	if (status != 0)
		refuse(r, status, why);
	else if (server->closing)
		respond_text(r, 503, "shutting down\n");
	else if (!may_keep && may_change(&r->pub))
		respond_text(r, 503, "too many requests wait, try later\n");
	else
		server->handler(server->arg, &r->pub);
	return 0;
}

static const char *
reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
	    {200, "OK"},
	    {202, "Accepted"},
	    {204, "No Content"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {409, "Conflict"},
	    {411, "Length Required"},
	    {412, "Precondition Failed"},
	    {413, "Payload Too Large"},
	    {414, "URI Too Long"},
	    {422, "Unprocessable Entity"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {501, "Not Implemented"},
	    {502, "Bad Gateway"},
	    {503, "Service Unavailable"},
	};

	for (size_t i = 0; i < MT_COUNT(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static void
add_header(h2o_req_t *req, const char *name, const char *value)
{
	h2o_iovec_t n = h2o_strdup(&req->pool, name, SIZE_MAX);
	h2o_iovec_t v = h2o_strdup(&req->pool, value, SIZE_MAX);

	h2o_add_header_by_str(&req->pool, &req->res.headers, n.base, n.len, 1,
			      NULL, v.base, v.len);
}

h2o_req_t *
http__request_take(struct mt_http_request *request)
{
	struct request *r = container_of(request, struct request, pub);
	h2o_req_t *req = r->req;

	MT_ASSERT(req != NULL);
	request_unlink(r);
	http__phase(r->connection, HTTP_ANSWERED);
	return req;
}

void
http__put_head(const struct mt_http_server *server, h2o_req_t *req,
	       const struct mt_http_answer *answer)
{
	req->res.status = answer->status;
	req->res.reason = reason(answer->status);
	if (answer->type != NULL)
		add_header(req, "content-type", answer->type);
	if (answer->header != NULL)
		add_header(req, answer->header, answer->value);
	for (const char *const *h = answer->headers; h != NULL && *h != NULL;
	     h += 2)
		add_header(req, h[0], h[1]);
	http__add_headers(server, req, answer);
}

const char *
mt_http_header(struct mt_http_request *request, const char *name)
{
	h2o_req_t *req = container_of(request, struct request, pub)->req;
	ssize_t at =
	    h2o_find_header_by_str(&req->headers, name, strlen(name), SIZE_MAX);
	const h2o_iovec_t *value;

	if (at < 0)
		return NULL;
	value = &req->headers.entries[at].value;
	return pool_string(req, value->base, value->len);
}

void
mt_http_respond(struct mt_http_request *request,
		const struct mt_http_answer *answer)
{
	static h2o_generator_t generator = {NULL, NULL};
	const struct mt_http_server *server =
	    container_of(request, struct request, pub)->server;
	h2o_req_t *req = http__request_take(request);
	h2o_iovec_t body;
	bool empty;

	http__put_head(server, req, answer);
	body =
	    h2o_strdup(&req->pool, answer->body_bytes > 0 ? answer->body : "",
		       answer->body_bytes);
	/* nothing is not an empty something (RFC 9110, 8.6) */
	req->res.content_length = answer->status == 204 ? SIZE_MAX : body.len;
	empty = body.len == 0 || mt_streq(request->method, "HEAD");
	h2o_start_response(req, &generator);
	h2o_send(req, &body, empty ? 0 : 1, H2O_SEND_STATE_FINAL);
}

static void
end_request(struct request *r)
{
	void (*gone)(struct mt_http_request *) = r->pub.gone;

	/* gone first: answering gives the memory away, and owner with it */
	r->pub.gone = NULL;
	if (gone != NULL)
		gone(&r->pub);
	respond_text(r, 503, "shutting down\n");
}

void
http__end_requests(struct mt_http_server *server)
{
	while (server->requests != NULL)
		end_request(server->requests);
}

void
http__register_handler(struct mt_http_server *server)
{
	h2o_hostconf_t *host;
	h2o_pathconf_t *path;
	struct handler *handler;

	host = h2o_config_register_host(
	    &server->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	path = h2o_config_register_path(host, "/", 0);
	handler = (struct handler *)(void *)h2o_create_handler(
	    path, sizeof(*handler));
	handler->h2o.on_req = on_request;
	handler->server = server;
}
