/* SPDX-License-Identifier: PostgreSQL */
/*
 * The certificate of the REST API. Happy path: the places of its files are
 * watched; when the kernel tells of a change, a worker waits a moment, for
 * certificate and key are two files, reads all of them and follows their names
 * anew. Where the bytes are new and fit together, connections from then on get
 * the new ones. The places may be others now: then they are watched, and all is
 * read once more, so that no change falls between reading and watching.
 *
 * Failure modes: what is bad is told once for each change, and the old
 * certificate stays. Where the kernel cannot watch, that is said, and a reload
 * is what remains. A volume that hangs holds one worker.
 *
 * A keeper lives from one mt_api_secure to the next, and its reading may
 * outlive it.
 */
#include "daemon/api/tls.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"
#include "conf/source.h"
#include "daemon/api/internal.h"
#include "http/watch.h"

#define SETTLE_MS 300 /* between a change and reading */
#define WARN_DAYS 14
#define DAY_S (24 * 60 * 60)

struct reading {
	uv_work_t req;
	struct api__keeper *keeper; /* NULL: nobody wants it any more */
	struct mt_conf_restapi conf;
	/* the worker's */
	struct mt_tls *tls;
	struct mt_err err;
	struct mt_watch_places *places;
};

struct api__keeper {
	uv_timer_t settle;
	uv_loop_t *loop;
	struct mt_http_server *http;
	struct mt_conf_restapi conf;
	struct mt_tls *tls;
	struct mt_watch *watch;
	struct reading *reading; /* NULL: none is under way */
	bool again;              /* a change came meanwhile */
	char complaint[512];     /* the last one, said */
};

void
mt_api_tls_files(const struct mt_conf_restapi *c, struct mt_tls_files *f)
{
	*f = (struct mt_tls_files){
	    .section = "restapi",
	    .certfile = c->certfile,
	    .keyfile = c->keyfile,
	    .keyfile_password = c->keyfile_password,
	    .cafile = c->cafile,
	    .ciphers = c->ciphers,
	    .verify_client = (enum mt_tls_verify)c->verify_client,
	};
}

int
mt_api_tls_read(const struct mt_conf *c, struct mt_tls **tls,
		struct mt_findings *found)
{
	struct mt_findings *before = c->source->found;
	struct mt_tls_files files;
	struct mt_err err;
	const char *at;
	char path[64];

	mt_api_tls_files(&c->restapi, &files);
	if (files.certfile[0] == '\0' ||
	    mt_tls_new(tls, &files, &at, &err) == 0)
		return 0;
	mt_format(path, sizeof(path), "restapi.%s", at);
	c->source->found = found;
	mt_conf_fail(c->source, path, "%s", err.text);
	c->source->found = before;
	return MT_EINVAL;
}

static int64_t
days_left(const struct mt_tls *tls)
{
	int64_t left_s = mt_tls_ends_s(tls) - (int64_t)time(NULL);

	return left_s >= 0 ? left_s / DAY_S : -((-left_s + DAY_S - 1) / DAY_S);
}

static void
say_new(const struct mt_tls *tls)
{
	mt_info("new connections to the REST API get the certificate of %s, "
		"%lld days left",
		mt_tls_name(tls), (long long)days_left(tls));
}

static void
say_days(const struct mt_tls *tls)
{
	int64_t days = days_left(tls);

	if (days < 0)
		mt_warn("the certificate of the REST API (%s) has ended %lld "
			"days ago; clients that verify it refuse to connect",
			mt_tls_name(tls), -(long long)days);
	else if (days < WARN_DAYS)
		mt_warn("the certificate of the REST API (%s) ends in %lld "
			"days; renew the file \"restapi.certfile\", it is read "
			"by itself",
			mt_tls_name(tls), (long long)days);
}

/* ---- reading ---- */

static void
read_work(uv_work_t *req)
{
	struct reading *r = container_of(req, struct reading, req);
	const char *const paths[] = {r->conf.certfile, r->conf.keyfile,
				     r->conf.cafile};
	struct mt_tls_files files;

	mt_api_tls_files(&r->conf, &files);
	if (mt_tls_new(&r->tls, &files, NULL, &r->err) != 0)
		r->tls = NULL;
	r->places = mt_watch_look(paths, MT_COUNT(paths));
}

