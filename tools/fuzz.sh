#!/bin/sh
# usage: tools/fuzz.sh DURATION
#
# Runs every fuzz target of the module in turn, for DURATION each. What it finds
# is written to testdata/fuzz/ beside the target: commit it with the fix, then the
# unit tests keep it as a seed.
set -eu

duration=$1
found=0
for file in $(find . -name '*_test.go' -not -path './integration/*' | sort); do
	for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		found=$((found + 1))
		printf '  fuzz   %s %s for %s\n' "$(dirname "$file")" "$name" "$duration"
		"${GO:-go}" test -run '^$' -fuzz "^$name\$" -fuzztime "$duration" -fuzzminimizetime 1s "$(dirname "$file")"
	done
done
[ "$found" -gt 0 ] || { echo 'no fuzz target found' >&2; exit 1; }
