package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// innerEngine starts the containerd of the bed in a container of Debian, with its state in the
// default place, and gives it the image of the benchmark.
const innerEngine = `set -e
export PATH=/programs:$PATH
mkdir -p /run/containerd /etc/containerd /var/lib/docker/volumes/volume
echo 'version = 3
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]' >/etc/containerd/config.toml
containerd </dev/null >/containerd.log 2>&1 &
until ctr version >/dev/null 2>&1; do kill -0 $! || { tail -n 1 /containerd.log; exit 1; }; done
ctr image import /shelf/image.tar >/dev/null
`

// What follows it: the workload beside that containerd, or in a container of it, which has
// what newSession gives.
const (
	besideEngine = innerEngine + `exec /shelf/workload ctr run --rm ` + imageName
	insideEngine = innerEngine + `exec ctr run --rm --seccomp --cap-add CAP_SYS_ADMIN --mount type=bind,src=/var/lib/docker/volumes/volume,dst=/volume,options=rbind:rw ` + imageName + ` inner /workload`
)

// measureInner compares containers of an engine inside a container with those of the engine
// outside.
func measureInner(ctx context.Context, b *bench, rows []row) error {
	if err := b.importSystems(ctx); err != nil {
		return err
	}
	if err := b.stock(ctx); err != nil {
		return err
	}
	var errs []error
	isStart := func(r row) bool { return r.Name == "inner-start" }
	if slices.ContainsFunc(rows, isStart) {
		errs = append(errs, b.innerStarts(ctx))
		rows = slices.DeleteFunc(slices.Clone(rows), isStart)
	}
	if len(rows) > 0 {
		errs = append(errs, b.dataRounds(ctx, b.few(8, 2), rows, b.innerPair))
	}
	return errors.Join(errs...)
}

// innerPair opens the workload in a container of the first side, and in one inside a
// container of the second.
func (b *bench) innerPair(ctx context.Context, side int, volume string) (*session, error) {
	if side == 0 {
		return newSession(ctx, b.bed, b.sides[0].Runtime, volume)
	}
	return b.engineSession(ctx, insideEngine, volume)
}

// engineSession starts an engine in a privileged container of the second side.
func (b *bench) engineSession(ctx context.Context, script, volume string) (*session, error) {
	c := testbed.Container{
		Runtime: b.sides[1].Runtime, Image: testbed.SystemsName, Privileged: true,
		Args: []string{"sh", "-c", script}, Env: []string{systemPath},
		Mounts: []specs.Mount{testbed.Bind(b.bin, "/programs", "ro"), testbed.Bind(b.shelf(), "/shelf", "ro")},
		Spec: func(s *specs.Spec) {
			s.Process.NoNewPrivileges = false
			s.Mounts = append(s.Mounts, cgroups)
		},
	}
	// Where nothing exposes the directories of engines, a volume does.
	if c.Runtime == "runc" {
		c.Mounts = append(c.Mounts, testbed.Bind(volume, "/var/lib"))
	}
	return openSession(ctx, b.bed, c)
}

// cgroups is what engines need to make cgroups of their own.
var cgroups = specs.Mount{
	Type: "cgroup", Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "rw"},
}

// innerStarts times starts by an engine in a container, in turn with those by the outer one.
func (b *bench) innerStarts(ctx context.Context) (err error) {
	volume := filepath.Join(b.bed.Dir, "volume-engine")
	if err := os.Mkdir(volume, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(volume)
	engine, err := b.engineSession(ctx, besideEngine, volume)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.close()) }()
	run := func(side int) (time.Duration, error) {
		if side == 0 {
			return b.together(ctx, 0, 1)
		}
		return engine.do(ctx, "run", 1)
	}
	// The first ones read programs, unpack, and make cgroups.
	for _, side := range []int{0, 1, 0, 1} {
		if _, err := run(side); err != nil {
			return fmt.Errorf("%s: %w", b.sides[side].Label, err)
		}
	}
	stay, err := b.resting(ctx)
	if err != nil {
		return err
	}
	return b.alternate(b.opts.pairs, func(side int) error {
		took, err := run(side)
		if err != nil {
			return fmt.Errorf("%s: %w", b.sides[side].Label, err)
		}
		b.add("inner-start", side, 1, nano(took))
		return b.meter.settle(ctx, stay...)
	})
}

// resting lists the processes that are there when nothing has come or gone for a second.
func (b *bench) resting(ctx context.Context) ([]int, error) {
	pids, err := b.meter.processes()
	for since := time.Now(); err == nil && ctx.Err() == nil && time.Since(since) < time.Second; time.Sleep(20 * time.Millisecond) {
		var now []int
		if now, err = b.meter.processes(); !slices.Equal(pids, now) {
			pids, since = now, time.Now()
		}
	}
	return pids, errors.Join(err, ctx.Err())
}

func (b *bench) shelf() string { return filepath.Join(b.bed.Dir, "shelf") }

// stock puts on the shelf what an engine in a container takes from it: the image of the
// benchmark, and its workload.
func (b *bench) stock(ctx context.Context) error {
	image, err := benchImage(ctx)
	if err != nil {
		return err
	}
	program, err := buildWorkload(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.shelf(), 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(b.shelf(), "image.tar"))
	if err != nil {
		return err
	}
	return errors.Join(image.Archive(f), f.Close(), os.WriteFile(filepath.Join(b.shelf(), "workload"), program, 0o755))
}
