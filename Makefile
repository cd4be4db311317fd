# `make` alone lists what there is to do. Quiet by default; V=1 shows the
# commands and passes -v to the tests. Needs GNU make, Go and a POSIX shell;
# whatever else a target needs is installed or named by tools/deps.sh.

MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO       ?= go
BIN      ?= bin
PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
SHAREDIR ?= $(PREFIX)/share
DESTDIR  ?=
FUZZTIME ?= 10s
# Further flags: TESTFLAGS='-run P08' for go test, BENCHFLAGS for make bench.
TESTFLAGS  ?=
BENCHFLAGS ?=
VERSION  ?= $(shell git -c safe.directory='*' describe --tags --always --dirty 2>/dev/null || echo devel)

# The upper limits that check-budget holds the shim's binary to: every package
# it links is initialised three times for each container (start, server, delete).
# runc's shim of containerd 2.4.2 links 284 and has 8.1 MB. Of ours, the policy and
# what it looks at have 0.3 MB, the pseudo-files with go-fuse 0.6, the agent 0.1.
SHIM_PACKAGES_MAX ?= 310
SHIM_BYTES_MAX    ?= 10800000

V ?= 0
ifeq ($(V),0)
Q := @
else
Q :=
TESTFLAGS += -v
endif
export V

# A go.work above the checkout, or a go command that stamps with a version
# control system that refuses the owner, must not change what is built.
export GOWORK := off
BUILDFLAGS := -trimpath -buildvcs=false

