#!/bin/sh
# Before the programs go, what eci install has written is taken back: an engine must not name
# a program that is not there. Debian calls this with "remove" or "upgrade", RPM with the
# number of versions that will be left.
set -e
case ${1:-} in
remove | 0)
	if [ -e /var/lib/eci/install.json ]; then
		eci uninstall --yes >/dev/null || {
			echo 'eci: the package stays until eci uninstall is content' >&2
			exit 1
		}
	fi
	;;
esac
