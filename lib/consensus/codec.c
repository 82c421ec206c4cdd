/* SPDX-License-Identifier: PostgreSQL */
/*
 * Raft messages to bytes and back.
 *
 * Form: u8 type, then the fields of the message in the order of the functions
 * below, big-endian. Bytes are decoded into a struct whose entries and snapshot
 * point into them, so that a refused message costs no copy.
 *
 * Failure modes: a message that is cut, has bytes left over, numbers out of
 * range, terms that fall along the log, an unknown entry type or a
 * configuration that does not decode is refused with words, and libraft never
 * sees it.
 *
 * It does not: authenticate the sender, or check what depends on the state of
 * the receiver.
 */
#include "consensus/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Terms and indexes count up from 1; what is beyond this is no accident. */
#define NUMBER_MAX (UINT64_C(1) << 62)
#define ENTRY_HEADER_BYTES 13
#define FIXED_BYTES 64 /* more than the fixed fields of any message */

enum { FLAG_GRANTED = 1, FLAG_PRE_VOTE = 2, FLAG_DISRUPT = 1 };

static int
refuse(struct mt_err *err, const char *what)
{
	return mt_err_set(err, MT_EPROTO, "refused a raft message: %s", what);
}

static int
decode_request_vote(struct mt_reader *r, struct raft_request_vote *v,
		    struct mt_err *err)
{
	uint8_t flags;

	v->version = 2;
	v->term = mt_get_u64(r);
	v->candidate_id = mt_get_u64(r);
	v->last_log_index = mt_get_u64(r);
	v->last_log_term = mt_get_u64(r);
	flags = mt_get_u8(r);
	v->disrupt_leader = flags & FLAG_DISRUPT;
	v->pre_vote = flags & FLAG_PRE_VOTE;
	if (flags > 3 || v->term == 0 || v->term > NUMBER_MAX ||
	    v->last_log_index > NUMBER_MAX || v->last_log_term > v->term ||
	    (v->last_log_index == 0) != (v->last_log_term == 0))
		return refuse(err, "a vote's request makes no sense");
	return 0;
}

static int
decode_vote_result(struct mt_reader *r, struct raft_request_vote_result *v,
		   struct mt_err *err)
{
	uint8_t flags;

	v->version = 3;
	v->term = mt_get_u64(r);
	flags = mt_get_u8(r);
	v->vote_granted = flags & FLAG_GRANTED;
	v->pre_vote = flags & FLAG_PRE_VOTE;
	if (flags > 3 || v->term > NUMBER_MAX)
		return refuse(err, "a vote's result makes no sense");
	return 0;
}

static int
decode_append_result(struct mt_reader *r, struct raft_append_entries_result *v,
		     struct mt_err *err)
{
	v->version = 1;
	v->term = mt_get_u64(r);
	v->rejected = mt_get_u64(r);
	v->last_log_index = mt_get_u64(r);
	if (v->term == 0 || v->term > NUMBER_MAX || v->rejected > NUMBER_MAX ||
	    v->last_log_index > NUMBER_MAX)
		return refuse(err, "an append's result makes no sense");
	return 0;
}

static int
decode_timeout_now(struct mt_reader *r, struct raft_timeout_now *v,
		   struct mt_err *err)
{
	v->version = 1;
	v->term = mt_get_u64(r);
	v->last_log_index = mt_get_u64(r);
	v->last_log_term = mt_get_u64(r);
	if (v->term == 0 || v->term > NUMBER_MAX ||
	    v->last_log_index > NUMBER_MAX || v->last_log_term > v->term)
		return refuse(err, "a transfer makes no sense");
	return 0;
}

static int
decode_snapshot(struct mt_reader *r, struct mt_message *m, struct mt_err *err)
{
	struct raft_install_snapshot *v = &m->raft.install_snapshot;
	struct mt_configuration c = {0};
	uint32_t n;

	v->version = 1;
	v->term = mt_get_u64(r);
	v->last_index = mt_get_u64(r);
	v->last_term = mt_get_u64(r);
	v->conf_index = mt_get_u64(r);
	m->configuration_term = mt_get_u64(r);
	n = mt_get_u32(r);
	if (n > MT_RAFT_CONFIGURATION_MAX)
		return refuse(err, "a snapshot's configuration is too long");
	m->configuration.p = (uint8_t *)mt_get_bytes(r, n);
	m->configuration.n = n;
	n = mt_get_u32(r);
	if (n > MT_RAFT_SNAPSHOT_MAX)
		return refuse(err, "a snapshot is too long");
	m->data.p = (uint8_t *)mt_get_bytes(r, n);
	m->data.n = n;
	if (r->bad)
		return refuse(err, "a snapshot is cut");
	if (v->term == 0 || v->term > NUMBER_MAX || v->last_index == 0 ||
	    v->last_index > NUMBER_MAX || v->last_term == 0 ||
	    v->last_term > v->term || v->conf_index == 0 ||
	    v->conf_index > v->last_index || m->configuration_term == 0 ||
	    m->configuration_term > v->last_term)
		return refuse(err, "a snapshot makes no sense");
	if (mt_configuration_decode(&c, m->configuration.p, m->configuration.n,
				    err) != 0)
		return mt_err_prefix(err, "refused a raft snapshot");
	return 0;
}

