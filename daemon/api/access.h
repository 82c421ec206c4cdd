/* SPDX-License-Identifier: PostgreSQL */
/*
 * Who may change something over the API: ordered rules over facts, nothing
 * else. Who may read is no question: GET, HEAD and OPTIONS are for all that
 * reach the listener.
 */
#ifndef MT_DAEMON_API_ACCESS_H
#define MT_DAEMON_API_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/net.h"

enum mt_access {
	MT_ACCESS_GRANTED,
	MT_ACCESS_NOT_LISTED,     /* 403: another address may */
	MT_ACCESS_NO_CERTIFICATE, /* 403 */
	MT_ACCESS_NO_PASSWORD,    /* 401: no authorization was sent */
	MT_ACCESS_WRONG_PASSWORD, /* 401 */
};

struct mt_access_facts {
	const char *method;
	bool is_failsafe; /* of path /failsafe: members need no listing */
	bool has_peer;    /* false: an address of no family that we know */
	struct mt_net peer;

	/* restapi.allowlist; a name that has no address yet is counted by
	 * has_allowlist alone */
	bool has_allowlist, include_members;
	const struct mt_net *listed, *members; /* borrowed */
	size_t n_listed, n_members;

	/* restapi.verify_client is not "none", and whether this client has
	 * shown a certificate that was verified */
	bool is_tls, wants_certificate, client_verified;

	const char *username, *password; /* "": no authentication is asked */
	const char *authorization;       /* the header's value, or "" */
};

/* Is the method one that only reads? */
bool mt_access_is_read(const char *method);

enum mt_access mt_access_decide(const struct mt_access_facts *f);

#endif
