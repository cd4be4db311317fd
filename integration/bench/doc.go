// Command bench measures this runtime against containerd's own shim for runc.
//
// Both run in one containerd, from the same image, and take turns: every figure is
// a ratio of two sets of samples that were taken in the same minutes, because a
// machine's speed drifts and stalls by more than the two runtimes differ. What is
// measured, how, and what the columns say is written in docs/performance.md and
// printed with -legend.
//
// It asserts nothing about times. Its status is other than 0 if something did not
// run or was left behind.
//
//	go run ./integration/bench                    the whole table
//	go run ./integration/bench -rows '^run|exec'  some rows
//	go run ./integration/bench -quick             a few samples of each
//	go run ./integration/bench -aa                runc against runc: how far to trust the rest
//	go run ./integration/bench -trace 20          who spends the time of a start
//
// It needs root, the Go tool, the built shim and its peers (make build peers), and
// a cgroup2 hierarchy, whose accounting it uses. Engines and systems in containers need an image
// of their own (make systems), and are skipped without it.
package main
