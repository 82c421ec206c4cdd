/* SPDX-License-Identifier: PostgreSQL */
/*
 * Shared by the files of this folder, one a resource. A resource handler gets
 * the request and answers it by one of the api__respond functions, or keeps it.
 */
#ifndef MT_DAEMON_API_INTERNAL_H
#define MT_DAEMON_API_INTERNAL_H

#include <jansson.h>

#include "base/net.h"
#include "daemon/api/api.h"
#include "daemon/api/health.h"
#include "http/server.h"

struct api__switchover;
struct api__change;
struct api__keeper;
struct api__agent;
struct api__events;
struct api__names;
struct api__errand;

struct mt_api {
	const struct mt_api_backend *backend;
	struct mt_http_server *http;
	uv_timer_t timer; /* the earliest deadline of those that wait */
	struct api__switchover *switchovers;
	struct api__change *changes;
	struct api__keeper *keeper; /* of the certificate; NULL: plain HTTP */
	struct api__agent *agent;
	int open_parts; /* while closing: the server with the streams of
			 * events, and the agent */
	struct api__events *events;
	/* gate.c */
	const struct mt_conf *conf; /* as last looked at */
	struct api__names *names;
	int64_t refused_ms; /* when it was said last */
	unsigned refused_unsaid;
	struct api__errand *errands;
	void (*closed_cb)(void *arg);
	void *closed_arg;
};

typedef void (*api__handler)(struct mt_api *api, struct mt_http_request *r);

/* router.c */
void api__route(void *api, struct mt_http_request *r);
/* A row of its table, for tests; second NULL = whatever comes. */
struct api__route_row {
	const char *segment, *second, *method;
};
/* false: there are not so many. */
bool api__route_row(size_t i, struct api__route_row *row);

/* gate.c: may this request, "switchover", be handed on? false: answered. */
bool api__admit(struct mt_api *api, struct mt_http_request *r,
		const char *what);
/* Who asks, "-" where nobody has to say, and from which address. For a request
 * that was admitted. */
void api__origin(const struct mt_api *api, const struct mt_http_request *r,
		 struct mt_origin *by);
/* Headers and warnings of the configuration, if it is a new one. */
void api__gate_open(struct mt_api *api);
/* Something changed: is it the configuration, or the members? Until the first
 * look an allowlist lets nobody pass. */
void api__gate_look(struct mt_api *api);
/* May everybody who reaches the API change the cluster? */
bool api__is_open(const struct mt_conf *conf);

/* names.c */
struct api__names *api__names_new(uv_loop_t *loop);
/* What is looked up is forgotten by its own callback, later. */
void api__names_free(struct api__names *names);
void api__names_look(struct api__names *names, const struct mt_conf *conf,
		     const struct mt_state *state);
/* Look names up again, if that was not done just now. */
void api__names_refresh(struct api__names *names);
/* Borrowed until the next look or turn of the loop. */
const struct mt_net *api__names_nets(const struct api__names *names,
				     bool of_members, size_t *n);

/* respond.c: doc is taken */
void api__respond_json(struct mt_http_request *r, int status, json_t *doc);
void api__respond_text(struct mt_http_request *r, int status, const char *fmt,
		       ...) MT_PRINTF(3, 4);
void api__respond_empty(struct mt_http_request *r, int status,
			const char *header, const char *value);
json_t *api__json_number(uint64_t n);
/* A 64-bit identity as 16 hex digits: JSON's numbers are too short for it. */
json_t *api__json_id(uint64_t id);
/* NULL for "" */
json_t *api__json_name(const char *name);

/* health_check.c: the check of a path; path has one leading slash */
void api__health(struct mt_api *api, struct mt_http_request *r,
		 const char *path);
/* The facts that health checks and documents share. */
void api__health_input(const struct mt_api *api, const struct mt_view *view,
		       struct mt_health_input *in);

/* agent_check.c: opened by what the configuration says; looked up again after
 * that has changed. */
struct api__agent *api__agent_new(const struct mt_api *api, uv_loop_t *loop);
void api__agent_configure(struct api__agent *agent);
/* Where it listens, borrowed, or NULL. */
const struct mt_addr *api__agent_address(const struct api__agent *agent);
/* Nobody is answered any more. cb is the last callback. */
void api__agent_close(struct api__agent *agent, void (*cb)(void *arg),
		      void *arg);
/* events.c: the streams of GET /events */
struct api__events *api__events_new(uv_loop_t *loop);
void api__get_events(struct mt_api *api, struct mt_http_request *r);
/* Something changed: whom does it have to be told? */
void api__events_look(struct mt_api *api);
/* End all streams: the daemon ends. */
void api__events_end(struct mt_api *api);
/* Free all of it, after the HTTP server; cb is called later. */
void api__events_close(struct api__events *ev, void (*cb)(void *arg),
		       void *arg);

/* event_picture.c: the present as api__events_diff knows it, a new reference;
 * decisions are taken from the cache while the log stands. *until_ms is when
 * this node's role ends by itself, 0 = not. */
struct api__picture_cache {
	uint64_t index; /* of the log */
	json_t *decisions;
};
json_t *api__picture(const struct mt_api *api, const struct mt_view *view,
		     struct api__picture_cache *cache, int64_t *until_ms);

/* ui.c */
void api__get_ui(struct mt_api *api, struct mt_http_request *r);

/* status.c */
/* The state of this node's PostgreSQL, in the words of the documents. */
const char *api__state_text(const struct mt_view *view, bool accepting);
json_t *api__status_document(const struct mt_api *api,
			     const struct mt_view *view,
			     const struct mt_health_input *in);
