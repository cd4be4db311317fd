package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// runContainer has a client start containers that do nothing, one after the other. The
// client and its arguments, up to the container's ID, are this program's own arguments.
func runContainer() (repeat, error) {
	if len(os.Args) < 2 {
		return nil, errors.New("no command to start containers was given")
	}
	path, err := exec.LookPath(os.Args[1])
	serial := 0
	return func(n int) error {
		for range n {
			serial++
			var stderr strings.Builder
			cmd := exec.Command(path, append(os.Args[2:len(os.Args):len(os.Args)], "run-"+strconv.Itoa(serial), "true")...)
			cmd.Stderr = &stderr
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
			}
		}
		return nil
	}, err
}
