/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch edit-config: change the dynamic document by a file, by pairs or in
 * an editor; show what changes, ask, and PUT it on the condition that nobody
 * has changed it meanwhile.
 *
 * --replace makes a new document, --apply merges into it (the rules of PATCH),
 * then the pairs of -s and -p are set. Nothing given: an editor. Values are not
 * judged.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "base/yaml.h"
#include "cli/ask.h"
#include "cli/document.h"
#include "conf/document.h"

#define PAIRS_MAX 64

struct edit {
	const char *replace, *apply; /* file, "-" = standard input, or NULL */
	char *pairs[PAIRS_MAX];      /* owned */
	int n_pairs;
	bool quiet, force;
};

static bool
from_stdin(const struct edit *e)
{
	return (e->replace != NULL && mt_streq(e->replace, "-")) ||
	       (e->apply != NULL && mt_streq(e->apply, "-"));
}

/* An object of a YAML (or JSON) file. */
static int
read_document(const char *file, json_t **document, struct mt_err *err)
{
	struct mt_yaml y = {0};
	char *text = NULL;
	size_t n = 0;
	ssize_t got = 0;
	int rv;

	if (mt_streq(file, "-")) {
		got = getdelim(&text, &n, '\0', stdin);
		rv = mt_yaml_parse(&y, got > 0 ? text : "",
				   got > 0 ? (size_t)got : 0, "standard input",
				   err);
		free(text);
	} else {
		rv = mt_yaml_load(&y, file, err);
	}
	if (rv != 0)
		return rv;
	if (json_is_object(y.root))
		*document = json_incref(y.root);
	else
		rv = mt_err_set(err, MT_EINVAL,
				"%s: a document of keys is needed", file);
	mt_yaml_release(&y);
	return rv;
}

/* ---- the editor ---- */

