#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# The tests with real PostgreSQL, real HAProxy and real processes.
#
#	cluster.sh BUILD [pytest's arguments]
#
# Run as root, the daemons of the tests drop to another user, who may not be
# able to look into this tree: the programs are copied to where all can.

set -eu
cd "$(dirname "$0")/../.."
build=$(cd "$1" && pwd)
shift

if [ "$(id -u)" -eq 0 ]; then
	copy=$(mktemp -d /tmp/matriarch-build-XXXXXX)
	trap 'rm -rf "$copy"' EXIT
	trap 'exit 130' INT TERM
	chmod 755 "$copy"
	cp "$build/matriarch" "$build/matriarch-sentinel" "$build/matriarchd" \
	    "$build/libbase.a" "$build/config.h" "$copy"
	build=$copy
fi
export MT_BUILD="$build" PYTHONDONTWRITEBYTECODE=1

# Folders with a rootdir of their own, so that pytest.ini is found.
run() {
	"${PYTHON:-/usr/bin/python3}" -m pytest -q -p no:cacheprovider \
	    --durations=5 "$@"
}
status=0
run test/cluster "$@" || status=$?
# 5: the arguments chose no test here
if [ "$status" -ne 0 ] && [ "$status" -ne 5 ]; then
	exit "$status"
fi
run test/faults "$@" || status=$?
[ "$status" -ne 5 ] || status=0
exit "$status"
