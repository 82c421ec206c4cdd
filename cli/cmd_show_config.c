/* SPDX-License-Identifier: PostgreSQL */
/* matriarch show-config: the dynamic document in force, as YAML. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/yaml.h"
#include "cli/document.h"

int
mt_cmd_show_config(struct mt_cli *cli, int argc, char **argv)
{
	struct mt_err err;
	json_t *document;
	uint64_t version;
	char *text;

	if (argc > 2)
		return mt_cli_usage(argv[0], "more than one cluster named");
	if (mt_cli_open_cluster(cli, argc - 1, argv + 1, &err) != 0 ||
	    mt_document_fetch(cli->http, &document, &version, &err) != 0)
		return mt_cli_fail(&err);
	text = mt_yaml_block(document);
	json_decref(document);
	if (text == NULL) {
		mt_err_set(&err, MT_ENOMEM, "out of memory");
		return mt_cli_fail(&err);
	}
	fputs(text, stdout);
	free(text);
	return MT_EXIT_DONE;
}
