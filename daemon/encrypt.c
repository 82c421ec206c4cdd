/* SPDX-License-Identifier: PostgreSQL */
/*
 * From section "raft" to what encrypts the streams between members. Happy path:
 * a password, bound to the cluster's name, or certificates. Failure modes:
 * files that cannot be read or do not fit together, told as an error of the
 * configuration. It opens no stream.
 */
#include "daemon/encrypt.h"

#include "conf/source.h"

int
mt_encrypt_new(const struct mt_conf *c, struct mt_secure **s,
	       struct mt_err *err)
{
	const struct mt_conf_raft *r = &c->raft;
	const struct mt_secure_options o = {
	    .password = r->password,
	    .cluster = c->scope,
	    .files =
		{
		    .certfile = r->certfile,
		    .keyfile = r->keyfile,
		    .keyfile_password = r->keyfile_password,
		    .cafile = r->cafile,
		},
	};

	*s = NULL;
	if (r->password[0] == '\0' && r->certfile[0] == '\0')
		return 0;
	return mt_secure_new(s, &o, err);
}

int
mt_encrypt_read(const struct mt_conf *c, struct mt_secure **s,
		struct mt_findings *found)
{
	struct mt_findings *before = c->source->found;
	struct mt_err err;

	if (mt_encrypt_new(c, s, &err) == 0)
		return 0;
	c->source->found = found;
	mt_conf_fail(c->source,
		     c->raft.certfile[0] != '\0' ? "raft.certfile"
						 : "raft.password",
		     "%s", err.text);
	c->source->found = before;
	return MT_EINVAL;
}
