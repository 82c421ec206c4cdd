/* SPDX-License-Identifier: PostgreSQL */
/*
 * Fields of JSON objects to and from the core's structs: for commands and for
 * snapshots. A getter leaves its target alone where the key is absent, and sets
 * *bad where it has the wrong type or does not fit. Numbers of 64 bits that may
 * pass 2^63 (ids) are written as signed, and read back as they were.
 */
#ifndef MT_CORE_JSON_FIELDS_H
#define MT_CORE_JSON_FIELDS_H

#include <jansson.h>

#include "core/state.h"

void mt_jset_u64(json_t *o, const char *key, uint64_t v);
void mt_jset_i64(json_t *o, const char *key, int64_t v);
void mt_jset_bool(json_t *o, const char *key, bool v);
void mt_jset_str(json_t *o, const char *key, const char *v);
void mt_jset_position(json_t *o, const char *key, struct mt_position v);

void mt_jget_u64(const json_t *o, const char *key, uint64_t *v, bool *bad);
void mt_jget_u32(const json_t *o, const char *key, uint32_t *v, bool *bad);
void mt_jget_i64(const json_t *o, const char *key, int64_t *v, bool *bad);
void mt_jget_bool(const json_t *o, const char *key, bool *v, bool *bad);
void mt_jget_str(const json_t *o, const char *key, char *buf, size_t size,
		 bool *bad);
void mt_jget_position(const json_t *o, const char *key, struct mt_position *v,
		      bool *bad);

/* The object (array) under this key, NULL where absent; anything else is bad.
 */
const json_t *mt_jget_object(const json_t *o, const char *key, bool *bad);
const json_t *mt_jget_array(const json_t *o, const char *key, bool *bad);

json_t *mt_member_to_json(const struct mt_member *m);
void mt_member_from_json(const json_t *o, struct mt_member *m, bool *bad);
json_t *mt_sync_to_json(const struct mt_sync *sync);
void mt_sync_from_json(const json_t *o, struct mt_sync *sync, bool *bad);
json_t *mt_history_to_json(const struct mt_history *h);
void mt_history_from_json(const json_t *o, struct mt_history *h, bool *bad);
/* Fields "by" and "by_from" of the object that it is part of; none where nobody
 * asked. */
void mt_jset_origin(json_t *o, const struct mt_origin *by);
void mt_jget_origin(const json_t *o, struct mt_origin *by, bool *bad);
/* Three fields of the object that it is part of. */
void mt_jset_loss(json_t *o, const struct mt_loss *l);
void mt_jget_loss(const json_t *o, struct mt_loss *l, bool *bad);
json_t *mt_decision_to_json(const struct mt_decision *d);
void mt_decision_from_json(const json_t *o, struct mt_decision *d, bool *bad);

#endif
