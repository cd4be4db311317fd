#!/bin/sh
# usage: tools/programs.sh FILE
#
# Makes FILE, a tar archive of a Debian root file system with the programs that tests run in
# containers: what shows a machine's resources, languages' runtimes, servers, package
# managers, and sandboxes. /new has a newer util-linux, whose mount(8) uses fsopen(2) and
# what belongs to it. /repository has the packages of a minimal Debian, for one to be made
# inside a container without a network. Needs Debian's mirror.
set -eu

out=$1
tools/deps.sh programs
work=$(mktemp -d)
new=
trap '[ -z "$new" ] || { kill "$new" && wait "$new"; } 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$work"

packages=procps,htop,sysstat,bc,bsdutils,iproute2,libseccomp2,busybox-static,python3-minimal
packages=$packages,openjdk-17-jre-headless,nodejs,postgresql,redis-server
packages=$packages,rpm,mmdebstrap,bubblewrap,uidmap

# Unpacked, not installed: it only gives files. The newer C library comes with it.
mmdebstrap --quiet --mode=root --variant=extract --skip=check/empty --aptopt='Acquire::Languages "none"' \
	--dpkgopt='path-exclude=/usr/share/*' --include=mount,util-linux,libc6 trixie "$work/new" &
new=$!

# Manual pages must be there for the alternatives that they belong to, until all is installed.
# PostgreSQL compiles no queries here, so that its compiler (libLLVM, 110 MB) can go.
# The archives of packages are there at this hook, and no others.
mmdebstrap --quiet --mode=root --variant=minbase --skip=check/empty --include="$packages" \
	--aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
	--extract-hook='mkdir "$1/repository" && cp "$1"/var/cache/apt/archives/*.deb "$1/repository/"' \
	--customize-hook='cd "$1/repository" && for f in *.deb; do
		dpkg-deb --field "$f"
		printf "Filename: ./%s\nSize: %s\nSHA256: %s\n\n" "$f" "$(wc -c <"$f")" "$(sha256sum "$f" | cut -d" " -f1)"
	done >Packages
	printf "Suite: bookworm\nCodename: bookworm\nArchitectures: amd64 all\nSHA256:\n %s %s Packages\n" \
		"$(sha256sum Packages | cut -d" " -f1)" "$(wc -c <Packages)" >Release' \
	--customize-hook='rm -rf "$1"/usr/share/man/* "$1"/usr/share/doc/* "$1"/usr/share/i18n "$1"/usr/share/fonts "$1"/var/lib/postgresql/* \
		"$1"/usr/lib/*/libLLVM* "$1"/usr/lib/*/libz3.so* "$1"/usr/lib/jvm/*/lib/ct.sym "$1"/usr/lib/jvm/*/lib/server/*nocoops* "$1"/usr/lib/postgresql/*/lib/llvmjit* "$1"/usr/lib/postgresql/*/lib/bitcode' \
	bookworm "$work/root"

wait "$new"
new=
mkdir "$work/root/new"
cp -a "$work/new/usr" "$work/root/new/"
mkdir -p "$(dirname "$out")"
tar -C "$work/root" --numeric-owner --xattrs --xattrs-include='security.capability' --exclude=./dev/* -cf "$out.part" .
mv "$out.part" "$out"
