/* SPDX-License-Identifier: PostgreSQL */
/*
 * The streams between the nodes of a cluster. Each node dials every other; a
 * stream carries only its dialler's frames, and what the other has to say goes
 * on the other's own stream. Names are resolved at each dial; what is lost is
 * dialled again. Everything runs on the loop's thread.
 *
 * Callbacks never run from inside mt_peers_start(), _add(), _send() or
 * _set_hello(); they do from mt_peers_remove() (on_down). Any function may be
 * called from any callback. All pointers given to callbacks are borrowed for
 * the call.
 */
#ifndef MT_PEER_PEERS_H
#define MT_PEER_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/err.h"
#include "peer/frame.h"
#include "peer/hello.h"
#include "peer/secure.h"

struct mt_peers; /* opaque, owns handles */

/* Why a peer that was up is not any more. */
enum mt_peer_down {
	MT_PEER_CLOSED,   /* it ended the stream (FIN): process or host going */
	MT_PEER_RESET,    /* reset: its process is gone, its kernel lives */
	MT_PEER_TIMEOUT,  /* no acknowledgement within user_timeout_ms */
	MT_PEER_REPLACED, /* a newer stream or process of it took the place */
	MT_PEER_REFUSED,  /* a hello sent anew was refused, here or there */
	MT_PEER_PROTOCOL, /* bytes out of form */
	MT_PEER_OVERFLOW, /* it does not take what we write */
	MT_PEER_REMOVED,  /* mt_peers_remove() */
	MT_PEER_FAILED,   /* anything else of this machine or the network */
};
const char *mt_peer_down_name(enum mt_peer_down reason); /* "closed", ... */

/* One peer as it is now. */
struct mt_peer_info {
	const char *addr;             /* canonical, as dialled */
	const struct mt_hello *hello; /* newest accepted one; NULL: never yet */
	bool is_out;                  /* our stream to it is accepted */
	bool is_in;                   /* its stream to us is accepted */
	bool is_up;                   /* both, and of one process of it */
	int64_t last_contact_ms; /* mt_clock_ms() of its last frame; 0: never */
	int64_t changed_ms;      /* mt_clock_ms() since which is_up holds */
	size_t queued_bytes;     /* written and not yet taken by the kernel */
	enum mt_refuse_code refusal; /* of the last try, either way; NONE after
					is_up */
	const char *last_error;      /* why it is not up; "" if it is up */
};

/* A refusal, told each time one happens: lines in the log are fewer. */
struct mt_refusal {
	enum mt_refuse_code code;
	bool by_us;       /* we refused them; else they refused us */
	const char *addr; /* dialled, or named by the other; may be "" */
	const char *name; /* of the other; may be "" */
	const char *text; /* one line, fit for the log and the API */
	/* Of two living processes that claim one name (MT_REFUSE_NAME,
	 * MT_REFUSE_ADDRESS, MT_REFUSE_MEMBER_ID): is ours the later one, that
	 * ought to exit? Unset for every other code. */
	bool we_are_later;
};

/* All may be NULL. */
struct mt_peers_callbacks {
	/* Called for each hello that the protocol's own rules let through, in
	 * both directions and again for each hello sent anew, before it counts:
	 * 0 accepts; else write why (one line). May call mt_peers_add(). */
	int (*on_hello)(void *arg, const struct mt_hello *theirs, char *why,
			size_t size);
	void (*on_up)(void *arg, const struct mt_peer_info *peer);
	/* Exactly once for each on_up, but for mt_peers_close(). */
	void (*on_down)(void *arg, const struct mt_peer_info *peer,
			enum mt_peer_down reason);
	/* From an accepted stream, be the peer up or not. Kinds 16 to 23. */
	void (*on_frame)(void *arg, const struct mt_hello *from,
			 enum mt_frame_kind kind, const uint8_t *payload,
			 size_t n);
	void (*on_refused)(void *arg, const struct mt_refusal *refusal);
};

/* Times are milliseconds; 0 means the default. */
struct mt_peers_options {
	const char *bind_host; /* copied; "" or "*": all; a name is looked up
				  while mt_peers_start() waits */
	uint16_t bind_port;    /* 0: any; see mt_peers_port() */
	/* What the streams are encrypted with, taken; NULL: nothing. */
	struct mt_secure *secure;
	/* Without secure: plain text is allowed beyond loopback. With it: it
	 * is allowed at all, for as long as not all have secure. */
	bool is_insecure;
	const struct mt_hello *hello;    /* copied */
	unsigned int connect_timeout_ms; /* 1000; per address */
	unsigned int hello_timeout_ms;   /* 2000 */
	unsigned int redial_min_ms;      /* 50, doubling ... */
	unsigned int redial_max_ms;      /* ... to 1000 */
	unsigned int refused_redial_ms;  /* 1000 */
	unsigned int user_timeout_ms;    /* 3000: TCP_USER_TIMEOUT */
	unsigned int ping_interval_ms;   /* 1000: when nothing else is sent */
};

/* Bind and listen; nothing is dialled before mt_peers_add(). On error *peers
 * is unchanged, though the loop must run once more before it can be closed. */
int mt_peers_start(struct mt_peers **peers, uv_loop_t *loop,
		   const struct mt_peers_options *options,
		   const struct mt_peers_callbacks *callbacks, void *arg,
		   struct mt_err *err) MT_MUSTCHECK;

/* The port that is listened on. */
uint16_t mt_peers_port(const struct mt_peers *peers);
/* As it is sent: with nonce, revision. Valid until mt_peers_set_hello(). */
const struct mt_hello *mt_peers_hello(const struct mt_peers *peers);

/* Replace our hello (copied) and tell all connected peers. Name and address
 * must not change while any peer is connected. */
void mt_peers_set_hello(struct mt_peers *peers, const struct mt_hello *hello);

/* Encrypt streams by this from now on (taken, on success); those that there are
 * go on. MT_EREFUSED: it is not of the kind that there is, and the members
 * could not talk any more. */
int mt_peers_set_secure(struct mt_peers *peers, struct mt_secure *secure,
			struct mt_err *err) MT_MUSTCHECK;

/* Dial host:port from now on. Our own address is MT_EREFUSED; one that is
 * there already is fine. */
int mt_peers_add(struct mt_peers *peers, const char *host, uint16_t port,
		 struct mt_err *err) MT_MUSTCHECK;
/* Close its streams both ways. MT_ENOENT if it is not there. */
int mt_peers_remove(struct mt_peers *peers, const char *host, uint16_t port);

/*
 * Queue one frame (payload copied) on our stream to a peer. True: it was
 * queued, and will arrive before later ones or not at all. False: there is no
 * accepted stream, kind or size is not the owner's, or too much is queued
 * (a raft frame then also ends the stream).
 */
bool mt_peers_send(struct mt_peers *peers, uint64_t member_id,
		   enum mt_frame_kind kind, const void *payload, size_t n);
/* The same by canonical address, for as long as ids are not known. */
bool mt_peers_send_addr(struct mt_peers *peers, const char *addr,
			enum mt_frame_kind kind, const void *payload, size_t n);

/* In the order of mt_peers_add(). cb must not add or remove. */
void mt_peers_each(struct mt_peers *peers,
		   void (*cb)(void *arg, const struct mt_peer_info *peer),
		   void *arg);

/* No callback but closed_cb follows; it may be NULL. What is queued and not
 * taken by the kernel is dropped. *peers is freed after closed_cb. A name
 * look-up that hangs stays behind on the loop, without effect. */
void mt_peers_close(struct mt_peers *peers, void (*closed_cb)(void *arg),
		    void *arg);

#endif
