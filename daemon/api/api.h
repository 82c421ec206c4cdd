/* SPDX-License-Identifier: PostgreSQL */
/*
 * The REST API of a node: health checks for load balancers, status documents,
 * switchover; matriarch-api(7) is its manual. Answers come from memory, at the
 * time of the request, and wait for nothing but a switchover's outcome.
 */
#ifndef MT_DAEMON_API_API_H
#define MT_DAEMON_API_API_H

#include <stdint.h>

#include <uv.h>

#include "base/err.h"
#include "daemon/api/backend.h"

struct mt_api;

/* backend is borrowed and outlives the API. host as in restapi.listen: "*" or
 * "" = all addresses; port 0 = any free one. On error nothing listens. */
int mt_api_start(struct mt_api **api, uv_loop_t *loop, const char *host,
		 uint16_t port, const struct mt_api_backend *backend,
		 struct mt_err *err) MT_MUSTCHECK;

/* The port that it listens on. */
uint16_t mt_api_port(const struct mt_api *api);

/* backend->conf has changed: what follows it goes by the new one. */
void mt_api_reloaded(struct mt_api *api);

/* Requests that wait are answered with 503. cb is the last callback; the
 * memory is gone after it. Proposals under way need not have ended: their
 * callback may still come, even after cb. */
void mt_api_close(struct mt_api *api, void (*cb)(void *arg), void *arg);

#endif
