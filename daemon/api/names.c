/* SPDX-License-Identifier: PostgreSQL */
/*
 * The addresses of who may change something: of restapi.allowlist and, where
 * that is wanted, of the members' api_url. Happy path: addresses and networks
 * are read when the configuration or the members change, names are looked up
 * then by libuv's workers, one at a time; a request only compares.
 *
 * Failure modes: until a name was looked up it is nobody's; one that cannot be
 * looked up any more keeps what it had, one that is gone loses it. Who is
 * refused may be so because a name has moved: then all are looked up again, at
 * most every ten seconds, and his next request may pass.
 *
 * Life of struct lookup: until libuv has called back; without names where the
 * API was closed meanwhile.
 */
#include "daemon/api/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/net.h"
#include "base/text.h"

#define AGAIN_MS 10000
#define ADDRESSES_MAX 16 /* of one name */

struct entry {
	char host[MT_ADDR_HOST_MAX];
	bool of_member;
	bool is_name, wanted; /* wanted: to be looked up */
	struct mt_net nets[ADDRESSES_MAX];
	size_t n;
};

struct lookup {
	uv_getaddrinfo_t req;
	struct api__names *names; /* NULL: closed */
	char host[MT_ADDR_HOST_MAX];
};

struct api__names {
	uv_loop_t *loop;
	const struct mt_conf *conf; /* that entries are of; to be compared */
	uint64_t members;           /* digest of theirs */
	struct entry *entries;
	size_t n, cap;
	struct lookup *under_way;
	int64_t refreshed_ms;
	/* what the entries come to */
	struct mt_net *nets[2]; /* of the allowlist, of members */
	size_t n_nets[2];
};

static void look_up_next(struct api__names *a);

/* ---- what they come to ---- */

static void
gather(struct api__names *a)
{
	for (int of_member = 0; of_member < 2; of_member++) {
		size_t n = 0;

		free(a->nets[of_member]);
		a->nets[of_member] = calloc(a->n * ADDRESSES_MAX + 1,
					    sizeof(*a->nets[of_member]));
		MT_ASSERT(a->nets[of_member] != NULL);
		for (size_t i = 0; i < a->n; i++) {
			const struct entry *e = &a->entries[i];

			if (e->of_member != (of_member == 1))
				continue;
			memcpy(a->nets[of_member] + n, e->nets,
			       e->n * sizeof(*e->nets));
			n += e->n;
		}
		a->n_nets[of_member] = n;
	}
}

/* ---- looking up ---- */

static void
take_addresses(struct entry *e, const struct addrinfo *found)
{
	e->n = 0;
	for (; found != NULL && e->n < ADDRESSES_MAX; found = found->ai_next)
		if (mt_net_of(&e->nets[e->n], found->ai_addr))
			e->n++;
}

static void
on_looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct lookup *l = container_of(req, struct lookup, req);
	struct api__names *a = l->names;

	if (a != NULL) {
		a->under_way = NULL;
		if (status != 0)
			mt_warn("could not look up \"%s\", which may use the "
				"REST API: %s",
				l->host, uv_strerror(status));
		for (size_t i = 0; i < a->n; i++) {
			struct entry *e = &a->entries[i];

			if (!e->is_name || !mt_streq(e->host, l->host))
				continue;
			if (status == 0)
				take_addresses(e, found);
			else if (status == UV_EAI_NONAME ||
				 status == UV_EAI_NODATA)
				e->n = 0;
		}
		gather(a);
		look_up_next(a);
	}
	uv_freeaddrinfo(found);
	free(l);
}

static void
look_up(struct api__names *a, const char *host)
{
	const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	};
	struct lookup *l = calloc(1, sizeof(*l));

	MT_ASSERT(l != NULL);
	l->names = a;
	mt_copy(l->host, sizeof(l->host), host);
	a->under_way = l;
	if (uv_getaddrinfo(a->loop, &l->req, on_looked_up, l->host, NULL,
			   &hints) == 0)
		return;
	a->under_way = NULL;
	free(l);
}

