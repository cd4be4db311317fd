package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

func main() {
	debug.SetGCPercent(-1)
	runtime.LockOSThread()
	w := worker{ready: map[string]repeat{}}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		took, err := w.do(lines.Text())
		if err != nil {
			fmt.Printf("error %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		fmt.Printf("ok %d\n", took.Nanoseconds())
	}
}

// A repeat does an operation n times.
type repeat func(n int) error

// worker keeps the operations that were prepared.
type worker struct{ ready map[string]repeat }

// do obeys one line.
func (w worker) do(line string) (time.Duration, error) {
	name, count, _ := strings.Cut(line, " ")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q: want an operation and a count", line)
	}
	again, err := w.prepare(name)
	if err != nil {
		return 0, fmt.Errorf("prepare %s: %w", name, err)
	}
	idled = 0
	start := time.Now()
	if err := again(n); err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return time.Since(start) - idled, nil
}

func (w worker) prepare(name string) (repeat, error) {
	if again := w.ready[name]; again != nil {
		return again, nil
	}
	prepare := operations[name]
	if prepare == nil {
		return nil, fmt.Errorf("no such operation")
	}
	again, err := prepare()
	if err == nil {
		w.ready[name] = again
	}
	return again, err
}
