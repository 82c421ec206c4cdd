#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# Every #include follows the table of folders: who may include whom, and which
# libraries. Prints each offence; exit status 1 if there is one.
#
#	check-layers.sh [TOP]		TOP: the tree, default the current folder

set -eu
top=${1:-.}
cd "$top"

# folder | folders of ours | libraries (prefixes of their headers)
# The C library's and Linux's headers are free for all but lib/core, which has a
# list of its own further down.
table='
lib/base|base|openssl/ jansson yaml systemd/
lib/conf|base conf|jansson yaml
lib/core|base conf core|jansson
lib/consensus|base consensus|raft sqlite3 jansson
lib/peer|base peer|uv openssl/ jansson
lib/pg|base conf pg|uv libpq pg_config postgres_ext jansson
lib/http|base http|uv openssl/ h2o jansson
lib/client|base client|curl/ jansson
daemon|base conf core consensus peer pg http daemon|uv openssl/ h2o libpq raft sqlite3 jansson yaml systemd/
cli|base conf core client cli|libpq curses ncurses jansson yaml
test/unit|test|check
test/unit/base|base test|check jansson yaml
test/unit/conf|base conf test|check jansson yaml
test/unit/core|base conf core test|check jansson
test/unit/consensus|base consensus test|check raft sqlite3 jansson
test/unit/peer|base peer test|check uv openssl/ jansson
test/unit/pg|base conf pg test|check uv libpq jansson
test/unit/http|base http test|check uv openssl/ h2o jansson
test/unit/client|base client test|check curl/ jansson
test/unit/api|base conf core consensus peer pg http daemon test|check uv openssl/ h2o libpq raft sqlite3 jansson yaml
test/unit/daemon|base conf core consensus peer pg http daemon test|check uv openssl/ h2o libpq raft sqlite3 jansson yaml
test/unit/cli|base conf core client cli test|check libpq curses ncurses jansson yaml
test/sim|base conf core consensus daemon test|raft jansson
test/faults|base conf core consensus peer pg http daemon test|uv jansson
test/fuzz|base conf core consensus peer pg http client daemon cli test|uv openssl/ h2o libpq raft sqlite3 curl/ jansson yaml
'

# What may be met at all: without this, a mistyped library would pass.
libraries='uv raft sqlite3 libpq h2o openssl/ curl/ jansson yaml
	curses ncurses systemd/ check pg_config postgres_ext'

# The pure core: no clock, no file, no socket, no thread, no process.
impure='time.h sys/time.h unistd.h fcntl.h signal.h poll.h pthread.h spawn.h
	dirent.h netdb.h stdatomic.h sys/socket.h sys/stat.h sys/wait.h sys/epoll.h
	sys/timerfd.h sys/mman.h sys/un.h netinet/in.h arpa/inet.h base/clock.h
	base/log.h'

files=$(for d in lib daemon cli test; do
	[ ! -d "$d" ] || find "$d" -name '*.[ch]'
done | sort)
[ -n "$files" ] || { echo "check-layers: no C files below $top" >&2; exit 1; }

# shellcheck disable=SC2086	# one word a file
awk -v table="$table" -v libraries="$libraries" -v impure="$impure" '
BEGIN {
	nrows = split(table, lines, "\n")
	for (i = 1; i <= nrows; i++) {
		if (split(lines[i], f, "|") != 3)
			continue
		rows[++n] = f[1]
		ours[f[1]] = " " f[2] " "
		libs[f[1]] = f[3]
	}
	nknown = split(libraries, known, /[ \t\n]+/)
	nimpure = split(impure, imp, /[ \t\n]+/)
}

# The row of a file: the longest folder that holds it.
function row_of(file,   i, best) {
	best = ""
	for (i = 1; i <= n; i++)
		if (index(file, rows[i] "/") == 1 &&
		    length(rows[i]) > length(best))
			best = rows[i]
	return best
}

function complain(why) {
	printf "%s:%d: %s\n", FILENAME, FNR, why
	bad = 1
}

function begins_with_one_of(header, list, count,   i) {
	for (i = 1; i <= count; i++)
		if (list[i] != "" && index(header, list[i]) == 1)
			return 1
	return 0
}

FNR == 1 {
	row = row_of(FILENAME)
	if (row == "")
		complain("this folder has no row in test/tools/check-layers.sh")
	nown = row == "" ? 0 : split(libs[row], own, " ")
}

row == "" { next }

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, q, "\"")
	header = q[2]
	if (header ~ /(^|\/)\.\.?\//) {
		complain("\"" header "\" climbs; name it from lib/ or the top")
		next
	}
	# what the build makes
	if (header == "config.h" || header == "sample.inc" ||
	    header == "sources.inc")
		next
	split(header, part, "/")
	folder = part[1]
	if (index(header, "/") == 0) {
		# Tests share headers with their neighbours.
		beside = FILENAME
		sub(/[^\/]*$/, header, beside)
		if (row !~ /^test\// || (getline line < beside) < 0)
			complain("\"" header "\" has no folder")
		close(beside)
	}
	else if (index(ours[row], " " folder " ") == 0)
		complain(row " may not include \"" header "\"")
	else if (row == "lib/core" && begins_with_one_of(header, imp, nimpure))
		complain("lib/core is pure, but includes \"" header "\"")
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	header = $0
	sub(/^[^<]*</, "", header)
	sub(/>.*/, "", header)
	if (begins_with_one_of(header, known, nknown) &&
	    !begins_with_one_of(header, own, nown))
		complain(row " may not include <" header ">")
	if (row == "lib/core" && begins_with_one_of(header, imp, nimpure))
		complain("lib/core is pure, but includes <" header ">")
}

END { exit bad }
' $files
