#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Runs the models through SPIN and prints a table.
#
#	run.sh check	the exhaustive searches that are small, and the
#			mutants: under 3 minutes of one core
#	run.sh all	these, and the large ones: an hour or so, 8 GB
#	run.sh NAME...	the cases of these names, of "all"
#	run.sh list	the names
#
# A case is one of
#	full	the correct model; each state that can be reached is visited
#	hash	the same, but a state is remembered by 64 bits of a hash: a state
#		might be missed by collision
#	part	the correct model, as far as memory or time allows; claims only
#		that no error was met
#	mutant	the model with one rule left out: an assertion has to fail;
#		breadth first, for errors that are near and among many states
#	deep	a mutant too, depth first
#
# It fails if a correct model has an error, if a mutant has none, or if a search
# that is to be full was cut short. Work files are in ${TMPDIR:-/tmp}; those of
# a run that failed are kept, and named. JOBS searches run at a time (2).

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
jobs=${JOBS:-2}

# set	kind	name	model	defines
cases() {
	cat <<'END'
check full lease lease.pml -DPATIENCE
check full lease-delay lease.pml -DDELAY
check full lease-drift lease.pml -DTTL=2 -DMARGIN=1 -DWANDER=1
check full lease-ttl lease.pml -DTTL=1 -DTTL2=2 -DNORELEASE
check full lease-exempt lease.pml -DEXEMPT -DTTL=1
check full lease-sync lease.pml -DSYNC -DTTL=1 -DEPOCHS=3 -DNORESTART
check full member member.pml
check full member-shrink member.pml -DSHRINK
check full sync sync.pml
check full sync-3-epochs sync.pml -DEPOCHS=3 -DCOMMITS=3 -DCHANGES=0
check full sync-4-nodes sync.pml -DNODES=4 -DSET=14 -DQUORUM=2 -DCHANGES=0
check mutant M_NODURABLE lease.pml
check mutant M_NOBOOT lease.pml
check mutant M_NOWAIT lease.pml
check mutant M_MINORITY lease.pml
check mutant M_NOGIVEUP lease.pml
check mutant M_GUVOLATILE lease.pml
check mutant M_LATEREL lease.pml
check mutant M_SELFBYPASS lease.pml
check mutant M_FROMASK lease.pml
check mutant M_FROMRECV lease.pml -DDELAY
check mutant M_STALE lease.pml -DDELAY -DTTL=1 -DNORESTART -DNORELEASE
check mutant M_NOMARGIN lease.pml -DTTL=2 -DMARGIN=1 -DWANDER=1
check mutant M_MASKKEPT lease.pml -DEPOCHS=3 -DTTL=1 -DNORELEASE
check mutant M_PEREPOCH lease.pml -DEPOCHS=3 -DTTL=1 -DNORESTART
check mutant M_NOREFUSE lease.pml -DPATIENCE
check deep M_VOTERTTL lease.pml -DTTL=1 -DTTL2=2 -DEPOCHS=3 -DNORELEASE -DNORESTART
check deep M_BOOTTTL lease.pml -DTTL=1 -DTTL2=2 -DEPOCHS=3 -DNORELEASE -DNOFALLBACK
check mutant M_LOWERTTL lease.pml -DTTL=2 -DTTL2=1 -DNORELEASE
check mutant M_EXEMPTFIRST lease.pml -DEXEMPT -DTTL=1
check mutant M_EXEMPTIGNORED lease.pml -DEXEMPT -DTTL=1
check mutant M_EXEMPTOLD lease.pml -DEXEMPT -DTTL=1
check mutant M_CLEARFIRST lease.pml -DEXEMPT -DTTL=1
check mutant M_CLEARANY lease.pml -DEXEMPT -DTTL=1
check mutant M_EXEMPTLOST lease.pml -DEXEMPT -DTTL=1 -DEPOCHS=3 -DNORESTART -DNORELEASE
check mutant M_YRELEASE lease.pml -DSYNC -DTTL=1 -DEPOCHS=3 -DNORESTART
check mutant M_YNOMODE lease.pml -DSYNC -DTTL=1
check deep M_NORULE member.pml
check deep M_BYAPPLIED member.pml
check deep M_SEEMSDEAD member.pml
check deep M_FENCEOLD member.pml
check deep M_LOGFIRST sync.pml
check deep M_ADDPGFIRST sync.pml -DSET=2
check deep M_LOOSENFIRST sync.pml
check deep M_NOCATCHUP sync.pml
check deep M_NOMIX sync.pml
check deep M_NOCAS sync.pml
check deep M_PUTNOEPOCH sync.pml -DEPOCHS=3
check deep M_FIRSTSET sync.pml -DEPOCHS=3 -DCHANGES=0
check deep M_FIRSTALONE sync.pml -DEPOCHS=3 -DNODES=4 -DSET=14 -DQUORUM=2 -DCHANGES=0
check deep M_SLOWANY sync.pml -DCHANGES=0
check deep M_NMINUSK sync.pml -DCHANGES=0
check deep M_LSNEARLY sync.pml -DCHANGES=0
check deep M_FENCEVOLATILE sync.pml -DCHANGES=0
check deep M_NOSTOP sync.pml -DCHANGES=0
check deep M_WIPE sync.pml -DCHANGES=0
check deep M_LSNONLY sync.pml -DEPOCHS=3 -DNODES=4 -DSET=14 -DQUORUM=2 -DLESS_ONE -DCHANGES=0
large hash lease-3-epochs lease.pml -DEPOCHS=3
large hash lease-3-epochs-delay lease.pml -DEPOCHS=3 -DDELAY -DTTL=1
large hash lease-3-data lease.pml -DDATA=3
large hash lease-drift-holder lease.pml -DTTL=3 -DMARGIN=1 -DWANDER=1
large hash lease-drift-voter lease.pml -DTTL=3 -DMARGIN=1 -DWANDER=2
large part lease-drift-all lease.pml -DTTL=4 -DMARGIN=2 -DWANDER=7
large hash lease-ttl-up lease.pml -DTTL=1 -DTTL2=2
large hash lease-ttl-down lease.pml -DTTL=2 -DTTL2=1
large part lease-ttl-3-epochs lease.pml -DTTL=1 -DTTL2=2 -DEPOCHS=3
large hash lease-exempt-ttl lease.pml -DEXEMPT -DTTL=2
large part lease-exempt-3-epochs lease.pml -DEXEMPT -DTTL=1 -DEPOCHS=3
large hash lease-sync-restart lease.pml -DSYNC -DTTL=1 -DEPOCHS=3
large hash sync-3-commits sync.pml -DCOMMITS=3
large hash sync-3-epochs-sets sync.pml -DEPOCHS=3
large hash sync-4-nodes-3-epochs sync.pml -DNODES=4 -DSET=14 -DQUORUM=2 -DEPOCHS=3 -DCHANGES=0
large part sync-4-nodes-less-one sync.pml -DNODES=4 -DSET=14 -DQUORUM=2 -DEPOCHS=3 -DLESS_ONE -DCHANGES=0
large part sync-3-epochs-sets-2 sync.pml -DEPOCHS=3 -DCHANGES=2
large part sync-4-nodes-sets sync.pml -DNODES=4 -DSET=14 -DQUORUM=2
large mutant M_YCONTINUED lease.pml -DSYNC -DTTL=1 -DEPOCHS=4 -DNORESTART
END
}