/* Tags less those that say the default: a new reference, NULL if none is
 * left. Of a node that is about to stop they say that no commit is to wait for
 * it. */
json_t *api__effective_tags(const json_t *tags, bool stopping);
void api__get_patroni(struct mt_api *api, struct mt_http_request *r);

/* cluster.c */
void api__get_cluster(struct mt_api *api, struct mt_http_request *r);
/* A member with data as the document lists it; a new reference. */
json_t *api__member_document(const struct mt_view *view,
			     const struct mt_member *m);
/* The newest report of a member, or NULL if it is silent. */
const struct mt_report *api__report(const struct mt_view *view,
				    const char *name);
/* Who holds the turn, or NULL. */
const struct mt_member *api__leader(const struct mt_view *view);
/* "sync_standby" or "quorum_standby", as the mode is, if commits wait for this
 * member's confirmation; else NULL. */
const char *api__sync_role(const struct mt_view *view, const char *name);
/* The furthest LSN known of the primary; 0 = unknown. */
uint64_t api__leader_lsn(const struct mt_view *view);
/* Whether a restart is waited for, and why; report may be NULL. */
void api__put_pending(json_t *o, const struct mt_report *report);
/* As api__effective_tags, of a member. */
json_t *api__member_tags(const struct mt_view *view, const struct mt_member *m);
/* "streaming" or "in archive recovery" of a standby that runs, or NULL. */
const char *api__replication_state(const struct mt_report *report);
/* The same, or the state of PostgreSQL. */
const char *api__member_state(const struct mt_view *view,
			      const struct mt_member *m);

/* history.c: a new reference */
json_t *api__history_document(const struct mt_view *view);
void api__get_history(struct mt_api *api, struct mt_http_request *r);

/* decisions.c */
void api__get_decisions(struct mt_api *api, struct mt_http_request *r);
/* One of them; a new reference. */
json_t *api__decision_document(const struct mt_decision *d);
/* Verdicts as a list of objects; a new reference. */
json_t *api__verdicts(const struct mt_verdict *v, int n);

/* forecast.c */
void api__get_forecast(struct mt_api *api, struct mt_http_request *r);

/* metrics.c */
void api__get_metrics(struct mt_api *api, struct mt_http_request *r);

/* openapi.c */
void api__get_openapi(struct mt_api *api, struct mt_http_request *r);

/* config.c */
void api__get_config(struct mt_api *api, struct mt_http_request *r);
/* GET /config/effective */
void api__get_config_effective(struct mt_api *api, struct mt_http_request *r);
/* config_change.c: PATCH and PUT */
void api__change_config(struct mt_api *api, struct mt_http_request *r);
/* Something changed: does it answer those that wait? */
void api__changes_look(struct mt_api *api);
/* Answer all that wait: the daemon ends. */
void api__changes_end(struct mt_api *api);

/* reload.c */
void api__post_reload(struct mt_api *api, struct mt_http_request *r);

/* tls.c: the keeper is no more */
void api__unkeep(struct mt_api *api);

/* courtesy.c */
void api__post_sigterm(struct mt_api *api, struct mt_http_request *r);
void api__post_mpp(struct mt_api *api, struct mt_http_request *r);
/* restart.c */
void api__post_restart(struct mt_api *api, struct mt_http_request *r);
/* restart_schedule.c: for later (body was parsed); and not at all */
void api__schedule_restart(struct mt_api *api, struct mt_http_request *r,
			   const struct mt_view *view, const json_t *body);
void api__delete_restart(struct mt_api *api, struct mt_http_request *r);
/* The scheduled restart, if there is one; report may be NULL. */
void api__put_scheduled(json_t *o, const struct mt_report *report);
/* Something changed: does it answer those that wait? */
void api__errands_look(struct mt_api *api);
/* Answer all that wait: the daemon ends. */
void api__errands_end(struct mt_api *api);

/* reinitialize.c */
void api__post_reinitialize(struct mt_api *api, struct mt_http_request *r);

/* raft.c */
void api__get_raft(struct mt_api *api, struct mt_http_request *r);

/* raft_state.c */
void api__get_raft_state(struct mt_api *api, struct mt_http_request *r);

/* switchover.c */
void api__post_switchover(struct mt_api *api, struct mt_http_request *r);
void api__post_failover(struct mt_api *api, struct mt_http_request *r);
void api__delete_switchover(struct mt_api *api, struct mt_http_request *r);
/* Something changed, or a deadline passed: does it answer those that wait? */
void api__switchovers_look(struct mt_api *api);
/* Answer all that wait: the daemon ends. */
void api__switchovers_end(struct mt_api *api);

/* What a body asks for; strings are borrowed from it. */
struct api__ask {
	bool failover; /* without a leader: to this candidate in any case */
	bool dry_run;
	bool accept_loss;
	const char *leader, *candidate; /* "" = none */
	int64_t scheduled_ms;           /* wall clock, 0 = now */
};

/* switchover_check.c: the body into a, whose failover says which resource it
 * was. false: answered. */
bool api__check_body(struct mt_http_request *r, const struct mt_view *view,
		     const json_t *body, struct api__ask *a);
/* The checks against the cluster: why it cannot be, or "". */
void api__check_cluster(const struct mt_view *view, const struct api__ask *a,
			char *why, size_t size);

/* preview.c: what would come of it, a new reference; refusal "" = it would be
 * taken */
json_t *api__preview_document(const struct mt_view *view,
			      const struct mt_request *request,
			      const char *refusal);

#endif
