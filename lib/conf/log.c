/* SPDX-License-Identifier: PostgreSQL */
/*
 * Section log. Happy path: type, format and static fields become one format,
 * level and loggers one filter, the rest is copied. Failure modes: a pattern,
 * a level or a mode that cannot be obeyed is an error at its place; a logger
 * that is not here, as those of the incumbent's modules, is warned of and
 * ignored, and so is a list of fields for plain lines. Opens nothing.
 */
#include "conf/log.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/fill.h"
#include "conf/options.h"

#define PATH_BYTES 256
#define MODE_MAX 0777

/* In the order of the table's words. */
static const enum mt_log_level levels[] = {
    MT_LOG_DEBUG,    MT_LOG_INFO,    MT_LOG_WARNING,  MT_LOG_ERROR,
    MT_LOG_CRITICAL, MT_LOG_WARNING, MT_LOG_CRITICAL,
};

/* ---- formats ---- */

/* One item of a list: "message", or {asctime: printed name}. */
static int
add_item(struct mt_log_format *f, json_t *item, struct mt_err *err)
{
	const char *name;
	json_t *printed;
	int rv = 0;

	if (json_is_string(item))
		return mt_log_format_field(f, json_string_value(item),
					   json_string_value(item), err);
	if (!json_is_object(item) || json_object_size(item) == 0)
		rv = MT_EINVAL;
	json_object_foreach (item, name, printed) {
		if (rv == 0 && json_is_string(printed))
			rv = mt_log_format_field(
			    f, name, json_string_value(printed), err);
		else if (rv == 0)
			rv = MT_EINVAL;
		if (rv != 0 && json_is_string(printed))
			return rv;
	}
	if (rv != 0)
		return mt_err_set(err, rv,
				  "an item must be the name of a field, or "
				  "\"field: printed name\"");
	return 0;
}

static void
list_of_fields(struct mt_conf_source *src, const json_t *list,
	       struct mt_log_format *f)
{
	const struct mt_yaml_place *place;
	char path[PATH_BYTES];
	struct mt_err why;
	json_t *item;
	size_t i;

	if (json_array_size(list) == 0)
		mt_conf_fail(src, "log.format",
			     "\"log.format\" is empty; name the fields of a "
			     "record, as in \"[asctime, levelname, message]\"");
	json_array_foreach ((json_t *)list, i, item) {
		if (add_item(f, item, &why) == 0)
			continue;
		mt_format(path, sizeof(path), "log.format[%zu]", i);
		if (mt_conf_source_part(src, path, src->n, &place) == NULL)
			mt_copy(path, sizeof(path), "log.format");
		mt_conf_fail(src, path, "\"log.format\": %s", why.text);
	}
}

static void
fill_json(struct mt_conf_source *src, const json_t *v, struct mt_log_format *f)
{
	struct mt_err why;
	int rv = 0;

	f->json = true;
	if (json_is_array(v))
		list_of_fields(src, v, f);
	else if (json_is_object(v))
		rv = add_item(f, (json_t *)v, &why);
	else if (v == NULL || json_is_string(v))
		rv = mt_log_format_json(
		    f, v != NULL ? json_string_value(v) : MT_LOG_PATTERN, &why);
	else
		rv = mt_err_set(&why, MT_EINVAL,
				"it must be text or a list of fields");
	if (rv != 0)
		mt_conf_fail(src, "log.format", "\"log.format\": %s", why.text);
}

static void
fill_plain(struct mt_conf_source *src, const json_t *v, struct mt_log_format *f)
{
	const char *pattern = json_string_value(v);
	struct mt_err why;

	if (v != NULL && pattern == NULL)
		mt_conf_warn(src, "log.format",
			     "\"log.format\" must be text where \"log.type\" "
			     "is plain; it is ignored");
	if (mt_log_format_plain(f, pattern != NULL ? pattern : MT_LOG_PATTERN,
				&why) != 0)
		mt_conf_fail(src, "log.format", "\"log.format\": %s", why.text);
}