static int
run_editor(const char *file, struct mt_err *err)
{
	const char *editor = getenv("EDITOR");
	char command[1024];
	int status;

	if (editor == NULL || *editor == '\0')
		editor = access("/usr/bin/editor", X_OK) == 0 ? "editor" : "vi";
	/* $EDITOR is a piece of shell, as everywhere; the file's name, made by
	 * us, has nothing to quote. */
	if (!mt_format(command, sizeof(command), "%s %s", editor, file))
		return mt_err_set(err, MT_EINVAL, "$EDITOR is too long");
	fflush(stdout);
	status = system(command);
	if (status == -1 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return mt_err_set(err, MT_EREFUSED,
				  "the editor \"%s\" failed; nothing was "
				  "changed",
				  editor);
	return 0;
}

static int
edit_by_hand(json_t **document, struct mt_err *err)
{
	char file[] = "/tmp/matriarch-config-XXXXXX.yml";
	char *text = mt_yaml_block(*document);
	int fd = mkstemps(file, 4), rv = 0;
	json_t *edited;
	FILE *f;

	if (fd < 0 || text == NULL) {
		free(text);
		return mt_err_sys(err, errno, "could not make a file to edit");
	}
	f = fdopen(fd, "w");
	if (f == NULL || fputs(text, f) == EOF || fclose(f) != 0)
		rv = mt_err_sys(err, errno, "could not write \"%s\"", file);
	free(text);
	if (rv == 0)
		rv = run_editor(file, err);
	if (rv == 0)
		rv = read_document(file, &edited, err);
	unlink(file);
	if (rv != 0)
		return rv;
	json_decref(*document);
	*document = edited;
	return 0;
}

/* ---- the change ---- */

/* *document is replaced by the changed one. */
static int
make_change(const struct edit *e, json_t **document, struct mt_err *err)
{
	json_t *other, *merged;
	bool changed;
	int rv = 0;

	if (e->replace == NULL && e->apply == NULL && e->n_pairs == 0)
		return edit_by_hand(document, err);
	if (e->replace != NULL) {
		rv = read_document(e->replace, &other, err);
		if (rv != 0)
			return rv;
		json_decref(*document);
		*document = other;
	}
	if (e->apply != NULL) {
		rv = read_document(e->apply, &other, err);
		if (rv != 0)
			return rv;
		merged = mt_document_merge(*document, other, &changed);
		json_decref(other);
		if (merged == NULL)
			return mt_err_set(err, MT_ENOMEM, "out of memory");
		json_decref(*document);
		*document = merged;
	}
	for (int i = 0; rv == 0 && i < e->n_pairs; i++)
		rv = mt_document_set(*document, e->pairs[i], err);
	return rv;
}

static int
show(const char *before, const char *after, struct mt_err *err)
{
	const char *pager = getenv("PAGER");
	FILE *out;

	if (!isatty(STDOUT_FILENO)) {
		mt_text_diff(before, after, stdout);
		return 0;
	}
	if (pager == NULL || *pager == '\0')
		pager = access("/usr/bin/less", X_OK) == 0   ? "less -FX"
			: access("/usr/bin/more", X_OK) == 0 ? "more"
			: access("/bin/more", X_OK) == 0     ? "more"
							     : NULL;
	if (pager == NULL)
		return mt_err_set(err, MT_ENOENT,
				  "no pager could be found: set $PAGER");
	fflush(stdout);
	out = popen(pager, "w");
	if (out == NULL)
		return mt_err_sys(err, errno, "could not start \"%s\"", pager);
	mt_text_diff(before, after, out);
	pclose(out);
	return 0;
}

static int
put(struct mt_cli *cli, const json_t *document, uint64_t version)
{
	struct mt_http_reply reply = {0};
	char path[64];
	struct mt_err err;
	int status = MT_EXIT_FAILED;

	mt_format(path, sizeof(path), "/config?version=%llu",
		  (unsigned long long)version);
	if (mt_http_send(cli->http, "PUT", path, document, MT_CLI_CHANGE_MS,
			 &reply, &err) != 0)
		return mt_cli_fail(&err);
	if (reply.status == 200) {
		puts("Configuration changed");
		status = MT_EXIT_DONE;
	} else if (reply.status == 409) {
		fputs("Error: Config modification aborted due to concurrent "
		      "changes\n",
		      stderr);
	} else {
		fprintf(stderr, "Error: %s answered with status %d: %.300s\n",
			reply.base, reply.status, reply.body);
	}
	mt_http_reply_release(&reply);
	return status;
}

/* What is to be said and asked before; *go: then it is to be done. */
static int
confirm(const struct edit *e, const char *before, const char *after, bool *go)
{
	struct mt_err err;

	*go = false;
	if (mt_streq(before, after)) {
		puts("Not changed");
		return MT_EXIT_DONE;
	}
	if (!e->quiet && show(before, after, &err) != 0)
		return mt_cli_fail(&err);
	*go = e->force;
	if (e->force)
		return MT_EXIT_DONE;
	if (from_stdin(e)) {
		puts("Use --force option to apply changes");
		return MT_EXIT_DONE;
	}
	return mt_cli_ask_yes("Apply these changes?", go);
}

static int
run(struct mt_cli *cli, const struct edit *e)
{
	char *before = NULL, *after = NULL;
	json_t *document = NULL;
	struct mt_err err;
	uint64_t version;
	int status;
	bool go = false;

	if (mt_document_fetch(cli->http, &document, &version, &err) != 0)
		return mt_cli_fail(&err);
	before = mt_yaml_block(document);
	if (make_change(e, &document, &err) != 0)
		status = mt_cli_fail(&err);
	else if ((after = mt_yaml_block(document)) == NULL || before == NULL)
		status = MT_EXIT_FAILED;
	else
		status = confirm(e, before, after, &go);
	if (go)
		status = put(cli, document, version);
	json_decref(document);
	free(before);
	free(after);
	return status;
}

static bool
add_pair(struct edit *e, const char *prefix, const char *pair)
{
	if (e->n_pairs == PAIRS_MAX)
		return false;
	return asprintf(&e->pairs[e->n_pairs++], "%s%s", prefix, pair) >= 0;
}

int
mt_cmd_edit_config(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"quiet", no_argument, NULL, 'q'},
	    {"set", required_argument, NULL, 's'},
	    {"pg", required_argument, NULL, 'p'},
	    {"apply", required_argument, NULL, 'a'},
	    {"replace", required_argument, NULL, 'r'},
	    {"force", no_argument, NULL, 'F'},
	    {NULL, 0, NULL, 0},
	};
	struct edit e = {0};
	struct mt_err err;
	int c, status;
	bool bad = false;

	while ((c = getopt_long(argc, argv, "qs:p:", options, NULL)) != -1) {
		if (c == 'q')
			e.quiet = true;
		else if (c == 's')
			bad |= !add_pair(&e, "", optarg);
		else if (c == 'p')
			bad |= !add_pair(&e, "postgresql.parameters.", optarg);
		else if (c == 'a')
			e.apply = optarg;
		else if (c == 'r')
			e.replace = optarg;
		else if (c == 'F')
			e.force = true;
		else
			bad = true;
	}
	if (bad)
		status = mt_cli_usage(argv[0], NULL);
	else if (argc - optind > 1)
		status = mt_cli_usage(argv[0], "more than one cluster named");
	else if (mt_cli_open_cluster(cli, argc - optind, argv + optind, &err) !=
		 0)
		status = mt_cli_fail(&err);
	else
		status = run(cli, &e);
	for (int i = 0; i < e.n_pairs; i++)
		free(e.pairs[i]);
	return status;
}
