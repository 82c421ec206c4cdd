#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# doc/protocol.md and those who quote its rules by number agree:
#
#	each rule of the table "Rules by number" is shown by something that
#	exists and quotes the number: "(N)" in the first line of a mutant's
#	patch, "rule N" in a test;
#	no number is quoted, in code, tests and patches, that is not there;
#	each mutant of the simulator stands on the page, and each that stands
#	there exists, in the simulator or in a model.
#
#	check-rules.sh [TOP]

set -eu
top=${1:-.}
cd "$top"
page=doc/protocol.md
mutants=test/sim/mutants
bad=0

complain() {
	echo "$1" >&2
	bad=1
}

# "N shown" a line: the number, and one thing of the last column
shown=$(sed -n '/^## Rules by number/,/^## Why/p' "$page" | awk -F'|' '
	$2 ~ /^ [0-9]+ $/ {
		gsub(/[ `]/, "", $4)
		n = split($4, by, ",")
		for (i = 1; i <= n; i++)
			print $2 + 0, by[i]
	}')
numbers=$(printf '%s\n' "$shown" | cut -d' ' -f1 | sort -un)
[ -n "$numbers" ] || complain "$page: there is no table of rules"

is_rule() {
	printf '%s\n' "$numbers" | grep -Fqx -- "$1"
}

# Lists go through here-documents: a loop behind a pipe could not complain.
while read -r number by; do
	case $by in
	M_*)
		file=$mutants/$by.patch
		quote="($number)" ;;
	*)
		file=$by
		quote="rule $number" ;;
	esac
	if [ ! -e "$file" ]; then
		complain "$page: rule $number is shown by $by, which is not there"
	elif ! grep -Fqiw -- "$quote" "$file"; then
		complain "$file: does not quote rule $number, which it shows"
	fi
done <<END
$shown
END

quoted=$(grep -rnEoi --include='*.[chp]*' 'rules? [0-9]+( and [0-9]+)?' \
	lib daemon test)
while IFS= read -r line; do
	for number in $(echo "${line##*:}" | grep -Eo '[0-9]+'); do
		is_rule "$number" ||
			complain "${line%:*}: there is no rule $number"
	done
done <<END
$quoted
END

for patch in "$mutants"/*.patch; do
	name=$(basename "$patch" .patch)
	grep -Fqw -- "$name" "$page" ||
		complain "$patch: $page says nothing of this mutant"
	# shellcheck disable=SC2013	# one word a line
	for number in $(sed 1q "$patch" | sed -n 's/.*(\([0-9]*\))\.$/\1/p'); do
		is_rule "$number" || complain "$patch: there is no rule $number"
	done
done
# shellcheck disable=SC2013	# one word a line
for name in $(grep -Eo 'M_[A-Z0-9]+' "$page" | sort -u); do
	[ -e "$mutants/$name.patch" ] ||
		grep -Fqw -- "$name" test/model/run.sh ||
		complain "$page: there is no mutant $name"
done
exit "$bad"
