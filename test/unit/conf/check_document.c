/* SPDX-License-Identifier: PostgreSQL */
/* Merging into the dynamic document: the rules of PATCH /config. */
#include <check.h>
#include <stdlib.h>

#include "base/text.h"
#include "conf/document.h"
#include "test/unit/run.h"

static const struct {
	const char *document, *patch, *want; /* quotes written as ' */
	bool changed;
} rows[] = {
    /* null removes */
    {"{'a':1,'b':2}", "{'a':null}", "{'b':2}", true},
    {"{'a':1}", "{'b':null}", "{'a':1}", false},
    {"{'a':{'b':1,'c':2}}", "{'a':{'b':null}}", "{'a':{'c':2}}", true},
    {"{'a':{'b':1}}", "{'a':{'b':null}}", "{'a':{}}", true},
    {"{'a':null}", "{'a':null}", "{}", true},
    {"{'a':{'b':{'c':1,'d':2}}}", "{'a':{'b':{'c':null,'e':null}}}",
     "{'a':{'b':{'d':2}}}", true},
    {"{'a':{'b':{'c':1}}}", "{'a':{'x':{'y':null},'b':{'c':null}}}",
     "{'a':{'b':{},'x':{'y':null}}}", true},
    {"{'slots':{'a':null,'b':{}}}", "{'slots':{'a':null}}",
     "{'slots':{'b':{}}}", true},
    /* objects into objects */
    {"{'a':{'b':1}}", "{'a':{'c':2}}", "{'a':{'b':1,'c':2}}", true},
    {"{'a':1}", "{'a':{'c':2}}", "{'a':{'c':2}}", true},
    {"{'a':{'c':2}}", "{'a':1}", "{'a':1}", true},
    {"{'a':{'c':2}}", "{'a':{}}", "{'a':{'c':2}}", false},
    {"{'a':[{'c':2}]}", "{'a':{'c':3}}", "{'a':{'c':3}}", true},
    {"{'slots':{'a':null}}", "{'slots':{'a':{'type':'physical'}}}",
     "{'slots':{'a':{'type':'physical'}}}", true},
    /* the same text is the same value */
    {"{'a':101}", "{'a':'101'}", "{'a':101}", false},
    {"{'a':'101'}", "{'a':101}", "{'a':'101'}", false},
    {"{'a':101}", "{'a':'0101'}", "{'a':'0101'}", true},
    {"{'a':true}", "{'a':true}", "{'a':true}", false},
    {"{'a':true}", "{'a':'on'}", "{'a':'on'}", true},
    {"{'a':true}", "{'a':'true'}", "{'a':true}", false},
    {"{'a':false}", "{'a':0}", "{'a':0}", true},
    {"{'a':1.5}", "{'a':'1.5'}", "{'a':1.5}", false},
    {"{'a':''}", "{'a':null}", "{}", true},
    {"{'a':null}", "{'a':''}", "{'a':''}", true},
    {"{'a':5}", "{'a':20}", "{'a':20}", true},
    /* what is not there is stored as given */
    {"{}", "{'slots':{'a':null}}", "{'slots':{'a':null}}", true},
    {"{'slots':{}}", "{'slots':{'a':null}}", "{'slots':{}}", false},
    {"{'a':1}", "{'b':{'c':{'d':null}}}", "{'a':1,'b':{'c':{'d':null}}}", true},
    {"{'a':1}", "{'a':{'d':null}}", "{'a':{'d':null}}", true},
    /* arrays whole */
    {"{'a':[1,2,3]}", "{'a':[4]}", "{'a':[4]}", true},
    {"{'a':[1,2]}", "{'a':[1,2]}", "{'a':[1,2]}", false},
    {"{'a':[1,2]}", "{'a':'[1,2]'}", "{'a':'[1,2]'}", true},
    {"{'a':[1]}", "{'a':null}", "{}", true},
    {"{'a':[{'b':1}]}", "{'a':[{'c':null}]}", "{'a':[{'c':null}]}", true},
    {"{'a':1}", "{}", "{'a':1}", false},
};

static json_t *
read_text(const char *text)
{
	char buf[512];
	json_t *o;

	mt_copy(buf, sizeof(buf), text);
	for (char *p = buf; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	o = json_loads(buf, 0, NULL);
	ck_assert_msg(o != NULL, "%s", text);
	return o;
}

START_TEST(a_patch_is_merged_by_the_known_rules)
{
	json_t *document = read_text(rows[_i].document);
	json_t *patch = read_text(rows[_i].patch);
	json_t *want = read_text(rows[_i].want);
	json_t *before = json_deep_copy(document);
	bool changed;
	json_t *got = mt_document_merge(document, patch, &changed);
	char *text = json_dumps(got, JSON_COMPACT);

	ck_assert_msg(json_equal(got, want), "%s + %s: %s", rows[_i].document,
		      rows[_i].patch, text);
	ck_assert_msg(changed == rows[_i].changed, "%s + %s", rows[_i].document,
		      rows[_i].patch);
	ck_assert_msg(json_equal(document, before), "the document is left");
	free(text);
	json_decref(got);
	json_decref(before);
	json_decref(want);
	json_decref(patch);
	json_decref(document);
}
END_TEST

static const struct {
	const char *before, *after, *changes;
} changes[] = {
    {"{}", "{}", ""},
    {"{\"a\":1}", "{\"a\":2}", "a"},
    {"{\"a\":1,\"b\":2}", "{\"b\":2}", "a"},
    {"{\"b\":2}", "{\"b\":2,\"a\":1}", "a"},
    {"{\"a\":1,\"c\":{\"d\":1,\"e\":{\"f\":1}}}",
     "{\"a\":2,\"c\":{\"d\":1,\"e\":{\"f\":2,\"g\":0}}}", "a, c.e.f, c.e.g"},
    {"{\"a\":{\"b\":1}}", "{\"a\":7}", "a"},
    {"{}", "{\"a\":{\"b\":1}}", "a"},
    {"{}",
     "{\"a123456789\":1,\"b123456789\":1,\"c123456789\":1,"
     "\"d123456789\":1}",
     "a123456789, b123456789, c123456789, ..."},
    {"{}", "{\"a12345678901234567890123456789012345678901234567890\":1}",
     "..."},
};

START_TEST(what_differs_is_named_as_far_as_there_is_room)
{
	json_t *before = json_loads(changes[_i].before, 0, NULL);
	json_t *after = json_loads(changes[_i].after, 0, NULL);
	char buf[40];

	ck_assert_str_eq(mt_document_changes(before, after, buf, sizeof(buf)),
			 changes[_i].changes);
	json_decref(before);
	json_decref(after);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("document");
	TCase *tc = tcase_create("document");

	tcase_add_loop_test(tc, a_patch_is_merged_by_the_known_rules, 0,
			    (int)MT_COUNT(rows));
	tcase_add_loop_test(tc, what_differs_is_named_as_far_as_there_is_room,
			    0, (int)MT_COUNT(changes));
	suite_add_tcase(s, tc);
	return run_suite(s);
}
