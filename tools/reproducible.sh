#!/bin/sh
# usage: tools/reproducible.sh OUT VERSION ARCH...
#
# Builds the packages a second time, from a copy of the sources in another directory, with
# another umask, time zone and language, and compares them with those in OUT. FRESH=1 takes
# nothing from Go's build cache either: some minutes.
set -eu

out=$1 version=$2
first=$out
shift
SOURCE_DATE_EPOCH=$(git -c safe.directory='*' log -1 --format=%ct)
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mkdir "$work/a much longer name"
git -c safe.directory='*' ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$work/a much longer name"
[ -z "${FRESH:-}" ] || export GOCACHE="$work/cache"
(
	cd "$work/a much longer name"
	umask 077
	TZ=Pacific/Auckland LANG=de_DE.UTF-8 HOSTNAME=elsewhere tools/packages.sh "$work/second" "$@" >/dev/null
)
differ=0
for f in "$work"/second/*; do
	cmp "$f" "$first/$(basename "$f")" || differ=1
done
[ $differ = 0 ]
printf '  same, bit for bit: %d files, version %s\n' "$(find "$work/second" -type f | wc -l)" "$version"
