#!/bin/sh
# installed.sh: succeeds if containerd, ctr, runc and runc's shim are there and new
# enough for the demo, built already or installed on PATH; says what it found.
set -eu

# at_least A B: version A is B or later.
at_least() {
	[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# version PROGRAM: its version, without the v, from what --version prints.
version() {
	"$1" --version 2>/dev/null | sed -n '1s/.*[ v]\([0-9][0-9]*\.[0-9][0-9.]*\).*/\1/p'
}

PATH=$(pwd)/bin:$PATH
for program in containerd ctr runc containerd-shim-runc-v2; do
	command -v "$program" >/dev/null || exit 1
done
containerd=$(version containerd)
runc=$(version runc)
if at_least "${containerd:-0}" 1.7 && at_least "${runc:-0}" 1.2; then
	echo "  found  containerd $containerd ($(command -v containerd)), runc $runc ($(command -v runc))"
else
	echo "  note   containerd ${containerd:-of unknown version} and runc ${runc:-of unknown version} are too old for the demo"
	exit 1
fi
