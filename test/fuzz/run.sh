#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Build all fuzz targets with clang's ASan, UBSan and libFuzzer into
# ${B:-build}/fuzz, and run each for a while, two at a time. Fails if one of
# them found something, and says which file shows it again:
#
#	run.sh [SECONDS_EACH [TARGET...]]	10 seconds, all targets
#
#	B=DIR	 the build folder
#	SEED=N	 libFuzzer's seed, 1; with 0 it takes one by itself
#
# What was found to reach new code is kept in $B/fuzz/corpus and begun with the
# next time. Inputs that once crashed stay in test/fuzz/corpus/TARGET.

set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-10}
[ $# -eq 0 ] || shift
seed=${SEED:-1}
out=${B:-build}/fuzz
sanitize=-fsanitize=address,undefined
cflags="-O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all"

if [ $# -gt 0 ]; then
	targets=("$@")
else
	targets=(test/fuzz/fuzz_*.c)
	targets=("${targets[@]##*/}")
	targets=("${targets[@]%.c}")
fi
for t in "${targets[@]}"; do
	[ -f "test/fuzz/$t.c" ] || {
		echo "run.sh: there is no target \"$t\"" >&2
		exit 2
	}
done

# The layers, by the Makefile; in this order they link. The API's objects make
# one more.
archives=()
for layer in peer consensus pg http core conf base; do
	archives+=("$out/lib$layer.a")
done
api=(daemon/api/*.c)
api=("${api[@]/#/$out/}")
api=("${api[@]/%.c/.o}")
"${MAKE:-make}" --no-print-directory -s -j2 B="$out" CONFIGURE_ARGS="-q \
CC=clang CFLAGS='$cflags $sanitize -fsanitize=fuzzer-no-link'" "${archives[@]}" "${api[@]}"
rm -f "$out/libapi.a"
ar rcs "$out/libapi.a" "${api[@]}"
archives=("$out/libapi.a" "${archives[@]}")

packages=(libuv jansson yaml-0.1 libpq openssl raft sqlite3 libh2o)
# shellcheck disable=SC2046,SC2086	# flags are words
build_one() {
	clang -std=gnu11 -Wall -Wextra -Werror $cflags $sanitize \
	    -fsanitize=fuzzer -D_GNU_SOURCE -I"$out" -Ilib -I. \
	    $(pkg-config --cflags "${packages[@]}") -o "$out/$1" \
	    "test/fuzz/$1.c" test/fuzz/fuzz.c "${archives[@]}" \
	    $(pkg-config --libs "${packages[@]}") -pthread
}
# each FUNCTION: of all targets, two at a time; the status of the worst.
each() {
	local t bad=0

	for t in "${targets[@]}"; do
		"$1" "$t" &
		[ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n || bad=1
	done
	while [ -n "$(jobs -p)" ]; do
		wait -n || bad=1
	done
	return $bad
}

# run_one TARGET: nothing to say but one line, unless it fails.
run_one() {
	local t=$1 work=$out/corpus/$1 seeds=$out/seeds/$1 log=$out/$1.log
	local dirs found status=0

	rm -rf "$seeds"
	mkdir -p "$work" "$seeds" "$out/found"
	MT_FUZZ_SEEDS=$seeds "$out/$t"
	dirs=("$work" "$seeds")
	[ ! -d "test/fuzz/corpus/$t" ] || dirs+=("test/fuzz/corpus/$t")
	"$out/$t" -max_total_time="$seconds" -seed="$seed" -timeout=10 \
	    -rss_limit_mb=1024 -dict=test/fuzz/text.dict \
	    -artifact_prefix="$out/found/$t-" -print_final_stats=1 \
	    "${dirs[@]}" >"$log" 2>&1 || status=$?
	if [ "$status" -eq 0 ]; then
		printf '%-20s %s\n' "$t" "$(awk '
		/cov:/ { for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i + 1) }
		/number_of_executed_units/ { n = $2 }
		END { print n " inputs, " c " edges" }' "$log")"
		return 0
	fi
	tail -n 60 "$log"
	found=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
	printf '%s: FAILED (status %d)\n' "$t" "$status"
	[ -z "$found" ] || printf '%s: again: %s %s\n' "$t" "$out/$t" "$found"
	return 1
}
each build_one || exit 1
each run_one || {
	echo "fuzz: FAILED, see above" >&2
	exit 1
}
