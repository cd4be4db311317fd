package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/eci-runtime/eci/internal/engine"
)

// installCheckPatience bounds the start of a container that shows whether it all works.
const installCheckPatience = 2 * time.Minute

// checkInstalled starts one container by each engine that was configured and answers.
func (a *app) checkInstalled(ctx context.Context, i ink, f installFlags, p *plan) error {
	ctx, cancel := context.WithTimeout(ctx, installCheckPatience)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	root, err := rootTar(self)
	if err != nil {
		return fmt.Errorf("make an image: %w", err)
	}
	look := func(pid int) error { return judgeUser(pid) }
	say := func(name, text string) {
		if !a.json {
			i.para(0, name+": ", "", text)
		}
	}
	if p.containerd != nil {
		switch ok := listens(a.address); {
		case !ok:
			say("containerd", "not checked, for nobody answers at "+a.address+": start it, and call eci install again")
		default:
			if err := a.tryContainerd(ctx, p.runtime, root, look); err != nil {
				return fmt.Errorf("a container by containerd: %w", err)
			}
			say("containerd", "a container was started, and isolated")
		}
	}
	if p.docker {
		d := engine.Docker{Address: f.docker}
		known, err := knows(ctx, d, f.docker)
		switch {
		case err != nil:
			return fmt.Errorf("ask Docker: %w", err)
		case known == "":
			if err := d.Try(ctx, handlerName, bytes.NewReader(root), []string{"/eci", "idle"}, look); err != nil {
				return fmt.Errorf("a container by Docker: %w", err)
			}
			say("docker", "a container was started, and isolated")
		default:
			say("docker", "not checked, for "+known)
		}
	}
	return nil
}

// knows says why Docker cannot be asked for a container of this runtime yet.
func knows(ctx context.Context, d engine.Docker, socket string) (why string, err error) {
	if !listens(socket) {
		return "nobody answers at " + socket + ": start it, and call eci install again", nil
	}
	names, err := d.Runtimes(ctx)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if name == handlerName {
			return "", nil
		}
	}
	return "it has not read its configuration yet: do that, and call eci install again", nil
}

func listens(socket string) bool {
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// judgeUser looks at the user namespace of a container's first process, from outside.
func judgeUser(pid int) error {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", pid))
	if err != nil {
		return err
	}
	mine, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return err
	}
	fields := strings.Fields(string(data))
	if bytes.Equal(data, mine) || len(fields) < 3 || fields[1] == "0" {
		return errors.New("it is not isolated: its root is the host's")
	}
	return nil
}

// closing says what remains to be done by others.
func (p *plan) closing(i ink) {
	if p.containerd != nil && p.containerd.cri {
		i.printf("\nKubernetes knows it by a RuntimeClass; deploy/ has more:\n\n%s\n", runtimeClass)
	}
	if p.docker {
		i.printf("\nDocker: docker run --runtime %s …\n", handlerName)
	}
}

const runtimeClass = `  apiVersion: node.k8s.io/v1
  kind: RuntimeClass
  metadata: {name: eci}
  handler: eci
`
