/* SPDX-License-Identifier: PostgreSQL */
/* The files that users begin with: the guide's, the sample, and the page. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/yaml.h"
#include "conf/options.h"
#include "loaded.h"
#include "test/unit/run.h"

#define GUIDE "test/unit/conf/guide.yml"
#define SAMPLE "etc/matriarch.yml"
#define PAGE "man/matriarch.yml.5"

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static char *
slurp(const char *name)
{
	FILE *f = fopen(name, "r");
	char *text = calloc(1, 1 << 18);

	ck_assert_msg(f != NULL, "%s: run in the top directory", name);
	ck_assert_uint_gt(fread(text, 1, (1 << 18) - 1, f), 0);
	fclose(f);
	return text;
}

START_TEST(the_guides_file_loads_with_a_raft_section)
{
	char buf[MT_ADDR_MAX];

	ck_assert_msg(load_file(GUIDE) == 0, "%s", last_err.text);
	ck_assert_str_eq(conf->scope, "cluster_1");
	ck_assert_str_eq(conf->namespace, "percona_lab");
	ck_assert_str_eq(conf->name, "node1");
	ck_assert(conf->fencing && conf->has_postgresql);
	ck_assert_str_eq(
	    mt_addr_format(&conf->raft.bind_addr, buf, sizeof(buf)),
	    "10.104.0.7:7500");
	ck_assert_uint_eq(conf->raft.n, 2);
	ck_assert_str_eq(conf->postgresql.listen_addresses, "0.0.0.0");
	ck_assert_uint_eq(conf->postgresql.port, 5432);
	ck_assert_str_eq(conf->postgresql.pgpass, "/tmp/pgpass");
	ck_assert_str_eq(conf->postgresql.superuser.password, "qaz123");
	ck_assert_str_eq(conf->postgresql.replication.username, "replicator");
	ck_assert_str_eq(conf->postgresql.rewind.username, "postgres");
	ck_assert_uint_eq(json_array_size(conf->bootstrap.initdb), 2);
	ck_assert_uint_eq(json_array_size(conf->bootstrap.pg_hba), 4);
	ck_assert_uint_eq(json_object_size(conf->bootstrap.users), 2);
	ck_assert_int_eq(
	    json_integer_value(json_object_get(conf->bootstrap.dcs, "ttl")),
	    30);
	mt_conf_free(conf);
}
END_TEST

START_TEST(the_guides_slips_are_mended_and_said_once_each)
{
	const json_t *slot;

	ck_assert_int_eq(load_file(GUIDE), 0);
	warned(GUIDE ":10:1: section \"etcd\" is ignored; \"raft\" replaces");
	warned(GUIDE ":31:11: \"type\" stands beside the slots");
	warned(GUIDE ":71:5: unknown key \"postgresql.cluster_name\"");
	slot = json_object_get(json_object_get(conf->bootstrap.dcs, "slots"),
			       "percona_cluster_1");
	ck_assert_str_eq(json_string_value(json_object_get(slot, "type")),
			 "physical");
	ck_assert_uint_eq(json_array_size(conf->postgresql.basebackup), 1);
	ck_assert_ptr_nonnull(json_object_get(
	    json_array_get(conf->postgresql.basebackup, 0), "checkpoint"));
	warned(GUIDE ":88:5: \"postgresql.basebackup\" is a mapping, not a "
		     "list; taken as options of pg_basebackup: --checkpoint");
	/* nothing else, and no secret */
	ck_assert_uint_eq(count(seen, "\n"), 4);
	ck_assert_ptr_null(strstr(seen, "qaz123"));
	mt_conf_free(conf);
}
END_TEST

/* The guide has the file made by a shell's echo "...", which eats the quotes in
 * it, and leaves nothing of a variable that has another name: each line of it
 * is indented, too. */
static void
as_the_shell_writes(const char *text, const char *data_dir, char *to,
		    size_t size)
{
	size_t n = 0;

	for (bool start = true; *text != '\0' && n + 64 < size; text++) {
		if (start)
			n += (size_t)snprintf(to + n, size - n, "    ");
		start = *text == '\n';
		if (strncmp(text, "data_dir: /var/lib/postgresql", 29) == 0) {
			n += (size_t)snprintf(to + n, size - n, "data_dir: %s",
					      data_dir);
			text += strcspn(text, "\n") - 1;
		} else if (*text != '"') {
			to[n++] = *text;
		}
	}
	to[n] = '\0';
}

