#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# Install what debian/control lists: "make deps".
#
# Happy path: all is there already (dpkg-checkbuilddeps says so, in no time), or
# apt-get build-dep installs it, by sudo where we are not root.
# Debian 12 has the libraft that we need only in its backports suite. That one
# package is fetched by a temporary list of sources, made of the mirror that apt
# is configured with; the machine's own lists are left alone.
# Where there is no apt the list is printed, and what to do with it.

set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

list() {
	sed -n '/^Build-Depends:/,/^[^ ]/p' debian/control |
	    sed -n 's/^Build-Depends:/ /; s/<[^>]*>//g; s/ *,$//; s/^  *//p'
}

is_complete() {
	command -v dpkg-checkbuilddeps >/dev/null 2>&1 &&
	    dpkg-checkbuilddeps debian/control 2>/dev/null
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	else
		sudo env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

apt() {
	as_root apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
	    -o Dpkg::Options::=--force-confold --no-install-recommends "$@"
}

# A mirror may be in the middle of its own update: once more before giving up.
update() {
	apt "$@" update || { sleep 10; apt "$@" update; }
}

has_libraft() {
	version=$(apt-cache policy libraft-dev |
	    sed -n 's/^ *Candidate: *//p')
	[ -n "$version" ] && [ "$version" != "(none)" ] &&
	    dpkg --compare-versions "$version" ge 0.22
}

# The mirror and suite's name of this Debian's main archive, as apt has them.
main_archive() {
	apt-get indextargets --format "\$(SITE)|\$(CODENAME)|\$(RELEASE)" \
	    "Created-By: Packages" "Component: main" |
	awk -F'|' -v name="$1" '
		$2 == name || $3 == name { print $1; found = 1; exit }
		END { exit !found }'
}

install_libraft() {
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	site=$(main_archive "$codename") || {
		say "apt has no archive for \"$codename\", so its backports are" \
		    "not known; install libraft-dev 0.22 or newer by hand"
		return 1
	}
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	option=
	[ ! -e "$keyring" ] || option="[signed-by=$keyring] "
	lists=$(mktemp -d)
	trap 'rm -rf "$lists"' EXIT
	chmod 755 "$lists"
	for file in /etc/apt/sources.list.d/*.list \
	    /etc/apt/sources.list.d/*.sources; do
		[ ! -e "$file" ] || cp "$file" "$lists"
	done
	echo "deb $option$site $codename-backports main" \
	    >"$lists/matriarch-backports.list"
	chmod 644 "$lists"/*
	update -o Dir::Etc::sourceparts="$lists"
	apt -o Dir::Etc::sourceparts="$lists" install \
	    "libraft-dev/$codename-backports" "libraft0/$codename-backports"
	update			# forget the backports again
}

if ! command -v apt-get >/dev/null 2>&1; then
	say "there is no apt here; install these by your system's own means," \
	    "then run make:"
	list
	exit 1
fi
if is_complete; then
	exit 0
fi
if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
	say "these have to be installed; run \"make deps\" as root, or install" \
	    "sudo:"
	list
	exit 1
fi
update || say "going on with what apt knows already"
has_libraft || install_libraft
apt build-dep ./
is_complete || {
	say "apt is content, but dpkg-checkbuilddeps is not:"
	dpkg-checkbuilddeps debian/control || exit 1
}
