package policy

import "sync"

// builtin are the rules for paths that hold where no file says otherwise, on a host
// with Docker, containerd, Podman, CRI-O or Kubernetes. They name places, whether or
// not something is there yet. docs/config.example.toml spells them out.
var builtin = sync.OnceValue(func() []PathRule {
	return concatRules(
		// The host's users, and what starts it.
		restricted("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d",
			"/etc/ssh", "/etc/pam.d", "/etc/security", "/etc/ssl/private", "/etc/pki/tls/private", "/etc/krb5.keytab", "/etc/wireguard",
			"/etc/ld.so.preload", "/etc/ld.so.conf.d", "/etc/cron.d", "/etc/crontab", "/etc/cron.hourly", "/etc/cron.daily",
			"/etc/cron.weekly", "/etc/cron.monthly", "/var/spool/cron", "/etc/systemd", "/etc/init.d", "/etc/udev", "/etc/modprobe.d",
			"/etc/profile.d", "/var/lib/systemd", "/var/lib/cloud", "/run/credentials", "/boot", "/efi"),
		masked("/root/.ssh", "/root/.gnupg", "/root/.aws", "/root/.azure", "/root/.config/gcloud", "/root/.kube", "/root/.docker"),

		// The kernel's file systems, and the sockets of the system.
		restricted("/proc", "/sys", "/dev", "/run/systemd", "/run/dbus", "/run/udev", "/run/user"),

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
			"/var/lib/docker/overlay2", "/var/lib/docker/fuse-overlayfs", "/var/lib/docker/btrfs", "/var/lib/docker/zfs",
			"/var/lib/docker/vfs", "/var/lib/docker/rootfs", "/var/lib/docker/containerd", "/var/lib/docker/buildkit",
		),

		// containerd, nerdctl and BuildKit.
		restricted("/etc/containerd", "/var/lib/containerd", "/run/containerd", "/etc/buildkit", "/run/buildkit", "/etc/nerdctl", "/var/lib/nerdctl", "/etc/cni", "/run/netns"),
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
		layers("/var/lib/containerd/io.containerd.snapshotter.v1.*", "/run/containerd/io.containerd.runtime.v2.task/*/*/rootfs", "/var/lib/buildkit"),

		// Podman and CRI-O.
		restricted("/etc/containers", "/etc/crio", "/var/lib/containers", "/run/containers", "/run/podman", "/run/crio", "/run/libpod"),
		except(
			"/var/lib/containers/storage/volumes/*/_data",
			"/run/containers/storage/overlay-containers/*/userdata/hostname",
			"/run/containers/storage/overlay-containers/*/userdata/hosts",
			"/run/containers/storage/overlay-containers/*/userdata/resolv.conf",
			"/run/containers/storage/overlay-containers/*/userdata/shm",
		),
		layers("/var/lib/containers/storage/overlay"),

		// Kubernetes.
		restricted("/etc/kubernetes", "/etc/rancher", "/var/lib/kubelet", "/var/lib/etcd", "/var/lib/rancher", "/run/k3s"),
		except(
			"/var/lib/kubelet/pods/*/volumes", "/var/lib/kubelet/pods/*/volume-subpaths",
			"/var/lib/kubelet/pods/*/etc-hosts", "/var/lib/kubelet/pods/*/containers",
		),
		// The containerd in k3s and RKE2.
		except(
			"/var/lib/rancher/*/agent/containerd/io.containerd.grpc.v1.cri/sandboxes/*/hostname",
			"/var/lib/rancher/*/agent/containerd/io.containerd.grpc.v1.cri/sandboxes/*/hosts",
			"/var/lib/rancher/*/agent/containerd/io.containerd.grpc.v1.cri/sandboxes/*/resolv.conf",
			"/var/lib/rancher/*/agent/containerd/io.containerd.grpc.v1.cri/containers/*/volumes",
			"/run/k3s/containerd/io.containerd.grpc.v1.cri/sandboxes/*/shm",
			"/run/k3s/containerd/io.containerd.grpc.v1.cri/image-volumes",
		),
		layers("/var/lib/rancher/*/agent/containerd/io.containerd.snapshotter.v1.*"),

		// The policy itself, and its log.
		restricted("/etc/eci", "/run/eci", "/var/log/eci"),
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
}

func restricted(paths ...string) []PathRule { return pathRules(Restricted, paths) }
func masked(paths ...string) []PathRule     { return pathRules(Masked, paths) }
func except(paths ...string) []PathRule     { return pathRules(Excepted, paths) }
func layers(paths ...string) []PathRule     { return pathRules(Layers, paths) }

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
