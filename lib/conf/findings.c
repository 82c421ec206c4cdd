/* SPDX-License-Identifier: PostgreSQL */
/*
 * Findings in a list. Happy path: it stays empty. Failure modes: without
 * memory, and beyond the bound, errors are still counted, so that nobody takes
 * a bad configuration for a good one. Does not know what they are about.
 */
#include "conf/findings.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

/* Is path, or a section around it, one that had an error? */
static bool
follows(const struct mt_findings *f, const char *path)
{
	for (size_t i = 0; i < f->n; i++) {
		const char *earlier = f->list[i].path;
		size_t n = strlen(earlier);

		if (f->list[i].kind == MT_FINDING_ERROR && n > 0 &&
		    strncmp(path, earlier, n) == 0 &&
		    (path[n] == '\0' || path[n] == '.'))
			return true;
	}
	return false;
}

void
mt_findings_add(struct mt_findings *f, enum mt_finding_kind kind,
		const char *path, const char *place, const char *words)
{
	struct mt_finding *it;

	if (kind == MT_FINDING_ERROR) {
		if (follows(f, path))
			return;
		f->n_errors++;
	}
	if (f->n == f->cap) {
		size_t cap = f->cap == 0 ? 16 : 2 * f->cap;

		if (f->n >= MT_FINDINGS_MAX)
			return;
		it = realloc(f->list, cap * sizeof(*it));
		if (it == NULL)
			return;
		f->list = it;
		f->cap = cap;
	}
	it = &f->list[f->n++];
	memset(it, 0, sizeof(*it));
	it->kind = kind;
	mt_copy(it->path, sizeof(it->path), path);
	if (place[0] != '\0')
		mt_format(it->text, sizeof(it->text), "%s: ", place);
	it->words = strlen(it->text);
	mt_copy(it->text + it->words, sizeof(it->text) - it->words, words);
}

void
mt_findings_release(struct mt_findings *f)
{
	free(f->list);
	memset(f, 0, sizeof(*f));
}

int
mt_findings_log(const struct mt_findings *f, struct mt_err *err)
{
	const struct mt_finding *first = NULL;

	for (size_t i = 0; i < f->n; i++) {
		const struct mt_finding *it = &f->list[i];

		if (it->kind != MT_FINDING_ERROR)
			mt_warn("%s", it->text);
		else if (first == NULL)
			first = it;
		else
			mt_error("%s", it->text);
	}
	if (f->n_errors == 0)
		return 0;
	return mt_err_set(err, MT_EINVAL, "%s",
			  first != NULL ? first->text : "out of memory");
}
