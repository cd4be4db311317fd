package pseudofs

import (
	"bytes"
	"slices"
	"strconv"
)

// renderCpuinfo renders /proc/cpuinfo: the host's text without the blocks of the CPUs
// that the container may not use. A block begins with a line "processor" and ends
// with an empty line; text outside of blocks (the machine's name on arm, powerpc and
// riscv) stays, but for the machine's serial number.
func renderCpuinfo(host []byte, v *View) []byte {
	b := make([]byte, 0, len(host))
	for len(host) > 0 {
		block := host
		if end := bytes.Index(host, []byte("\n\n")); end >= 0 {
			block = host[:end+2]
		}
		host = host[len(block):]
		b = appendBlock(b, block, v.CPUs)
	}
	return b
}

// appendBlock writes what may be seen of a block. Almost all begin with their number
// and have no other, so that the other lines need no look.
func appendBlock(b, block []byte, cpus []int) []byte {
	if n, found := processor(firstLine(block)); found && !bytes.Contains(block, []byte("\nprocessor")) {
		if visibleCPU(n, cpus) {
			b = append(b, block...)
		}
		return b
	}
	shown := true
	for line := range bytes.Lines(block) {
		if n, found := processor(line); found {
			shown = visibleCPU(n, cpus)
		}
		switch {
		case !shown:
		case bytes.HasPrefix(line, []byte("Serial")):
			b = appendBlank(b, line)
		default:
			b = append(b, line...)
		}
	}
	return b
}

// appendBlank writes a line with zeros for its value, which has hexadecimal digits.
func appendBlank(b, line []byte) []byte {
	key, value, _ := bytes.Cut(line, []byte{':'})
	b = append(append(b, key...), ':')
	for _, c := range value {
		if c > ' ' {
			c = '0'
		}
		b = append(b, c)
	}
	return b
}

func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	return line
}

// processor finds the number in a line "processor : number".
func processor(line []byte) (number []byte, found bool) {
	rest, found := bytes.CutPrefix(line, []byte("processor"))
	if !found {
		return nil, false
	}
	return bytes.CutPrefix(bytes.TrimLeft(rest, " \t"), []byte{':'})
}

// visibleCPU tells whether a number is one of the container's CPUs. What is not a
// number is not.
func visibleCPU(number []byte, cpus []int) bool {
	n, err := strconv.Atoi(string(bytes.TrimSpace(number)))
	if err != nil {
		return false
	}
	_, found := slices.BinarySearch(cpus, n)
	return found
}