MODULE   := github.com/eci-runtime/eci
COMMANDS := $(addprefix $(BIN)/,$(notdir $(wildcard cmd/*)))

##@ Use

.PHONY: help
help: ## list the targets
	@awk -f tools/help.awk $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: $(COMMANDS) ## build the runtime into bin/: static, no cgo

# no_grpc leaves out the gRPC half of containerd's API, which a shim (ttrpc) never
# speaks; containerd builds its own shim with it. It saves 139 of 427 packages. The
# administrator's command speaks it.
$(BIN)/containerd-shim-eci-v2: TAGS := no_grpc
$(COMMANDS): $(BIN)/%: FORCE
	@printf '  build  %s (%s)\n' '$@' '$(VERSION)'
	$(Q)CGO_ENABLED=0 $(GO) build $(BUILDFLAGS) -tags '$(TAGS)' -ldflags '-s -w -X $(MODULE)/shim.Version=$(VERSION) -X main.version=$(VERSION)' -o '$@' ./cmd/$*

# Installed peers do where they are new enough.
.PHONY: demo
demo: need-root build deps-test ## see it work: real containers, beside plain runc's (root)
	$(Q)tools/installed.sh || $(MAKE) peers
	$(Q)ECI_BIN='$(abspath $(BIN))' $(GO) run ./integration/demo

# What eci says about itself: manual pages and completions for shells.
MAN         := $(DESTDIR)$(SHAREDIR)/man/man8
COMPLETIONS := bash:bash-completion/completions/eci zsh:zsh/site-functions/_eci fish:fish/vendor_completions.d/eci.fish

# ECI prints them: the program of this machine, also where another one's is installed.
ECI ?= $(BIN)/eci
.PHONY: install
install: ## copy the built binaries, man pages and completions to /usr/local (PREFIX, BINDIR, SHAREDIR, DESTDIR)
	$(Q)for c in $(COMMANDS); do [ -x "$$c" ] || { echo "$$c is not built yet: make build" >&2; exit 1; }; done
	$(Q)install -d '$(DESTDIR)$(BINDIR)'
	$(Q)install -m 0755 $(COMMANDS) '$(DESTDIR)$(BINDIR)'
	$(Q)'$(ECI)' man '$(MAN)'
	$(Q)for c in $(COMPLETIONS); do f="$(DESTDIR)$(SHAREDIR)/$${c#*:}"; install -d "$${f%/*}"; '$(ECI)' completion "$${c%%:*}" >"$$f"; done
	@for c in $(notdir $(COMMANDS)); do echo "  install  $(DESTDIR)$(BINDIR)/$$c"; done
	@echo '  install  $(MAN)/eci*.8, completions for bash, zsh and fish'

.PHONY: uninstall
uninstall: ## remove what install copied
	$(Q)for c in $(notdir $(COMMANDS)); do rm -f "$(DESTDIR)$(BINDIR)/$$c"; echo "  remove  $(DESTDIR)$(BINDIR)/$$c"; done
	$(Q)rm -f '$(MAN)'/eci.8 '$(MAN)'/eci-*.8
	$(Q)for c in $(COMPLETIONS); do rm -f "$(DESTDIR)$(SHAREDIR)/$${c#*:}"; done

# What a release has. Two builds of one commit are the same; SHA256SUMS names all of it.
PACKAGES := $(BIN)/packages
ARCHES   ?= amd64 arm64
packages-env = ECI='$(abspath $(BIN)/eci)' NFPM='$(abspath $(BIN)/nfpm)' GO='$(GO)'
.PHONY: packages
packages: build $(BIN)/nfpm ## .deb, .rpm, archive, image and bill of materials for amd64 and arm64 into bin/packages/
	$(Q)rm -rf '$(PACKAGES)'
	$(Q)$(packages-env) tools/packages.sh '$(abspath $(PACKAGES))' '$(VERSION)' $(ARCHES)

# For the release workflow. gh(1) is GitHub's own client.
.PHONY: publish
publish: ## make a draft of a release of the packages in bin/packages/ (a tag, and gh)
	$(Q)cd '$(PACKAGES)' && sha256sum --quiet -c SHA256SUMS
	$(Q)gh release create "$$(git describe --exact-match --tags)" --draft --verify-tag --notes-file CHANGELOG.md '$(PACKAGES)'/*

##@ Test

# Unit tests run the seeds of every fuzz target, too. The integration tests are a
# black box that needs root, a built shim and the pinned peers.
UNIT := $$($(GO) list ./... | grep -v '^$(MODULE)/integration')
# Where goroutines share anything. Package policy is pure and starts none.
RACE := $$($(GO) list ./... | grep -E '^$(MODULE)/(idmap|internal|shim)')

.PHONY: test
test: test-unit test-race test-integration test-system ## everything: unit, fuzz seeds, race, integration, systems (root)

.PHONY: test-unit
test-unit: ## the tests of single packages, with the seeds of the fuzz targets
	@echo '  test   unit tests and fuzz seeds'
	$(Q)$(GO) test $(TESTFLAGS) $(UNIT)

.PHONY: test-race
test-race: deps-build ## the packages that start goroutines, under the race detector (cgo)
	@echo '  test   race detector'
	$(Q)CGO_ENABLED=1 $(GO) test -race $(TESTFLAGS) $(RACE)

# -count=1: the results depend on binaries that the test cache does not see.
.PHONY: test-integration
test-integration: need-root build peers deps-test ## one test per promise, with a containerd of its own (root)
	$(Q)tools/docker.sh '$(abspath $(BIN))/docker' || echo '  skip   the test with a real dockerd, which is not there'
	$(Q)$(MAKE) programs || echo '  skip   the tests of programs, whose image could not be made'
	$(Q)$(MAKE) workloads || echo '  skip   the tests of workloads, whose image could not be made'
	@echo '  test   integration'
	$(Q)ECI_BIN='$(abspath $(BIN))' $(GO) test -count=1 -p 1 -timeout 40m -skip '$(SYSTEMTESTS)' $(TESTFLAGS) ./integration/...

# Whole systems in containers: systemd and engines. Some minutes.
SYSTEMTESTS ?= ^TestP1[678]_|^TestP21_Kubelet
.PHONY: test-system
test-system: need-root build peers deps-test systems ## systemd, Docker, podman, BuildKit inside containers (root)
	@echo '  test   systems in containers'
	$(Q)ECI_BIN='$(abspath $(BIN))' CI=1 $(GO) test -count=1 -timeout 40m -run '$(SYSTEMTESTS)' $(TESTFLAGS) ./integration

# Not part of test: to build Kubernetes takes ten minutes.
.PHONY: test-kubernetes
test-kubernetes: need-root build peers deps-test kubernetes workloads ## two clusters of Kubernetes, each in one container, and a kubelet whose pods are isolated (root)
	@echo '  test   Kubernetes, in containers and as a client'
	$(Q)ECI_BIN='$(abspath $(BIN))' CI=1 $(GO) test -count=1 -timeout 40m -run '^TestP18_|^TestP21_Kubelet' $(TESTFLAGS) ./integration

# Every containerd between 1.7 and the pinned one, the newest patch of each. The
# controls under runc, and what needs a container of runc's, are skipped: runc's own shim
# of 2.4 refuses these daemons. So are pods by CRI, which the bed configures as 2.4 wants.
# COMPATTESTS is a pattern of go test -run.
SERIES := $(patsubst tools/containerd-%/go.mod,%,$(sort $(wildcard tools/containerd-*/go.mod)))
COMPATTESTS ?= .
.PHONY: test-compat
test-compat: $(addprefix test-compat-,$(SERIES)) ## the integration tests under every older containerd (root)

