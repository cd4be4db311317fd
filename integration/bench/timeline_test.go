package main

import (
	"maps"
	"strings"
	"testing"
	"time"
)

func TestProcessName(t *testing.T) {
	for command, want := range map[string]string{
		"":                         "",
		"/bin/ctr --address a run": "ctr",
		"true":                     "true",
		"/usr/bin/runc --root /r create --bundle b id":           "runc create",
		"/usr/bin/runc --root /r delete id":                      "runc delete",
		"/usr/bin/runc --root /r delete --force id":              "runc delete --force",
		"/usr/bin/runc --version":                                "runc",
		"runc init":                                              "runc init",
		"/proc/self/exe init":                                    "runc init",
		"/sbin/init":                                             "init",
		"/bin/containerd-shim-eci-v2 -namespace n -id i start":   "shim start",
		"/bin/containerd-shim-runc-v2 -namespace n -id i delete": "shim delete",
		"/bin/containerd-shim-runc-v2 -namespace n -id start-1":  "shim server",
		"/bin/containerd-shim-runc-v2 -info":                     "shim info",
	} {
		if got := processName(strings.Split(command, " ")); got != want {
			t.Errorf("%q is called %q, want %q", command, got, want)
		}
	}
}

func TestTimeline(t *testing.T) {
	ms := time.Millisecond
	runc := func(verb string) []string { return []string{"runc", "--root", "/r", verb, "id"} }
	got := newTimeline([]procEvent{
		{Kind: forked, At: 100 * ms, Pid: 10, Parent: 1},
		{Kind: execed, At: 102 * ms, Pid: 11, Args: runc("create")}, // sent before its fork arrived
		{Kind: forked, At: 101 * ms, Pid: 11, Parent: 10},
		{Kind: forked, At: 103 * ms, Pid: 12, Parent: 11}, // never calls exec
		{Kind: execed, At: 103 * ms, Pid: 99, Args: []string{"stranger"}},
		{Kind: exited, At: 104 * ms, Pid: 12},
		{Kind: exited, At: 105 * ms, Pid: 11},
		{Kind: exited, At: 105 * ms, Pid: 99},
		{Kind: forked, At: 106 * ms, Pid: 13, Parent: 10},
		{Kind: execed, At: 107 * ms, Pid: 13, Args: runc("init")},
		{Kind: execed, At: 108 * ms, Pid: 13, Args: []string{"true"}},
		{Kind: exited, At: 109 * ms, Pid: 13},
		{Kind: forked, At: 110 * ms, Pid: 14, Parent: 10},
		{Kind: execed, At: 111 * ms, Pid: 14, Args: runc("create")},
	}, 100*ms, 1)
	want := timeline{
		"runc create": 2 * ms, "runc create ends": 5 * ms,
		"runc init": 7 * ms, "true": 8 * ms, "true ends": 9 * ms,
		"runc create #2": 11 * ms,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	spans := phase{"", "runc create", "true"}.spans([]timeline{got, {"true": ms}, got})
	if len(spans) != 2 || spans[0] != 6e6 {
		t.Errorf("spans %v, want two of 6 ms", spans)
	}
}
