/* SPDX-License-Identifier: PostgreSQL */
/*
 * What peers.c (API, up and down), dial.c (ways out) and conn.c (one
 * connection) and handshake.c (its hellos) share.
 */
#ifndef MT_PEER_PEERS_INTERNAL_H
#define MT_PEER_PEERS_INTERNAL_H

#include "peer/peers.h"
#include "peer/sockaddr.h"
#include "peer/stream.h"

#define MAX_ADDRS 8                /* tried of one look-up */
#define MAX_UNPROVEN 64            /* accepted, without an accepted hello */
#define MAX_QUEUED_BYTES (8 << 20) /* on one stream */
#define LINGER_MS 1000
#define SAID_SLOTS 8
#define SAID_MS 30000

struct conn;
struct peer;

enum conn_state {
	CONN_CONNECTING, /* dialled only; the socket is on its way */
	CONN_HELLO,      /* hello sent (dialled) or awaited (accepted) */
	CONN_LIVE,       /* hello accepted */
	CONN_LINGER,     /* last words sent; waiting for the other to read */
	CONN_CLOSED,     /* handles are closing; in no list, no callback */
};

/* One connection, dialled or accepted. */
struct conn {
	struct mt_peers *all;
	struct conn *next, **back; /* in all->conns until CONN_CLOSED */
	struct peer *peer;         /* accepted: NULL until CONN_LIVE */
	struct mt_stream *stream;
	struct mt_frame_decoder decoder;
	uv_timer_t timer;    /* connect, hello and linger deadlines, doom */
	unsigned int n_open; /* handles: stream and timer */
	enum conn_state state;
	bool is_in;
	bool is_unproven;       /* counted in all->n_unproven */
	enum mt_peer_down doom; /* why the timer ends it, see conn__doom() */
	uint64_t seq;           /* dialled: of our hello */
	char from[MT_ADDR_MAX]; /* socket address of the other end */
	struct mt_hello theirs; /* valid when CONN_LIVE */
};

struct lookup {
	uv_getaddrinfo_t req;
	struct peer *peer; /* NULL: nobody waits for it any more */
};

/* One address that is dialled. */
struct peer {
	struct mt_peers *all;
	struct peer *next;
	char addr[MT_ADDR_MAX], host[MT_ADDR_HOST_MAX];
	uint16_t port;
	uv_timer_t timer; /* no out: redial; out CONN_LIVE: ping */
	struct lookup *lookup;
	struct sockaddr_storage addrs[MAX_ADDRS];
	size_t n_addrs, i_addr;
	struct conn *out; /* any state but CONN_CLOSED */
	struct conn *in;  /* CONN_LIVE only */
	unsigned int backoff_ms;
	unsigned int way; /* how it is dialled, see peer__other_way() */
	bool is_removed, is_up, has_hello;
	struct mt_hello hello; /* newest accepted, of either stream */
	int64_t last_contact_ms, changed_ms, out_since_ms, last_sent_ms;
	enum mt_refuse_code refusal;
	char last_error[MT_HELLO_TEXT_MAX];
	char logged[MT_HELLO_TEXT_MAX]; /* last_error that stands in the log */
};

struct mt_peers {
	uv_loop_t *loop;
	uv_tcp_t listener;
	struct mt_peers_options o; /* without pointers, defaults filled in */
	struct mt_peers_callbacks cb;
	void *arg;
	struct mt_hello hello;
	int64_t started_ms;
	uint64_t connection_seq;
	struct peer *peers;
	struct conn *conns;
	size_t n_unproven;
	size_t n_open; /* conns, peers and listener not yet freed */
	bool is_closing;
	void (*closed_cb)(void *arg);
	void *closed_arg;
	struct {
		uint64_t key;
		int64_t until_ms;
	} said[SAID_SLOTS]; /* see peers__may_log() */
};

/* peers.c */
struct peer *peers__find(struct mt_peers *all, const char *addr);
/* Something was freed; the last one ends mt_peers_close(). */
void peers__freed(struct mt_peers *all);
/* May a line about what a stranger did go to the log? Not if one with the same
 * key went there a short while ago, or too many went at all. */
bool peers__may_log(struct mt_peers *all, const char *key);
/* Tell what became of is_up; reason is for the way down. Last thing to call:
 * the owner may remove the peer or close everything. */
void peer__update_up(struct peer *peer, enum mt_peer_down reason);
/* Remember why the peer is not up, log it unless the log has it. */
void peer__note(struct peer *peer, enum mt_refuse_code code, const char *text);
void peer__take_hello(struct peer *peer, const struct mt_hello *theirs);
/* theirs may be NULL if the other said nothing about itself. */
void peers__tell_refused(struct mt_peers *all, enum mt_refuse_code code,
			 bool by_us, const char *addr,
			 const struct mt_hello *theirs, const char *text);

/* dial.c */
void peer__dial_in(struct peer *peer, unsigned int delay_ms);
/* The out connection is gone or never came: dial again in due time. */
void peer__redial(struct peer *peer, bool refused);
/* This address did not answer: the next one, or back off. */
void peer__dial_next(struct peer *peer);
void peer__dial_stop(struct peer *peer);
/* The out connection is accepted. */
void peer__dial_done(struct peer *peer);

/* The next try is by another way: with the key of before, or plain, where
 * these are allowed. */
void peer__other_way(struct peer *peer);

/* conn.c */
int conn__dial(struct peer *peer, const struct sockaddr *to,
	       struct mt_err *err);
void conn__accept(struct mt_peers *all);
/* Not heard of again. Does not tell the peer: the caller does. */
void conn__close(struct conn *c);
/* An end that nobody here chose; tells the peer. text says why. */
void conn__fail(struct conn *c, enum mt_peer_down reason, bool refused,
		enum mt_refuse_code code, const char *text);
/* The same for bytes out of form: one line. */
void conn__fail_form(struct conn *c, const char *what);
/* The last words are written: let the other side read them. */
void conn__linger(struct conn *c);
/* Copy a frame to the stream; false: no memory, or the stream is broken. */
bool conn__put_frame(struct conn *c, enum mt_frame_kind kind,
		     const void *payload, size_t n);
/* False if it is not sent; the connection may then be doomed. */
bool conn__send(struct conn *c, enum mt_frame_kind kind, const void *payload,
		size_t n);

/* handshake.c */
/* Our hello, on a dialled connection, or our hello_ack on an accepted one. */
void conn__send_hello(struct conn *c);
/* A hello, hello_ack or hello_refuse came. */
void conn__hello_frame(struct conn *c, enum mt_frame_kind kind,
		       const uint8_t *p, size_t n);
/* An accepted connection is refused in words. theirs may be NULL. */
void conn__refuse(struct conn *c, enum mt_refuse_code code,
		  const struct mt_hello *theirs, const char *text);

#endif