static void
fill_fixed(struct mt_conf_source *src, struct mt_log_format *f)
{
	json_t *fields = mt_conf_lookup(src->root, "log.static_fields"), *v;
	char path[PATH_BYTES];
	struct mt_err why;
	const char *key;

	json_object_foreach (fields, key, v) {
		char *text = json_dumps(v, JSON_ENCODE_ANY);

		MT_ASSERT(text != NULL);
		mt_format(path, sizeof(path), "log.static_fields.%s", key);
		if (mt_log_format_fixed(f, key, text, &why) != 0)
			mt_conf_fail(src, path, "\"log.static_fields\": %s",
				     why.text);
		free(text);
	}
}

static void
fill_format(struct mt_conf_source *src, struct mt_conf_log *log)
{
	const json_t *v = mt_conf_lookup(src->root, "log.format");
	struct mt_log_format *f = &log->options.format;
	struct mt_err why;

	if (mt_log_format_dates(f, log->dateformat, &why) != 0)
		mt_conf_fail(src, "log.dateformat", "\"log.dateformat\": %s",
			     why.text);
	if (log->type == 0) {
		fill_plain(src, v, f);
		return;
	}
	fill_json(src, v, f);
	fill_fixed(src, f);
}

/* ---- levels ---- */

/* The incumbent's name of all of it is ours, too. */
static const char *
own_name(const char *name)
{
	return mt_streq(name, "patroni") ? "matriarch" : name;
}

static void
fill_levels(struct mt_conf_source *src, struct mt_conf_log *log)
{
	const struct mt_option *o = mt_option_find(MT_OPT_LOCAL, "log.level");
	json_t *loggers = mt_conf_lookup(src->root, "log.loggers"), *v;
	struct mt_log_filter *f = &log->options.filter;
	char path[PATH_BYTES];
	const char *name;
	int64_t word;

	f->level = levels[log->level];
	json_object_foreach (loggers, name, v) {
		mt_format(path, sizeof(path), "log.loggers.%s", name);
		if (mt_option_value(o, v, &word) != 0)
			mt_conf_fail(src, path,
				     "the level of logger \"%s\" must be %s",
				     name, mt_option_wants(o));
		else if (!mt_log_is_known(own_name(name)))
			mt_conf_unknown(src, path,
					"there is no logger \"%s\", and it is "
					"ignored; matriarch.yml(5), LOGGERS, "
					"tells which there are",
					name);
		else if (!mt_log_filter_add(f, own_name(name), levels[word]))
			mt_conf_fail(src, path,
				     "\"log.loggers\" has more than %d loggers",
				     MT_LOG_LOGGERS_MAX);
	}
}

/* ---- the file ---- */

static void
fill_file(struct mt_conf_source *src, struct mt_conf_log *log)
{
	const json_t *v = mt_conf_lookup(src->root, "log.mode");
	const struct mt_option *o = mt_option_find(MT_OPT_LOCAL, "log.mode");
	int64_t mode = -1;

	if (log->dir[0] != '\0')
		(void)mt_fill_directory(src, "log.dir", log->dir);
	if (v != NULL && mt_option_value(o, v, &mode) == 0 &&
	    (mode < 0 || mode > MODE_MAX))
		mt_conf_fail(src, "log.mode",
			     "\"log.mode\" must be a mode in octal, as in "
			     "\"0644\"");
	mt_copy(log->options.dir, sizeof(log->options.dir), log->dir);
	log->options.mode = (int)mode;
	log->options.file_num = log->file_num;
	log->options.file_size_bytes = log->file_size_bytes;
	log->options.max_queue_size = log->max_queue_size;
}

void
mt_fill_log(struct mt_conf_source *src, struct mt_conf_log *log)
{
	fill_format(src, log);
	fill_levels(src, log);
	fill_file(src, log);
}
