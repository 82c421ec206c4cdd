#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# Every shell script of the tree passes shellcheck: files named *.sh, and
# files whose first line asks for a shell.
#
#	check-shell.sh [TOP]

set -eu
top=${1:-.}
cd "$top"

files=$({
	find . -name .git -prune -o -name build -prune -o \
	    -type f -name '*.sh' -print
	find . -name .git -prune -o -name build -prune -o \
	    -name autom4te.cache -prune -o \
	    -type f ! -name configure ! -name 'configure~' \
	    ! -name config.status -size -200k -print |
	while read -r file; do
		read -r first <"$file" 2>/dev/null || continue
		case $first in
		'#!/bin/sh'*|'#!/bin/bash'*|'#!/usr/bin/env bash'*)
			echo "$file" ;;
		esac
	done
} | sort -u)
[ -n "$files" ] || { echo "check-shell: no scripts below $top" >&2; exit 1; }

# shellcheck disable=SC2086	# one word a file
exec shellcheck $files