test-compat-%: need-root build peers deps-test $(BIN)/compat/%/containerd
	@echo '  test   integration, containerd $*'
	$(Q)for f in cni images runc containerd-shim-runc-v2 $(notdir $(COMMANDS)); do ln -sfn "../../$$f" '$(BIN)/compat/$*'/"$$f"; done
	$(Q)ECI_BIN='$(abspath $(BIN)/compat/$*)' $(GO) test -count=1 -timeout 40m -run '$(COMPATTESTS)' -skip '$(SYSTEMTESTS)|UnderRunc|PodOfOthers|OtherContainersAreRefused|KubernetesPod|P21_CRI|P21_Many' $(TESTFLAGS) ./integration

# The packages in a root file system of Debian's: installed, upgraded, removed.
.PHONY: test-packages
test-packages: need-root build peers packages ## install, upgrade and remove the packages in a new root file system (root)
	$(Q)tools/deps.sh packages
	@echo '  test   packages'
	$(Q)ECI_BIN='$(abspath $(BIN))' CI=1 $(GO) test -count=1 -timeout 20m -run '^TestPackages_' $(TESTFLAGS) ./integration

# What needs no kernel of its own, on arm64: emulated, program by program.
ARM64TESTS := ./policy ./internal/setup ./internal/metrics ./cmd/eci
.PHONY: test-arm64
test-arm64: $(BIN)/qemu-aarch64-static ## the unit tests of pure packages for arm64, and eci itself, under qemu-user
	@echo '  test   arm64, emulated'
	$(Q)CGO_ENABLED=0 GOARCH=arm64 $(GO) test -exec '$(abspath $<)' -skip 'TestLint|Fuzz' $(TESTFLAGS) $(ARM64TESTS)
	$(Q)CGO_ENABLED=0 GOARCH=arm64 $(GO) build $(BUILDFLAGS) -o '$(BIN)/arm64/' ./cmd/...
	$(Q)'$<' $(BIN)/arm64/eci --help >/dev/null
	$(Q)'$<' $(BIN)/arm64/containerd-shim-eci-v2 -v

$(BIN)/qemu-aarch64-static:
	$(Q)tools/qemu.sh '$(BIN)'

.PHONY: test-vm
test-vm: build peers ## the integration tests on another kernel, with systemd, in an emulated machine
	@echo '  test   integration, emulated machine'
	$(Q)GO='$(GO)' ECI_BIN='$(abspath $(BIN))' sh integration/vm/run.sh test $(TESTFLAGS)

.PHONY: fuzz
fuzz: ## every fuzz target in turn, for FUZZTIME (10s) each
	$(Q)GO='$(GO)' tools/fuzz.sh '$(FUZZTIME)'

# The same invariants as FuzzCheckRewrite's, without coverage to guide: some ten times
# as fast. SEED is where to begin.
N ?= 10000000
SEED ?= 1
.PHONY: fuzz-decide
fuzz-decide: ## take N (10 million) changed specs through decision and rewrite
	$(Q)$(GO) test -run '^TestDecisions$$' -v -timeout 0 ./policy -args -executions $(N) -seed $(SEED)

.PHONY: bench
bench: need-root build peers deps-test ## alternate with runc's own shim: medians and ratios (root)
	$(Q)ECI_BIN='$(abspath $(BIN))' $(GO) run ./integration/bench $(BENCHFLAGS)

