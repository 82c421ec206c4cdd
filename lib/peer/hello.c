/* SPDX-License-Identifier: PostgreSQL */
/*
 * The hello: its bytes, and who may talk with whom.
 *
 * Happy path: both sides know each other's name, address, Raft id and
 * incarnation, and agree on the list of members (before forming) or on the
 * cluster (after). Failure: bytes out of form are MT_EPROTO; what is in form
 * but must not be is refused with a code and one line that reads right on
 * either side, since both print it.
 * Does not know streams, nor which members a cluster has: that is the owner's.
 */
#include "peer/hello.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define FLAG_WITNESS 1
#define FLAG_FORMED 2

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int
mt_hello_set_list(struct mt_hello *h, const char *const *addrs, size_t n,
		  struct mt_err *err)
{
	const char *sorted[MT_HELLO_MEMBERS_MAX];
	char list[MT_HELLO_LIST_MAX] = "";
	size_t used = 0, i;

	if (n > MT_HELLO_MEMBERS_MAX)
		return mt_err_set(err, MT_EINVAL, "%zu members, at most %d", n,
				  MT_HELLO_MEMBERS_MAX);
	for (i = 0; i < n; i++)
		sorted[i] = addrs[i];
	qsort(sorted, n, sizeof(sorted[0]), compare_texts);
	for (i = 0; i < n; i++) {
		if (i > 0 && mt_streq(sorted[i - 1], sorted[i]))
			return mt_err_set(err, MT_EINVAL,
					  "member \"%s\" is listed twice",
					  sorted[i]);
		if (!mt_format(list + used, sizeof(list) - used, "%s%s",
			       i > 0 ? "," : "", sorted[i]))
			return mt_err_set(err, MT_EINVAL,
					  "the list of members is too long");
		used += strlen(list + used);
	}
	mt_copy(h->list, sizeof(h->list), list);
	h->list_digest = mt_hash(MT_HASH_SEED, list, used);
	return 0;
}

size_t
mt_hello_encode(const struct mt_hello *h, uint8_t out[MT_HELLO_BYTES_MAX])
{
	struct mt_writer w = {.p = out, .cap = MT_HELLO_BYTES_MAX};

	/* The version stays first and two bytes for ever: that is what lets
	 * two versions refuse each other in words. */
	mt_put_u16(&w, h->protocol);
	mt_put_u64(&w, h->nonce);
	mt_put_u64(&w, h->connection_seq);
	mt_put_u64(&w, h->revision);
	mt_put_u64(&w, h->age_ms);
	mt_put_u64(&w, h->cluster_id);
	mt_put_u64(&w, h->member_id);
	mt_put_u64(&w, h->incarnation);
	mt_put_u8(&w, (uint8_t)((h->is_witness ? FLAG_WITNESS : 0) |
				(h->is_formed ? FLAG_FORMED : 0)));
	mt_put_str(&w, h->name);
	mt_put_str(&w, h->addr);
	mt_put_u64(&w, h->list_digest);
	mt_put_str(&w, h->list);
	MT_ASSERT(!w.bad);
	return w.n;
}

static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s == 0x7f)
			return false;
	return true;
}

/* These go to logs, tables and look-ups: nothing odd may hide in them. */
static int
check_texts(const struct mt_hello *h, struct mt_err *err)
{
	struct mt_addr addr;
	char text[MT_ADDR_MAX];

	if (h->name[0] == '\0' || !is_printable(h->name))
		return mt_err_set(err, MT_EPROTO,
				  "name in hello is empty or "
				  "not printable");
	if (!is_printable(h->addr) || !is_printable(h->list))
		return mt_err_set(err, MT_EPROTO,
				  "address or list in hello is not printable");
	if (mt_addr_parse(&addr, h->addr, 0, err) != 0 ||
	    mt_addr_is_wildcard(&addr) ||
	    !mt_streq(mt_addr_format(&addr, text, sizeof(text)), h->addr))
		return mt_err_set(err, MT_EPROTO,
				  "address \"%s\" in hello is not canonical",
				  h->addr);
	return 0;
}

int
mt_hello_decode(struct mt_hello *h, const uint8_t *p, size_t n,
		struct mt_err *err)
{
	struct mt_reader r = {.p = p, .left = n};
	struct mt_hello t = {0};
	unsigned int flags;
	int rv;

