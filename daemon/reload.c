/* SPDX-License-Identifier: PostgreSQL */
/*
 * The configuration is read again, for SIGHUP and POST /reload. Happy path: a
 * worker reads the files, as they may lie on a volume that hangs; what came of
 * it takes the old one's place as soon as nothing works with that one; one line
 * says what changed and what has to wait, and the next turn goes by the new
 * one.
 *
 * Failure modes: a bad configuration is told with all its places, and the old
 * one stays. Asked again meanwhile, it is read once more afterwards. The
 * environment is that of the start: nobody can change it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "base/yaml.h"
#include "conf/change.h"
#include "conf/effective.h"
#include "daemon/encrypt.h"
#include "daemon/node_internal.h"

#define KEYS_BYTES 1024

/* Who wants to know whether it could be read. */
struct node_waiter {
	struct node_waiter *next;
	mt_reload_cb cb;
	void *arg;
};

struct node_reading {
	uv_work_t req;
	struct mt_node *n;
	/* the worker's own: it shares nothing with the loop */
	char file[MT_CONF_PATH_MAX];
	bool has_file;
	json_t *environment;
	struct mt_conf *conf;
	struct mt_tls *tls;       /* of conf; NULL: plain HTTP */
	struct mt_secure *secure; /* of conf; NULL: plain streams */
	struct mt_findings found;
};

static void
read_work(uv_work_t *req)
{
	struct node_reading *r = container_of(req, struct node_reading, req);

	if (mt_conf_read(&r->conf, r->has_file ? r->file : NULL, r->environment,
			 &r->found) != 0)
		r->conf = NULL;
	/* a certificate that is not good is an error of the configuration */
	if (r->conf != NULL &&
	    (mt_api_tls_read(r->conf, &r->tls, &r->found) != 0 ||
	     mt_encrypt_read(r->conf, &r->secure, &r->found) != 0)) {
		mt_tls_free(r->tls);
		r->tls = NULL;
		mt_conf_free(r->conf);
		r->conf = NULL;
	}
}

static void
answer(struct mt_node *n, int rv, const char *why)
{
	struct node_waiter *w, *next = n->reload_waiters;

	n->reload_waiters = NULL;
	while ((w = next) != NULL) {
		next = w->next;
		w->cb(w->arg, rv, why);
		free(w);
	}
}

static void
read_done(uv_work_t *req, int status)
{
	struct node_reading *r = container_of(req, struct node_reading, req);
	struct mt_node *n = r->n;
	struct mt_err err = {0};
	int rv = mt_findings_log(&r->found, &err);

	(void)status; /* nobody cancels it */
	n->reading = false;
	if (rv != 0) {
		mt_error("%s", err.text);
		mt_error("the configuration stays as it was: \"%s\" has %zu "
			 "error%s",
			 n->conf->file, r->found.n_errors,
			 r->found.n_errors == 1 ? "" : "s");
	} else {
		/* not taken yet, and old now */
		mt_conf_free(n->next_conf);
		mt_tls_free(n->next_tls);
		mt_secure_unref(n->next_secure);
		n->next_conf = r->conf;
		n->next_tls = r->tls;
		n->next_secure = r->secure;
		if (n->pg != NULL && mt_postgres_is_busy(n->pg))
			mt_info("the configuration was read; it is taken over "
				"when what is under way has ended");
	}
	mt_findings_release(&r->found);
	json_decref(r->environment);
	free(r);
	if (n->read_again && !n->closing) {
		n->read_again = false;
		node__reload(n, NULL, NULL);
		return; /* that one answers */
	}
	answer(n, rv, err.text);
	node__wake(n);
}

void
node__reload(struct mt_node *n, mt_reload_cb cb, void *arg)
{
	struct node_waiter *w;
	struct node_reading *r;

	if (cb != NULL) {
		w = calloc(1, sizeof(*w));
		MT_ASSERT(w != NULL);
		*w = (struct node_waiter){n->reload_waiters, cb, arg};
		n->reload_waiters = w;
	}
	/* What is being read now may be from before the change. */
	n->read_again = n->reading;
	if (n->reading)
		return;
	r = calloc(1, sizeof(*r));
	MT_ASSERT(r != NULL);
	r->n = n;
	r->has_file = n->conf->has_file;
	mt_copy(r->file, sizeof(r->file), n->conf->file);
	r->environment = json_deep_copy(n->conf->environment);
	n->reading = true;
	uv_queue_work(n->loop, &r->req, read_work, read_done);
}

