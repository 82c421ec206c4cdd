/* SPDX-License-Identifier: PostgreSQL */
/*
 * A second look at a request's head, at its bytes. Happy path: a request line
 * of three words, fields of a name, a colon and a value, one length at most.
 *
 * Failure modes, all of them refused: a body that has two lengths, or a length
 * and chunks, or chunks that are not the last and only coding, or from a client
 * that does not know chunks; a length that is no plain number; a line that goes
 * on in the next; more than one host; a target that is neither a path nor an
 * absolute one of ours. A proxy in front that takes the other meaning would
 * let one client's bytes be answered as another's request.
 *
 * It does not judge what fields mean otherwise, and allocates nothing.
 */
#include "http/head.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct words {
	const char *p;
	size_t n;
};

struct lengths {
	int n_lengths, n_codings, n_hosts;
	bool old; /* HTTP/1.0 */
};

static bool
is_word(struct words w, const char *text)
{
	return w.n == strlen(text) && strncasecmp(w.p, text, w.n) == 0;
}

static bool
starts_with(struct words w, const char *text)
{
	size_t n = strlen(text);

	return w.n >= n && strncasecmp(w.p, text, n) == 0;
}

/* The next line without its end; false: there is no whole line. */
static bool
next_line(struct words *rest, struct words *line)
{
	const char *end = rest->n == 0 ? NULL : memchr(rest->p, '\n', rest->n);

	if (end == NULL)
		return false;
	line->p = rest->p;
	line->n = (size_t)(end - rest->p);
	rest->n -= line->n + 1;
	rest->p = end + 1;
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

/* As the parser does: one empty line may stand before all. */
static struct words
begin(const char *head, size_t n)
{
	struct words rest = {head, n}, line;
	struct words all = rest;

	return next_line(&rest, &line) && line.n == 0 ? rest : all;
}

size_t
mt_http_head_bytes(const char *head, size_t n)
{
	struct words rest = begin(head, n), line;

	while (next_line(&rest, &line))
		if (line.n == 0)
			return n - rest.n;
	return 0;
}

static struct words
trimmed(struct words w)
{
	while (w.n > 0 && (*w.p == ' ' || *w.p == '\t'))
		w.p++, w.n--;
	while (w.n > 0 && (w.p[w.n - 1] == ' ' || w.p[w.n - 1] == '\t'))
		w.n--;
	return w;
}

static bool
has_control(struct words w)
{
	for (size_t i = 0; i < w.n; i++)
		if (((unsigned char)w.p[i] < ' ' && w.p[i] != '\t') ||
		    w.p[i] == 0x7f)
			return true;
	return false;
}

static bool
is_number(struct words w)
{
	for (size_t i = 0; i < w.n; i++)
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
	return w.n > 0;
}

static const char *
judge_target(struct words method, struct words target)
{
	if (is_word(target, "*") && is_word(method, "OPTIONS"))
		return NULL;
	if (starts_with(target, "/") || starts_with(target, "http://") ||
	    starts_with(target, "https://"))
		return NULL;
	return "the target is no path";
}

static const char *
judge_request_line(struct words line, struct lengths *l)
{
	const char *first = memchr(line.p, ' ', line.n), *second;
	struct words method, target, version;

	if (has_control(line))
		return "there is a control character";
	if (first == NULL || first == line.p)
		return "there is no method";
	method = (struct words){line.p, (size_t)(first - line.p)};
	target.p = first + 1;
	target.n = line.n - method.n - 1;
	second = target.n == 0 ? NULL : memchr(target.p, ' ', target.n);
	if (second == NULL || second == target.p)
		return "there is no target";
	version.p = second + 1;
	version.n = target.n - (size_t)(second - target.p) - 1;
	target.n = (size_t)(second - target.p);
	l->old = is_word(version, "HTTP/1.0");
	return judge_target(method, target);
}

static const char *
judge_field(struct words line, struct lengths *l)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct words name, value;

	if (has_control(line))
		return "there is a control character";
	if (*line.p == ' ' || *line.p == '\t')
		return "a header field goes on in a second line";
	if (colon == NULL || colon == line.p)
		return "a header field has no name";
	name = (struct words){line.p, (size_t)(colon - line.p)};
	if (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t')
		return "there is a space before a colon";
	value = trimmed((struct words){colon + 1, line.n - name.n - 1});
	if (is_word(name, "host") && l->n_hosts++ > 0)
		return "there is more than one Host";
	if (is_word(name, "content-length")) {
		if (!is_number(value))
			return "Content-Length is no number";
		l->n_lengths++;
	}
	if (is_word(name, "transfer-encoding")) {
		if (!is_word(value, "chunked"))
			return "Transfer-Encoding is not \"chunked\"";
		l->n_codings++;
	}
	return NULL;
}

static const char *
judge_lengths(const struct lengths *l)
{
	if (l->n_lengths > 1)
		return "there is more than one Content-Length";
	if (l->n_codings > 1)
		return "there is more than one Transfer-Encoding";
	if (l->n_codings > 0 && l->n_lengths > 0)
		return "there are both Content-Length and Transfer-Encoding";
	if (l->n_codings > 0 && l->old)
		return "HTTP/1.0 has no Transfer-Encoding";
	return NULL;
}

int
mt_http_head_judge(const char *head, size_t n, const char **why)
{
	struct words rest = begin(head, n), line;
	struct lengths l = {0};

	*why = "the head has no end";
	if (!next_line(&rest, &line))
		return 400;
	*why = judge_request_line(line, &l);
	while (*why == NULL) {
		if (!next_line(&rest, &line)) {
			*why = "the head has no end";
			return 400;
		}
		if (line.n == 0) {
			*why = judge_lengths(&l);
			return *why == NULL ? 0 : 400;
		}
		*why = judge_field(line, &l);
	}
	return 400;
}

void
mt_http_head_path(const char *target, size_t n, const char **path,
		  size_t *path_bytes)
{
	struct words w = {target, n};
	size_t i = 0;

	if (starts_with(w, "http://"))
		i = 7;
	else if (starts_with(w, "https://"))
		i = 8;
	if (i > 0)
		while (i < n && target[i] != '/' && target[i] != '?')
			i++;
	*path = target + i;
	*path_bytes = n - i;
	if (i == n) {
		*path = "/";
		*path_bytes = 1;
	}
}