static int
decode_entry(struct mt_reader *r, struct mt_entry *e, uint64_t least_term,
	     uint64_t most_term, struct mt_err *err)
{
	struct mt_configuration c = {0};
	uint8_t type;
	uint32_t n;

	e->term = mt_get_u64(r);
	type = mt_get_u8(r);
	n = mt_get_u32(r);
	if (r->bad || n > MT_RAFT_ENTRY_MAX)
		return refuse(err, "an entry is cut or too long");
	e->data.p = (uint8_t *)mt_get_bytes(r, n);
	e->data.n = n;
	if (r->bad)
		return refuse(err, "an entry is cut");
	if (e->term == 0 || e->term < least_term || e->term > most_term)
		return refuse(err, "an entry's term makes no sense");
	if (type < MT_ENTRY_COMMAND || type > MT_ENTRY_CHANGE)
		return refuse(err, "an entry's type is unknown");
	e->type = (enum mt_entry_type)type;
	if (e->type == MT_ENTRY_CHANGE &&
	    mt_configuration_decode(&c, e->data.p, n, err) != 0)
		return mt_err_prefix(err, "refused a raft entry");
	return 0;
}

static int
decode_append(struct mt_reader *r, struct mt_message *m, struct mt_err *err)
{
	struct raft_append_entries *v = &m->raft.append_entries;
	uint64_t term;
	uint32_t i, n;
	int rv;

	v->version = 1;
	v->term = mt_get_u64(r);
	v->prev_log_index = mt_get_u64(r);
	v->prev_log_term = mt_get_u64(r);
	v->leader_commit = mt_get_u64(r);
	n = mt_get_u32(r);
	if (r->bad || v->term == 0 || v->term > NUMBER_MAX ||
	    v->prev_log_index > NUMBER_MAX || v->prev_log_term > v->term ||
	    (v->prev_log_index == 0) != (v->prev_log_term == 0) ||
	    v->leader_commit > NUMBER_MAX)
		return refuse(err, "an append makes no sense");
	if (n > MT_RAFT_ENTRIES_MAX || n > r->left / ENTRY_HEADER_BYTES)
		return refuse(err, "an append has too many entries");
	v->n_entries = n;
	if (n == 0)
		return 0;
	m->entries = calloc(n, sizeof *m->entries);
	MT_ASSERT(m->entries != NULL);
	term = v->prev_log_term;
	for (i = 0; i < n; i++) {
		rv = decode_entry(r, &m->entries[i], term, v->term, err);
		if (rv != 0)
			return rv;
		term = m->entries[i].term;
	}
	if (v->prev_log_index == 0 && m->entries[0].type != MT_ENTRY_CHANGE)
		return refuse(err, "entry 1 is no configuration");
	return 0;
}

int
mt_message_decode(struct mt_message *m, const void *p, size_t n,
		  struct mt_err *err)
{
	struct mt_reader r = {.p = p, .left = n};
	uint8_t type;
	int rv;

	*m = (struct mt_message){0};
	if (n > MT_RAFT_MESSAGE_MAX)
		return refuse(err, "it is too long");
	type = mt_get_u8(&r);
	m->raft.type = type;
	switch (type) {
	case RAFT_REQUEST_VOTE:
		rv = decode_request_vote(&r, &m->raft.request_vote, err);
		break;
	case RAFT_REQUEST_VOTE_RESULT:
		rv = decode_vote_result(&r, &m->raft.request_vote_result, err);
		break;
	case RAFT_APPEND_ENTRIES:
		rv = decode_append(&r, m, err);
		break;
	case RAFT_APPEND_ENTRIES_RESULT:
		rv = decode_append_result(&r, &m->raft.append_entries_result,
					  err);
		break;
	case RAFT_INSTALL_SNAPSHOT:
		rv = decode_snapshot(&r, m, err);
		break;
	case RAFT_TIMEOUT_NOW:
		rv = decode_timeout_now(&r, &m->raft.timeout_now, err);
		break;
	default:
		rv = refuse(err, "its type is unknown");
		break;
	}
	if (rv == 0 && !mt_reader_done(&r))
		rv = refuse(err, "it is cut, or has bytes left over");
	if (rv != 0)
		mt_message_release(m);
	return rv;
}

void
mt_message_release(struct mt_message *m)
{
	free(m->entries);
	*m = (struct mt_message){0};
}

