/* SPDX-License-Identifier: PostgreSQL */
/* Keeping promises; see the header and doc/protocol.md. */
#include "core/keep.h"

#include <string.h>

#include "core/agent.h"
#include "core/suspect.h"

#define ASK_WITHOUT_LEASE_MS 50
#define WRITE_AGAIN_MS 500

bool
mt_record_equal(const struct mt_record *a, const struct mt_record *b)
{
	return a->incarnation == b->incarnation && a->fenced == b->fenced &&
	       a->max_ttl_ms == b->max_ttl_ms && a->given_up == b->given_up &&
	       a->data_id == b->data_id && a->pg_epoch == b->pg_epoch &&
	       a->raft_id == b->raft_id && a->cluster_id == b->cluster_id;
}

/* Write the record as it is wanted, unless a write is under way: its end
 * brings us here again. */
static void
flush(struct mt_keep *k)
{
	if (k->writing || k->failed || mt_record_equal(&k->want, &k->durable))
		return;
	k->writing = true;
	k->writing_record = k->want;
	k->hooks.persist(k->hooks.arg, &k->writing_record);
}

void
mt_keep_start(struct mt_keep *k, const struct mt_keep_hooks *hooks,
	      const struct mt_record *durable, int64_t now_ms)
{
	memset(k, 0, sizeof(*k));
	k->hooks = *hooks;
	k->want = *durable;
	k->durable = *durable;
	k->raft_id = durable->raft_id;
	k->incarnation = durable->incarnation;
	mt_voter_start(&k->voter, durable, now_ms);
}

void
mt_keep_set_id(struct mt_keep *k, uint64_t raft_id)
{
	k->raft_id = raft_id;
}

/* ---- voter ---- */

static void
take_support_ans(struct mt_keep *k, const struct mt_support_ans *ans,
		 int64_t now_ms)
{
	bool paused;

	mt_holder_answer(&k->holder, ans, now_ms, &paused);
	if (paused)
		k->paused = true;
}

static void
take_support_req(struct mt_keep *k, const struct mt_state *s, uint64_t from,
		 const struct mt_support_req *req, int64_t now_ms)
{
	struct mt_support_ans ans;
	uint8_t buf[MT_LEASE_MESSAGE_MAX];
	enum mt_voter_result rv = mt_voter_support(
	    &k->voter, &k->want, &k->durable, s, req, now_ms, &ans);

	flush(k);
	if (rv == MT_VOTER_PERSIST)
		return; /* the next round finds it durable */
	ans.raft_id = k->raft_id;
	ans.incarnation = k->incarnation;
	if (from == k->raft_id)
		take_support_ans(k, &ans, now_ms);
	else
		k->hooks.send(k->hooks.arg, from, MT_KEEP_SUPPORT_ANS, buf,
			      mt_support_ans_encode(&ans, buf));
}

static void
answer_fence(struct mt_keep *k, uint64_t to, struct mt_fence_ans *ans)
{
	uint8_t buf[MT_LEASE_MESSAGE_MAX];

	ans->raft_id = k->raft_id;
	ans->incarnation = k->incarnation;
	if (to == k->raft_id)
		k->hooks.on_fenced(k->hooks.arg, ans);
	else
		k->hooks.send(k->hooks.arg, to, MT_KEEP_FENCE_ANS, buf,
			      mt_fence_ans_encode(ans, buf));
}

static void
take_fence_req(struct mt_keep *k, uint64_t own_term, uint64_t from,
	       const struct mt_fence_req *req, int64_t now_ms)
{
	struct mt_fence_ans ans;

	switch (mt_voter_fence(&k->voter, &k->want, &k->durable, own_term, req,
			       now_ms, &ans)) {
	case MT_VOTER_ANSWER:
		answer_fence(k, from, &ans);
		break;
	case MT_VOTER_PERSIST:
		k->fence_asker = from;
		flush(k);
		break;
	}
}

void
mt_keep_persisted(struct mt_keep *k, bool ok, int64_t now_ms)
{
	struct mt_fence_ans ans;

	k->writing = false;
	k->failed = !ok;
	if (!ok) {
		k->failed_ms = now_ms;
		return;
	}
	k->durable = k->writing_record;
	if (mt_voter_persisted(&k->voter, &k->durable, now_ms, &ans))
		answer_fence(k, k->fence_asker, &ans);
	flush(k);
}

/* ---- messages ---- */

int
mt_keep_receive(struct mt_keep *k, const struct mt_state *s, uint64_t own_term,
		uint64_t from, enum mt_keep_message kind, const void *p,
		size_t n, int64_t now_ms)
{
	struct mt_support_req sreq;
	struct mt_support_ans sans;
	struct mt_fence_req freq;
	struct mt_fence_ans fans;

	switch (kind) {
	case MT_KEEP_SUPPORT_REQ:
		if (mt_support_req_decode(&sreq, p, n) != 0 ||
		    sreq.raft_id != from)
			return MT_EPROTO;
		take_support_req(k, s, from, &sreq, now_ms);
		return 0;
	case MT_KEEP_SUPPORT_ANS:
		if (mt_support_ans_decode(&sans, p, n) != 0 ||
		    sans.raft_id != from)
			return MT_EPROTO;
		take_support_ans(k, &sans, now_ms);
		return 0;
	case MT_KEEP_FENCE_REQ:
		if (mt_fence_req_decode(&freq, p, n) != 0 ||
		    freq.raft_id != from)
			return MT_EPROTO;
		take_fence_req(k, own_term, from, &freq, now_ms);
		return 0;
	case MT_KEEP_FENCE_ANS:
		if (mt_fence_ans_decode(&fans, p, n) != 0 ||
		    fans.raft_id != from)
			return MT_EPROTO;
		k->hooks.on_fenced(k->hooks.arg, &fans);
		return 0;
	}
	return MT_EPROTO;
}

