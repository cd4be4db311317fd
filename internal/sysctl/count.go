package sysctl

import (
	"errors"
	"io/fs"
	"os"
)

// Count tells how many claims there are on each setting, by its name. It takes no lock and
// sweeps nothing.
func (c Claims) Count() (map[string]int, error) {
	count := map[string]int{}
	for node := range Nodes {
		count[node] = 0
	}
	dir, err := os.Open(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return count, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	claims, err := claimDir{dir}.claims()
	if errors.Is(err, fs.ErrNotExist) { // one was released meanwhile
		claims, err = claimDir{dir}.claims()
	}
	for _, claim := range claims {
		count[claim.node]++
	}
	return count, err
}
