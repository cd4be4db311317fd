package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// needFiles skips a test of programs that are not built.
func needFiles(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(bed(t).Programs.Dir, name)); err != nil && os.Getenv("CI") == "" {
			t.Skipf("%v: run `make systems`", err)
		}
	}
}

// podmanSteps are those of Docker's that podman has, too.
func podmanSteps() []printed {
	var list []printed
	for _, p := range dockerSteps {
		p.script = strings.ReplaceAll(p.script, "docker", "podman")
		p.script = strings.ReplaceAll(p.script, "FROM inner", "FROM localhost/inner")
		if p.name == "build" {
			p.script = strings.ReplaceAll(p.script, "podman build", "podman build --format docker")
		}
		list = append(list, p)
	}
	return append(list, printed{"pod", "podman pod create --name pod; podman run -d --pod pod --name first inner httpd -f -h /www; podman run --rm --pod pod inner wget -qO- http://127.0.0.1/; podman pod rm -f -t 0 pod", []string{`^inner$`}, nil})
}

func TestP16_Podman(t *testing.T) {
	task := engines(t, testbed.Container{})
	steps(t, task, "", append([]printed{
		{"driver", "podman info -f '{{.Store.GraphDriverName}}'", []string{`^overlay$`}, nil},
	}, podmanSteps()...))
	steps(t, task, "", []printed{
		{"buildah", "c=$(buildah from localhost/inner); buildah run $c sh -c 'echo made >/made; cat /made'; buildah commit -q $c made >/dev/null; podman run --rm made cat /made; buildah rm $c", []string{`^made\nmade$`}, nil},
	})
}

// TestP16_OuterLimits: whatever an inner container is promised, it has what the outer one has,
// and nobody inside changes that.
func TestP16_OuterLimits(t *testing.T) {
	task := engines(t, testbed.Container{Spec: limited(limits{memory: 256 << 20, quota: 1})})
	steps(t, task, "", []printed{
		{"import", "podman import -q /inner.tar inner", nil, nil},
		{"memory", "podman run --rm --memory 1g --memory-swap 1g inner sh -c 'head -c 800m /dev/zero | tail -c 700m >/dev/null; echo ended $?' || echo status $?", []string{`^ended 137$|^status 137$`}, []string{`^ended 0$`}},
		{"the limit", "for f in memory.max memory/memory.limit_in_bytes cpu.max cpu/cpu.cfs_quota_us; do [ ! -e /sys/fs/cgroup/$f ] || echo -1 >/sys/fs/cgroup/$f || echo max >/sys/fs/cgroup/$f || echo refused; done 2>/dev/null; grep MemTotal /proc/meminfo", []string{`^refused\nrefused$`, `^MemTotal: +262144 kB$`}, nil},
		{"division", "for d in /sys/fs/cgroup/memory /sys/fs/cgroup; do [ ! -e $d/cgroup.procs ] || { mkdir $d/part; sh -c \"echo \\$\\$ >$d/part/cgroup.procs; grep -o '/part$' /proc/self/cgroup\"; break; }; done", []string{`^/part$`}, nil},
	})
}

// TestP16_Containerd is containerd without an engine above it, Debian's and today's.
func TestP16_Containerd(t *testing.T) {
	for name, path := range map[string]string{"Debian's": systemPath, "today's": currentPath()} {
		t.Run(name, func(t *testing.T) {
			task := engines(t, testbed.Container{})
			// An image without a tool to make one: podman writes it.
			shell(t, task, "podman import -q /inner.tar example.com/inner; podman save -q --format oci-archive -o /tmp/inner.tar example.com/inner")
			daemon(t, task, path, "containerd", "ctr version")
			steps(t, task, "export "+path+"; run='ctr run --rm'; i=example.com/inner:latest; ", []printed{
				{"import", "ctr image import /tmp/inner.tar; ctr image ls -q", []string{`^example\.com/inner:latest$`}, nil},
				{"run", "$run $i c1 sh -c 'echo hello; id -u'", []string{`^hello\n0$`}, nil},
				{"exec", "ctr run -d $i c2 sleep 1000; ctr task exec --exec-id e c2 sh -c 'echo from exec'; ctr task ls; ctr task kill -s KILL c2; timeout 60 sh -c 'until ctr task rm c2; do sleep 0.1; done'; ctr container rm c2 || true", []string{`^from exec$`, `c2 +\d+ +RUNNING`}, nil},
				{"privileged", "$run --privileged $i c3 sh -c 'mount -t tmpfs t /tmp; mkdir /tmp/p; mount -t proc p /tmp/p; cut -d. -f1 /tmp/p/uptime'", []string{`^\d{1,4}$`}, nil},
				{"memory", "$run --memory-limit 33554432 --cgroup /mine/c4 $i c4 cat /proc/self/cgroup; grep -r . /sys/fs/cgroup/mine /sys/fs/cgroup/memory/mine 2>/dev/null | head -n 1 || true", []string{`/mine/c4$`}, nil},
				{"volume", "mkdir -p /tmp/v; $run --mount type=bind,src=/tmp/v,dst=/v,options=rbind:rw $i c5 sh -c 'echo kept >/v/file'; cat /tmp/v/file", []string{`^kept$`}, nil},
			})
		})
	}
}

