#!/bin/sh
# Runs as a unit in the machine: mounts the disk that run.sh made, says what machine this
# is, runs /eci/vm-command, and writes its status to the third serial line.
stty -F /dev/ttyS0 raw -echo
stty -F /dev/ttyS2 raw -echo
mkdir -p /eci
mount -t ext4 -o noatime /dev/vdb /eci || exit 1
chown -R 0:0 /eci
state=$(systemctl is-system-running --wait)

cgroup=$(stat -fc %T /sys/fs/cgroup)
[ "$cgroup" != cgroup2fs ] || cgroup="$cgroup ($(cat /sys/fs/cgroup/cgroup.controllers))"
read -r up _ </proc/uptime
cat <<END
eci-vm: kernel   $(uname -r) $(uname -v)
eci-vm: system   $(. /etc/os-release && echo "$PRETTY_NAME"), systemd $(systemctl --version | awk 'NR == 1 { print $2 }'), $state
eci-vm: cgroup   $cgroup
eci-vm: lsm      $(cat /sys/kernel/security/lsm); apparmor enabled: $(cat /sys/module/apparmor/parameters/enabled 2>/dev/null || echo N)
eci-vm: machine  $(nproc) CPUs, $(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB, up after $up s
END
for unit in $(systemctl list-units --failed --plain --no-legend | awk '{ print $1 }'); do
    echo "eci-vm: failed unit $unit"
done

PATH=/eci/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
export PATH HOME
sh /eci/vm-command
status=$?
echo "$status" >/dev/ttyS2
exit "$status"