static void
look_up_next(struct api__names *a)
{
	for (size_t i = 0; i < a->n && a->under_way == NULL; i++) {
		char host[MT_ADDR_HOST_MAX];

		if (!a->entries[i].wanted)
			continue;
		mt_copy(host, sizeof(host), a->entries[i].host);
		for (size_t k = i; k < a->n; k++)
			if (mt_streq(a->entries[k].host, host))
				a->entries[k].wanted = false;
		look_up(a, host);
	}
}

void
api__names_refresh(struct api__names *a)
{
	int64_t now_ms = mt_clock_ms();

	if (a->refreshed_ms != 0 && now_ms - a->refreshed_ms < AGAIN_MS)
		return;
	a->refreshed_ms = now_ms;
	for (size_t i = 0; i < a->n; i++)
		a->entries[i].wanted = a->entries[i].is_name;
	look_up_next(a);
}

/* ---- who there is ---- */

/* Names keep the addresses that they had in old. */
static void
add(struct api__names *a, const struct api__names *old, const char *host,
    bool of_member)
{
	struct entry *e;

	if (a->n == a->cap) {
		a->cap = a->cap * 2 + 16;
		a->entries = realloc(a->entries, a->cap * sizeof(*a->entries));
		MT_ASSERT(a->entries != NULL);
	}
	e = &a->entries[a->n++];
	memset(e, 0, sizeof(*e));
	mt_copy(e->host, sizeof(e->host), host);
	e->of_member = of_member;
	if (mt_net_parse(&e->nets[0], host, NULL) == 0) {
		e->n = 1;
		return;
	}
	e->is_name = e->wanted = true;
	for (size_t i = 0; i < old->n; i++) {
		if (!mt_streq(old->entries[i].host, host))
			continue;
		memcpy(e->nets, old->entries[i].nets, sizeof(e->nets));
		e->n = old->entries[i].n;
	}
}

/* "http://[fd00::1]:8008/patroni" */
static bool
host_of(const char *url, struct mt_addr *addr)
{
	const char *at = strstr(url, "://");
	char text[MT_ADDR_MAX];
	size_t n;

	if (at == NULL)
		return false;
	at += strlen("://");
	n = strcspn(at, "/");
	if (n >= sizeof(text))
		return false;
	memcpy(text, at, n);
	text[n] = '\0';
	return mt_addr_parse(addr, text, 80, NULL) == 0;
}

static uint64_t
digest_of(const struct mt_state *s)
{
	uint64_t digest = MT_HASH_SEED;

	for (int i = 0; i < s->n_members; i++)
		digest = mt_hash(digest, s->members[i].api_url,
				 strlen(s->members[i].api_url) + 1);
	return digest;
}

void
api__names_look(struct api__names *a, const struct mt_conf *conf,
		const struct mt_state *state)
{
	bool members = conf->restapi.allowlist_include_members;
	uint64_t digest = members ? digest_of(state) : 0;
	struct api__names old = *a;
	const json_t *item;
	struct mt_addr addr;
	size_t i;

	if (a->conf == conf && a->members == digest)
		return;
	a->conf = conf;
	a->members = digest;
	a->entries = NULL;
	a->n = a->cap = 0;
	json_array_foreach (conf->restapi.allowlist, i, item)
		add(a, &old, json_string_value(item), false);
	for (int k = 0; members && k < state->n_members; k++)
		if (host_of(state->members[k].api_url, &addr))
			add(a, &old, addr.host, true);
	free(old.entries);
	gather(a);
	look_up_next(a);
}

const struct mt_net *
api__names_nets(const struct api__names *a, bool of_members, size_t *n)
{
	*n = a->n_nets[of_members ? 1 : 0];
	return a->nets[of_members ? 1 : 0];
}

struct api__names *
api__names_new(uv_loop_t *loop)
{
	struct api__names *a = calloc(1, sizeof(*a));

	MT_ASSERT(a != NULL);
	a->loop = loop;
	return a;
}

void
api__names_free(struct api__names *a)
{
	if (a->under_way != NULL) {
		a->under_way->names = NULL;
		/* One that a worker has is waited for by the loop's end. */
		(void)uv_cancel((uv_req_t *)&a->under_way->req);
	}
	free(a->nets[0]);
	free(a->nets[1]);
	free(a->entries);
	free(a);
}