// TestP16_BuildKit: a buildkitd of one's own, as docker buildx starts it.
func TestP16_BuildKit(t *testing.T) {
	needFiles(t, "buildkit/buildkitd")
	task := engines(t, testbed.Container{})
	daemon(t, task, currentPath(), "buildkitd", "buildctl debug workers")
	steps(t, task, "export "+currentPath()+"; ", []printed{
		{"worker", "buildctl debug workers -v", []string{`snapshotter:\s*overlayfs`}, nil},
		{"build", `mkdir -p /ctx; cp /inner.tar /ctx; printf 'FROM scratch AS base\nADD inner.tar /\nFROM base AS one\nRUN --mount=type=cache,target=/cache echo cached >/cache/x && echo built >/etc/built\nFROM base\nCOPY --from=one /etc/built /etc/built\nRUN --mount=type=tmpfs,target=/t --network=none ip -o link | wc -l >/etc/links && cat /etc/built /etc/links\n' >/ctx/Dockerfile
			buildctl build --frontend dockerfile.v0 --local context=/ctx --local dockerfile=/ctx --output type=oci,name=built,dest=/tmp/built.tar --progress plain; ls -l /tmp/built.tar`, []string{`^#\d+ [\d.]+ built$`, `/tmp/built\.tar$`}, nil},
		{"cache", "buildctl du | tail -n 1; buildctl prune >/dev/null; buildctl du | tail -n 1", []string{`^Total:`}, nil},
		{"insecure", "printf 'FROM scratch\nADD inner.tar /\nRUN --security=insecure mount -t tmpfs t /tmp\n' >/ctx/Dockerfile; buildctl build --frontend dockerfile.v0 --local context=/ctx --local dockerfile=/ctx --allow security.insecure || echo refused", []string{`^refused$`}, nil},
	})
}

// rootless prepares a container for engines that an ordinary user starts: IDs that the
// container has, and devices for everybody, as hosts with udev have them.
func rootless(t *testing.T, c testbed.Container) *testbed.Task {
	t.Helper()
	task := engines(t, c)
	shell(t, task, `printf 'user:1001:64535\n' | tee /etc/subuid >/etc/subgid; chmod 666 /dev/fuse /dev/net/tun
		install -d -o user /run/user/1000 /var/lib/containers/user /var/lib/docker/user`)
	return task
}

const asUser = `export XDG_RUNTIME_DIR=/run/user/1000; cd /; u() { setpriv --reuid user --regid user --init-groups env HOME=/home/user ` + systemPath + ` "$@"; }; `

func TestP16_RootlessPodman(t *testing.T) {
	task := rootless(t, testbed.Container{})
	steps(t, task, asUser+"podman() { u podman --root /var/lib/containers/user --storage-driver overlay \"$@\"; }; ", []printed{
		{"import", "podman info -f '{{.Host.Security.Rootless}} {{.Store.GraphDriverName}}'; podman import /inner.tar inner", []string{`^true overlay$`}, nil},
		{"run", "podman run --rm inner sh -c 'id -u; cat /proc/self/uid_map; cut -d. -f1 /proc/uptime'", []string{`^0\n +0 +1000 +1\n +1 +1001 +64535\n\d{1,4}$`}, nil},
		{"published port", "podman run -d --name web -p 8080:80 inner httpd -f -h /www; curl -s --retry 20 --retry-all-errors --retry-delay 1 http://127.0.0.1:8080/; podman exec web echo from exec; podman rm -f -t 0 web", []string{`^inner$`, `^from exec$`}, nil},
		{"privileged", "podman run --rm --privileged inner sh -c 'mount -t tmpfs t /tmp && echo mounted'", []string{`^mounted$`}, nil},
		{"on FUSE", "podman() { u podman --root /home/user/store --storage-driver overlay --storage-opt overlay.mount_program=/usr/bin/fuse-overlayfs \"$@\"; }; podman import /inner.tar inner; podman run --rm inner sh -c 'mount | head -n 1; cut -d. -f1 /proc/uptime'; podman --runtime runc run --rm inner true", []string{`^fuse-overlayfs on / type fuse`, `^\d{1,4}$`}, nil},
		{"build", `mkdir -p /tmp/b; printf 'FROM localhost/inner\nRUN echo built >/etc/built\nCMD cat /etc/built\n' >/tmp/b/Containerfile; podman build -t built /tmp/b; podman run --rm built`, []string{`^built$`}, nil},
	})
}

