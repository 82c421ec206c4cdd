#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# The same seed gives the same run, to the byte. With a mutant: what is printed
# of a failure (fewer faults, and the command that runs them) fails again with
# the same words, twice with the same trace, and not without the mutant.
#
#	test/sim/replay.sh [MUTANT]	its program is of test/sim/mutants.sh
#
# MT_BUILD names the build directory, if it is not build.

set -eu
cd "$(dirname "$0")/../.."
dir=$(mktemp -d /tmp/matriarch-replay-XXXXXX)
trap 'rm -rf "$dir"' EXIT

die() {
	echo "replay: $*" >&2
	exit 1
}

# twice ARGUMENT...: the trace of this run is in $dir/1
twice() {
	for i in 1 2; do
		test/sim/run "$@" >"$dir/$i" || [ $? -eq 1 ] ||
			die "$* does not run"
	done
	cmp -s "$dir/1" "$dir/2" || die "$*: two runs differ"
	[ "$(wc -l <"$dir/1")" -gt 50 ] || die "$*: no trace"
}

if [ $# -eq 0 ]; then
	for seed in 1 2 3 4 5 6 7 8; do
		twice --seed "$seed"
	done
	twice --liveness --seed 9
	twice --schedule late-answers
	echo "the same seed gives the same trace"
	exit 0
fi
"${MT_BUILD:-build}/test/sim/mutants/$1/matriarch-sim" --seeds 500 --lease \
	>"$dir/out" && die "$1 survives"
# "    2 of its 17 faults are enough, at 21.4 s: WORDS"; some had but one.
awk '/faults are enough/ { smaller = $1 < $4 }
	smaller { print }
	smaller && /test\/sim\/run/ { exit }' "$dir/out" >"$dir/smaller"
enough=$(grep 'faults are enough' "$dir/smaller" || true)
command=$(sed -n 's,^ *test/sim/run ,,p' "$dir/smaller")
# shellcheck disable=SC2086	# its words
set -- "$1" $enough
[ "${5:-0}" -gt "${2:-0}" ] || die "$1: not made smaller: $enough"
# shellcheck disable=SC2086
twice --mutant "$1" $command
words="failed ${enough#*are enough, }"
[ "$(tail -n 1 "$dir/1")" = "$words" ] ||
	die "$command ends with $(tail -n 1 "$dir/1"), not: $words"
# shellcheck disable=SC2086
test/sim/run $command --quiet >"$dir/out" ||
	die "$command fails without the mutant: $(cat "$dir/out")"
echo "$1: $2 of $5 faults are enough: test/sim/run $command"
