/* SPDX-License-Identifier: PostgreSQL */
/* Section log of the configuration: what it comes to, and what is refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/conf.h"
#include "test/unit/run.h"

#define BASE \
	"scope: batman\n" \
	"name: node1\n" \
	"restapi: {listen: '127.0.0.1:8008'}\n" \
	"raft: {self_addr: '127.0.0.1:7500', data_dir: /tmp/r}\n"
#define LOG BASE "log:\n"

static char file[64];
static struct mt_findings found;
static struct mt_conf *conf;

static int
load_with(const char *text, const json_t *variables)
{
	int fd, rv;

	mt_copy(file, sizeof(file), "/tmp/check_log.XXXXXX");
	fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	mt_findings_release(&found);
	rv = mt_conf_read(&conf, file, variables, &found);
	unlink(file);
	return rv;
}

static const struct mt_log_options *
options_of(const char *text)
{
	int rv = load_with(text, NULL);

	ck_assert_msg(rv == 0, "%s", rv != 0 ? found.list[0].text : "");
	return &conf->log.options;
}

static void
end(void)
{
	mt_findings_release(&found);
	mt_conf_free(conf);
	conf = NULL;
}

/* A record as the configuration prints it. Static. */
static const char *
print(const struct mt_log_options *o)
{
	static const struct mt_log_record record = {
	    .level = MT_LOG_ERROR,
	    .at = {"lib/pg/jobs.c", "f", 7},
	    .wall_us = INT64_C(1795413600123456),
	    .process = 11,
	    .thread = 11,
	    .text = "so it is",
	};
	static char line[1024];
	FILE *to = fmemopen(line, sizeof(line), "w");

	mt_log_print(&o->format, &record, to);
	fclose(to);
	return line;
}

START_TEST(what_is_not_given_has_defaults)
{
	const struct mt_log_options *o = options_of(BASE);

	setenv("TZ", "UTC0", 1);
	ck_assert_str_eq(print(o), "2026-11-23 06:00:00,123 ERROR: so it is\n");
	ck_assert_int_eq(o->filter.level, MT_LOG_INFO);
	ck_assert_uint_eq(o->filter.n, 0);
	ck_assert_str_eq(o->dir, "");
	ck_assert_int_eq(o->mode, -1);
	ck_assert_int_eq(o->file_num, 4);
	ck_assert_int_eq(o->file_size_bytes, 25000000);
	ck_assert_int_eq(o->max_queue_size, 1000);
	ck_assert(!conf->log.deduplicate_heartbeats);
	ck_assert_uint_eq(found.n, 0);
	end();
}
END_TEST

START_TEST(all_of_it_is_taken_from_the_file)
{
	const struct mt_log_options *o = options_of(
	    LOG "  type: plain\n  level: WARN\n  traceback_level: DEBUG\n"
		"  format: '%(levelname)-8s %(asctime)s %(message)s'\n"
		"  dateformat: '%H:%M'\n  max_queue_size: 77\n"
		"  dir: /var/log/patroni/\n  mode: 0640\n  file_num: 9\n"
		"  file_size: 1000\n  deduplicate_heartbeat_logs: true\n"
		"  loggers:\n    patroni: debug\n    matriarch.pg: FATAL\n");

	setenv("TZ", "UTC0", 1);
	ck_assert_str_eq(print(o), "ERROR    06:00 so it is\n");
	ck_assert_int_eq(o->filter.level, MT_LOG_WARNING);
	ck_assert_uint_eq(o->filter.n, 2);
	ck_assert(
	    !mt_log_filter_passes(&o->filter, MT_LOG_ERROR, "lib/pg/jobs.c"));
	ck_assert(
	    mt_log_filter_passes(&o->filter, MT_LOG_DEBUG, "daemon/node.c"));
	ck_assert_str_eq(o->dir, "/var/log/patroni");
	ck_assert_int_eq(o->mode, 0640);
	ck_assert_int_eq(o->file_num, 9);
	ck_assert_int_eq(o->file_size_bytes, 1000);
	ck_assert_int_eq(o->max_queue_size, 77);
	ck_assert(conf->log.deduplicate_heartbeats);
	ck_assert_uint_eq(found.n, 0);
	end();
}
END_TEST

