package pseudofs

import (
	"math"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A rule is what the kernel does with a write to a node.
type rule interface {
	// write gives the node's new text after data was written at offset off, and how
	// much of data that took. An error is the errno of write(2); the text can have
	// changed nevertheless, as the kernel's vectors do.
	write(old string, off int64, data []byte) (text string, n int, err error)
}

// numbers is a vector of integers as proc_dointvec_minmax and
// proc_doulongvec_minmax of kernel/sysctl.c have it, kernel.sysctl_writes_strict being 1
// (its default): what is not written at the beginning of the file is taken and ignored.
type numbers struct {
	count    int
	min, max bound
	ratchet  bool // once at max, it stays there
	wide     bool // unsigned long: has no sign
}

// bound is an integer with its sign, wide enough for all that there are.
type bound struct {
	neg bool
	abs uint64
}

func signed(v int64) bound {
	if v < 0 {
		return bound{true, uint64(-v)}
	}
	return bound{false, uint64(v)}
}

func (b bound) less(c bound) bool {
	switch {
	case b.neg != c.neg:
		return b.neg
	case b.neg:
		return b.abs > c.abs
	default:
		return b.abs < c.abs
	}
}

func (b bound) String() string {
	s := strconv.FormatUint(b.abs, 10)
	if b.neg && b.abs != 0 {
		return "-" + s
	}
	return s
}

// integer is one int from low to high.
func integer(low, high int64) rule { return numbers{count: 1, min: signed(low), max: signed(high)} }

// integers are n of any size.
func integers(n int) rule {
	return numbers{count: n, min: signed(math.MinInt32), max: signed(math.MaxInt32)}
}

// long is one unsigned long from low to high.
func long(low, high uint64) rule {
	return numbers{count: 1, min: bound{abs: low}, max: bound{abs: high}, wide: true}
}

// ratchet is an integer that stays at high once it is there
// (yama_dointvec_minmax of security/yama/yama_lsm.c).
func ratchet(low, high int64) rule {
	return numbers{count: 1, min: signed(low), max: signed(high), ratchet: true}
}

func (r numbers) write(old string, off int64, data []byte) (string, int, error) {
	if off != 0 || len(data) == 0 {
		return old, len(data), nil
	}
	values := strings.Fields(old)
	rest := data[:min(len(data), pageSize-1)]
	var err error
	i := 0
	for ; i < r.count; i++ {
		rest = skipSpace(rest)
		if len(rest) == 0 {
			break
		}
		var v bound
		if v, rest, err = parseNumber(rest); err == nil && !r.allows(v, old) {
			err = unix.EINVAL
		}
		if err != nil {
			break
		}
		for len(values) <= i {
			values = append(values, "0")
		}
		values[i] = v.String()
	}
	if i == 0 && err == nil {
		err = unix.EINVAL // nothing but white space
	}
	if err == nil {
		rest = skipSpace(rest)
	}
	text := old
	if i > 0 {
		text = strings.Join(values, "\t") + "\n"
	}
	if err != nil {
		return text, 0, err
	}
	return text, len(data) - len(rest), nil
}

func (r numbers) allows(v bound, old string) bool {
	if r.wide && v.neg {
		return false
	}
	v.neg = v.neg && v.abs != 0
	low := r.min
	if r.ratchet && strings.TrimSpace(old) == r.max.String() {
		low = r.max
	}
	return !v.less(low) && !r.max.less(v)
}

const pageSize = 4096

// longest is the length of text of which proc_get_long looks at the beginning; a number
// that fills it is refused.
const longest = 21

// parseNumber is proc_get_long of kernel/sysctl.c: a decimal, octal (0…) or hexadecimal
// (0x…) number that ends with the text or before white space.
func parseNumber(text []byte) (v bound, rest []byte, err error) {
	head := text[:min(len(text), longest)]
	neg := head[0] == '-' && len(text) > 1
	if neg {
		head = head[1:]
	}
	n, digits := parseUint(head)
	if digits <= 0 {
		return bound{}, text, unix.EINVAL
	}
	if neg {
		digits++
	}
	if digits == longest || digits < len(text) && !isSeparator(text[digits]) {
		return bound{}, text, unix.EINVAL
	}
	return bound{neg, n}, text[digits:], nil
}

// parseUint is strtoul_lenient of kernel/sysctl.c with base 0: the number at the beginning
// of s and its length; 0 without one, -1 if it is too large.
func parseUint(s []byte) (v uint64, length int) {
	if len(s) == 0 || s[0] < '0' || s[0] > '9' {
		return 0, 0
	}
	base, i := uint64(10), 0
	if s[0] == '0' {
		base = 8
		if len(s) > 2 && s[1]|0x20 == 'x' && digit(s[2]) < 16 {
			base, i = 16, 2
		}
	}
	for ; i < len(s); i++ {
		d := digit(s[i])
		if d >= base {
			break
		}
		if v > (math.MaxUint64-d)/base {
			return 0, -1
		}
		v = v*base + d
	}
	return v, i
}

// digit is the value of a digit, a large number if c is none.
func digit(c byte) uint64 {
	switch {
	case c >= '0' && c <= '9':
		return uint64(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return uint64(c|0x20-'a') + 10
	default:
		return math.MaxUint64
	}
}

// isSeparator tells what may follow a number.
func isSeparator(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

// skipSpace is skip_spaces of the kernel, whose isspace is Latin-1's.
func skipSpace(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] >= '\t' && s[0] <= '\r' || s[0] == 0xa0) {
		s = s[1:]
	}
	return s
}
