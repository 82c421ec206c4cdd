#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# The C files look as .clang-format wants them. Changes nothing.
#
#	check-format.sh [TOP]

set -eu
top=${1:-.}
cd "$top"

files=$(for d in lib daemon cli test; do
	[ ! -d "$d" ] || find "$d" -name '*.[ch]'
done | sort)
[ -n "$files" ] || { echo "check-format: no C files below $top" >&2; exit 1; }

# shellcheck disable=SC2086	# one word a file
exec "${CLANG_FORMAT:-clang-format}" --dry-run -Werror $files