static const struct {
	const char *log, *line;
} json[] = {
    {"  type: json\n  format: '%(levelname)s: %(message)s'\n",
     "{\"levelname\": \"ERROR\", \"message\": \"so it is\"}\n"},
    {"  type: json\n  format: message\n", "{\"message\": \"so it is\"}\n"},
    {"  type: json\n  format:\n    - levelname: level\n    - message\n"
     "    - process\n  static_fields: {app: db, n: 1}\n",
     "{\"level\": \"ERROR\", \"message\": \"so it is\", \"process\": 11, "
     "\"app\": \"db\", \"n\": 1}\n"},
    {"  type: json\n  format: [{message: m, name: logger}]\n",
     "{\"m\": \"so it is\", \"logger\": \"matriarch.pg.jobs\"}\n"},
    {"  type: json\n  dateformat: '%Y'\n",
     "{\"asctime\": \"2026\", \"levelname\": \"ERROR\", "
     "\"message\": \"so it is\"}\n"},
    /* as others' files have it: said, and the default */
    {"  format: [message]\n  dateformat: '%Y'\n", "2026 ERROR: so it is\n"},
};

START_TEST(fields_are_printed_as_they_are_listed)
{
	char text[1024];

	mt_format(text, sizeof(text), LOG "%s", json[_i].log);
	setenv("TZ", "UTC0", 1);
	ck_assert_str_eq(print(options_of(text)), json[_i].line);
	ck_assert_uint_eq(found.n, strstr(text, "json") != NULL ? 0 : 1);
	end();
}
END_TEST

static const struct {
	const char *log, *place, *words;
} bad[] = {
    {"  type: xml\n", "6:3", "\"log.type\" must be plain,json"},
    {"  level: LOUD\n", "6:3", "\"log.level\" must be DEBUG,INFO"},
    {"  format: '%(massage)s'\n", "6:3",
     "\"log.format\": no record has a field \"massage\""},
    {"  format: '%(message)'\n", "6:3", "needs its type"},
    {"  type: json\n  format: []\n", "7:3", "\"log.format\" is empty"},
    {"  type: json\n  format:\n    - message\n    - massage\n", "9:7",
     "no record has a field \"massage\""},
    {"  type: json\n  format:\n    - {message: 1}\n", "8:7",
     "an item must be the name of a field"},
    {"  type: json\n  format: [[message]]\n", "7:12",
     "an item must be the name of a field"},
    {"  type: json\n  format: 5\n", "7:3", "text or a list"},
    {"  mode: 01777\n", "6:3", "\"log.mode\" must be a mode in octal"},
    {"  mode: 644\n", "6:3", "\"log.mode\" must be a mode in octal"},
    {"  mode: rw\n", "6:3", "\"log.mode\" must be a whole number"},
    {"  dir: logs\n", "6:3", "\"log.dir\" is not an absolute path"},
    {"  file_num: many\n", "6:3", "\"log.file_num\" must be"},
    {"  file_size: 25MB\n", "6:3", "\"log.file_size\" must be"},
    {"  max_queue_size: x\n", "6:3", "\"log.max_queue_size\" must be"},
    {"  loggers: {matriarch.pg: LOUD}\n", "6:13",
     "the level of logger \"matriarch.pg\" must be DEBUG"},
    {"  loggers: 5\n", "6:3", "\"log.loggers\" must be a mapping"},
    {"  static_fields: a\n", "6:3", "\"log.static_fields\" must be"},
    {"  deduplicate_heartbeat_logs: perhaps\n", "6:3", "true or false"},
};

