#!/bin/sh
# Debian calls it with "configure" and the version before, RPM with the number of versions
# that will be there.
set -e
case ${1:-}:${2:-} in
configure: | 1:) echo 'eci: what this host has and lacks: eci check; to make it known to containerd and Docker: eci install' ;;
esac
