/* SPDX-License-Identifier: PostgreSQL */
/*
 * Heads of HTTP requests: what is taken for a head ends with an empty line, and
 * what is not refused has one meaning. That is judged here by another way of
 * reading: line by line from a copy, by the standard library's functions.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/head.h"

static bool
has_name(const char *line, const char *name)
{
	size_t n = strlen(name);

	return strncasecmp(line, name, n) == 0 && line[n] == ':';
}

/* Of an accepted head. */
static void
check_meaning(char *head)
{
	int lengths = 0, codings = 0, hosts = 0;
	char *save, *line = strtok_r(head, "\n", &save);

	while (line != NULL && (*line == '\0' || *line == '\r'))
		line = strtok_r(NULL, "\n", &save);
	MT_ASSERT(line != NULL && strchr(line, ' ') != NULL);
	while ((line = strtok_r(NULL, "\n", &save)) != NULL) {
		if (*line == '\r')
			continue;
		MT_ASSERT(*line != ' ' && *line != '\t' && *line != ':');
		MT_ASSERT(strchr(line, ':') != NULL);
		lengths += has_name(line, "content-length");
		codings += has_name(line, "transfer-encoding");
		hosts += has_name(line, "host");
	}
	MT_ASSERT(lengths + codings <= 1 && hosts <= 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *head = (char *)fuzz_bytes(data, n), *copy;
	const char *path, *why;
	size_t bytes = mt_http_head_bytes(head, n), path_bytes;
	int status = mt_http_head_judge(head, n, &why);

	MT_ASSERT(bytes <= n);
	MT_ASSERT(bytes == 0 || head[bytes - 1] == '\n');
	MT_ASSERT(status == 0 || (status == 400 && *why != '\0'));
	MT_ASSERT(status != 0 || bytes > 0);
	if (status == 0) {
		/* What follows a head is no matter of its own. */
		MT_ASSERT(mt_http_head_judge(head, bytes, &why) == 0);
		copy = fuzz_text(data, bytes);
		MT_ASSERT(strlen(copy) == bytes);
		check_meaning(copy);
		free(copy);
	}
	mt_http_head_path(head, n, &path, &path_bytes);
	MT_ASSERT(path_bytes > 0);
	MT_ASSERT(path_bytes == 1 || (path >= head && path_bytes <= n));
	free(head);
	return 0;
}

void
fuzz_seeds(void)
{
	static const char *const heads[] = {
	    "GET /leader?lag=1 HTTP/1.1\r\nHost: h\r\n\r\n",
	    "POST http://h:8008/switchover HTTP/1.1\r\nhost: h\r\n"
	    "Content-Length: 2\r\n\r\n{}",
	    "\r\nPUT /config HTTP/1.1\nTransfer-Encoding: chunked\n\n0\r\n\r\n",
	    "OPTIONS * HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 1\r\n"
	    "\r\n",
	    "https://h?a"};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		fuzz_seed(heads[i], strlen(heads[i]));
}
