#!/bin/sh
# usage: tools/packages.sh OUT VERSION ARCH...
#
# Builds packages (.deb, .rpm), a plain archive and a bill of materials for each
# architecture into OUT. Two builds of one commit are the same, bit for bit: every time is
# that of the commit (SOURCE_DATE_EPOCH), and nothing of the machine is in them.
# Needs bin/eci of this machine, which prints the pages, and bin/nfpm; $ECI and $NFPM name
# them.
set -eu
umask 022

out=$1 version=$2
shift 2
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -c safe.directory='*' log -1 --format=%ct)}
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What packages call the version: digits first, and no dash.
case $version in
v[0-9]*) PKG_VERSION=${version#v} ;;
*) PKG_VERSION=0.0.0~git.$version ;;
esac
PKG_VERSION=$(printf %s "$PKG_VERSION" | tr - .)
export PKG_VERSION

# nfpm says what goes wrong on standard output.
nfpm() {
	"$NFPM" package --config packaging/nfpm.yaml --packager "$1" --target "$2" >"$work/log" || { cat "$work/log" >&2; exit 1; }
}

mkdir -p "$out"
for arch; do
	export ARCH=$arch STAGE=$work/$arch
	printf '  package  %s, %s\n' "$arch" "$PKG_VERSION"
	GOARCH=$arch make build BIN="$work/bin-$arch" VERSION="$version" >/dev/null
	make install BIN="$work/bin-$arch" ECI="$ECI" PREFIX=/usr DESTDIR="$STAGE" >/dev/null
	gzip -9n "$STAGE"/usr/share/man/man8/*.8
	doc=$STAGE/usr/share/doc/eci
	install -d "$doc" "$STAGE/etc/eci/conf.d" "$STAGE/usr/lib/systemd/system" "$STAGE/usr/share/eci"
	install -m 0644 LICENSE "$doc/copyright"
	install -m 0644 LICENSE README.md CHANGELOG.md docs/config.example.toml "$doc"
	install -m 0644 packaging/eci-metrics.service "$STAGE/usr/lib/systemd/system"
	cp -R deploy "$STAGE/usr/share/eci/deploy"
	GOARCH='' "${GO:-go}" run -C tools ./sbom -version "$version" -time "$SOURCE_DATE_EPOCH" "$work/bin-$arch"/* >"$doc/sbom.spdx.json"
	cp "$doc/sbom.spdx.json" "$out/eci_${PKG_VERSION}_$arch.spdx.json"
	find "$STAGE" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	nfpm deb "$out/eci_${PKG_VERSION}_$arch.deb"
	nfpm rpm "$out/eci-$PKG_VERSION-$arch.rpm"
	tar -C "$STAGE" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - . | gzip -9n >"$out/eci-$PKG_VERSION-$arch.tar.gz"
	GOARCH='' "${GO:-go}" run -C tools ./ocitar -name eci.local/eci:latest -arch "$arch" -time "$SOURCE_DATE_EPOCH" "$work/bin-$arch"/* >"$out/eci-$PKG_VERSION-$arch.oci.tar"
done
(cd "$out" && sha256sum eci[-_]"$PKG_VERSION"* >SHA256SUMS)
