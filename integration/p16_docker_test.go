package integration

import (
	"strings"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// currentPath finds today's engines before Debian's.
func currentPath() string {
	return "PATH=" + current + "/moby:" + current + "/buildkit:" + current + ":/new/usr/bin:" + strings.TrimPrefix(systemPath, "PATH=")
}

// dockerSteps are what people do with a Docker; podman takes the same words. The images are
// busybox; nothing is pulled.
var dockerSteps = []printed{
	{"import", "docker import /inner.tar inner; docker images", []string{`inner +latest`}, nil},
	{"run", "docker run --rm inner sh -c 'echo hello; id -u; cat /proc/self/uid_map; cut -d. -f1 /proc/uptime'", []string{`^hello\n0\n +0 +\d+ +65536\n\d{1,4}$`}, nil},
	{"exec", "docker run -d --name exec inner sleep 1000; docker exec exec sh -c 'echo from exec; hostname'; docker top exec", []string{`^from exec\n[0-9a-f]{12}$`, `sleep 1000`}, nil},
	{"logs", "docker run --name logs inner sh -c 'echo out; echo err >&2' >/dev/null 2>&1; docker logs logs 2>/dev/null; docker logs logs 2>&1 >/dev/null; docker inspect -f '{{.State.ExitCode}}' logs", []string{`^out\nerr\n0$`}, nil},
	{"published port", "docker run -d --name web -p 8080:80 inner httpd -f -h /www; curl -s --retry 20 --retry-all-errors --retry-delay 1 http://127.0.0.1:8080/", []string{`^inner$`}, nil},
	{"outwards through the bridge", "ip address add 192.0.2.1/32 dev lo; cd /tmp && echo outside >reached; busybox httpd -p 192.0.2.1:81 -h /tmp; docker run --rm inner wget -qO- http://192.0.2.1:81/reached", []string{`^outside$`}, nil},
	{"volume", "docker volume create data; docker run --rm -v data:/data inner sh -c 'echo kept >/data/file; chown 1000:2000 /data/file'; docker run --rm -v data:/data:ro inner sh -c 'cat /data/file; stat -c %u:%g /data/file; touch /data/x' || true", []string{`^kept$`, `^1000:2000$`, `Read-only file system`}, nil},
	{"privileged", "docker run --rm --privileged inner sh -c 'mount -t tmpfs t /tmp && mkdir /tmp/p && mount -t proc p /tmp/p && cut -d. -f1 /tmp/p/uptime; grep CapEff /proc/self/status; ls /dev/null; echo 1 >/proc/sys/vm/drop_caches' || true", []string{`^\d{1,4}$`, `CapEff:\s0000(003|01f)f{9}$`, `Permission denied`}, nil},
	{"settings", "docker run --rm --sysctl net.ipv4.ip_unprivileged_port_start=0 --sysctl 'net.ipv4.ping_group_range=0 1000' --sysctl kernel.msgmax=4096 --oom-score-adj 100 --ulimit nofile=100:100 --ulimit nproc=1000:1000 --shm-size 1m inner sh -c 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax /proc/self/oom_score_adj; ulimit -n'", []string{`^0\n4096\n100\n100$`}, nil},
	{"hardened", "docker run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges -u 1000:1000 inner sh -c 'id -u; touch /tmp/x && touch /x' || true", []string{`^1000$`, `/x: Read-only file system`}, nil},
	{"build", `mkdir -p /b; printf 'FROM inner\nRUN echo built >/etc/built && chown 1000:2000 /etc/built && chmod 4711 /etc/built\nUSER 1000\nCMD ["stat", "-c", "%%u:%%g %%a", "/etc/built"]\n' >/b/Dockerfile; docker build -t built /b; docker run --rm built`, []string{`^1000:2000 4711$`}, nil},
	{"save and load", "docker save -o /tmp/built.tar built; docker rmi -f built; docker load -i /tmp/built.tar; docker run --rm built stat -c %u:%g /etc/built", []string{`^1000:2000$`}, nil},
	{"two services", "docker network create net; docker run -d --name db --network net inner httpd -f -h /www; docker run --rm --network net inner sh -c 'until wget -qO- http://db/; do sleep 0.2; done'", []string{`^inner$`}, nil},
	{"memory", "docker run --rm --memory 32m --memory-swap 32m inner sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; head -c 128m /dev/zero | tail -c 100m >/dev/null; echo ended $?' || echo status $?", []string{`^33554432$`, `^ended 137$|^status 137$`}, []string{`^ended 0$`}},
	{"processors", "docker run --rm --cpus 0.5 --cpuset-cpus 0 inner sh -c 'cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us; grep Cpus_allowed_list /proc/self/status'", []string{`^50000`, `Cpus_allowed_list:\s0$`}, nil},
	{"processes", "docker run --rm --pids-limit 10 inner sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 3 & done; wait' || true", []string{`can't fork`}, nil},
	{"its own namespaces", "docker run --rm --network host --pid host --ipc host --uts host inner sh -c 'ip link show dev lo | head -n 1; cat /proc/1/comm'", []string{`^1: lo`, `^sleep$`}, nil},
	{"stop and start", "docker stop -t 1 web; docker start web; curl -s --retry 20 --retry-all-errors --retry-delay 1 http://127.0.0.1:8080/; docker restart -t 1 web; docker pause web; docker unpause web; docker kill web; docker rm -f web exec db logs; docker ps -aq | wc -l", []string{`^inner$`, `^0$`}, nil},
}

// pluginSteps are what today's clients do beside that.
var pluginSteps = []printed{
	{"buildx", `printf 'FROM inner\nRUN --mount=type=cache,target=/cache echo cached >/cache/x && cp /cache/x /etc/x\n' >/b/Dockerfile; docker buildx build --progress plain --load -t cached /b; docker run --rm cached cat /etc/x`, []string{`^cached$`}, nil},
	{"compose", `mkdir -p /c; printf 'services:\n  db:\n    image: inner\n    command: httpd -f -h /www\n    healthcheck:\n      test: wget -qO- http://127.0.0.1/\n      interval: 1s\n  web:\n    image: inner\n    command: sh -c "wget -qO- http://db/ && sleep 1000"\n    depends_on:\n      db:\n        condition: service_healthy\n' >/c/compose.yaml
		cd /c; docker compose up -d; timeout 60 sh -c 'until docker compose logs --no-log-prefix web | grep inner; do sleep 0.2; done'; docker compose ps --format '{{.Service}} {{.State}}'; docker compose down -t 1`, []string{`inner$`, `^db running$`, `^web running$`}, nil},
}

// dockers are Docker's daemons.
var dockers = map[string]struct{ path, options, driver string }{
	"Debian's, overlay2":            {systemPath, "", "overlay2"},
	"today's, overlay2":             {currentPath(), "--feature containerd-snapshotter=false --storage-driver overlay2", "overlay2"},
	"today's, containerd's store":   {currentPath(), "", "overlayfs"},
	"today's, nftables, live store": {currentPath(), "--firewall-backend nftables", "overlayfs"},
}

func TestP16_Docker(t *testing.T) {
	for name, docker := range dockers {
		t.Run(name, func(t *testing.T) {
			task := engines(t, testbed.Container{})
			if docker.path != systemPath {
				needFiles(t, "moby/dockerd")
			}
			daemon(t, task, docker.path, "dockerd "+docker.options, "docker version")
			list := append([]printed{{"driver", "docker info -f '{{.Driver}}'", []string{"^" + docker.driver + "$"}, nil}}, dockerSteps...)
			if docker.path != systemPath {
				list = append(list, pluginSteps...)
			}
			steps(t, task, "export "+docker.path+"; ", list)
		})
	}
}

// TestP16_DockerUnderSystemd is Debian's Docker as Debian starts it.
func TestP16_DockerUnderSystemd(t *testing.T) {
	task := engines(t, testbed.Container{Args: []string{"/sbin/init"}})
	booted(t, task)
	shell(t, task, "systemctl start docker")
	steps(t, task, "", []printed{
		dockerSteps[0], dockerSteps[1],
		{"with systemd's cgroups", `mkdir -p /etc/docker; echo '{"exec-opts": ["native.cgroupdriver=systemd"]}' >/etc/docker/daemon.json; systemctl restart docker; docker info -f '{{.CgroupDriver}}'
			docker run --rm --memory 32m inner cat /proc/self/cgroup`, []string{`^systemd$`, `/system\.slice/docker-[0-9a-f]+\.scope$`}, nil},
		{"stays", "systemctl is-system-running; systemctl stop docker docker.socket", []string{`^running$`}, nil},
	})
}
