package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// DockerRuntime is a runtime in Docker's daemon.json (dockerd(8), "runtimes").
type DockerRuntime struct {
	// Name is what `docker run --runtime` takes.
	Name string
	// Type is containerd's name of the runtime, or the path of its binary.
	Type string
}

// PlanDocker adds a runtime to daemon.json, which has no drop-in files: the key runtimes is
// changed, and every other byte stays. There is no edit where it is there already.
func PlanDocker(f File, r DockerRuntime) ([]Edit, error) {
	value := fmt.Sprintf("{%q: %q}", "runtimeType", r.Type)
	part := Part{Kind: Runtime, Name: r.Name, Text: value}
	if len(bytes.TrimSpace(f.Data)) == 0 {
		part.Made = true
		after := fmt.Sprintf("{\n    \"runtimes\": {\n        %q: %s\n    }\n}\n", r.Name, value)
		return []Edit{newEdit(f, []byte(after), part)}, nil
	}
	top, err := parseObject(f.Data, 0, len(f.Data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	var after []byte
	if m, ok := top.find("runtimes"); ok {
		runtimes, err := parseObject(f.Data, m.value, m.end)
		if err != nil {
			return nil, fmt.Errorf("%s: runtimes: %w", f.Path, err)
		}
		if mine, ok := runtimes.find(r.Name); ok {
			if !sameJSON(f.Data[mine.value:mine.end], []byte(value)) {
				return nil, fmt.Errorf("%s: the runtime %q %w", f.Path, r.Name, ErrTaken)
			}
			return nil, nil
		}
		after = runtimes.insert(r.Name, value)
	} else {
		part.Made = true
		after = top.insert("runtimes", fmt.Sprintf("{%q: %s}", r.Name, value))
	}
	if err := addsRuntime(f.Data, after, r.Name); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return []Edit{newEdit(f, after, part)}, nil
}

// addsRuntime finds out whether a text means what another one did, and a runtime more.
func addsRuntime(before, after []byte, name string) error {
	var old, new map[string]json.RawMessage
	if err := json.Unmarshal(before, &old); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	if err := json.Unmarshal(after, &new); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	runtimes := map[string]json.RawMessage{}
	if err := json.Unmarshal(new["runtimes"], &runtimes); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	delete(runtimes, name)
	if old["runtimes"] == nil && len(runtimes) == 0 {
		delete(new, "runtimes")
	} else {
		text, err := json.Marshal(runtimes)
		if err != nil {
			return err
		}
		new["runtimes"] = text
	}
	was, errWas := json.Marshal(old)
	is, errIs := json.Marshal(new)
	if errWas != nil || errIs != nil || !sameJSON(was, is) {
		return fmt.Errorf("%w: it would mean something else", ErrForm)
	}
	return nil
}

// removeRuntime takes a runtime out of daemon.json again.
func removeRuntime(data []byte, p Part) ([]byte, error) {
	top, err := parseObject(data, 0, len(data))
	if err != nil {
		return nil, err
	}
	m, ok := top.find("runtimes")
	if !ok {
		return data, nil
	}
	runtimes, err := parseObject(data, m.value, m.end)
	if err != nil {
		return nil, err
	}
	mine, ok := runtimes.find(p.Name)
	switch {
	case !ok:
		return data, nil
	case !sameJSON(data[mine.value:mine.end], []byte(p.Text)):
		return nil, fmt.Errorf("%w: runtimes.%s is %s, and was %s", ErrEdited, p.Name, data[mine.value:mine.end], p.Text)
	case p.Made && len(runtimes.members) == 1:
		return top.delete("runtimes"), nil
	}
	return runtimes.delete(p.Name), nil
}
