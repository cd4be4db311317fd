package policy

import "sync"

// builtin are the rules for paths that hold where no file says otherwise, on a host
// with Docker, containerd, Podman, CRI-O or Kubernetes. They name places, whether or
// not something is there yet. docs/config.example.toml spells them out.
var builtin = sync.OnceValue(func() []PathRule {
	return concatRules(
		// The host's users, and what starts it.
		restricted("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d",
			"/etc/ssh", "/etc/pam.d", "/etc/security", "/etc/krb5.keytab", "/etc/wireguard",
			"/etc/ld.so.preload", "/etc/ld.so.conf.d", "/etc/cron.d", "/etc/crontab", "/etc/cron.hourly", "/etc/cron.daily",
			"/etc/cron.weekly", "/etc/cron.monthly", "/var/spool/cron", "/etc/systemd", "/etc/init.d", "/etc/udev", "/etc/modprobe.d",
			"/etc/profile.d", "/var/lib/systemd", "/var/lib/cloud", "/run/credentials", "/boot", "/efi"),
		// What the host's root runs, or believes.
		readable("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/var/lib/dpkg", "/var/lib/rpm",
			"/etc/passwd", "/etc/passwd-", "/etc/group", "/etc/group-", "/etc/subuid", "/etc/subuid-", "/etc/subgid", "/etc/subgid-",
			"/etc/nsswitch.conf", "/etc/hosts.allow", "/etc/hosts.deny", "/etc/krb5.conf", "/etc/login.defs", "/etc/polkit-1", "/etc/dbus-1",
			"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/ld.so.conf", "/etc/ld.so.cache", "/etc/alternatives",
			"/etc/profile", "/etc/bash.bashrc", "/etc/bashrc", "/etc/environment", "/etc/default", "/etc/sysconfig",
			"/etc/fstab", "/etc/crypttab", "/etc/modules", "/etc/modules-load.d", "/etc/sysctl.conf", "/etc/sysctl.d", "/etc/tmpfiles.d",
			"/etc/rc.local", "/etc/network", "/etc/NetworkManager", "/etc/logrotate.conf", "/etc/logrotate.d",
			"/etc/apt", "/etc/dnf", "/etc/yum.repos.d", "/etc/apparmor.d", "/etc/selinux", "/etc/cdi"),
		masked("/etc/ssl/private", "/etc/pki/tls/private"),
		masked("/root/.ssh", "/root/.gnupg", "/root/.aws", "/root/.azure", "/root/.config/gcloud", "/root/.kube", "/root/.docker"),

		// The kernel's file systems, and the sockets of the system.
		restricted("/proc", "/sys", "/dev", "/run/systemd", "/run/dbus", "/run/udev", "/run/sudo", "/var/lib/sudo", "/run/snapd.socket",
			"/run/user/*/systemd", "/run/user/*/bus", "/run/user/*/dbus-1", "/run/user/*/dockerd-rootless", "/run/user/*/containerd-rootless",
			"/run/user/*/containers", "/run/user/*/libpod", "/run/user/*/crun", "/run/user/*/runc", "/run/user/*/netns"),
		except("/run/systemd/resolve/stub-resolv.conf", "/run/systemd/resolve/resolv.conf"),

		// Docker.
		restricted("/etc/docker", "/var/lib/docker", "/run/docker", "/run/docker.sock", "/run/docker.pid", "/run/cri-dockerd.sock"),
		except(
			"/var/lib/docker/volumes/*/_data",
			"/var/lib/docker/plugins/*/propagated-mount",
			"/var/lib/docker/tmp/safe-mount*", // a part of a volume, volume-subpath
			"/var/lib/docker/containers/*/hostname", "/var/lib/docker/containers/*/hosts",
			"/var/lib/docker/containers/*/resolv.conf", "/var/lib/docker/containers/*/mounts",
			"/var/lib/docker/buildkit/executor/hosts*", "/var/lib/docker/buildkit/executor/resolv*.conf",
		),
		layers(
			"/var/lib/docker/overlay2/*/diff", "/var/lib/docker/overlay2/*/work", "/var/lib/docker/overlay2/*/merged", "/var/lib/docker/overlay2/l/*",
			"/var/lib/docker/fuse-overlayfs/*/diff", "/var/lib/docker/fuse-overlayfs/*/work", "/var/lib/docker/fuse-overlayfs/*/merged",
			"/var/lib/docker/btrfs/subvolumes/*", "/var/lib/docker/zfs/graph/*", "/var/lib/docker/vfs/dir/*",
			"/var/lib/docker/rootfs/*/*", "/var/lib/docker/buildkit/executor/*/rootfs",
		),
		snapshots("/var/lib/docker/containerd/daemon"),

		// containerd, nerdctl and BuildKit.
		restricted("/etc/containerd", "/var/lib/containerd", "/run/containerd", "/etc/buildkit", "/var/lib/buildkit", "/run/buildkit", "/etc/nerdctl", "/var/lib/nerdctl", "/etc/cni", "/run/netns"),
		except(
			"/var/lib/buildkit/*/hosts*", "/var/lib/buildkit/*/resolv*.conf",
			"/var/lib/nerdctl/*/volumes/*/*/_data",
			"/var/lib/nerdctl/*/containers/*/*/resolv.conf", "/var/lib/nerdctl/*/containers/*/*/hostname",
			"/var/lib/nerdctl/*/etchosts/*/*/hosts",
			"/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/*/hostname",
			"/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/*/hosts",
			"/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/*/resolv.conf",
			"/var/lib/containerd/io.containerd.grpc.v1.cri/containers/*/volumes",
			"/run/containerd/io.containerd.grpc.v1.cri/sandboxes/*/shm",
			"/run/containerd/io.containerd.grpc.v1.cri/image-volumes",
		),
		snapshots("/var/lib/containerd"),
		layers(
			"/run/containerd/io.containerd.runtime.v2.task/*/*/rootfs",
			"/var/lib/buildkit/*/snapshots/snapshots/*/fs", "/var/lib/buildkit/*/snapshots/snapshots/*/work",
			"/var/lib/buildkit/runc-native/snapshots/snapshots/*", "/var/lib/buildkit/*/executor/*/rootfs",
		),

		// Podman and CRI-O.
		restricted("/etc/containers", "/etc/crio", "/var/lib/containers", "/run/containers", "/run/podman", "/run/crio", "/run/libpod"),
		except(
			"/var/lib/containers/storage/volumes/*/_data",
			"/run/containers/storage/overlay-containers/*/userdata/hostname",
			"/run/containers/storage/overlay-containers/*/userdata/hosts",
			"/run/containers/storage/overlay-containers/*/userdata/resolv.conf",
			"/run/containers/storage/overlay-containers/*/userdata/shm",
		),
		layers(
			"/var/lib/containers/storage/overlay/*/diff", "/var/lib/containers/storage/overlay/*/work",
			"/var/lib/containers/storage/overlay/*/merged", "/var/lib/containers/storage/overlay/l/*",
		),

		// Kubernetes.
		restricted("/etc/kubernetes", "/etc/rancher", "/var/lib/kubelet", "/var/lib/etcd", "/var/lib/rancher", "/run/k3s"),
		following(except(
			"/var/lib/kubelet/pods/*/volumes", "/var/lib/kubelet/pods/*/volume-subpaths",
			"/var/lib/kubelet/pods/*/etc-hosts", "/var/lib/kubelet/pods/*/containers",
		)),
		// The containerd in k3s and RKE2.
		except(
			"/var/lib/rancher/*/agent/containerd/io.containerd.grpc.v1.cri/sandboxes/*/hostname",
			"/var/lib/rancher/*/agent/containerd/io.containerd.grpc.v1.cri/sandboxes/*/hosts",
			"/var/lib/rancher/*/agent/containerd/io.containerd.grpc.v1.cri/sandboxes/*/resolv.conf",
			"/var/lib/rancher/*/agent/containerd/io.containerd.grpc.v1.cri/containers/*/volumes",
			"/run/k3s/containerd/io.containerd.grpc.v1.cri/sandboxes/*/shm",
			"/run/k3s/containerd/io.containerd.grpc.v1.cri/image-volumes",
		),
		snapshots("/var/lib/rancher/*/agent/containerd"),

		// Managers of virtual machines and of system containers.
		restricted("/run/libvirt", "/var/lib/libvirt", "/run/incus", "/var/lib/incus", "/var/lib/lxd", "/var/snap/lxd"),

		// The policy itself, and its log, which lies where all logs are collected.
		restricted("/etc/eci", "/run/eci"),
		masked("/var/log/eci"),
	)
})

