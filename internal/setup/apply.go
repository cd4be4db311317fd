package setup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Apply makes edits, and adds them to the record at path, which is written first: a crash in
// between leaves what [Undo] can take back. If one of them fails, those before it are taken
// back.
func Apply(path, by string, edits []Edit) (err error) {
	if len(edits) == 0 {
		return nil
	}
	old, err := ReadRecord(path)
	if err != nil {
		return err
	}
	next := old
	next.By, next.Edits = by, slices.Concat(old.Edits, edits)
	next.Dirs = slices.Concat(old.Dirs, missingDirs(filepath.Dir(path)))
	for _, e := range edits {
		next.Dirs = append(next.Dirs, missingDirs(filepath.Dir(e.Path))...)
	}
	next.Dirs = compact(next.Dirs)
	if err := next.write(path); err != nil {
		return fmt.Errorf("write down what will be changed: %w", err)
	}
	for n, e := range edits {
		if err := e.apply(); err != nil {
			return errors.Join(err, takeBack(path, old, edits[:n], next.Dirs))
		}
	}
	return nil
}

// apply writes one file, if it is as the plan has seen it.
func (e Edit) apply() error {
	f, err := ReadFile(e.Path)
	if err != nil {
		return err
	}
	if f.Exists != e.Existed || !bytes.Equal(f.Data, e.Before) {
		return fmt.Errorf("%s %w", e.Path, ErrChanged)
	}
	if err := os.MkdirAll(filepath.Dir(e.Path), 0o755); err != nil {
		return err
	}
	return File{Path: e.Path, Data: e.After, Exists: true}.write()
}

// takeBack ends an installation half way.
func takeBack(path string, old Record, done []Edit, dirs []string) error {
	var errs []error
	for _, e := range slices.Backward(done) {
		errs = append(errs, File{Path: e.Path, Data: e.Before, Exists: e.Existed}.write())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("take back what was written: %w", err) // the record stays, and so does the way back
	}
	err := old.write(path)
	removeDirs(dirs, old.Dirs)
	return err
}

// PlanUndo is what the record's edits are taken back with: the files as they are and as they
// will be. It fails with [ErrEdited], and then nothing should be done.
func PlanUndo(r Record) (before, after []File, err error) {
	now, will := map[string]File{}, map[string]File{}
	var order []string
	var errs []error
	for _, e := range slices.Backward(r.Edits) {
		f, ok := will[e.Path]
		if !ok {
			if f, err = ReadFile(e.Path); err != nil {
				errs = append(errs, err)
				continue
			}
			now[e.Path] = f
			order = append(order, e.Path)
		}
		f, err := e.revert(f)
		if err != nil {
			errs = append(errs, err)
		}
		will[e.Path] = f
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	for _, path := range order {
		if a, b := now[path], will[path]; a.Exists != b.Exists || !bytes.Equal(a.Data, b.Data) {
			before, after = append(before, a), append(after, b)
		}
	}
	return before, after, nil
}

// Undo takes all edits of the record at path back, and the record away. It is all or nothing,
// as far as files can be written.
func Undo(path string) error {
	r, err := ReadRecord(path)
	if err != nil {
		return err
	}
	before, after, err := PlanUndo(r)
	if err != nil {
		return err
	}
	for n, f := range after {
		if err := f.write(); err != nil {
			errs := []error{err}
			for _, old := range before[:n] {
				errs = append(errs, old.write())
			}
			return errors.Join(errs...)
		}
	}
	err = Record{Format: recordFormat}.write(path)
	removeDirs(r.Dirs, nil)
	return err
}

// missingDirs are a directory and those above it that do not exist, the outer ones first.
func missingDirs(dir string) []string {
	var out []string
	for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil {
			break
		}
		out = append(out, dir)
	}
	slices.Reverse(out)
	return out
}

// removeDirs removes directories that were made, if nobody has put anything into them.
func removeDirs(dirs, except []string) {
	for _, dir := range slices.Backward(dirs) {
		if !slices.Contains(except, dir) {
			_ = os.Remove(dir)
		}
	}
}

// compact drops what was there before, and keeps the order.
func compact(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
