#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# The tests with real PostgreSQL, real HAProxy and real processes.
#
#	cluster.sh BUILD [pytest's arguments]
#
# They wait more than they compute: WORKERS of them (4) run at a time, a module
# each. The later -n of two counts: "cluster.sh build -n 0" is one after another.
#
# Run as root, the daemons of the tests drop to another user, who may not be
# able to look into this tree: the programs are copied to where all can. That
# place holds all that the tests make; what a run that is interrupted leaves
# behind is found by it, and ended (test/cluster/sweep.py).

set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-/usr/bin/python3}
build=$(cd "$1" && pwd)
shift
export PYTHONDONTWRITEBYTECODE=1

scratch=$(mktemp -d /tmp/mt-XXXXXX)
chmod 755 "$scratch"
# shellcheck disable=SC2317	# it is called by the trap
sweep() {
	[ $? -ne 130 ] || interrupted=yes
	rm -rf "$scratch/build"
	"$python" test/cluster/sweep.py "$scratch"
	[ -z "${interrupted-}" ] || rm -rf "$scratch"
}
trap sweep EXIT
trap 'exit 130' INT TERM
if [ "$(id -u)" -eq 0 ]; then
	mkdir "$scratch/build"
	cp "$build/matriarch" "$build/matriarch-sentinel" "$build/matriarchd" \
	    "$build/libbase.a" "$build/config.h" "$scratch/build"
	build=$scratch/build
fi

# Folders with a rootdir of their own, so that pytest.ini is found.
run() {
	MT_BUILD="$build" MT_SCRATCH="$scratch" "$python" -m pytest -q \
	    -p no:cacheprovider --durations=5 "$@"
}
status=0
run -n "${WORKERS:-4}" --dist loadfile test/cluster "$@" || status=$?
# 5: the arguments chose no test here
if [ "$status" -ne 0 ] && [ "$status" -ne 5 ]; then
	exit "$status"
fi
run test/faults "$@" || status=$?
[ "$status" -ne 5 ] || status=0
exit "$status"