static void
take(struct api__keeper *k, struct reading *r)
{
	if (r->tls == NULL) {
		if (!mt_streq(k->complaint, r->err.text))
			mt_error("%s; the certificate of the REST API stays as "
				 "it was",
				 r->err.text);
		mt_copy(k->complaint, sizeof(k->complaint), r->err.text);
		return;
	}
	k->complaint[0] = '\0';
	if (mt_tls_same(k->tls, r->tls))
		return;
	mt_tls_free(k->tls);
	k->tls = r->tls;
	r->tls = NULL;
	mt_http_secure(k->http, k->tls);
	say_new(k->tls);
	say_days(k->tls);
}

static void start_reading(struct api__keeper *k);

static void
read_done(uv_work_t *req, int status)
{
	struct reading *r = container_of(req, struct reading, req);
	struct api__keeper *k = r->keeper;

	(void)status; /* nobody cancels it */
	if (k != NULL) {
		const struct mt_watch_places *old = mt_watch_get(k->watch);
		bool moved =
		    k->again || old == NULL || !mt_watch_same(old, r->places);

		k->reading = NULL;
		take(k, r);
		if (moved) {
			k->again = false;
			if (mt_watch_set(k->watch, r->places) > 0 &&
			    old == NULL)
				mt_warn("the directories of the REST API's "
					"certificate cannot all be watched; "
					"after a change of the files ask for a "
					"reload");
			r->places = NULL;
			start_reading(k);
		}
	}
	mt_tls_free(r->tls);
	mt_watch_forget(r->places);
	explicit_bzero(&r->conf, sizeof(r->conf));
	free(r);
}

static void
start_reading(struct api__keeper *k)
{
	struct reading *r = calloc(1, sizeof(*r));

	MT_ASSERT(r != NULL);
	r->keeper = k;
	r->conf = k->conf;
	k->reading = r;
	uv_queue_work(k->loop, &r->req, read_work, read_done);
}

static void
on_settled(uv_timer_t *timer)
{
	struct api__keeper *k = container_of(timer, struct api__keeper, settle);

	/* A directory that was moved is another one under the same name: watch
	 * anew in any case, which is what again brings. */
	k->again = true;
	if (k->reading == NULL)
		start_reading(k);
}

/* The first change sets the time: no stream of them may put it off. */
static void
on_change(void *arg)
{
	struct api__keeper *k = arg;

	if (!uv_is_active((uv_handle_t *)&k->settle))
		uv_timer_start(&k->settle, on_settled, SETTLE_MS, 0);
}

/* ---- life ---- */

static void
on_closed(uv_handle_t *handle)
{
	struct api__keeper *k =
	    container_of((uv_timer_t *)handle, struct api__keeper, settle);

	explicit_bzero(&k->conf, sizeof(k->conf));
	free(k);
}

void
api__unkeep(struct mt_api *api)
{
	struct api__keeper *k = api->keeper;

	api->keeper = NULL;
	if (k == NULL)
		return;
	if (k->reading != NULL)
		k->reading->keeper = NULL;
	mt_watch_free(k->watch);
	mt_tls_free(k->tls);
	uv_close((uv_handle_t *)&k->settle, on_closed);
}

void
mt_api_secure(struct mt_api *api, const struct mt_conf_restapi *c,
	      struct mt_tls *tls)
{
	struct api__keeper *k = api->keeper;

	if (tls != NULL && (k == NULL || !mt_tls_same(k->tls, tls)))
		say_new(tls);
	api__unkeep(api);
	mt_http_secure(api->http, tls);
	if (tls == NULL)
		return;
	k = calloc(1, sizeof(*k));
	MT_ASSERT(k != NULL);
	k->loop = api->timer.loop;
	k->http = api->http;
	k->conf = *c;
	k->tls = tls;
	uv_timer_init(k->loop, &k->settle);
	k->watch = mt_watch_new(k->loop, on_change, k);
	api->keeper = k;
	say_days(tls);
	start_reading(k);
}

bool
mt_api_certificate_days(const struct mt_api *api, int64_t *days)
{
	if (api->keeper == NULL)
		return false;
	*days = days_left(api->keeper->tls);
	return true;
}
