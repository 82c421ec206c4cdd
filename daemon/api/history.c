/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /history: which timeline ended where, why, when and whom it made the
 * primary. An entry has as many elements as are known: three, with the time
 * four, with the name five. Of more than max_timelines_history the newest are
 * shown. The state keeps what it can hold: where an old timeline ended decides
 * whether a member that was down for long may follow, or has to be rewound.
 */
#include "daemon/api/internal.h"

#include "base/clock.h"

json_t *
api__history_document(const struct mt_view *view)
{
	const struct mt_state *s = view->state;
	int64_t most = view->settings->max_timelines_history;
	json_t *list = json_array();
	int first =
	    most > 0 && most < s->n_history ? s->n_history - (int)most : 0;

	for (int i = first; i < s->n_history; i++) {
		const struct mt_history *h = &s->history[i];
		json_t *entry = json_array();
		char at[MT_ISO_MAX];

		json_array_append_new(entry, json_integer(h->timeline));
		json_array_append_new(entry, json_integer((json_int_t)h->lsn));
		json_array_append_new(entry, json_string(h->reason));
		if (h->at_ms != 0) {
			json_array_append_new(
			    entry, json_string(mt_wall_iso(at, h->at_ms)));
			if (*h->new_leader != '\0')
				json_array_append_new(
				    entry, json_string(h->new_leader));
		}
		json_array_append_new(list, entry);
	}
	return list;
}

void
api__get_history(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	struct mt_view view;

	b->view(b->arg, &view);
	api__respond_json(r, 200, api__history_document(&view));
}