##@ Keep in order

.PHONY: check
check: check-format check-vet check-lint check-modules check-scripts check-arch check-budget ## all that needs no container: format, vet, lint, modules, architecture

.PHONY: fmt
fmt: $(BIN)/gofumpt ## format the sources
	$(Q)$(BIN)/gofumpt -w .

.PHONY: check-format
check-format: $(BIN)/gofumpt
	@echo '  check  format'
	$(Q)out=$$($(BIN)/gofumpt -l .); [ -z "$$out" ] || { printf 'not formatted (make fmt):\n%s\n' "$$out" >&2; exit 1; }

# Layouts and system call numbers differ: the other architecture must compile.
OTHERARCH = $(if $(filter arm64,$(shell $(GO) env GOARCH)),amd64,arm64)
.PHONY: check-vet
check-vet:
	@echo '  check  vet, also for the other architecture'
	$(Q)$(GO) vet ./...
	$(Q)CGO_ENABLED=0 GOARCH=$(OTHERARCH) $(GO) vet $(UNIT)

.PHONY: check-lint
check-lint: $(BIN)/staticcheck
	@echo '  check  staticcheck'
	$(Q)$(BIN)/staticcheck ./...

# Those below tools/ are complete when they build; tidying them would download the
# tests of all that containerd depends on.
.PHONY: check-modules
check-modules:
	@echo '  check  go.mod is tidy'
	$(Q)$(GO) mod tidy -diff || { echo 'not tidy: go mod tidy' >&2; exit 1; }