func TestP16_RootlessDocker(t *testing.T) {
	task := rootless(t, testbed.Container{})
	// They look for programs of the same names, whose path is given.
	daemon(t, task, systemPath, "setpriv --reuid user --regid user --init-groups env XDG_RUNTIME_DIR=/run/user/1000 HOME=/home/user DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER=builtin sh /usr/share/docker.io/contrib/dockerd-rootless.sh --data-root /var/lib/docker/user",
		"DOCKER_HOST=unix:///run/user/1000/docker.sock docker version")
	steps(t, task, "export DOCKER_HOST=unix:///run/user/1000/docker.sock; ", []printed{
		{"import", "docker info -f '{{.SecurityOptions}} {{.Driver}}'; docker import /inner.tar inner", []string{`rootless.* overlay2$`}, nil},
		{"run", "docker run --rm inner sh -c 'id -u; cat /proc/self/uid_map'", []string{`^0\n +0 +1000 +1\n +1 +1001 +64535$`}, nil},
		{"published port", "docker run -d --name web -p 8080:80 inner httpd -f -h /www; curl -s --retry 20 --retry-all-errors --retry-delay 1 http://127.0.0.1:8080/; docker exec web echo from exec; docker rm -f web", []string{`^inner$`, `^from exec$`}, nil},
	})
}

// TestP16_Nested: an eci container is no host for others. The refusal says why, before
// anything is started, and plain runc works there.
func TestP16_Nested(t *testing.T) {
	task := engines(t, testbed.Container{})
	shell(t, task, "podman import -q /inner.tar example.com/inner; podman save -q --format oci-archive -o /tmp/inner.tar example.com/inner")
	daemon(t, task, currentPath(), "containerd", "ctr version")
	steps(t, task, "export "+currentPath()+"; ctr image import /tmp/inner.tar >/dev/null; ", []printed{
		{"eci", "ctr run --rm --runtime io.containerd.eci.v2 example.com/inner:latest c1 true || echo refused; ctr container rm c1 || true", []string{`an eci container cannot hold eci containers`, `^refused$`}, nil},
		{"runc", "ctr run --rm example.com/inner:latest c2 cat /proc/self/uid_map", []string{`^ +0 +\d+ +65536$`}, nil},
	})
}

// TestP16_MoreIDs: with more IDs in a container, the ranges that Debian gives to its users are
// there, and nothing has to be written.
func TestP16_MoreIDs(t *testing.T) {
	config := debianBed(t, testbed.SystemsName).ConfigFile()
	before := readFile(t, config)
	succeed(t, os.WriteFile(config, []byte(before+"\n[ids]\nsize = 262144\n"), 0o600))
	task := engines(t, testbed.Container{})
	succeed(t, os.WriteFile(config, []byte(before), 0o600))
	shell(t, task, "chmod 666 /dev/fuse /dev/net/tun; install -d -o user /run/user/1000 /var/lib/containers/user")
	steps(t, task, asUser+"podman() { u podman --root /var/lib/containers/user --storage-driver overlay \"$@\"; }; ", []printed{
		{"range", "cat /etc/subuid /proc/self/uid_map", []string{`^user:100000:65536$`, `^ +0 +\d+ +262144$`}, nil},
		{"run", "podman import /inner.tar inner; podman run --rm inner sh -c 'cat /proc/self/uid_map; touch /tmp/x; chown 65535 /tmp/x; stat -c %u /tmp/x'", []string{`^ +1 +100000 +65536\n65535$`}, nil},
	})
}
