/* SPDX-License-Identifier: PostgreSQL */
/*
 * HAProxy's file. Two ports, one for the primary and one for replicas, each
 * with all members behind it; health checks find who is which. Both are asked
 * by OPTIONS, whose answer has no body; a member's agent check is asked beside
 * it where there is one.
 *
 * The figures: a check every half second, two failures for down (one may be
 * lost), one success for up (who says that it is the primary has the lease).
 * Sessions of who is down are ended, so that clients notice.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"
#include "cli/balance.h"

#define INTER "500ms"

static bool
is_name(const char *host)
{
	struct in6_addr a;

	return inet_pton(AF_INET, host, &a) != 1 &&
	       inet_pton(AF_INET6, host, &a) != 1;
}

/* " addr [::1]", where it is another one than PostgreSQL's. */
static void
print_addr(const char *key, const struct mt_addr *a,
	   const struct mt_balanced *b, FILE *out)
{
	bool is_v6 = strchr(a->host, ':') != NULL;

	if (strcmp(a->host, b->pg.host) != 0)
		fprintf(out, " %s %s%s%s", key, is_v6 ? "[" : "", a->host,
			is_v6 ? "]" : "");
}

static void
print_server(const struct mt_haproxy *h, const struct mt_balanced *b,
	     const char *check, bool is_weighted, FILE *out)
{
	char pg[MT_ADDR_MAX];

	fprintf(out, "    server %s %s check", b->name,
		mt_addr_format(&b->pg, pg, sizeof(pg)));
	print_addr("addr", &b->api, b, out);
	fprintf(out, " port %u", (unsigned int)b->api.port);
	if (b->is_tls) {
		fprintf(out, " check-ssl verify required ca-file %s",
			h->ca_file != NULL ? h->ca_file : "@system-ca");
		if (h->ca_file == NULL && is_name(b->api.host))
			fprintf(out, " check-sni %s verifyhost %s", b->api.host,
				b->api.host);
		if (h->crt != NULL)
			fprintf(out, " crt %s", h->crt);
	}
	if (b->agent.port != 0) {
		fprintf(out, " agent-check");
		print_addr("agent-addr", &b->agent, b, out);
		fprintf(out, " agent-port %u agent-send \"%s\\n\"",
			(unsigned int)b->agent.port, check);
	}
	/* so that 1 % of it is a weight */
	if (is_weighted)
		fprintf(out, " weight 100");
	fputc('\n', out);
	if (b->is_agent_unknown)
		fprintf(out,
			"    # %s did not answer: whether it has an agent "
			"check is not known\n",
			b->name);
}

static void
print_listen(const struct mt_haproxy *h, bool is_primary, FILE *out)
{
	const char *role = is_primary ? "primary" : "replica";
	char query[64] = "", check[96];

	if (!is_primary && h->lag != NULL)
		mt_format(query, sizeof(query), "lag=%s", h->lag);
	fprintf(out,
		"\nlisten %s\n"
		"    bind %s:%u\n"
		"%s"
		"    option httpchk OPTIONS /%s%s%s\n"
		"    http-check expect status 200\n"
		"    default-server inter " INTER " agent-inter " INTER
		" fall 2 rise 1 on-marked-down shutdown-sessions\n",
		is_primary ? "primary" : "replicas", h->bind,
		(unsigned int)(is_primary ? h->primary_port : h->replica_port),
		is_primary ? "" : "    balance leastconn\n", role,
		*query != '\0' ? "?" : "", query);
	mt_format(check, sizeof(check), "%s%s%s", role,
		  *query != '\0' ? " " : "", query);
	for (int i = 0; i < h->n; i++)
		print_server(h, &h->members[i], check, !is_primary, out);
}

void
mt_haproxy_print(const struct mt_haproxy *h, FILE *out)
{
	fprintf(out,
		"# HAProxy for the cluster \"%s\", by matriarch haproxy. Who "
		"is primary is found by\n"
		"# the checks; print it anew when members come or go.\n"
		"global\n\n"
		"defaults\n"
		"    mode tcp\n"
		"    log global\n"
		"    option tcpka\n"
		"    retries 2\n"
		"    timeout connect 2s\n"
		"    timeout check 2s\n"
		"    timeout client 24h\n"
		"    timeout server 24h\n"
		"\nlisten stats\n"
		"    mode http\n"
		"    bind %s:%u\n"
		"    stats enable\n"
		"    stats uri /\n",
		h->scope, h->bind, (unsigned int)h->stats_port);
	print_listen(h, true, out);
	print_listen(h, false, out);
}
