/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch config explain [KEY]: what is in force on the member whose file
 * this is, and why, from its GET /config/effective. Only that member is asked:
 * what another one has in force says nothing about it.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/yaml.h"
#include "cli/members.h"
#include "cli/table.h"
#include "conf/options.h"

/* A key itself, or one in the section of that name. */
static bool
is_meant(const json_t *option, const char *key)
{
	const char *its = mt_text_of(option, "key");
	size_t n;

	if (key == NULL)
		return true;
	n = strlen(key);
	return strncmp(its, key, n) == 0 && (its[n] == '\0' || its[n] == '.');
}

static bool
is_without_effect(const char *key)
{
	const struct mt_option *o = mt_option_find(MT_OPT_BOTH, key);

	return o != NULL && !o->effective;
}

static void
line(const char *what, const char *source, const json_t *value)
{
	char *text = value != NULL ? mt_yaml_flow(value) : NULL;

	printf("  %-12s%s%s%s\n", what, source,
	       source[0] != '\0' && text != NULL ? ": " : "",
	       text != NULL ? text : "");
	free(text);
}

/* One option, in words. */
static void
tell(const json_t *o)
{
	char *value = mt_yaml_flow(json_object_get(o, "value"));
	const char *waits = mt_text_of(o, "waits_for");
	const json_t *it;
	size_t i;

	printf("%s: %s\n", mt_text_of(o, "key"), value);
	free(value);
	line("from", mt_text_of(o, "source"), NULL);
	json_array_foreach (json_object_get(o, "overridden"), i, it)
		line("overrides", mt_text_of(it, "source"),
		     json_object_get(it, "value"));
	if (json_object_get(o, "default") != NULL)
		line("default", "", json_object_get(o, "default"));
	if (waits[0] == '\0')
		return;
	line("waits for",
	     mt_streq(waits, "daemon") ? "a restart of the daemon"
				       : "a restart of PostgreSQL",
	     NULL);
	if (json_object_get(o, "new") != NULL)
		line("then", mt_text_of(o, "new_source"),
		     json_object_get(o, "new"));
}

static void
print_table(const json_t *options, enum mt_format format)
{
	static const char *const keys[] = {"key", "value", "source",
					   "waits_for"};
	struct mt_table t;
	json_t *o;
	size_t i;

	mt_table_init(&t);
	mt_table_column(&t, "Key", NULL, 0);
	mt_table_column(&t, "Value", NULL, 0);
	mt_table_column(&t, "Source", NULL, 0);
	mt_table_column(&t, "Waits for", NULL, 0);
	json_array_foreach ((json_t *)options, i, o) {
		mt_table_row(&t);
		for (size_t k = 0; k < MT_COUNT(keys); k++)
			mt_table_put(&t,
				     json_incref(json_object_get(o, keys[k])));
	}
	mt_table_print(&t, format, stdout);
	mt_table_release(&t);
}

/* The whole of what was answered, for programs. */
static void
print_data(const json_t *options, enum mt_format format)
{
	char *text = format == MT_FORMAT_JSON ? json_dumps(options, 0)
					      : mt_yaml_block(options);

	MT_ASSERT(text != NULL);
	printf("%s%s", text, format == MT_FORMAT_JSON ? "\n" : "");
	free(text);
}

static int
fetch(struct mt_cli *cli, json_t **doc, struct mt_err *err)
{
	struct mt_http_reply reply = {0};
	char url[MT_ADDR_MAX + 32];
	int rv;

	mt_cli_own_url(cli, "/config/effective", url, sizeof(url));
	rv = mt_http_get_url(cli->http, url, MT_CLI_TIMEOUT_MS, &reply, err);
	if (rv == 0)
		rv = mt_http_json(&reply, doc, err);
	mt_http_reply_release(&reply);
	return rv;
}

static int
explain(struct mt_cli *cli, const char *key, enum mt_format format)
{
	json_t *doc, *chosen = json_array(), *o;
	struct mt_err err;
	int status = MT_EXIT_DONE;
	size_t i;

	MT_ASSERT(chosen != NULL);
	if (mt_cli_open(cli, &err) != 0 || fetch(cli, &doc, &err) != 0) {
		json_decref(chosen);
		return mt_cli_fail(&err);
	}
	json_array_foreach (json_object_get(doc, "options"), i, o)
		if (is_meant(o, key))
			json_array_append(chosen, o);
	if (json_array_size(chosen) == 0 && is_without_effect(key)) {
		mt_err_set(&err, MT_ENOENT,
			   "\"%s\" is accepted and has no effect yet", key);
		status = mt_cli_fail(&err);
	} else if (json_array_size(chosen) == 0) {
		mt_err_set(&err, MT_ENOENT,
			   "no option or section \"%s\" is in force on "
			   "\"%s\"; without a key all of them are shown",
			   key, mt_text_of(doc, "name"));
		status = mt_cli_fail(&err);
	} else if (format == MT_FORMAT_JSON || format == MT_FORMAT_YAML) {
		print_data(chosen, format);
	} else if (format == MT_FORMAT_PRETTY && json_array_size(chosen) == 1) {
		tell(json_array_get(chosen, 0));
	} else {
		print_table(chosen, format);
	}
	json_decref(chosen);
	json_decref(doc);
	return status;
}

int
mt_cmd_config(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"format", required_argument, NULL, 'f'},
	    {NULL, 0, NULL, 0},
	};
	enum mt_format format = MT_FORMAT_PRETTY;
	struct mt_err err;
	int c;

	while ((c = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
		if (c != 'f')
			return mt_cli_usage(argv[0], NULL);
		if (mt_format_parse(optarg, &format, &err) != 0)
			return mt_cli_usage(argv[0], err.text);
	}
	if (optind == argc || strcmp(argv[optind], "explain") != 0)
		return mt_cli_usage(argv[0], "only \"explain\" is known");
	if (argc - optind > 2)
		return mt_cli_usage(argv[0], "more than one key named");
	return explain(cli, argv[optind + 1], format);
}
