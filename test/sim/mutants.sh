#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# Each rule of the lease, and of the decisions, has a mutant that lacks it: a
# patch in test/sim/mutants/, applied to a copy of the sources. Each has to die,
# of what the rule prevents: by a written schedule, or by a drawn seed. A patch
# that does not apply any more is a failure, too: the rule has moved. Above the
# patch may stand "dies of: seed 5551", for a rare death, which is tried first;
# "liveness": it has to die of a cluster that does not come back, in seeds that
# wait for that; or "holds with --drift 5": it is no mutant, and has to hold
# where the program does not.
#
#	test/sim/mutants.sh [NAME...]
#
# It builds on the objects and archives of the build directory, MT_BUILD.

set -eu
cd "$(dirname "$0")/../.."
B=${MT_BUILD:-build}
SEEDS=${SEEDS:-1-10000}
DEADLY='two leases|two writable primaries|becomes primary|two contents|lost|coexist|justified|without an exemption|unfit|has (no )?ground|another state|is taken while|200 to .primary|does not see'

value() {
	sed -n "s/^$1 = //p" "$B/config.mk"
}
CC=$(value CC)
FLAGS="-std=gnu11 -O1 $(value SANITIZE) -D_GNU_SOURCE $(value JANSSON_CFLAGS)
	$(value YAML_CFLAGS) $(value RAFT_CFLAGS) $(value SQLITE_CFLAGS) -pthread"
LIBS="$B/libconsensus.a $B/libhttp.a $B/libcore.a $B/libconf.a $B/libbase.a
	$(value JANSSON_LIBS) $(value YAML_LIBS) $(value RAFT_LIBS)
	$(value SQLITE_LIBS)"

# build NAME: with the files that its patch names replaced
build() {
	dir=$B/test/sim/mutants/$1
	patch=test/sim/mutants/$1.patch
	rm -rf "$dir"
	files=$(sed -n 's,^--- a/,,p' "$patch")
	for f in $files; do
		mkdir -p "$dir/$(dirname "$f")"
		cp "$f" "$dir/$f"
	done
	patch -s -p1 -d "$dir" <"$patch" >"$dir/log" 2>&1 || return 1
	objects=
	replaced=
	for f in $files; do
		# shellcheck disable=SC2086
		$CC $FLAGS -I"$dir" -I"$B" -Ilib -I. -c -o "$dir/${f%.c}.o" \
			"$dir/$f" >>"$dir/log" 2>&1 || return 1
		objects="$objects $dir/${f%.c}.o"
		replaced="$replaced ${f%.c}.o"
	done
	for o in "$B"/test/sim/*.o "$B/daemon/api/health.o"; do
		case $(basename "$o") in
		raft*) continue ;;
		esac
		case " $replaced " in
		*" ${o#"$B"/} "*) ;;
		*) objects="$objects $o" ;;
		esac
	done
	# shellcheck disable=SC2086
	$CC $FLAGS -o "$dir/matriarch-sim" $objects $LIBS >>"$dir/log" 2>&1
}

# note NAME WORDS: what its patch says after them
note() {
	sed -n "/^---/q; s/^$2//p" "test/sim/mutants/$1.patch"
}

# died COMMAND...: prints of what, if it did of what it should
died() {
	how=$("$@") && return 1
	echo "$how" | grep -E "$deadly" | sed 1q | grep .
}

# kill NAME: prints how it died
kill_mutant() {
	program=$B/test/sim/mutants/$1/matriarch-sim
	deadly=$DEADLY
	only=--lease
	lease=--lease
	if grep -qx liveness "test/sim/mutants/$1.patch"; then
		deadly='no primary|does not work again'
		only=--liveness
		lease=
	fi
	s=$(note "$1" 'dies of: seed ')
	if [ -n "$s" ] &&
		died "$program" --seeds "$s-$s" --stop $only; then
		return 0
	fi
	for s in $("$program" --list); do
		if how=$(died "$program" --schedule "$s" --quiet $lease); then
			echo "$s: ${how#failed }"
			return 0
		fi
	done
	died "$program" --seeds "$SEEDS" --jobs 1 --stop $only
}

# hold NAME: no mutant, but a variant, which bears what the program does not
hold() {
	deadly=$DEADLY
	with=$(note "$1" 'holds with ')
	# shellcheck disable=SC2086	# arguments
	if how=$(died "$B/test/sim/matriarch-sim" --seeds 2000 --jobs 1 \
		--lease --stop $with) &&
		"$B/test/sim/mutants/$1/matriarch-sim" --seeds 2000 --jobs 1 \
			--stop $with >/dev/null; then
		printf '%-20s holds with %s; else: %s\n' "$1" "$with" "$how"
		return 0
	fi
	echo "$1: does not hold with $with, or the program does, too: $how"
	return 1
}

if [ "${1:-}" = --one ]; then
	if ! build "$2"; then
		echo "$2: does not build:"
		cat "$B/test/sim/mutants/$2/log"
		exit 1
	elif [ -n "$(note "$2" 'holds with ')" ]; then
		hold "$2"
	elif how=$(kill_mutant "$2"); then
		printf '%-20s %s\n' "$2" "$how"
	else
		printf '%-20s SURVIVES\n' "$2"
		exit 1
	fi
	exit 0
fi
if [ $# -eq 0 ]; then
	for p in test/sim/mutants/*.patch; do
		set -- "$@" "$(basename "$p" .patch)"
	done
fi
# As many at a time as there are processors; each says its own line.
printf '%s\n' "$@" | xargs -n 1 -P "$(nproc)" test/sim/mutants.sh --one || {
	echo "mutants: of $# not all die" >&2
	exit 1
}
echo "all $# mutants die"
