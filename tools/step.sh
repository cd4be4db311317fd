#!/bin/sh
# usage: tools/step.sh TARGET WHAT -- COMMAND...
#
# Says on one line what is built, and runs the command that builds it. Its output
# is shown when it fails, or as it comes with V=1.
set -eu

target=$1 what=$2
shift 3
printf '  tool   %s: %s\n' "$target" "$what"
mkdir -p "$(dirname "$target")"
if [ "${V:-0}" != 0 ]; then
	printf '%s\n' "$*"
	"$@"
else
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	"$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
touch "$target"
