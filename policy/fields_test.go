package policy_test

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// otherSystems are sections that runc does not read on Linux; each has one row.
var otherSystems = []string{"solaris", "windows", "vm", "zos", "freebsd"}

// TestFieldsAreComplete: every field of the Go type has one row, and no row is about
// anything else.
func TestFieldsAreComplete(t *testing.T) {
	t.Parallel()
	rows := map[string]int{}
	for _, f := range policy.Fields() {
		for _, name := range f.Names {
			rows[strings.TrimPrefix(f.In+"."+name, ".")]++
		}
	}
	for _, field := range leaves(reflect.TypeFor[specs.Spec](), "") {
		if n := rows[field]; n != 1 {
			t.Errorf("the field %s has %d rows: decide what the policy does about it", field, n)
		}
		delete(rows, field)
	}
	for row := range rows {
		t.Errorf("the row %s is about no field", row)
	}
}

// leaves are the fields below a type, by their names in JSON.
func leaves(t reflect.Type, name string) []string {
	switch {
	case t.Kind() == reflect.Pointer:
		return leaves(t.Elem(), name)
	case t.Kind() == reflect.Slice && hasFields(t.Elem()):
		return leaves(t.Elem(), name+"[]")
	case t.Kind() == reflect.Map && hasFields(t.Elem()):
		return leaves(t.Elem(), name+"{}")
	case t.Kind() != reflect.Struct || slices.Contains(otherSystems, name):
		return []string{name}
	}
	var out []string
	for f := range t.Fields() {
		inner := name
		if !f.Anonymous {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			inner = strings.TrimPrefix(name+"."+key, ".")
		}
		out = append(out, leaves(f.Type, inner)...)
	}
	return out
}

// hasFields tells whether there are fields somewhere in a type.
func hasFields(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return hasFields(t.Elem())
	}
	return t.Kind() == reflect.Struct
}

// TestFieldsNameWhatExists: rows name rules and steps that exist, every rule and step is
// named, and what nobody looks at has a reason.
func TestFieldsNameWhatExists(t *testing.T) {
	t.Parallel()
	var rules, steps []string
	for _, f := range policy.Fields() {
		rules = append(rules, f.Rules...)
		if f.Step != "" {
			steps = append(steps, f.Step)
		}
		if len(f.Rules) == 0 && f.Note == "" {
			t.Errorf("%s %v is passed on without a reason", f.In, f.Names)
		}
	}
	for _, names := range [][2][]string{{policy.Rules(), rules}, {policy.Steps(), steps}} {
		want, got := slices.Sorted(slices.Values(names[0])), slices.Compact(slices.Sorted(slices.Values(names[1])))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-exist +named: %s", diff)
		}
	}
}

// TestFieldsAreDocumented: docs/spec-fields.md is the table. -update writes it.
func TestFieldsAreDocumented(t *testing.T) {
	t.Parallel()
	const name = "../docs/spec-fields.md"
	want := fieldsPage()
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(want), string(read(t, name))); diff != "" {
		t.Errorf("write it with go test ./policy -run Fields -update (-want +got):\n%s", diff)
	}
}

func fieldsPage() []byte {
	var out bytes.Buffer
	out.WriteString(`# Every field of a spec

What the policy does about each field of an OCI spec (runtime-spec 1.3). "Judged" names the
[rules](policy.md#rules) that may refuse a container for it; "written anew" means that runc
gets what the runtime has made of it, not what the client wrote; "passed on" means that runc
gets it as it is.

This page is written by a test from the table in ` + "`policy/fields.go`" + `, which another test
compares with the Go type of the specification: a field that is new there fails the build
until somebody decides about it.

| Field | What becomes of it | Note |
|---|---|---|
`)
	for _, f := range policy.Fields() {
		field := "`" + strings.Join(f.Names, "`, `") + "`"
		if f.In != "" {
			field = fmt.Sprintf("`%s`: %s", f.In, field)
		}
		var fate []string
		if len(f.Rules) > 0 {
			fate = append(fate, "judged: "+links(f.Rules))
		}
		if f.Step != "" {
			fate = append(fate, "written anew")
		}
		if fate == nil {
			fate = []string{"passed on"}
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", field, strings.Join(fate, "; "), f.Note)
	}
	return out.Bytes()
}

func links(rules []string) string {
	var out []string
	for _, r := range rules {
		out = append(out, fmt.Sprintf("[%s](policy.md#%s)", r, r))
	}
	return strings.Join(out, ", ")
}
