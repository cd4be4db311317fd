#!/bin/sh
# usage: tools/budget.sh BINARY PACKAGES BYTES
#
# Fails when the shim links more packages, or is larger, than it may. Both are
# paid for at every start of a container; GODEBUG=inittrace=1 in front of the
# binary shows which package costs what.
set -eu

binary=$1 max_packages=$2 max_bytes=$3
packages=$("${GO:-go}" list -tags no_grpc -deps "./cmd/$(basename "$binary")" | wc -l)
bytes=$(wc -c <"$binary")
printf '         %d packages (at most %d), %d bytes (at most %d)\n' \
	"$packages" "$max_packages" "$bytes" "$max_bytes"
[ "$packages" -le "$max_packages" ] && [ "$bytes" -le "$max_bytes" ]