// engineSockets are where engines listen.
var engineSockets = []string{
	"/run/docker.sock", "/run/user/*/docker.sock", "/run/docker/*.sock",
	"/run/containerd/containerd.sock", "/run/containerd/containerd.sock.ttrpc", "/run/docker/containerd/containerd.sock",
	"/run/user/*/containerd/containerd.sock",
	"/run/k3s/containerd/containerd.sock", "/run/k0s/containerd.sock", "/var/snap/microk8s/common/run/containerd.sock",
	"/run/crio/crio.sock", "/run/cri-dockerd.sock",
	"/run/podman/podman.sock", "/run/user/*/podman/podman.sock",
	"/run/buildkit/buildkitd.sock", "/run/user/*/buildkit/buildkitd.sock",
	"/run/incus/unix.socket", "/var/lib/incus/unix.socket", "/var/lib/lxd/unix.socket", "/var/snap/lxd/common/lxd/unix.socket",
}

func restricted(paths ...string) []PathRule { return pathRules(Restricted, paths) }
func masked(paths ...string) []PathRule     { return pathRules(Masked, paths) }
func except(paths ...string) []PathRule     { return pathRules(Excepted, paths) }
func layers(paths ...string) []PathRule     { return pathRules(Layers, paths) }
func readable(paths ...string) []PathRule   { return pathRules(Readable, paths) }

// following are exceptions below which no engine mounts what its clients name.
func following(rules []PathRule) []PathRule {
	for i := range rules {
		rules[i].Follows = true
	}
	return rules
}

// snapshots are the layers below the root of a containerd: single ones, never the
// directory of all of them, in which a snapshotter has its database as well.
func snapshots(root string) []PathRule {
	const snapshotter = "/io.containerd.snapshotter.v1."
	return layers(
		root+snapshotter+"*/snapshots/*/fs", root+snapshotter+"*/snapshots/*/work",
		root+snapshotter+"*/snapshotter/snapshots/*/fs", root+snapshotter+"*/snapshotter/snapshots/*/work", // stargz
		root+snapshotter+"native/snapshots/*",
		root+snapshotter+"btrfs/active/*", root+snapshotter+"btrfs/view/*", root+snapshotter+"btrfs/snapshots/*",
	)
}

func pathRules(a Access, paths []string) []PathRule {
	out := make([]PathRule, len(paths))
	for i, p := range paths {
		out[i] = PathRule{Path: p, Access: a}
	}
	return out
}

func concatRules(lists ...[]PathRule) []PathRule {
	var out []PathRule
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}
