// The tools that check the project's own code, built into bin/ by `make tools`.
// To move one: go get -tool PATH@VERSION in this folder, then `make tools check`.
//
// What the tests run beside the shim (containerd, runc, CNI plugins) is pinned in
// the folders below, one module for each. A module links every dependency once, in
// the newest version that anything in it asks for; in one module with containerd
// 2.4.2, runc 1.5.2 gets other versions of logrus, x/sys, x/net and go-criu than
// those it was released with, and containerd another of opencontainers/cgroups.
// They would not be the stock programs that this runtime promises to work with.
module github.com/eci-runtime/eci/tools

go 1.26.6

tool (
	golang.org/x/perf/cmd/benchstat
	honnef.co/go/tools/cmd/staticcheck
	mvdan.cc/gofumpt
)

require (
	github.com/BurntSushi/toml v1.4.1-0.20240526193622-a339e1f7089c // indirect
	github.com/aclements/go-moremath v0.0.0-20210112150236-f10218a38794 // indirect
	golang.org/x/exp/typeparams v0.0.0-20231108232855-2478ac86f678 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/perf v0.0.0-20260908200009-22c9c6c9d4da // indirect
	golang.org/x/sync v0.23.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
	honnef.co/go/tools v0.8.2 // indirect
	mvdan.cc/gofumpt v0.12.0 // indirect
)
