/* SPDX-License-Identifier: PostgreSQL */
/*
 * Configurations: who is a server of the cluster, and in which role.
 *
 * The bytes are libraft's, because libraft decodes them from its own entries:
 * u8 format 1, u64 count, then for each server u64 id, its address with a
 * terminating zero, u8 role; zeros up to a multiple of 8; integers little
 * endian. libraft's decoder does not look at lengths, so that ours reads them
 * first, and libraft gets to see only what passed.
 *
 * It does not: decide which change is allowed; that is driver_change.c.
 */
#include "consensus/log.h"

#include <raft.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

_Static_assert((int)MT_SERVER_STANDBY == (int)RAFT_STANDBY, "server roles");
_Static_assert((int)MT_SERVER_VOTER == (int)RAFT_VOTER, "server roles");
_Static_assert((int)MT_SERVER_SPARE == (int)RAFT_SPARE, "server roles");

#define CONFIGURATION_FORMAT 1

/* libraft's integers are little endian */
static uint64_t
get_le64(struct mt_reader *r)
{
	const uint8_t *p = mt_get_bytes(r, 8);
	uint64_t v = 0;
	int i;

	for (i = 7; p != NULL && i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static int
decode_server(struct mt_reader *r, struct mt_configuration *c, unsigned k,
	      struct mt_err *err)
{
	struct mt_server *s = &c->servers[k];
	const uint8_t *zero;
	size_t bound;
	unsigned i;
	uint8_t role;

	s->id = get_le64(r);
	bound = r->left < sizeof s->address ? r->left : sizeof s->address;
	zero = r->bad || bound == 0 ? NULL : memchr(r->p, 0, bound);
	if (zero == NULL)
		return mt_err_set(err, MT_EPROTO,
				  "address of server %u has no end", k + 1);
	mt_copy(s->address, sizeof s->address, (const char *)r->p);
	mt_get_bytes(r, (size_t)(zero - r->p) + 1);
	role = mt_get_u8(r);
	if (r->bad || s->id == 0 || role > MT_SERVER_SPARE)
		return mt_err_set(err, MT_EPROTO,
				  "server %u is cut, or has no id or no role",
				  k + 1);
	s->role = (enum mt_server_role)role;
	for (i = 0; i < k; i++)
		if (c->servers[i].id == s->id ||
		    mt_streq(c->servers[i].address, s->address))
			return mt_err_set(err, MT_EPROTO,
					  "servers %u and %u are the same",
					  i + 1, k + 1);
	return 0;
}

int
mt_configuration_decode(struct mt_configuration *c, const void *p, size_t n,
			struct mt_err *err)
{
	struct mt_reader r = {.p = p, .left = n};
	struct mt_configuration d = {.index = c->index, .term = c->term};
	uint64_t count;
	unsigned k;
	int rv;

	if (n > MT_RAFT_CONFIGURATION_MAX || n % 8 != 0)
		return mt_err_set(err, MT_EPROTO,
				  "a configuration of %zu bytes", n);
	if (mt_get_u8(&r) != CONFIGURATION_FORMAT)
		return mt_err_set(err, MT_EPROTO,
				  "a configuration of an unknown format");
	count = get_le64(&r);
	if (r.bad || count == 0 || count > MT_RAFT_SERVERS_MAX)
		return mt_err_set(err, MT_EPROTO,
				  "a configuration of %llu servers",
				  (unsigned long long)count);
	for (k = 0; k < count; k++) {
		rv = decode_server(&r, &d, k, err);
		if (rv != 0)
			return rv;
	}
	d.n = (unsigned)count;
	if (r.left >= 8)
		return mt_err_set(err, MT_EPROTO,
				  "bytes after a configuration");
	while (r.left > 0)
		if (mt_get_u8(&r) != 0)
			return mt_err_set(err, MT_EPROTO,
					  "bytes after a configuration");
	*c = d;
	return 0;
}

int
mt_configuration_encode(const struct mt_configuration *c, struct mt_blob *out,
			struct mt_err *err)
{
	struct raft_configuration rc;
	struct raft_buffer buf;
	unsigned i;
	int rv = 0;

	raft_configuration_init(&rc);
	for (i = 0; i < c->n && rv == 0; i++)
		rv = raft_configuration_add(&rc, c->servers[i].id,
					    c->servers[i].address,
					    (int)c->servers[i].role);
	if (rv == 0)
		rv = raft_configuration_encode(&rc, &buf);
	raft_configuration_close(&rc);
	if (rv != 0)
		return mt_err_set(err, MT_EINVAL,
				  "could not encode a configuration: %s",
				  raft_strerror(rv));
	*out = (struct mt_blob){0};
	mt_blob_set(out, buf.base, buf.len);
	raft_free(buf.base);
	return 0;
}

const struct mt_server *
mt_configuration_find(const struct mt_configuration *c, uint64_t id)
{
	unsigned i;

	for (i = 0; i < c->n; i++)
		if (c->servers[i].id == id)
			return &c->servers[i];
	return NULL;
}

unsigned
mt_configuration_voters(const struct mt_configuration *c)
{
	unsigned i, n = 0;

	for (i = 0; i < c->n; i++)
		n += c->servers[i].role == MT_SERVER_VOTER;
	return n;
}

static int
compare_servers(const void *a, const void *b)
{
	const struct mt_server *s = a, *t = b;

	return s->id < t->id ? -1 : s->id > t->id;
}

int
mt_image_bootstrap(struct mt_image *image, const uint64_t ids[],
		   const char *const addresses[], unsigned n,
		   struct mt_err *err)
{
	struct mt_configuration c = {.n = n}, check = {0};
	struct mt_blob bytes = {0};
	unsigned i;
	int rv;

	if (n == 0 || n > MT_RAFT_SERVERS_MAX)
		return mt_err_set(err, MT_EINVAL,
				  "a cluster of %u members; 1 to %d work", n,
				  MT_RAFT_SERVERS_MAX);
	for (i = 0; i < n; i++) {
		c.servers[i].id = ids[i];
		c.servers[i].role = MT_SERVER_VOTER;
		if (!mt_copy(c.servers[i].address, sizeof c.servers[i].address,
			     addresses[i]))
			return mt_err_set(err, MT_EINVAL,
					  "address \"%s\" is too long",
					  addresses[i]);
	}
	qsort(c.servers, n, sizeof c.servers[0], compare_servers);
	rv = mt_configuration_encode(&c, &bytes, err);
	if (rv != 0)
		return rv;
	rv = mt_configuration_decode(&check, bytes.p, bytes.n, err);
	if (rv == 0) {
		mt_image_init(image);
		image->term = 1;
		mt_image_append(image, 1, MT_ENTRY_CHANGE, bytes.p, bytes.n);
	}
	mt_blob_release(&bytes);
	return rv;
}
