#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# The manual pages are clean mdoc, and complete: each verb of the CLI (a file
# cli/cmd_VERB.c) is shown by .Ic or .Cm in some page, and so is each option of
# the table in lib/conf/table.c, under its whole path. An option that is known
# but not used yet may be covered by one of the sections above it.
#
#	check-man.sh [TOP]

set -eu
top=${1:-.}
cd "$top"
bad=0
table=lib/conf/table.c

pages=$(find man -name '*.[1-8]' 2>/dev/null | sort)
[ -n "$pages" ] || { echo "check-man: no pages in man/" >&2; exit 1; }

# shellcheck disable=SC2086	# one word a page
mandoc -Tlint -W warning $pages || bad=1

# Every word that a page shows as a command or a key, one a line.
# shellcheck disable=SC2086
shown=$(sed -nE 's/^\.(It )?(Ic|Cm) +"?([^ "]+).*/\3/p' $pages | sort -u)

is_shown()
{
	printf '%s\n' "$shown" | grep -Fqx -- "$1"
}

for file in cli/cmd_*.c; do
	[ -e "$file" ] || continue
	verb=${file#cli/cmd_}
	verb=$(echo "${verb%.c}" | tr _ -)
	is_shown "$verb" || {
		echo "$file: verb \"$verb\" is in no page" >&2
		bad=1
	}
done

# ROW("path", ..., KNOWN or EFFECTIVE, ...) becomes "path KNOWN".
options=$(tr '\n' ' ' <"$table" | sed 's/ROW("/\n&/g' |
	sed -nE 's/^ROW\("([^"]+)".*[ 	,](KNOWN|EFFECTIVE),.*/\1 \2/p' |
	sort -u)
[ -n "$options" ] || { echo "$table: no options found" >&2; exit 1; }

missing=$(printf '%s\n' "$options" | while read -r path use; do
	section=$path
	while ! is_shown "$section"; do
		case $use,$section in
		KNOWN,*.*|*,*.\*)
			section=${section%.*} ;;
		*)
			echo "$table: option \"$path\" is in no page"
			break ;;
		esac
	done
done)
[ -z "$missing" ] || { printf '%s\n' "$missing" >&2; bad=1; }
exit $bad