/* How many of the message's entries fit; 0 entries of n only if n is 0. */
static int
count_entries(const struct raft_append_entries *v, const struct mt_image *image,
	      uint32_t *n, size_t *bytes, struct mt_err *err)
{
	uint32_t i;

	*bytes = 0;
	for (i = 0; i < v->n_entries && i < MT_RAFT_ENTRIES_MAX; i++) {
		const struct mt_entry *e =
		    mt_image_at(image, v->prev_log_index + 1 + i);

		if (e == NULL)
			return mt_err_set(err, MT_EINVAL,
					  "the log has no entry %llu to send",
					  v->prev_log_index + 1 + i);
		if (i > 0 && *bytes + e->data.n > MT_RAFT_ENTRIES_BYTES)
			break;
		*bytes += ENTRY_HEADER_BYTES + e->data.n;
	}
	*n = i;
	return 0;
}

static void
encode_append(struct mt_writer *w, const struct raft_append_entries *v,
	      const struct mt_image *image, uint32_t n)
{
	uint32_t i;

	mt_put_u64(w, v->term);
	mt_put_u64(w, v->prev_log_index);
	mt_put_u64(w, v->prev_log_term);
	mt_put_u64(w, v->leader_commit);
	mt_put_u32(w, n);
	for (i = 0; i < n; i++) {
		const struct mt_entry *e =
		    mt_image_at(image, v->prev_log_index + 1 + i);

		mt_put_u64(w, e->term);
		mt_put_u8(w, (uint8_t)e->type);
		mt_put_u32(w, (uint32_t)e->data.n);
		mt_put_bytes(w, e->data.p, e->data.n);
	}
}

static void
encode_snapshot(struct mt_writer *w, const struct raft_install_snapshot *v,
		const struct mt_snapshot *s)
{
	mt_put_u64(w, v->term);
	mt_put_u64(w, s->index);
	mt_put_u64(w, s->term);
	mt_put_u64(w, s->configuration_index);
	mt_put_u64(w, s->configuration_term);
	mt_put_u32(w, (uint32_t)s->configuration.n);
	mt_put_bytes(w, s->configuration.p, s->configuration.n);
	mt_put_u32(w, (uint32_t)s->data.n);
	mt_put_bytes(w, s->data.p, s->data.n);
}

static void
encode_small(struct mt_writer *w, const struct raft_message *m)
{
	const struct raft_request_vote *v = &m->request_vote;
	const struct raft_request_vote_result *vr = &m->request_vote_result;
	const struct raft_append_entries_result *ar = &m->append_entries_result;

	if (m->type == RAFT_REQUEST_VOTE) {
		mt_put_u64(w, v->term);
		mt_put_u64(w, v->candidate_id);
		mt_put_u64(w, v->last_log_index);
		mt_put_u64(w, v->last_log_term);
		mt_put_u8(w, (uint8_t)((v->disrupt_leader ? FLAG_DISRUPT : 0) |
				       (v->pre_vote ? FLAG_PRE_VOTE : 0)));
	} else if (m->type == RAFT_REQUEST_VOTE_RESULT) {
		mt_put_u64(w, vr->term);
		mt_put_u8(w, (uint8_t)((vr->vote_granted ? FLAG_GRANTED : 0) |
				       (vr->pre_vote ? FLAG_PRE_VOTE : 0)));
	} else if (m->type == RAFT_APPEND_ENTRIES_RESULT) {
		mt_put_u64(w, ar->term);
		mt_put_u64(w, ar->rejected);
		mt_put_u64(w, ar->last_log_index);
	} else {
		mt_put_u64(w, m->timeout_now.term);
		mt_put_u64(w, m->timeout_now.last_log_index);
		mt_put_u64(w, m->timeout_now.last_log_term);
	}
}

int
mt_message_encode(const struct raft_message *raft, const struct mt_image *image,
		  struct mt_blob *out, struct mt_err *err)
{
	const struct mt_snapshot *s = &image->snapshot;
	struct mt_writer w = {0};
	size_t bytes = 0;
	uint32_t n = 0;
	int rv = 0;

	if (raft->type == RAFT_APPEND_ENTRIES)
		rv = count_entries(&raft->append_entries, image, &n, &bytes,
				   err);
	else if (raft->type == RAFT_INSTALL_SNAPSHOT) {
		bytes = s->configuration.n + s->data.n;
		if (s->index != raft->install_snapshot.last_index)
			rv = mt_err_set(err, MT_EINVAL,
					"there is no snapshot %llu to send",
					raft->install_snapshot.last_index);
	}
	if (rv != 0)
		return rv;
	w.cap = FIXED_BYTES + bytes;
	w.p = malloc(w.cap);
	MT_ASSERT(w.p != NULL);
	mt_put_u8(&w, (uint8_t)raft->type);
	if (raft->type == RAFT_APPEND_ENTRIES)
		encode_append(&w, &raft->append_entries, image, n);
	else if (raft->type == RAFT_INSTALL_SNAPSHOT)
		encode_snapshot(&w, &raft->install_snapshot, s);
	else
		encode_small(&w, raft);
	MT_ASSERT(!w.bad);
	*out = (struct mt_blob){.p = w.p, .n = w.n};
	return 0;
}
