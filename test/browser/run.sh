#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# The status page in Debian's Chromium, without a screen: "make check-browser".
# Where chromium or chromedriver is missing that is said, and nothing is run.
#
#	run.sh BUILD [pytest's arguments]
#
# MT_SHOTS names a folder for pictures of the page.

set -eu
cd "$(dirname "$0")/../.."
build=$(cd "$1" && pwd)
shift
for program in chromium chromedriver; do
	command -v "$program" >/dev/null || {
		echo "browser: $program is not installed (chromium and" \
		    "chromium-driver): left out"
		exit 0
	}
done

# The daemons of the tests may not be able to look into this tree.
copy=$(mktemp -d /tmp/matriarch-browser-XXXXXX)
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$copy"
cp "$build/matriarch" "$build/matriarch-sentinel" "$build/matriarchd" "$copy"

MT_BUILD=$copy PYTHONDONTWRITEBYTECODE=1 "${PYTHON:-/usr/bin/python3}" \
    -m pytest -q -p no:cacheprovider --durations=5 test/browser "$@"
