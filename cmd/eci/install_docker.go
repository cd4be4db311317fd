package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/eci-runtime/eci/internal/engine"
	"github.com/eci-runtime/eci/internal/setup"
)

// dockerSince is the first Docker that reads runtimeType in daemon.json. Older ones do not
// know the key, and run runc under the name of the runtime: nothing would be isolated.
const dockerSince = 23

func (p *plan) planDocker(ctx context.Context, f installFlags) error {
	p.docker = true
	file, err := setup.ReadFile(f.dockerConfig)
	if err != nil {
		return err
	}
	edits, err := setup.PlanDocker(file, setup.DockerRuntime{Name: handlerName, Type: p.runtime})
	if err != nil {
		return err
	}
	version, api, err := dockerVersion(ctx, f)
	if err != nil {
		return fmt.Errorf("find out Docker's version: %w", err)
	}
	if !newEnough(version, api) {
		return fmt.Errorf("refused: Docker %s would run runc under this runtime's name: daemon.json has runtimeType since Docker %d.0", version, dockerSince)
	}
	p.edits = append(p.edits, edits...)
	return nil
}

// newEnough judges a version of Docker by that of its API, if it is known: builds call
// themselves as they like.
func newEnough(version, api string) bool {
	const apiSince = 42 // 1.42 came with 23.0
	if minor, ok := strings.CutPrefix(api, "1."); ok {
		n, err := strconv.Atoi(minor)
		return err == nil && n >= apiSince
	}
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= dockerSince
}

var dockerdAnswer = regexp.MustCompile(`version v?(\d\S*?),`)

// dockerVersion asks the daemon that serves, or the program, which does not tell its API's.
func dockerVersion(ctx context.Context, f installFlags) (version, api string, err error) {
	ctx, cancel := timed(ctx)
	defer cancel()
	if listens(f.docker) {
		return engine.Docker{Address: f.docker}.Version(ctx)
	}
	out, err := exec.CommandContext(ctx, "dockerd", "--version").Output()
	if err != nil {
		return "", "", err
	}
	m := dockerdAnswer.FindSubmatch(out)
	if m == nil {
		return "", "", errors.New("dockerd --version does not name it")
	}
	return string(m[1]), "", nil
}
