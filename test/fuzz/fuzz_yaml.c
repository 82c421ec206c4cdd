/* SPDX-License-Identifier: PostgreSQL */
/*
 * YAML: what parses is a tree that JSON can hold, with places that can be
 * looked up; what does not parse leaves the target untouched and says where.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/yaml.h"

static void
check(const struct mt_yaml *y)
{
	char *text = json_dumps(y->root, JSON_ENCODE_ANY);
	json_t *again = json_loads(text, JSON_DECODE_ANY, NULL);

	MT_ASSERT(text != NULL && again != NULL);
	MT_ASSERT(json_equal(again, y->root));
	json_decref(again);
	free(text);
	for (size_t i = 0; i < y->n_places && i < 100; i++) {
		const struct mt_yaml_place *p = &y->places[i];

		FUZZ_ENDS(p->path);
		MT_ASSERT(p->line > 0 && p->column > 0);
		MT_ASSERT(mt_yaml_place(y, p->path) >= p);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct mt_yaml y = {.n_places = 77};
	uint8_t *p = fuzz_bytes(data, n);
	struct mt_err err;
	int rv = mt_yaml_parse(&y, (const char *)p, n, "file.yml", &err);

	if (rv == 0) {
		check(&y);
		mt_yaml_release(&y);
	} else {
		MT_ASSERT(rv == MT_EINVAL && err.code == rv);
		MT_ASSERT(strncmp(err.text, "file.yml:", 9) == 0);
		MT_ASSERT(y.root == NULL && y.n_places == 77);
	}
	free(p);
	return 0;
}

void
fuzz_seeds(void)
{
	static const char *const texts[] = {
	    "a: 1\nb: [x, 'y', \"z\\n\", 1.5e+3, 0x1F, 017, 1_000]\n",
	    "a: &x {b: yes, c: ~}\nd: *x\ne:\n  <<: *x\n  b: no\n",
	    "- a\n- - b\n  - c: |\n      text\n      more\n",
	    "? a\n: b\n\"q\\u00e9\": >-\n  folded\n  text\n",
	    "%YAML 1.1\n---\n!!str 12: !!int \"3\"\n...\n",
	    "l: &l [{a: 1}, {b: 2}]\nm: {<<: *l, c: 3}\n",
	    "# nothing but this\n",
	    "n: -9223372036854775807\nr: -.5\ns: 1:20\n",
	};

	for (size_t i = 0; i < MT_COUNT(texts); i++)
		fuzz_seed(texts[i], strlen(texts[i]));
}
