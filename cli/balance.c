/* SPDX-License-Identifier: PostgreSQL */
/*
 * Members as load balancers need them. Happy path: /cluster has PostgreSQL's
 * host and port and the REST API's URL. What comes from a server is not trusted
 * to be what it should: a host is taken only if it looks like one, so that
 * nothing of an answer becomes a line of somebody's configuration.
 */
#include "cli/balance.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/members.h"

#define API_PORT 8008

bool
mt_is_word(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++)
		if (!isalnum((unsigned char)*text) &&
		    strchr("._-/:@", *text) == NULL)
			return false;
	return true;
}

bool
mt_is_size(const char *text)
{
	static const char *const units[] = {"", "B", "kB", "MB", "GB", "TB"};
	size_t n = strspn(text, "0123456789");
	size_t after = n + (text[n] == '.');

	if (n == 0)
		return false;
	after += strspn(text + after, "0123456789");
	for (size_t i = 0; i < MT_COUNT(units); i++)
		if (mt_streq(text + after, units[i]))
			return true;
	return false;
}

uint16_t
mt_port_of(const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end != '\0' || port < 1 ||
	    port > 65535)
		return 0;
	return (uint16_t)port;
}

static bool
is_host(const char *text)
{
	return mt_is_word(text) && strpbrk(text, "/@") == NULL;
}

/* Names may have blanks and what not; a line of configuration may not. */
static void
put_name(struct mt_balanced *b, const char *name)
{
	mt_copy(b->name, sizeof(b->name), name);
	for (char *p = b->name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("._-", *p) == NULL)
			*p = '_';
}

/* Of an URL "https://host:port/..." */
static void
put_api(struct mt_balanced *b, const char *url)
{
	const char *p = strstr(url, "://");
	char text[MT_ADDR_MAX];

	if (p == NULL)
		return;
	b->is_tls = strncmp(url, "https:", 6) == 0;
	mt_format(text, sizeof(text), "%.*s", (int)strcspn(p + 3, "/?#"),
		  p + 3);
	if (mt_addr_parse(&b->api, text, API_PORT, NULL) != 0 ||
	    !is_host(b->api.host))
		b->api = (struct mt_addr){0};
}

bool
mt_balanced_of(const json_t *member, struct mt_balanced *b)
{
	json_int_t port = json_integer_value(json_object_get(member, "port"));

	*b = (struct mt_balanced){0};
	put_name(b, mt_text_of(member, "name"));
	put_api(b, mt_text_of(member, "api_url"));
	if (b->name[0] == '\0' || b->api.port == 0 || port < 1 ||
	    port > 65535 || !is_host(mt_text_of(member, "host")))
		return false;
	return mt_addr_set(&b->pg, mt_text_of(member, "host"), (uint16_t)port,
			   NULL) == 0;
}

void
mt_balanced_agent(const json_t *status, struct mt_balanced *b)
{
	const char *text =
	    mt_text_of(json_object_get(status, "matriarch"), "agent_check");

	b->is_agent_unknown = status == NULL;
	if (*text == '\0' || mt_addr_parse(&b->agent, text, 0, NULL) != 0)
		return;
	if (mt_addr_is_wildcard(&b->agent))
		mt_copy(b->agent.host, sizeof(b->agent.host), b->api.host);
	if (!is_host(b->agent.host))
		b->agent = (struct mt_addr){0};
}

const char *
mt_balance_port(const char *text, uint16_t *port)
{
	*port = mt_port_of(text);
	return *port != 0 ? NULL : "a port is a number from 1 to 65535";
}

const char *
mt_balance_word(const char *text, const char **word)
{
	*word = text;
	return mt_is_word(text) ? NULL
				: "an address, a path or a name here consists "
				  "of letters, digits and . _ - / : @";
}

int
mt_balance_end(void)
{
	struct mt_err err;

	if (fflush(stdout) == 0)
		return MT_EXIT_DONE;
	mt_err_set(&err, MT_EIO, "could not write to standard output");
	return mt_cli_fail(&err);
}
