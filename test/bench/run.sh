#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# "make bench": figures of this machine, in this run; nothing is judged.
#
#	run.sh BUILD [HEADING...]	health, idle, outage; without one, all
#
#	SECONDS_EACH=N	of each measurement of health checks (5) and of idling (20)
#
# Wants wrk. Beside it Patroni with etcd is measured, where Debian's packages
# "patroni" and "etcd-server" are installed; without them its column is empty.

set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-/usr/bin/python3}
build=$(cd "$1" && pwd)
shift
export PYTHONDONTWRITEBYTECODE=1

# As root the servers drop to another user, who may not see this tree.
scratch=$(mktemp -d /tmp/mt-XXXXXX)
chmod 755 "$scratch"
# shellcheck disable=SC2317	# it is called by the trap
sweep() {
	rm -rf "$scratch/build"
	"$python" test/cluster/sweep.py "$scratch"
	rm -rf "$scratch"
}
trap sweep EXIT
trap 'exit 130' INT TERM
mkdir "$scratch/build"
cp "$build/matriarch" "$build/matriarch-sentinel" "$build/matriarchd" \
    "$scratch/build"
MT_BUILD="$scratch/build" MT_SCRATCH="$scratch" \
    "$python" test/bench/bench.py "$@"
