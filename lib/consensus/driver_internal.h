/* SPDX-License-Identifier: PostgreSQL */
/* What the driver's files share. */
#ifndef MT_CONSENSUS_DRIVER_INTERNAL_H
#define MT_CONSENSUS_DRIVER_INTERNAL_H

#include <raft.h>

#include "consensus/codec.h"
#include "consensus/driver.h"

enum driver_kind {
	DRIVER_MESSAGE,
	DRIVER_SUBMIT,
	DRIVER_CHANGE,
	DRIVER_CATCH_UP,
	DRIVER_TRANSFER,
};

/* Something asked of the driver, waiting for its turn. */
struct driver_input {
	struct driver_input *next;
	enum driver_kind kind;
	uint64_t id;               /* sender, server or cookie */
	struct mt_blob bytes;      /* message or command */
	struct mt_message message; /* borrows from bytes */
	unsigned stepped; /* entries of an append that libraft has seen */
	bool headed;      /* and the empty append that goes before a change */
	struct mt_configuration configuration; /* of a change */
};

/* A message to send once the batch is durable. */
struct driver_output {
	struct driver_output *next;
	uint64_t to;
	struct mt_blob bytes;
};

/* A submission in the log whose fate is open. */
struct driver_pending {
	struct driver_pending *next;
	uint64_t cookie, index, term;
};

struct mt_driver {
	struct mt_driver_options options;
	char address[MT_RAFT_ADDRESS_MAX];
	struct mt_driver_hooks hooks;
	struct mt_image image; /* the mirror; ahead of the disk while busy */

	struct raft raft; /* only while open */
	bool open;        /* libraft lives */
	bool failed;      /* closed by a failed write: may restart */
	bool pumping;     /* inside pump(): calls from hooks only queue */
	bool busy;        /* a batch is being written */
	bool starting;    /* START waits for a lone voter's new term */
	bool barrier_due; /* a new leader owes its log a barrier */
	uint64_t now_ms;
	uint64_t rest_ms; /* no tick before this time */

	struct mt_batch batch; /* being written; borrows from the mirror */
	/* What libraft has to be told once the batch is durable. */
	enum mt_batch_snapshot posted_snapshot;
	uint64_t posted_index; /* last index of the entries; 0: none */

	uint64_t term, last;    /* durable */
	uint64_t applied;       /* by libraft's count since its start */
	uint64_t machine_index; /* what the state machine holds */
	uint64_t machine_term;  /* of that entry */
	bool machine_valid;
	uint64_t commit; /* highest seen */
	/* What the leader of heard_term said was committed. */
	uint64_t heard_term, heard_commit;
	uint64_t request_term; /* of the request being answered; 0: none */
	/* of the snapshot being received: libraft has no place for it */
	uint64_t snapshot_configuration_term;

	struct mt_configuration newest; /* in the durable log */
	struct mt_configuration committed;
	struct mt_blob committed_bytes;

	/* Last told by on_state(). */
	enum mt_raft_role told_role;
	uint64_t told_term, told_leader;
	bool told;

	struct driver_input *inputs, **inputs_end;
	size_t inputs_n, inputs_bytes;
	struct driver_output *outputs, **outputs_end;
	struct driver_pending *pending;
	size_t pending_n;
	struct mt_driver_stats stats;
};

static inline bool
driver_has(const struct mt_driver *d, enum mt_guard guard)
{
	return (d->options.guards & guard) != 0;
}

/* libraft lives (it does not yet while a lone voter's term is written) */
static inline bool
driver_is_running(const struct mt_driver *d)
{
	return d->open && !d->starting;
}

/* driver.c */
void driver__close(struct mt_driver *d, bool persist_failed,
		   const struct mt_err *why);
void driver__queue(struct mt_driver *d, struct driver_input *in);
bool driver__is_lone_voter(const struct mt_driver *d);
void driver__pump(struct mt_driver *d);

/* driver_step.c: feed one event; 0 or libraft's error */
int driver__step(struct mt_driver *d, struct raft_event *event);
/* Append one entry as leader; *index is where it went. */
int driver__append(struct mt_driver *d, enum mt_entry_type type, const void *p,
		   size_t n, uint64_t *index);
/* Tell libraft that a configuration is committed. */
int driver__committed(struct mt_driver *d, uint64_t index, const void *p,
		      size_t n);
void driver__metadata(const struct mt_snapshot *s,
		      struct raft_snapshot_metadata *metadata);
void driver__write(struct mt_driver *d);
void driver__flush(struct mt_driver *d);
void driver__drop_outputs(struct mt_driver *d);

/* driver_apply.c: true if there was something to do */
bool driver__post(struct mt_driver *d);
bool driver__apply(struct mt_driver *d);
bool driver__take_snapshot(struct mt_driver *d);
void driver__learn_newest(struct mt_driver *d, bool force);
void driver__learn_committed(struct mt_driver *d, uint64_t index, uint64_t term,
			     const void *p, size_t n);
int driver__restore(struct mt_driver *d);
void driver__track(struct mt_driver *d, uint64_t cookie, uint64_t index,
		   uint64_t term);
void driver__settle(struct mt_driver *d, uint64_t upto,
		    enum mt_outcome unknown);

/* driver_receive.c: true once the message is done with */
bool driver__receive(struct mt_driver *d, struct driver_input *in);

/* driver_change.c */
void driver__submit(struct mt_driver *d, struct driver_input *in);
void driver__change(struct mt_driver *d, struct driver_input *in);
void driver__catch_up(struct mt_driver *d, uint64_t id);
void driver__transfer(struct mt_driver *d, uint64_t id);

#endif