START_TEST(the_guides_file_as_the_shell_writes_it_needs_a_data_directory)
{
	char *text = slurp(GUIDE), written[8192];

	as_the_shell_writes(text, "", written, sizeof(written));
	ck_assert_ptr_nonnull(strstr(written, "hot_standby: on\n"));
	refused(written, "74:9",
		"\"postgresql.data_dir\" has no value, as where a variable was "
		"not set; write it, as in \"data_dir: /");
	as_the_shell_writes(text, "${DATADIR}", written, sizeof(written));
	refused(written, "74:9", "not an absolute path");
	as_the_shell_writes(text, "/var/lib/pg", written, sizeof(written));
	ck_assert_msg(load(written) == 0, "%s", last_err.text);
	ck_assert_uint_eq(count(seen, "\n"), 4);
	ck_assert_str_eq(conf->postgresql.data_dir, "/var/lib/pg");
	mt_conf_free(conf);
	free(text);
}
END_TEST

START_TEST(the_sample_loads_without_a_word)
{
	ck_assert_msg(load_file(SAMPLE) == 0, "%s", last_err.text);
	ck_assert_str_eq(seen, "");
	mt_conf_free(conf);
}
END_TEST

/* The sample with all its commented options put in force. */
static void
uncomment(char *text)
{
	bool start = true;

	for (char *p = text; *p != '\0'; p++) {
		if (start && *p == '#' && p[1] != ' ' && p[1] != '\n')
			memmove(p, p + 1, strlen(p));
		start = *p == '\n' || (start && *p == ' ');
	}
}

START_TEST(the_page_has_exactly_the_effective_options)
{
	char *page = slurp(PAGE), want[256];
	size_t n;
	const struct mt_option *o = mt_options(&n);

	for (; n-- > 0; o++) {
		mt_format(want, sizeof(want), "\n.It Ic %s ", o->path);
		ck_assert_msg((strstr(page, want) != NULL) == o->effective,
			      "%s %s in %s", o->path,
			      o->effective ? "is not" : "has no effect, but is",
			      PAGE);
	}
	free(page);
}
END_TEST

START_TEST(the_sample_has_exactly_the_effective_options)
{
	char *text = slurp(SAMPLE), path[256], *at;
	struct mt_yaml y;
	size_t n;
	const struct mt_option *o = mt_options(&n);

	uncomment(text);
	ck_assert_msg(
	    mt_yaml_parse(&y, text, strlen(text), SAMPLE, &last_err) == 0, "%s",
	    last_err.text);
	for (; n-- > 0; o++) {
		bool dynamic = o->where == MT_OPT_DYNAMIC;

		mt_format(path, sizeof(path), "%s%s",
			  dynamic ? "bootstrap.dcs." : "", o->path);
		if (o->where == MT_OPT_BOTH && mt_yaml_place(&y, path) == NULL)
			mt_format(path, sizeof(path), "bootstrap.dcs.%s",
				  o->path);
		ck_assert_msg((mt_yaml_place(&y, path) != NULL) == o->effective,
			      "%s %s in %s", path,
			      o->effective ? "is not" : "has no effect, but is",
			      SAMPLE);
	}
	mt_yaml_release(&y);
	/* A secret, or its file: only one of them may be given. */
	for (at = text; (at = strstr(at, "_file:")) != NULL; at++) {
		while (at[-1] != ' ')
			at--;
		*at = '#';
		at += strcspn(at, "\n");
	}
	/* And one of the two ways to encrypt the members' connections. */
	at = strstr(text, "password: all-members");
	ck_assert_ptr_nonnull(at);
	*at = '#';
	ck_assert_msg(load(text) == 0, "%s", last_err.text);
	ck_assert_ptr_null(strstr(seen, "unknown key"));
	mt_conf_free(conf);
	free(text);
}
END_TEST

int
main(void)
{
	RUN_TESTS("shipped", the_guides_file_loads_with_a_raft_section,
		  the_guides_slips_are_mended_and_said_once_each,
		  the_guides_file_as_the_shell_writes_it_needs_a_data_directory,
		  the_sample_loads_without_a_word,
		  the_page_has_exactly_the_effective_options,
		  the_sample_has_exactly_the_effective_options);
}