usage() {
	sed -n '5,9s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

# one KIND NAME MODEL DEFINES...: runs a case in a folder of its own and leaves
# a line of the table in its file "line", and "failed" if it did.
one() {
	local kind=$1 name=$2 model=$3 dir=$work/$2
	local errors states result begin=$SECONDS status=0
	local -a defines=("${@:4}") cc=(-O2) pan=(-E -m5000000)

	case $kind in
	full) pan+=(-w24) ;;
	hash) cc+=(-DHC4) pan+=(-w28) ;;
	part) cc+=(-DBITSTATE) pan+=(-w33) ;;
	mutant) cc=(-O1 -DBFS) pan+=(-w22) defines+=("-D$name") ;;
	deep) cc=(-O1) pan+=(-w22) defines+=("-D$name") ;;
	esac
	mkdir -p "$dir"
	cd "$dir"
	cp "$here/$model" .
	spin -a "${defines[@]}" "$model" >spin.out 2>&1 &&
	    gcc -w -DSAFETY -DNOREDUCE -DVECTORSZ=256 \
		-DMEMLIM="${MEMORY_MB:-3500}" "${cc[@]}" -o pan pan.c \
		>gcc.out 2>&1 || status=$?
	if [ "$status" -ne 0 ] || grep -q -i 'error\|warning' spin.out; then
		printf '%s\t%s\t-\t%s\t%d\n' "$name" "$model" \
		    "FAILED: does not build, see $dir" 0 >line
		touch failed
		return
	fi
	timeout "${SECONDS_MOST:-3600}" ./pan "${pan[@]}" >pan.out 2>&1 ||
	    status=$?
	errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.out)
	states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.out)
	judge
	printf '%s\t%s\t%s\t%s\t%d\n' "$name" "$model" "${states:--}" \
	    "$result" $((SECONDS - begin)) >line
	case $result in
	FAILED*) touch failed ;;
	*) rm -f pan pan.? ./*.trail ;;
	esac
}

# Sets result from what pan printed. Only what it says itself is believed: no
# "errors: 0" with a cut search passes for a proof.
judge() {
	local cut=

	grep -q 'too small\|out of memory\|not completed\|limit reached' \
	    pan.out && cut=yes
	[ "$status" -eq 0 ] && [ -n "$errors" ] || cut=yes
	case $kind,$errors,$cut in
	full,0,) result='no error: exhaustive' ;;
	hash,0,) result='no error: exhaustive by hash' ;;
	part,0,*) result='no error: partial' ;;
	part,,*)
		if [ "$status" -eq 124 ]; then
			result='no error: partial, out of time'
		else
			result="FAILED: pan ended with $status, see $dir"
		fi
		;;
	mutant,1,* | deep,1,*)
		if grep -q 'assertion violated' pan.out; then
			result='killed'
		else
			result="FAILED: another error, see $dir"
		fi
		;;
	mutant,,* | deep,,* | mutant,0,yes | deep,0,yes)
		result="FAILED: cut short before an error, see $dir" ;;
	mutant,* | deep,*) result="FAILED: the mutant survives, see $dir" ;;
	full,0,* | hash,0,* | full,,* | hash,,*)
		result="FAILED: the search was cut short, see $dir" ;;
	*) result="FAILED: error, replay with: cd $dir && ./pan -r -n" ;;
	esac
}

if [ "${1-}" = one ]; then
	work=$2
	# shellcheck disable=SC2086	# one word a define
	one "$3" "$4" "$5" ${6-}
	exit 0
fi
[ $# -gt 0 ] || usage
case $1 in
check) chosen=$(cases | sed -n 's/^check //p') ;;
all) chosen=$(cases | sed 's/^[a-z]* //') ;;
list) cases | awk '{ print $3 }'; exit 0 ;;
-*) usage ;;
*)
	chosen=
	for name; do
		line=$(cases | awk -v n="$name" '$3 == n' | sed 's/^[a-z]* //')
		[ -n "$line" ] || {
			echo "run.sh: there is no case \"$name\"" >&2
			exit 2
		}
		chosen+=$line$'\n'
	done
	;;
esac
for tool in spin gcc; do
	command -v "$tool" >/dev/null || {
		echo "run.sh: needs $tool, which is not installed" >&2
		exit 2
	}
done

work=$(mktemp -d "${TMPDIR:-/tmp}/matriarch-model.XXXXXX")
trap '[ -n "$(find "$work" -name failed)" ] || rm -rf "$work"' EXIT
count=$(printf '%s\n' "$chosen" | sed '/^$/d' | tee "$work/cases" | wc -l)

table() {
	printf '%-22s %-11s %11s %8s  %s\n' "$@"
}
table case model states seconds result
while read -r kind name model defines; do
	printf '%s\0' "$kind" "$name" "$model" "$defines"
done <"$work/cases" | xargs -0 -n 4 -P "$jobs" "$0" one "$work"

failures=0
while read -r _ name _; do
	IFS=$'\t' read -r name model states result seconds <"$work/$name/line"
	table "$name" "$model" "$states" "$seconds" "$result"
	[ ! -e "$work/$name/failed" ] || failures=$((failures + 1))
done <"$work/cases"
if [ "$failures" -gt 0 ]; then
	echo "models: $failures of $count cases FAILED, their files are in $work"
	exit 1
fi
echo "models: all $count cases as they should be, $SECONDS s"