	t.protocol = mt_get_u16(&r);
	if (!r.bad && t.protocol != MT_HELLO_PROTOCOL) {
		*h = t;
		return 0;
	}
	t.nonce = mt_get_u64(&r);
	t.connection_seq = mt_get_u64(&r);
	t.revision = mt_get_u64(&r);
	t.age_ms = mt_get_u64(&r);
	t.cluster_id = mt_get_u64(&r);
	t.member_id = mt_get_u64(&r);
	t.incarnation = mt_get_u64(&r);
	flags = mt_get_u8(&r);
	mt_get_str(&r, t.name, sizeof(t.name));
	mt_get_str(&r, t.addr, sizeof(t.addr));
	t.list_digest = mt_get_u64(&r);
	mt_get_str(&r, t.list, sizeof(t.list));
	if (!mt_reader_done(&r))
		return mt_err_set(err, MT_EPROTO,
				  "hello of %zu bytes is out "
				  "of form",
				  n);
	if ((flags & ~(unsigned int)(FLAG_WITNESS | FLAG_FORMED)) != 0)
		return mt_err_set(err, MT_EPROTO, "unknown flags %#x in hello",
				  flags);
	rv = check_texts(&t, err);
	if (rv != 0)
		return rv;
	t.is_witness = (flags & FLAG_WITNESS) != 0;
	t.is_formed = (flags & FLAG_FORMED) != 0;
	*h = t;
	return 0;
}

size_t
mt_hello_refuse_encode(const struct mt_hello_refuse *r,
		       uint8_t out[MT_HELLO_BYTES_MAX])
{
	struct mt_writer w = {.p = out, .cap = MT_HELLO_BYTES_MAX};

	mt_put_u16(&w, (uint16_t)r->code);
	mt_put_u64(&w, r->nonce);
	mt_put_u64(&w, r->age_ms);
	mt_put_str(&w, r->name);
	mt_put_str(&w, r->addr);
	mt_put_str(&w, r->text);
	MT_ASSERT(!w.bad);
	return w.n;
}

int
mt_hello_refuse_decode(struct mt_hello_refuse *r, const uint8_t *p, size_t n,
		       struct mt_err *err)
{
	struct mt_reader in = {.p = p, .left = n};
	struct mt_hello_refuse t = {0};

	/* A code of a later version is shown by its text. */
	t.code = (enum mt_refuse_code)mt_get_u16(&in);
	t.nonce = mt_get_u64(&in);
	t.age_ms = mt_get_u64(&in);
	mt_get_str(&in, t.name, sizeof(t.name));
	mt_get_str(&in, t.addr, sizeof(t.addr));
	mt_get_str(&in, t.text, sizeof(t.text));
	if (!mt_reader_done(&in) || t.code == MT_REFUSE_NONE ||
	    !is_printable(t.name) || !is_printable(t.addr) ||
	    !is_printable(t.text))
		return mt_err_set(err, MT_EPROTO,
				  "hello_refuse of %zu bytes is out of form",
				  n);
	*r = t;
	return 0;
}

static bool
same_id(const struct mt_hello *a, const struct mt_hello *b)
{
	return a->member_id != 0 && a->member_id == b->member_id;
}

/* Words name both nodes in one order, so that both sides log the same line,
 * whichever of them refused first. */
static const struct mt_hello *
first_of(const struct mt_hello *a, const struct mt_hello *b)
{
	int order = strcmp(a->addr, b->addr);

	return order < 0 || (order == 0 && strcmp(a->name, b->name) < 0) ? a
									 : b;
}

