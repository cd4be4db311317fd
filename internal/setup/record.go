package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Record is what was written where, and what was there before.
type Record struct {
	// Format is the version of this form.
	Format int `json:"format"`

	// By is the version of the program that has written last.
	By string `json:"by"`

	// Dirs are the directories that were made, the outer ones first.
	Dirs []string `json:"dirs,omitempty"`

	// Edits are in the order in which they were made.
	Edits []Edit `json:"edits"`
}

// RecordPath is where the record is kept.
const RecordPath = "/var/lib/eci/install.json"

const recordFormat = 1

// ReadRecord reads a record. Without one nothing is installed: it is empty.
func ReadRecord(path string) (Record, error) {
	r := Record{Format: recordFormat}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: the record of what was installed is damaged: %w", path, err)
	}
	if r.Format != recordFormat {
		return r, fmt.Errorf("%s: the record of what was installed has format %d, this program knows %d", path, r.Format, recordFormat)
	}
	return r, nil
}

// wrote tells whether a file is as we have written it.
func (r Record) wrote(f File) bool {
	return slices.ContainsFunc(r.Edits, func(e Edit) bool { return e.Path == f.Path && e.Sum == sum(f.Data) })
}

// write keeps the record, for root alone: it has what the files had.
func (r Record) write(path string) error {
	if len(r.Edits) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return replace(path, append(data, '\n'), 0o600, os.Geteuid(), os.Getegid())
}
