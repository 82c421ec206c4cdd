/* SPDX-License-Identifier: PostgreSQL */
/*
 * The hello: what two nodes tell each other before anything else, and what one
 * of them says when it refuses. Pure: bytes, structs and one judgement.
 */
#ifndef MT_PEER_HELLO_H
#define MT_PEER_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define MT_HELLO_PROTOCOL 1
#define MT_HELLO_NAME_MAX 64 /* with the zero */
#define MT_HELLO_MEMBERS_MAX 16
#define MT_HELLO_LIST_MAX 4400 /* "a:1,b:2,..." with the zero */
#define MT_HELLO_TEXT_MAX 2048 /* words of a refusal, with the zero */
#define MT_HELLO_BYTES_MAX 8192

struct mt_hello {
	/* Filled in by mt_peers_*; what the owner puts there is ignored. */
	uint16_t protocol;       /* MT_HELLO_PROTOCOL */
	uint64_t nonce;          /* random, one per process */
	uint64_t connection_seq; /* grows with each dial of the process */
	uint64_t revision;       /* grows with each mt_peers_set_hello() */
	uint64_t age_ms;         /* since mt_peers_start(), when it was sent */

	/* The owner's. */
	uint64_t cluster_id;  /* 0 before forming */
	uint64_t member_id;   /* Raft id; 0 while there is none */
	uint64_t incarnation; /* grows with each start of the member */
	uint64_t list_digest; /* mt_hello_set_list() */
	bool is_witness;
	bool is_formed;
	char name[MT_HELLO_NAME_MAX];
	char addr[MT_ADDR_MAX];       /* own peer address, canonical */
	char list[MT_HELLO_LIST_MAX]; /* sorted canonical addresses, "," */
};

/* Why a hello is refused. Numbers on the wire: never renumbered. */
enum mt_refuse_code {
	MT_REFUSE_NONE = 0,
	MT_REFUSE_PROTOCOL = 1,     /* another protocol version */
	MT_REFUSE_SELF = 2,         /* the very same process */
	MT_REFUSE_NAME = 3,         /* another process has the refuser's name */
	MT_REFUSE_ADDRESS = 4,      /* has the refuser's address, or is not at
				       the address it was dialled at */
	MT_REFUSE_MEMBER_ID = 5,    /* has the refuser's Raft id */
	MT_REFUSE_CLUSTER = 6,      /* both formed, and not together */
	MT_REFUSE_LIST = 7,         /* neither formed, lists differ */
	MT_REFUSE_INCARNATION = 8,  /* another living process of this member
				       is connected and is not older */
	MT_REFUSE_TAKEN = 9,        /* name, address or Raft id of a third
				       member that is connected */
	MT_REFUSE_NOT_LISTED = 10,  /* the refuser does not dial that address */
	MT_REFUSE_INSECURE = 11,    /* plain text beyond loopback */
	MT_REFUSE_OWNER = 12,       /* on_hello said so; the text tells */
	MT_REFUSE_CERTIFICATE = 13, /* its certificate is for another host */
};

/* What a MT_FRAME_HELLO_REFUSE carries. */
struct mt_hello_refuse {
	enum mt_refuse_code code;
	uint64_t nonce, age_ms;       /* of the refuser */
	char name[MT_HELLO_NAME_MAX]; /* of the refuser; may be "" */
	char addr[MT_ADDR_MAX];       /* of the refuser; may be "" */
	char text[MT_HELLO_TEXT_MAX]; /* one line */
};

/* Sort addrs (canonical texts, at most MT_HELLO_MEMBERS_MAX; borrowed), and set
 * list and list_digest. MT_EINVAL for too many or one named twice. */
int mt_hello_set_list(struct mt_hello *h, const char *const *addrs, size_t n,
		      struct mt_err *err) MT_MUSTCHECK;

/* Payload of MT_FRAME_HELLO and MT_FRAME_HELLO_ACK. Returns the bytes written;
 * out is large enough for any hello. */
size_t mt_hello_encode(const struct mt_hello *h,
		       uint8_t out[MT_HELLO_BYTES_MAX]);
/* MT_EPROTO for anything out of form. Of a hello in another protocol version
 * only protocol is set: mt_hello_check() refuses it in words. */
int mt_hello_decode(struct mt_hello *h, const uint8_t *p, size_t n,
		    struct mt_err *err) MT_MUSTCHECK;

size_t mt_hello_refuse_encode(const struct mt_hello_refuse *r,
			      uint8_t out[MT_HELLO_BYTES_MAX]);
int mt_hello_refuse_decode(struct mt_hello_refuse *r, const uint8_t *p,
			   size_t n, struct mt_err *err) MT_MUSTCHECK;

/* May these two talk, by the protocol's own rules? Writes the words. */
enum mt_refuse_code mt_hello_check(const struct mt_hello *ours,
				   const struct mt_hello *theirs, char *why,
				   size_t size);

/* May theirs come in while living, the same or another node, is connected?
 * MT_REFUSE_NONE also means: they are the same member, and theirs replaces
 * living, if *replaces is set. */
enum mt_refuse_code mt_hello_succeeds(const struct mt_hello *living,
				      const struct mt_hello *theirs,
				      bool *replaces, char *why, size_t size);

#endif
