/* SPDX-License-Identifier: PostgreSQL */
/*
 * A configuration is looked at, and nothing else happens. Happy path: it is
 * read as the daemon would, and what is to be said goes to standard error, what
 * was asked for to standard output. Failure modes: output that cannot be
 * written is a failure. Changes nothing, and may be root's.
 */
#include "daemon/tell.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/yaml.h"
#include "conf/conf.h"
#include "conf/effective.h"
#include "conf/sample.h"
#include "daemon/judge.h"

static int
flushed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	perror("matriarchd: could not write to standard output");
	return 1;
}

static int
print_effective(const struct mt_conf *conf)
{
	json_t *all = mt_conf_effective(conf);
	char *text = mt_yaml_block(all);

	if (text != NULL)
		fputs(text, stdout);
	free(text);
	json_decref(all);
	return text != NULL ? flushed() : 1;
}

int
mt_tell_findings(const char *file, const json_t *environment,
		 const struct mt_tell *how)
{
	static const char *const words[] = {
	    [MT_FINDING_WARNING] = "warning",
	    [MT_FINDING_UNKNOWN] = "warning",
	    [MT_FINDING_ERROR] = "error",
	};
	struct mt_findings found = {0};
	struct mt_conf *conf = NULL;
	int status = mt_conf_examine(&conf, file, environment, &found) != 0;

	if (conf != NULL && how->machine)
		mt_judge_machine(conf, how->ports, &found);
	status |= found.n_errors > 0;
	for (size_t i = 0; i < found.n; i++) {
		const struct mt_finding *it = &found.list[i];
		enum mt_finding_kind kind = it->kind;

		if (how->strict && kind == MT_FINDING_UNKNOWN)
			kind = MT_FINDING_ERROR;
		if (kind == MT_FINDING_ERROR)
			status = 1;
		fprintf(stderr, "%.*s%s: %s\n", (int)it->words, it->text,
			words[kind], it->text + it->words);
	}
	if (status == 0 && how->print)
		status = print_effective(conf);
	mt_findings_release(&found);
	mt_conf_free(conf);
	return status;
}

int
mt_tell_effective(const char *file, const json_t *environment)
{
	return mt_tell_findings(file, environment,
				&(struct mt_tell){.print = true});
}

int
mt_tell_sample(void)
{
	fputs(mt_conf_sample(), stdout);
	return flushed();
}