START_TEST(what_cannot_be_obeyed_is_refused_at_its_place)
{
	char text[1024], start[96];

	mt_format(text, sizeof(text), LOG "%s", bad[_i].log);
	ck_assert_int_eq(load_with(text, NULL), MT_EINVAL);
	ck_assert_uint_eq(found.n_errors, 1);
	mt_format(start, sizeof(start), "%s:%s: ", file, bad[_i].place);
	ck_assert_msg(strncmp(found.list[0].text, start, strlen(start)) == 0 &&
			  strstr(found.list[0].text, bad[_i].words) != NULL,
		      "%s", found.list[0].text);
	mt_findings_release(&found);
}
END_TEST

START_TEST(loggers_of_others_are_warned_of_and_ignored)
{
	const struct mt_log_options *o =
	    options_of(LOG "  loggers:\n    patroni.postmaster: WARNING\n"
			   "    urllib3: DEBUG\n    matriarch.peer: DEBUG\n"
			   "  max_queue_size: 0\n");

	ck_assert_uint_eq(o->filter.n, 1);
	ck_assert_int_eq(o->max_queue_size, 1);
	ck_assert_uint_eq(found.n, 3);
	for (size_t i = 0; i < found.n; i++)
		ck_assert_int_ne(found.list[i].kind, MT_FINDING_ERROR);
	ck_assert_ptr_nonnull(
	    strstr(found.list[0].text, "\"log.max_queue_size\" is below"));
	ck_assert_ptr_nonnull(strstr(
	    found.list[1].text, ":7:5: there is no logger "
				"\"patroni.postmaster\", and it is ignored"));
	ck_assert_ptr_nonnull(strstr(found.list[2].text, ":8:5: there is no "
							 "logger \"urllib3\""));
	end();
}
END_TEST

START_TEST(variables_may_say_it)
{
	json_t *variables = json_pack(
	    "{ss, ss, ss, ss, ss, ss}", "PATRONI_LOG_TYPE", "json",
	    "PATRONI_LOG_FORMAT", "[message, levelname: l]", "PATRONI_LOG_MODE",
	    "0600", "MATRIARCH_LOG_LEVEL", "ERROR", "PATRONI_LOGLEVEL", "DEBUG",
	    "PATRONI_LOG_LOGGERS", "{matriarch.peer: DEBUG}");
	const struct mt_log_options *o;

	ck_assert_int_eq(json_object_set_new(variables,
					     "PATRONI_LOG_STATIC_FIELDS",
					     json_string("a: 1")),
			 0);
	ck_assert_int_eq(load_with(BASE, variables), 0);
	o = &conf->log.options;
	ck_assert_str_eq(
	    print(o),
	    "{\"message\": \"so it is\", \"l\": \"ERROR\", \"a\": 1}\n");
	ck_assert_int_eq(o->mode, 0600);
	ck_assert_int_eq(o->filter.level, MT_LOG_ERROR);
	ck_assert_uint_eq(o->filter.n, 1);
	ck_assert_uint_eq(found.n, 0);
	json_decref(variables);
	end();
}
END_TEST

START_TEST(the_page_names_loggers_that_there_are)
{
	char line[256], name[MT_LOG_NAME_MAX];
	FILE *f = fopen("man/matriarch.yml.5", "r");
	int n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, ".It Cm matriarch%80s", name) != 1)
			continue;
		line[strcspn(line, "\n")] = '\0';
		ck_assert_msg(mt_log_is_known(line + strlen(".It Cm ")), "%s",
			      line);
		n++;
	}
	fclose(f);
	ck_assert_int_gt(n, 10);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");

	tcase_add_test(tc, what_is_not_given_has_defaults);
	tcase_add_test(tc, all_of_it_is_taken_from_the_file);
	tcase_add_loop_test(tc, fields_are_printed_as_they_are_listed, 0,
			    (int)MT_COUNT(json));
	tcase_add_loop_test(tc, what_cannot_be_obeyed_is_refused_at_its_place,
			    0, (int)MT_COUNT(bad));
	tcase_add_test(tc, loggers_of_others_are_warned_of_and_ignored);
	tcase_add_test(tc, variables_may_say_it);
	tcase_add_test(tc, the_page_names_loggers_that_there_are);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
