/* SPDX-License-Identifier: PostgreSQL */
/*
 * TLS of the REST API in a running daemon: what the configuration says of it,
 * and the certificate that is served as long as its files may change.
 */
#ifndef MT_DAEMON_API_TLS_H
#define MT_DAEMON_API_TLS_H

#include "conf/conf.h"
#include "daemon/api/api.h"
#include "base/tls.h"

/* What restapi says; strings are borrowed from it. Without a certfile the API
 * speaks plain HTTP. */
void mt_api_tls_files(const struct mt_conf_restapi *c, struct mt_tls_files *f);

/* Make what c says, or nothing where the API speaks plain HTTP. What is bad is
 * added to found with its place: MT_EINVAL then. Any thread. */
int mt_api_tls_read(const struct mt_conf *c, struct mt_tls **tls,
		    struct mt_findings *found) MT_MUSTCHECK;

/*
 * Connections that come from now on are served as c says, with tls, which is
 * taken and was made of c's files; NULL: plain HTTP. Until the next call, or
 * mt_api_close, files that change are read again by themselves, and taken over
 * when they are good. Copies what it needs of c.
 */
void mt_api_secure(struct mt_api *api, const struct mt_conf_restapi *c,
		   struct mt_tls *tls);

/* Days until the certificate that is served ends, rounded down, below 0 where
 * it has; false: there is none. */
bool mt_api_certificate_days(const struct mt_api *api, int64_t *days);

#endif
