#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# "make check": every stage prints its name, what it has to say, and how long it
# took; the first that fails ends the run. Quick ones come first.
#
#	stages.sh [STAGE...]	only these, in this order
#
# Three builds, each in a folder of its own below build/: gcc and clang with
# warnings as errors, and gcc with ASan and UBSan. Programs of the gcc build are
# what the simulator and the cluster tests run.

set -euo pipefail
cd "$(dirname "$0")/../.."
make=${MAKE:-make}
jobs=${JOBS:-$(nproc)}

# build FOLDER GOAL [configure's arguments]
build() {
	"$make" --no-print-directory -s -j"$jobs" B="build/$1" \
	    CONFIGURE_ARGS="-q --enable-werror $3" "$2"
}
gcc() { build gcc "$1" CC=gcc; }

stage_shell() { "$make" -s check-shell; }
stage_layers() { "$make" -s check-layers check-rules; }
stage_format() { "$make" -s check-format; }
stage_man() { "$make" -s check-man; }
stage_gcc() { gcc programs; }
stage_headers() { gcc check-headers; }
stage_unit() { gcc unit; }
# Only its warnings are wanted; code is not made better for that.
stage_clang() { build clang programs "CC=clang CFLAGS=-O0"; }
stage_asan() {
	build asan unit "--enable-sanitizers CC=gcc CFLAGS='-O1 -g'"
	build asan all "--enable-sanitizers CC=gcc CFLAGS='-O1 -g'"
	asan_tour
}
# The whole of it once under the sanitizers. The daemons' findings go to files:
# nobody else would see those of a daemon that is just ending.
asan_tour() {
	local dir
	dir=$(mktemp -d /tmp/matriarch-asan-XXXXXX)
	chmod 1777 "$dir"
	ASAN_OPTIONS=log_path="$dir/asan" UBSAN_OPTIONS=log_path="$dir/ubsan" \
	    build/asan/matriarch demo --tour >"$dir/tour" || {
		cat "$dir/tour"
		return 1
	}
	if cat "$dir"/asan.* "$dir"/ubsan.* 2>/dev/null; then
		return 1
	fi
	rm -rf "$dir"
}
stage_raftsim() { gcc raftsim; }
stage_sim() { gcc sim; }
stage_mutants() { gcc mutants; }
stage_model() { "$make" -s check-model; }
# Seconds each: every byte that comes from outside.
stage_fuzz() { MAKE="$make" test/fuzz/run.sh 10; }
stage_cluster() { gcc cluster; }
# Of "make check-long"
stage_fuzz_long() { MAKE="$make" SEED=0 test/fuzz/run.sh 300; }
stage_versions() { gcc check-versions; }
stage_browser() { gcc check-browser; }

stages="shell layers format man gcc headers unit clang asan raftsim sim \
mutants model fuzz cluster"

begin=$SECONDS
# shellcheck disable=SC2086	# one word a stage
[ $# -gt 0 ] || set -- $stages
for stage; do
	declare -F "stage_$stage" >/dev/null || {
		echo "stages: there is no stage \"$stage\"; there are: $stages" >&2
		exit 2
	}
	printf '== %s\n' "$stage"
	since=$SECONDS
	# In a shell of its own with -e, which "if stage_x" would switch off.
	set +e
	(set -e; "stage_$stage")
	status=$?
	set -e
	if [ "$status" -ne 0 ]; then
		printf '== %s: FAILED (status %d) after %d s\n' \
		    "$stage" "$status" $((SECONDS - since))
		exit 1
	fi
	printf '== %s: passed, %d s\n' "$stage" $((SECONDS - since))
done
printf '== all stages passed, %d s\n' $((SECONDS - begin))
