/* SPDX-License-Identifier: PostgreSQL */
/*
 * Forming the Raft group at the first start. All listed members must be
 * present, empty and agreed on the list. First each writes its identity (raft
 * id, cluster id) into its node record: it is prepared. When all are prepared,
 * each writes the same first image. A prepared node that restarts goes on; an
 * empty store that meets a formed cluster is refused: it may be one that was
 * wiped, and its votes would be forgotten ones.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/node_internal.h"

#define SAY_EVERY_MS 10000

/* Raft ids of the members that a configuration lists at the first start are
 * digests of their addresses (nonce 0). */
uint64_t
node__id_of_address(const char *addr)
{
	uint64_t nonce = 0;
	uint64_t h = mt_hash(MT_HASH_SEED, addr, strlen(addr));

	h = mt_hash(h, &nonce, sizeof(nonce));
	return h != 0 ? h : 1;
}

static uint64_t
cluster_id_of(const struct mt_node *n, const char *list)
{
	const struct mt_conf *c = n->conf;
	uint64_t h = mt_hash(MT_HASH_SEED, c->scope, strlen(c->scope) + 1);

	h = mt_hash(h, c->namespace, strlen(c->namespace) + 1);
	h = mt_hash(h, list, strlen(list));
	return h != 0 ? h : 1;
}

struct look {
	struct mt_node *n;
	bool prepared; /* we are: then the others must be, too */
	int ready;
	size_t used;
};

/* Count a listed member as ready, or name it among those that are awaited. */
static void
look_at(void *arg, const struct mt_peer_info *p)
{
	struct look *l = arg;
	struct mt_node *n = l->n;
	const struct mt_hello *h = p->hello;

	if (p->is_up && (!l->prepared || (h->cluster_id == n->cluster_id &&
					  h->member_id != 0))) {
		l->ready++;
		return;
	}
	mt_format(n->waiting_for + l->used, sizeof(n->waiting_for) - l->used,
		  "%s%s%s%s%s", l->used > 0 ? ", " : "", p->addr,
		  p->last_error[0] != '\0' ? " (" : "", p->last_error,
		  p->last_error[0] != '\0' ? ")" : "");
	l->used = strlen(n->waiting_for);
}

static bool
all_ready(struct mt_node *n)
{
	struct look l = {.n = n, .prepared = n->raft_id != 0};
	char before[sizeof(n->waiting_for)];
	int64_t now_ms = mt_clock_ms();

	mt_copy(before, sizeof(before), n->waiting_for);
	n->waiting_for[0] = '\0';
	mt_peers_each(n->peers, look_at, &l);
	if (l.ready == (int)n->conf->raft.n)
		return true;
	if (strcmp(before, n->waiting_for) != 0 ||
	    now_ms - n->waiting_logged_ms > SAY_EVERY_MS) {
		n->waiting_logged_ms = now_ms;
		mt_info("forming the Raft group, waiting for %s",
			n->waiting_for);
	}
	return false;
}

static int
make_image(struct mt_node *n, struct mt_err *err)
{
	char texts[MT_CONF_PARTNERS_MAX + 1][MT_ADDR_MAX];
	const char *addrs[MT_CONF_PARTNERS_MAX + 1];
	uint64_t ids[MT_CONF_PARTNERS_MAX + 1];
	unsigned count = (unsigned)n->conf->raft.n + 1;

	for (unsigned i = 0; i < count; i++) {
		const struct mt_addr *a =
		    i == 0 ? &n->conf->raft.self_addr
			   : &n->conf->raft.partner_addrs[i - 1];

		addrs[i] = mt_addr_format(a, texts[i], sizeof(texts[i]));
		ids[i] = node__id_of_address(addrs[i]);
	}
	return mt_image_bootstrap(&n->image, ids, addrs, count, err);
}

void
node__form(struct mt_node *n)
{
	const struct mt_hello *h = mt_peers_hello(n->peers);
	uint64_t cluster_id = cluster_id_of(n, h->list);
	uint64_t raft_id = node__id_of_address(h->addr);
	struct mt_err err;

	if (n->forming_write || !all_ready(n))
		return;
	if (n->raft_id == 0) {
		if (!mt_keep_form(&n->keep, raft_id, cluster_id))
			return; /* called again when it is durable */
		n->raft_id = raft_id;
		n->cluster_id = cluster_id;
		node__talk_hello(n);
		node__wake(n);
		return;
	}
	if (n->raft_id != raft_id || n->cluster_id != cluster_id) {
		node__fail(n,
			   "this node agreed to form a group as another "
			   "member, or with others, before: put scope, "
			   "raft.self_addr and raft.partner_addrs back, or "
			   "empty \"%s\"",
			   n->conf->raft.data_dir);
		return;
	}
	if (make_image(n, &err) != 0)
		node__fail(n, "could not form the Raft group: %s", err.text);
}

int
node__form_hello(struct mt_node *n, const struct mt_hello *theirs, char *why,
		 size_t size)
{
	bool same = n->cluster_id != 0 && theirs->cluster_id == n->cluster_id;

	if (n->phase == NODE_FORMED && theirs->is_formed) {
		const struct mt_configuration *c =
		    mt_driver_configuration(n->driver);

		if (mt_configuration_find(c, theirs->member_id) != NULL)
			return 0;
		mt_format(why, size, "it is no member of this cluster");
		return MT_EREFUSED;
	}
	if (n->phase == NODE_FORMED && !same) {
		mt_format(why, size,
			  "the Raft store of \"%s\" is empty, but the cluster "
			  "was formed already: an empty store never votes, "
			  "and joining a formed cluster is not possible yet",
			  theirs->name);
		return MT_EREFUSED;
	}
	if (n->phase == NODE_FORMING && theirs->is_formed && !same) {
		mt_format(why, size,
			  "the Raft store of \"%s\" is empty, but \"%s\" "
			  "belongs to a formed cluster: an empty store never "
			  "votes, and joining a formed cluster is not "
			  "possible yet",
			  n->conf->name, theirs->name);
		return MT_EREFUSED;
	}
	if (theirs->cluster_id != 0 && n->cluster_id != 0 && !same) {
		mt_format(why, size, "it is to form another cluster");
		return MT_EREFUSED;
	}
	return 0;
}