void
mt_keep_fence(struct mt_keep *k, const struct mt_voters *voters,
	      const struct mt_fence_req *req, uint64_t own_term, int64_t now_ms)
{
	uint8_t buf[MT_LEASE_MESSAGE_MAX];
	size_t n = mt_fence_req_encode(req, buf);

	for (int i = 0; i < voters->n; i++) {
		if (voters->raft_id[i] == k->raft_id)
			take_fence_req(k, own_term, k->raft_id, req, now_ms);
		else
			k->hooks.send(k->hooks.arg, voters->raft_id[i],
				      MT_KEEP_FENCE_REQ, buf, n);
	}
}

/* ---- holder ---- */

static void
follow_epoch(struct mt_keep *k, const struct mt_state *s)
{
	const struct mt_leader *l = &s->leader;

	if (k->holder.epoch == l->epoch)
		return;
	/* The lease lives on only where the turn goes on. */
	if (k->holder.epoch == 0 || k->holder.epoch < l->since)
		mt_holder_stop(&k->holder);
	mt_holder_start(&k->holder, l->epoch, l->ttl_ms, k->incarnation);
	k->asked_ms = 0;
}

static void
ask(struct mt_keep *k, const struct mt_view *view)
{
	struct mt_support_req req;
	uint8_t buf[MT_LEASE_MESSAGE_MAX];
	size_t n;

	mt_holder_ask(&k->holder, k->raft_id, view->now_ms, &req);
	k->asked_ms = view->now_ms;
	n = mt_support_req_encode(&req, buf);
	for (int i = 0; i < k->holder.voters.n; i++) {
		uint64_t to = k->holder.voters.raft_id[i];

		/* The own vote passes the same function: no shortcut. */
		if (to == k->raft_id)
			take_support_req(k, view->state, to, &req,
					 view->now_ms);
		else
			k->hooks.send(k->hooks.arg, to, MT_KEEP_SUPPORT_REQ,
				      buf, n);
	}
}

/* Where a holder may be replaced before its lease has ended it has to notice as
 * soon as the others do that it is cut off. */
static int64_t
lasting_interval_ms(const struct mt_view *view)
{
	int64_t interval_ms = mt_lease_interval_ms(view->state->leader.ttl_ms);
	int64_t half_ms = view->settings->suspect_timeout_ms / 2;

	return mt_may_be_displaced(view) && half_ms < interval_ms ? half_ms
								  : interval_ms;
}

int64_t
mt_keep_step(struct mt_keep *k, const struct mt_view *view,
	     const struct mt_voters *voters)
{
	const struct mt_state *s = view->state;
	int64_t interval_ms, again_ms = 0;

	if (k->failed && view->now_ms - k->failed_ms >= WRITE_AGAIN_MS)
		k->failed = false;
	if (k->failed)
		again_ms = k->failed_ms + WRITE_AGAIN_MS;
	flush(k);
	mt_holder_set_voters(&k->holder, voters);
	if (!mt_state_held_by(s, view->local.name) ||
	    s->leader.epoch <= k->want.given_up) {
		if (k->holder.epoch != 0)
			mt_holder_stop(&k->holder);
		return again_ms;
	}
	if (!mt_agent_may_ask(view))
		return again_ms;
	follow_epoch(k, s);
	interval_ms = mt_holder_writable(&k->holder, view->now_ms)
			  ? lasting_interval_ms(view)
			  : ASK_WITHOUT_LEASE_MS;
	k->interval_ms = interval_ms;
	if (k->asked_ms == 0 || view->now_ms - k->asked_ms >= interval_ms)
		ask(k, view);
	if (again_ms == 0 || again_ms > k->asked_ms + interval_ms)
		again_ms = k->asked_ms + interval_ms;
	return again_ms;
}

/* ---- the record ---- */

bool
mt_keep_give_up(struct mt_keep *k, uint64_t epoch)
{
	if (k->want.given_up < epoch)
		k->want.given_up = epoch;
	flush(k);
	return k->durable.given_up >= epoch;
}

bool
mt_keep_take_epoch(struct mt_keep *k, uint64_t epoch, uint64_t data_id)
{
	k->want.pg_epoch = epoch;
	k->want.data_id = data_id;
	flush(k);
	return k->durable.pg_epoch == epoch && k->durable.data_id == data_id;
}

bool
mt_keep_form(struct mt_keep *k, uint64_t raft_id, uint64_t cluster_id)
{
	k->want.raft_id = raft_id;
	k->want.cluster_id = cluster_id;
	k->raft_id = raft_id;
	flush(k);
	return k->durable.raft_id == raft_id &&
	       k->durable.cluster_id == cluster_id;
}

void
mt_keep_observe(const struct mt_keep *k, struct mt_local *local)
{
	int64_t deadline_ms = mt_holder_deadline_ms(&k->holder);

	local->raft_id = k->raft_id;
	local->incarnation = k->incarnation;
	local->record = k->durable;
	local->lease_epoch = k->holder.epoch;
	local->had_lease = k->holder.had_lease;
	local->lease_ttl_ms = k->holder.lease_ttl_ms;
	if (k->holder.confirmed_ms != 0)
		local->missed_ms = k->holder.confirmed_ms + 2 * k->interval_ms;
	/* Until this process has a lease of its own, a running primary lives
	 * on what its sentinel was armed with before: the caller's value. */
	if (k->holder.had_lease)
		local->deadline_ms = deadline_ms;
}
