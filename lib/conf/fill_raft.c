/* SPDX-License-Identifier: PostgreSQL */
/*
 * Section "raft" of the local configuration. Happy path: the member's own
 * address and those of its partners, each once, and a directory. Failure modes:
 * each wrong address is an error at its place, and so are plain connections
 * that would leave the machine unless the user says that they may. Resolves and
 * binds nothing.
 */
#include <string.h>

#include "base/text.h"
#include "conf/fill.h"

#define PASSWORD_BYTES 16 /* fewer are warned of */

/* The line can be put into the file as it is. */
static int
raft_missing(struct mt_conf_source *src, const struct mt_conf *c)
{
	return mt_conf_fail(
	    src, "raft",
	    "section \"raft\" is missing; add a line as in \"raft: {self_addr: "
	    "10.0.0.1:7500, partner_addrs: [10.0.0.2:7500, 10.0.0.3:7500], "
	    "data_dir: /var/lib/matriarch/%s}\", with this member's address "
	    "and "
	    "those of the others",
	    c->scope[0] != '\0' ? c->scope : "cluster_1");
}

/* text NULL: it is no text */
static int
add_partner(struct mt_conf_source *src, struct mt_conf_raft *r, size_t i,
	    const char *text)
{
	struct mt_err why;
	struct mt_addr a;
	const struct mt_yaml_place *place;
	char path[64];

	mt_format(path, sizeof(path), "raft.partner_addrs[%zu]", i);
	if (mt_conf_source_part(src, path, src->n, &place) == NULL)
		mt_copy(path, sizeof(path), "raft.partner_addrs");
	if (text == NULL)
		return mt_conf_fail(src, path,
				    "\"raft.partner_addrs\" needs addresses, "
				    "such as 10.0.0.2:7500");
	if (mt_addr_parse(&a, text, 0, &why) != 0)
		return mt_conf_fail(src, path, "\"raft.partner_addrs\": %s",
				    why.text);
	if (mt_addr_is_wildcard(&a))
		return mt_conf_fail(src, path,
				    "\"raft.partner_addrs\" needs addresses to "
				    "connect to, not a wildcard");
	if (mt_addr_equal(&a, &r->self_addr))
		return 0;
	for (size_t k = 0; k < r->n; k++)
		if (mt_addr_equal(&a, &r->partner_addrs[k]))
			return 0;
	if (r->n == MT_CONF_PARTNERS_MAX)
		return mt_conf_fail(src, path,
				    "\"raft.partner_addrs\" has more than %d "
				    "members",
				    MT_CONF_PARTNERS_MAX);
	r->partner_addrs[r->n++] = a;
	return 0;
}

static int
fill_partners(struct mt_conf_source *src, struct mt_conf_raft *r)
{
	const json_t *v = mt_conf_lookup(src->root, "raft.partner_addrs");
	char text[4096], *save = NULL;
	const json_t *item;
	size_t i;
	int rc = 0;

	if (!json_is_string(v)) {
		json_array_foreach ((json_t *)v, i, item)
			rc |= add_partner(src, r, i, json_string_value(item));
		return rc;
	}
	/* "a:1,b:1", as environment files like to have it */
	if (!mt_copy(text, sizeof(text), json_string_value(v)))
		return mt_conf_fail(src, "raft.partner_addrs",
				    "\"raft.partner_addrs\" is too long");
	for (char *s = strtok_r(text, ", ", &save); s != NULL;
	     s = strtok_r(NULL, ", ", &save))
		rc |= add_partner(src, r, 0, s);
	return rc;
}

/* Encrypted by a password or by certificates, and by all that this needs. */
static int
check_encryption(struct mt_conf_source *src, const struct mt_conf_raft *r)
{
	size_t n = strlen(r->password);

	if (n > 0 && r->certfile[0] != '\0')
		return mt_conf_fail(src, "raft.certfile",
				    "\"raft.password\" and \"raft.certfile\" "
				    "are two ways to encrypt; give one of "
				    "them");
	if (r->certfile[0] != '\0' && r->cafile[0] == '\0')
		return mt_conf_fail(src, "raft.certfile",
				    "\"raft.certfile\" needs \"raft.cafile\": "
				    "the authorities that sign the members' "
				    "certificates");
	if (r->certfile[0] == '\0' &&
	    (r->cafile[0] != '\0' || r->keyfile[0] != '\0'))
		return mt_conf_fail(
		    src, r->cafile[0] != '\0' ? "raft.cafile" : "raft.keyfile",
		    "\"raft.%s\" is nothing without \"raft.certfile\"; add "
		    "this member's certificate",
		    r->cafile[0] != '\0' ? "cafile" : "keyfile");
	if (n > 0 && n < PASSWORD_BYTES)
		mt_conf_warn(src, "raft.password",
			     "\"raft.password\" is short: who records a "
			     "connection can try words against it; take %d "
			     "characters or more, as \"openssl rand -base64 "
			     "24\" makes them",
			     PASSWORD_BYTES);
	return 0;
}

/* Plain connections stay on this machine unless the user says so. */
static int
check_insecure(struct mt_conf_source *src, const struct mt_conf_raft *r)
{
	bool local = mt_addr_is_loopback(&r->self_addr) &&
		     mt_addr_is_loopback(&r->bind_addr);

	for (size_t i = 0; i < r->n; i++)
		local = local && mt_addr_is_loopback(&r->partner_addrs[i]);
	if (local || r->insecure || r->password[0] != '\0' ||
	    r->certfile[0] != '\0')
		return 0;
	return mt_conf_fail(
	    src, "raft",
	    "the members' connections reach beyond this machine and are not "
	    "encrypted; give all members the same \"password\" in section "
	    "\"raft\" (\"openssl rand -base64 24\" makes one), or \"certfile\" "
	    "and \"cafile\"; or protect their network and say so by "
	    "\"insecure: true\"");
}

static int
fill_self(struct mt_conf_source *src, struct mt_conf_raft *r)
{
	if (r->self_addr.port == 0)
		return mt_conf_missing(src, "raft.self_addr",
				       "self_addr: 10.0.0.1:7500");
	if (mt_addr_is_wildcard(&r->self_addr))
		return mt_conf_fail(src, "raft.self_addr",
				    "\"raft.self_addr\" is where the others "
				    "connect to; write this member's address "
				    "and put the wildcard into "
				    "\"raft.bind_addr\"");
	if (r->bind_addr.port == 0)
		r->bind_addr = r->self_addr;
	return 0;
}

int
mt_fill_raft(struct mt_conf_source *src, struct mt_conf *c)
{
	struct mt_conf_raft *r = &c->raft;
	int rc;

	r->present = mt_conf_lookup(src->root, "raft") != NULL;
	if (!r->present)
		return raft_missing(src, c);
	if (mt_conf_lookup(src->root, "raft.data_dir") == NULL &&
	    !mt_format(r->data_dir, sizeof(r->data_dir),
		       "/var/lib/matriarch/%s", c->scope))
		return mt_conf_fail(src, "scope", "\"scope\" is too long");
	rc = fill_self(src, r);
	rc |= mt_fill_directory(src, "raft.data_dir", r->data_dir);
	rc |= fill_partners(src, r);
	rc |= check_encryption(src, r);
	return rc != 0 ? MT_EINVAL : check_insecure(src, r);
}
