#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# Every header has a guard and compiles alone, and again after itself.
#
#	MT_CPPFLAGS="..." check-headers.sh [TOP]
#
# CC is the compiler, MT_CPPFLAGS its flags for the preprocessor.

set -eu
top=${1:-.}
cd "$top"
cc=${CC:-gcc}
flags=${MT_CPPFLAGS:--D_GNU_SOURCE -Ilib -I.}
bad=0

headers=$(for d in lib daemon cli test; do
	[ ! -d "$d" ] || find "$d" -name '*.h'
done | sort)
[ -n "$headers" ] || { echo "check-headers: no headers below $top" >&2; exit 1; }

for header in $headers; do
	include=${header#lib/}
	# shellcheck disable=SC2086	# flags are words
	if ! printf '#include "%s"\n#include "%s"\n' "$include" "$include" |
	    $cc -std=gnu11 -Wall -Wextra -Werror $flags -fsyntax-only -x c -
	then
		echo "$header: does not compile alone" >&2
		bad=1
	fi
	if ! grep -q '^#ifndef MT_' "$header"; then
		echo "$header: has no guard that begins with MT_" >&2
		bad=1
	fi
done
exit $bad