/* ---- taking over ---- */

static void
say(const struct mt_conf_change *c)
{
	const struct {
		const char *words;
		const json_t *paths;
	} parts[] = {
	    {"changed", c->live},
	    {"waits for a restart of PostgreSQL", c->postgres},
	    {"waits for a restart of the daemon", c->start},
	    {"counts for a new cluster only", c->bootstrap},
	};
	char text[4 * KEYS_BYTES] = "", keys[KEYS_BYTES];
	size_t k = 0;

	for (size_t i = 0; i < MT_COUNT(parts); i++) {
		if (json_array_size(parts[i].paths) == 0)
			continue;
		mt_format(text + k, sizeof(text) - k, "%s%s: %s",
			  k > 0 ? "; " : "", parts[i].words,
			  mt_conf_keys(parts[i].paths, keys, sizeof(keys)));
		k += strlen(text + k);
	}
	mt_log(json_array_size(c->start) > 0 ? MT_LOG_WARNING : MT_LOG_INFO,
	       "the configuration was read again; %s",
	       k > 0 ? text : "nothing has changed");
}

/* True: the old one is used no more. */
static bool
take(struct mt_node *n, struct mt_conf *now)
{
	const struct mt_conf *old = n->conf;
	struct mt_conf_change c;
	bool can = mt_conf_succeed(old, now, &c);

	if (!can) {
		mt_error("the configuration stays as it was: section "
			 "\"postgresql\" %s, which needs a restart of the "
			 "daemon",
			 now->has_postgresql ? "is new" : "is gone");
	} else {
		say(&c);
		mt_log_configure(&now->log.options);
		n->conf = now;
		n->backend.conf = now;
		mt_api_secure(n->api, &now->restapi, n->next_tls);
		n->next_tls = NULL;
		node__encrypt(n, n->next_secure);
		n->next_secure = NULL;
		mt_api_reloaded(n->api);
		if (n->pg != NULL)
			mt_postgres_take(n->pg, now);
		if (n->callbacks != NULL)
			mt_callbacks_take(n->callbacks, now);
		n->settings_version = 0; /* take_settings goes on */
		n->unmet_said = false;
	}
	mt_conf_change_release(&c);
	return can;
}

void
node__reload_tick(struct mt_node *n)
{
	struct mt_conf *now = n->next_conf;

	if (now == NULL || (n->pg != NULL && mt_postgres_is_busy(n->pg)))
		return; /* tried with the next turn, which its end makes */
	n->next_conf = NULL;
	if (!take(n, now)) {
		mt_conf_free(now);
		mt_tls_free(n->next_tls);
		n->next_tls = NULL;
		mt_secure_unref(n->next_secure);
		n->next_secure = NULL;
		return;
	}
	mt_conf_free(n->own_conf);
	n->own_conf = now;
}

void
node__reload_close(struct mt_node *n)
{
	answer(n, MT_ECANCELED, "this daemon ends");
}

void
node__reload_free(struct mt_node *n)
{
	mt_conf_free(n->next_conf);
	mt_tls_free(n->next_tls);
	mt_secure_unref(n->next_secure);
	mt_conf_free(n->own_conf);
}

/* ---- the first document ---- */

/* bootstrap.dcs counts once; who edits it later is told, once a reading. */
void
node__say_unmet(struct mt_node *n)
{
	char keys[KEYS_BYTES] = "";
	json_t *list, *it;
	size_t i, k = 0;

	if (n->unmet_said || n->state.config == NULL)
		return;
	n->unmet_said = true;
	list = mt_conf_unmet(n->conf->bootstrap.dcs, n->state.config);
	json_array_foreach (list, i, it) {
		const char *at = json_string_value(json_object_get(it, "key"));
		const json_t *v = json_object_get(it, "value");
		json_t *shown = mt_conf_masked(at, v);
		char *text = mt_yaml_flow(shown);

		mt_format(keys + k, sizeof(keys) - k, "%s%s (%s%s)",
			  i > 0 ? ", " : "", at,
			  json_is_null(v) ? "not set" : "in force: ",
			  json_is_null(v) ? "" : text);
		k += strlen(keys + k);
		free(text);
		json_decref(shown);
	}
	if (k > 0)
		mt_warn("\"bootstrap.dcs\" of the configuration is read only "
			"while a cluster is made; the cluster has otherwise: "
			"%s; change it with \"matriarch edit-config\" or PATCH "
			"/config",
			keys);
	json_decref(list);
}
