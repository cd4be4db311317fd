package policy_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// BenchmarkDecideAndRewrite takes a container with 60 volumes the whole way.
func BenchmarkDecideAndRewrite(b *testing.B) {
	spec, facts := plain()
	spec.Mounts = append(spec.Mounts, mount("proc", "/proc"), mount("tmpfs", "/dev"), mount("sysfs", "/sys"), mount("tmpfs", "/run"))
	for i := range 60 {
		facts.Sources[len(spec.Mounts)] = policy.Source{Kind: policy.KindDir}
		spec.Mounts = append(spec.Mounts, mount("bind", fmt.Sprintf("/run/volume-%d", i), "rbind", "ro"))
	}
	data, err := json.Marshal(spec)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		spec := new(specs.Spec)
		if err := json.Unmarshal(data, spec); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		d, err := policy.Check(policy.Default(), facts, spec)
		if err != nil {
			b.Fatal(err)
		}
		places := policy.Place(spec.Mounts, nil)
		if err := policy.Rewrite(spec, d, places, grantFor(policy.Default(), d, places), facts); err != nil {
			b.Fatal(err)
		}
	}
}
