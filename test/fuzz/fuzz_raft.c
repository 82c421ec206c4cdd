/* SPDX-License-Identifier: PostgreSQL */
/*
 * Raft messages: what decodes encodes to the very same bytes. For entries and
 * snapshots, which the encoder takes from the log, a log is made of the message
 * itself.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "consensus/codec.h"

static void
try_again(struct mt_message *m, const uint8_t *p, size_t n)
{
	const struct raft_append_entries *a = &m->raft.append_entries;
	const struct raft_install_snapshot *s = &m->raft.install_snapshot;
	struct mt_image image;
	struct mt_blob out = {0};

	mt_image_init(&image);
	if (m->raft.type == RAFT_APPEND_ENTRIES) {
		image.first = a->prev_log_index + 1;
		image.n = a->n_entries;
		image.entries = m->entries; /* borrowed */
	} else if (m->raft.type == RAFT_INSTALL_SNAPSHOT) {
		image.snapshot.index = s->last_index;
		image.snapshot.term = s->last_term;
		image.snapshot.configuration_index = s->conf_index;
		image.snapshot.configuration_term = m->configuration_term;
		image.snapshot.configuration = m->configuration;
		image.snapshot.data = m->data;
	}
	MT_ASSERT(mt_message_encode(&m->raft, &image, &out, NULL) == 0);
	MT_ASSERT(out.n <= n);
	/* The sender ends a message of more bytes than this early. */
	if (n <= MT_RAFT_ENTRIES_BYTES)
		MT_ASSERT(out.n == n && memcmp(out.p, p, n) == 0);
	mt_blob_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *p = fuzz_bytes(data, n);
	struct mt_message m;
	struct mt_err err;

	if (mt_message_decode(&m, p, n, &err) == 0) {
		try_again(&m, p, n);
		mt_message_release(&m);
	} else {
		MT_ASSERT(err.code == MT_EPROTO);
	}
	free(p);
	return 0;
}

static void
seed(const struct raft_message *m, const struct mt_image *image)
{
	struct mt_blob out = {0};

	MT_ASSERT(mt_message_encode(m, image, &out, NULL) == 0);
	fuzz_seed(out.p, out.n);
	mt_blob_release(&out);
}

static void
seed_small(const struct mt_image *image)
{
	struct raft_message m = {.type = RAFT_REQUEST_VOTE};

	m.request_vote = (struct raft_request_vote){.term = 3,
						    .candidate_id = 2,
						    .last_log_index = 4,
						    .last_log_term = 2,
						    .pre_vote = true};
	seed(&m, image);
	m = (struct raft_message){.type = RAFT_REQUEST_VOTE_RESULT};
	m.request_vote_result =
	    (struct raft_request_vote_result){.term = 3, .vote_granted = true};
	seed(&m, image);
	m = (struct raft_message){.type = RAFT_APPEND_ENTRIES_RESULT};
	m.append_entries_result =
	    (struct raft_append_entries_result){.term = 3, .last_log_index = 4};
	seed(&m, image);
	m = (struct raft_message){.type = RAFT_TIMEOUT_NOW};
	m.timeout_now = (struct raft_timeout_now){
	    .term = 3, .last_log_index = 4, .last_log_term = 2};
	seed(&m, image);
}

void
fuzz_seeds(void)
{
	static const uint64_t ids[] = {1, 2, 3};
	static const char *const addresses[] = {"n1", "n2", "n3"};
	struct raft_message m = {.type = RAFT_APPEND_ENTRIES};
	struct mt_snapshot s = {.index = 1, .term = 1};
	struct mt_image image;

	MT_ASSERT(mt_image_bootstrap(&image, ids, addresses, 3, NULL) == 0);
	mt_image_append(&image, 2, MT_ENTRY_BARRIER, "", 0);
	mt_image_append(&image, 2, MT_ENTRY_COMMAND, "{\"v\":1}", 7);
	seed_small(&image);
	m.append_entries = (struct raft_append_entries){
	    .term = 3, .leader_commit = 1, .n_entries = 3};
	seed(&m, &image);
	m.append_entries.prev_log_index = 1;
	m.append_entries.prev_log_term = 1;
	m.append_entries.n_entries = 2;
	seed(&m, &image);
	s.configuration_index = 1;
	s.configuration_term = 1;
	s.configuration = image.entries[0].data;
	s.data = (struct mt_blob){.p = (uint8_t *)(uintptr_t) "state", .n = 5};
	mt_image_set_snapshot(&image, &s);
	m = (struct raft_message){.type = RAFT_INSTALL_SNAPSHOT};
	m.install_snapshot = (struct raft_install_snapshot){
	    .term = 3, .last_index = 1, .last_term = 1, .conf_index = 1};
	seed(&m, &image);
	mt_image_release(&image);
}