/* Names, addresses and ids that must differ between two nodes. */
static enum mt_refuse_code
check_identity(const struct mt_hello *ours, const struct mt_hello *theirs,
	       char *why, size_t size)
{
	const struct mt_hello *a = first_of(ours, theirs);
	const struct mt_hello *b = a == ours ? theirs : ours;

	if (ours->nonce == theirs->nonce) {
		mt_format(why, size, "\"%s\" at %s dialled itself", ours->name,
			  ours->addr);
		return MT_REFUSE_SELF;
	}
	if (mt_streq(ours->name, theirs->name)) {
		mt_format(why, size,
			  "name \"%s\" is claimed by two living processes, at "
			  "%s and at %s",
			  a->name, a->addr, b->addr);
		return MT_REFUSE_NAME;
	}
	if (mt_streq(ours->addr, theirs->addr)) {
		mt_format(why, size,
			  "address %s is claimed by two living processes, "
			  "\"%s\" and \"%s\"",
			  a->addr, a->name, b->name);
		return MT_REFUSE_ADDRESS;
	}
	if (same_id(ours, theirs)) {
		mt_format(why, size,
			  "Raft id %llu is claimed by both \"%s\" and \"%s\"",
			  (unsigned long long)a->member_id, a->name, b->name);
		return MT_REFUSE_MEMBER_ID;
	}
	return MT_REFUSE_NONE;
}

enum mt_refuse_code
mt_hello_check(const struct mt_hello *ours, const struct mt_hello *theirs,
	       char *why, size_t size)
{
	const struct mt_hello *a = first_of(ours, theirs);
	const struct mt_hello *b = a == ours ? theirs : ours;
	enum mt_refuse_code code;

	if (theirs->protocol != ours->protocol) {
		mt_format(why, size,
			  "peer protocol %u does not match protocol %u of "
			  "\"%s\" at %s",
			  (unsigned int)theirs->protocol,
			  (unsigned int)ours->protocol, ours->name, ours->addr);
		return MT_REFUSE_PROTOCOL;
	}
	code = check_identity(ours, theirs, why, size);
	if (code != MT_REFUSE_NONE)
		return code;
	if (ours->is_formed && theirs->is_formed &&
	    ours->cluster_id != theirs->cluster_id) {
		mt_format(why, size,
			  "\"%s\" at %s is of cluster %016llx, \"%s\" at %s of "
			  "cluster %016llx",
			  a->name, a->addr, (unsigned long long)a->cluster_id,
			  b->name, b->addr, (unsigned long long)b->cluster_id);
		return MT_REFUSE_CLUSTER;
	}
	if (!ours->is_formed && !theirs->is_formed &&
	    (ours->list_digest != theirs->list_digest ||
	     !mt_streq(ours->list, theirs->list))) {
		mt_format(why, size,
			  "lists of members differ: \"%s\" at %s has \"%s\", "
			  "\"%s\" at %s has \"%s\"",
			  a->name, a->addr, a->list, b->name, b->addr, b->list);
		return MT_REFUSE_LIST;
	}
	return MT_REFUSE_NONE;
}

enum mt_refuse_code
mt_hello_succeeds(const struct mt_hello *living, const struct mt_hello *theirs,
		  bool *replaces, char *why, size_t size)
{
	bool same_name = mt_streq(living->name, theirs->name);
	bool same_addr = mt_streq(living->addr, theirs->addr);
	/* An id is taken on while the process runs. */
	bool ids_fit = same_id(living, theirs) || living->member_id == 0 ||
		       theirs->member_id == 0;

	*replaces = false;
	if (!same_name && !same_addr && !same_id(living, theirs))
		return MT_REFUSE_NONE;
	if (!same_name || !same_addr || !ids_fit) {
		mt_format(why, size,
			  "\"%s\" at %s with Raft id %llu collides with \"%s\" "
			  "at %s with Raft id %llu, which is connected",
			  theirs->name, theirs->addr,
			  (unsigned long long)theirs->member_id, living->name,
			  living->addr, (unsigned long long)living->member_id);
		return MT_REFUSE_TAKEN;
	}
	if (living->nonce == theirs->nonce) {
		*replaces = theirs->connection_seq > living->connection_seq;
		if (*replaces)
			return MT_REFUSE_NONE;
		mt_format(why, size,
			  "a newer stream of \"%s\" at %s is connected",
			  living->name, living->addr);
		return MT_REFUSE_INCARNATION;
	}
	*replaces = theirs->incarnation > living->incarnation;
	if (*replaces)
		return MT_REFUSE_NONE;
	mt_format(why, size,
		  "another process of \"%s\" at %s is connected with %s "
		  "incarnation (%llu, this one has %llu)",
		  living->name, living->addr,
		  living->incarnation == theirs->incarnation ? "an equal"
							     : "a newer",
		  (unsigned long long)living->incarnation,
		  (unsigned long long)theirs->incarnation);
	return MT_REFUSE_INCARNATION;
}