.PHONY: check-scripts
check-scripts:
	@echo '  check  scripts'
	$(Q)for f in tools/*.sh; do sh -n "$$f"; done; bash -n .ci/run

# -count=1: what it reads must never come from the test cache.
.PHONY: check-arch
check-arch:
	@echo '  check  architecture, documents, words'
	$(Q)$(GO) test -count=1 .

.PHONY: check-budget
check-budget: build
	@echo '  check  size of the shim'
	$(Q)GO='$(GO)' tools/budget.sh '$(BIN)/containerd-shim-eci-v2' $(SHIM_PACKAGES_MAX) $(SHIM_BYTES_MAX)

# Not part of check: it builds all packages twice.
.PHONY: check-reproducible
check-reproducible: packages ## build the packages again, elsewhere, and compare every bit (FRESH=1: without Go's cache)
	@echo '  check  reproducible builds'
	$(Q)$(packages-env) tools/reproducible.sh '$(abspath $(PACKAGES))' '$(VERSION)' $(ARCHES)

.PHONY: clean
clean: ## remove bin/, the tools in it included
	$(Q)rm -rf '$(BIN)'

##@ Tools

# Each stands for itself in a module of its own below tools/: minimal version
# selection would else link runc with containerd's versions of their common
# dependencies, and the peer in the tests would not be stock runc any more.
LINTERS := $(addprefix $(BIN)/,gofumpt staticcheck benchstat)
DAEMONS := $(addprefix $(BIN)/,containerd ctr containerd-shim-runc-v2)
PLUGINS := $(addprefix $(BIN)/cni/,bridge host-local loopback portmap)
PEERS   := $(DAEMONS) $(BIN)/runc $(PLUGINS)

.PHONY: tools
tools: $(LINTERS) peers ## build the pinned tools and test peers into bin/, once

# containerd and its client, runc and its shim, and CNI plugins: what the tests,
# the demo and the benchmark run.
.PHONY: peers
peers: $(PEERS)

# version-of <module below tools/> <module path>: the version that is pinned.
version-of = $(shell awk '{ for (i = 1; i < NF; i++) if ($$i == "$(2)") print $$(i + 1) }' tools/$(1)/go.mod)
# tool <what it is>: say what is built; then run the rest quietly.
comma := ,
tool = @tools/step.sh '$@' '$(1)' --

$(LINTERS) $(PEERS): | tools-note

$(BIN)/gofumpt: tools/go.mod tools/go.sum
	$(call tool,the formatter) $(GO) build -C tools $(BUILDFLAGS) -o '$(abspath $@)' mvdan.cc/gofumpt

$(BIN)/staticcheck: tools/go.mod tools/go.sum
	$(call tool,the linter) $(GO) build -C tools $(BUILDFLAGS) -o '$(abspath $@)' honnef.co/go/tools/cmd/staticcheck

$(BIN)/benchstat: tools/go.mod tools/go.sum
	$(call tool,compares two runs of a benchmark) $(GO) build -C tools $(BUILDFLAGS) -o '$(abspath $@)' golang.org/x/perf/cmd/benchstat

$(BIN)/nfpm: tools/nfpm/go.mod tools/nfpm/go.sum
	$(call tool,what makes the packages) env CGO_ENABLED=0 $(GO) build -C tools/nfpm $(BUILDFLAGS) -ldflags '-s -w' -o '$(abspath $@)' github.com/goreleaser/nfpm/v2/cmd/nfpm

# The tags are those of containerd's Makefile, less snapshotters that need a
# device mapper or ZFS; the shim is linked as a release links it.
CONTAINERD := github.com/containerd/containerd/v2
containerd-version = $(call version-of,containerd,$(CONTAINERD))
$(BIN)/containerd $(BIN)/ctr: TAGS := urfave_cli_no_docs,no_devmapper,no_zfs
$(BIN)/containerd-shim-runc-v2: TAGS := urfave_cli_no_docs,no_grpc
$(BIN)/containerd: WHAT := the daemon that the tests start
$(BIN)/ctr: WHAT := its client
$(BIN)/containerd-shim-runc-v2: WHAT := the shim of runc, to compare with
$(DAEMONS): $(BIN)/%: tools/containerd/go.mod tools/containerd/go.sum
	$(call tool,containerd $(containerd-version)$(comma) $(WHAT)) env CGO_ENABLED=0 $(GO) build -C tools/containerd $(BUILDFLAGS) -tags '$(TAGS)' \
		-ldflags '-s -w -X $(CONTAINERD)/version.Version=$(containerd-version)' -o '$(abspath $@)' $(CONTAINERD)/cmd/$*

# Older series, for test-compat; ctr comes with its daemon. 1.x had another path.
older = github.com/containerd/containerd$(if $(filter 1.%,$*),,/v2)
older-version = $(call version-of,containerd-$*,$(older))
.PRECIOUS: $(BIN)/compat/%/containerd
$(BIN)/compat/%/containerd: tools/containerd-%/go.mod tools/containerd-%/go.sum
	$(call tool,containerd $(older-version) and its ctr) env CGO_ENABLED=0 $(GO) build -C tools/containerd-$* $(BUILDFLAGS) \
		-tags no_btrfs,no_devmapper,no_zfs -ldflags '-s -w -X $(older)/version.Version=$(older-version)' \
		-o '$(abspath $(@D))/' $(older)/cmd/containerd $(older)/cmd/ctr

RUNC := github.com/opencontainers/runc
$(BIN)/runc: tools/runc/go.mod tools/runc/go.sum | deps-build
	$(call tool,runc $(call version-of,runc,$(RUNC))$(comma) what runs a container) env CGO_ENABLED=1 $(GO) build -C tools/runc $(BUILDFLAGS) \
		-tags seccomp,urfave_cli_no_docs -ldflags '-s -w' -o '$(abspath $@)' $(RUNC)

CNI := github.com/containernetworking/plugins
cni-version = $(call version-of,cni,$(CNI))
$(BIN)/cni/bridge $(BIN)/cni/loopback: KIND := main
$(BIN)/cni/host-local: KIND := ipam
$(BIN)/cni/portmap: KIND := meta
$(PLUGINS): $(BIN)/cni/%: tools/cni/go.mod tools/cni/go.sum
	$(call tool,CNI plugins $(cni-version)$(comma) the network of the tests) env CGO_ENABLED=0 $(GO) build -C tools/cni $(BUILDFLAGS) \
		-ldflags '-s -w -X $(CNI)/pkg/utils/buildversion.BuildVersion=$(cni-version)' -o '$(abspath $@)' $(CNI)/plugins/$(KIND)/$*

# What the tests run in containers, beside busybox: packages of Debian.
.PHONY: programs
programs: $(BIN)/images/programs.tar ## the image of programs for the tests, made once: a minute, 600 MB (root)
$(BIN)/images/programs.tar: tools/programs.sh
	$(call tool,Debian with programs that look at their machine) tools/programs.sh '$(abspath $@)'

# A whole system, and today's engines, which Debian does not have.
ENGINES := $(addprefix $(BIN)/moby/,dockerd docker-proxy) $(addprefix $(BIN)/buildkit/,buildkitd buildctl)
.PHONY: systems
systems: $(BIN)/images/systems.tar $(ENGINES) ## the image of a whole system, and Docker and BuildKit of today, made once: some minutes, 900 MB (root)
$(BIN)/images/systems.tar: tools/systems.sh
	$(call tool,Debian with systemd and engines) tools/systems.sh '$(abspath $@)'

MOBY := github.com/moby/moby/v2
$(addprefix $(BIN)/moby/,dockerd docker-proxy): $(BIN)/moby/%: tools/moby/go.mod tools/moby/go.sum
	$(call tool,Docker $(call version-of,moby,$(MOBY))) env CGO_ENABLED=0 $(GO) build -C tools/moby $(BUILDFLAGS) -tags exclude_graphdriver_btrfs \
		-ldflags '-s -w -X $(MOBY)/dockerversion.Version=$(call version-of,moby,$(MOBY))' -o '$(abspath $@)' $(MOBY)/cmd/$*

BUILDKIT := github.com/moby/buildkit
$(addprefix $(BIN)/buildkit/,buildkitd buildctl): $(BIN)/buildkit/%: tools/buildkit/go.mod tools/buildkit/go.sum
	$(call tool,BuildKit $(call version-of,buildkit,$(BUILDKIT))) env CGO_ENABLED=0 $(GO) build -C tools/buildkit $(BUILDFLAGS) \
		-ldflags '-s -w' -o '$(abspath $@)' $(BUILDKIT)/cmd/$*

# What people run in system containers.
.PHONY: workloads
workloads: $(BIN)/images/workloads.tar ## the image of workloads for the tests, made once: two minutes, 600 MB (root)
$(BIN)/images/workloads.tar: tools/workloads.sh
	$(call tool,Debian with what people run in system containers) tools/workloads.sh '$(abspath $@)'

# All of a cluster's programs in one file, which is called by their names; the versions are
# told to it as a release's are. Nothing but its own test needs it.
KUBERNETES := k8s.io/kubernetes
KUBENAMES  := etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl
kubernetes-version = $(call version-of,kubernetes,$(KUBERNETES))
kubernetes-parts   = $(subst ., ,$(patsubst v%,%,$(kubernetes-version)))
.PHONY: kubernetes
kubernetes: $(BIN)/kubernetes/kubernetes ## Kubernetes for the test of a cluster in a container, once: ten minutes
$(BIN)/kubernetes/kubernetes: tools/kubernetes/main.go tools/kubernetes/go.mod tools/kubernetes/go.sum
	$(call tool,Kubernetes $(kubernetes-version) and etcd) env CGO_ENABLED=0 $(GO) build -C tools/kubernetes $(BUILDFLAGS) \
		-ldflags '-s -w $(foreach p,k8s.io/component-base/version k8s.io/client-go/pkg/version,-X $(p).gitVersion=$(kubernetes-version) \
		-X $(p).gitMajor=$(word 1,$(kubernetes-parts)) -X $(p).gitMinor=$(word 2,$(kubernetes-parts)))' -o '$(abspath $@)' .
	$(Q)for n in $(KUBENAMES); do ln -sfn kubernetes '$(@D)'/"$$n"; done

.PHONY: tools-note
tools-note:
	@for f in $(LINTERS) $(PEERS); do [ -e "$$f" ] || { \
		echo 'Building pinned tools into $(BIN)/ from source: once, some minutes; they stay until tools/*/go.mod changes.'; break; }; done

.PHONY: deps-build deps-test
deps-build: ; @tools/deps.sh build
deps-test: ; @tools/deps.sh test

.PHONY: need-root
need-root:
	@[ "$$(id -u)" = 0 ] || { echo 'This starts containers and needs root: sudo env "PATH=$$PATH" make $(MAKECMDGOALS)' >&2; exit 1; }

.PHONY: FORCE
FORCE:
