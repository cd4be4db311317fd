package pseudofs

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestRules(t *testing.T) {
	for _, c := range []struct {
		rule      rule
		old, data string
		text      string
		n         int
		err       error
	}{
		{integer(0, 2), "0\n", "1\n", "1\n", 2, nil},
		{integer(0, 2), "0\n", " \t1", "1\n", 3, nil},
		{integer(0, 2), "0\n", "0x2", "2\n", 3, nil},
		{integer(0, 9), "0\n", "07", "7\n", 2, nil},
		{integer(0, 2), "0\n", "3", "0\n", 0, unix.EINVAL},
		{integer(0, 2), "0\n", "-1", "0\n", 0, unix.EINVAL},
		{integer(0, 2), "0\n", "-0", "0\n", 2, nil},
		{integer(0, 2), "0\n", "", "0\n", 0, nil},
		{integer(0, 2), "0\n", "\n", "0\n", 0, unix.EINVAL},
		{integer(0, 2), "0\n", "1 2", "1\n", 2, nil},
		{integer(0, 2), "0\n", "1x", "0\n", 0, unix.EINVAL},
		{integer(-5, 5), "0\n", "-5", "-5\n", 2, nil},
		{integers(4), "4\t4\t1\t7\n", "3 3", "3\t3\t1\t7\n", 3, nil},
		{integers(4), "4\t4\t1\t7\n", "1 2 3 4 5", "1\t2\t3\t4\n", 8, nil},
		{integers(4), "4\t4\t1\t7\n", "x", "4\t4\t1\t7\n", 0, unix.EINVAL},
		{long(0, math.MaxUint64), "1\n", "18446744073709551615", "18446744073709551615\n", 20, nil},
		{long(0, math.MaxUint64), "1\n", "18446744073709551616", "1\n", 0, unix.EINVAL},
		{long(0, math.MaxInt64), "1\n", "9223372036854775808", "1\n", 0, unix.EINVAL},
		{ratchet(0, 3), "1\n", "3", "3\n", 1, nil},
		{ratchet(0, 3), "3\n", "1", "3\n", 0, unix.EINVAL},
		{ratchet(0, 3), "3\n", "3", "3\n", 1, nil},
		{qdisc{}, "fq\n", "cake\n", "cake\n", 5, nil},
		{qdisc{}, "fq\n", "cakes", "fq\n", 0, unix.ENOENT},
		{qdisc{}, "fq\n", "\n", "fq\n", 0, unix.ENOENT},
		{parameter{}, "1\n", "4096\n", "4096\n", 5, nil},
		{parameter{}, "1\n", "+0x10", "16\n", 5, nil},
		{parameter{}, "1\n", "16 ", "1\n", 0, unix.EINVAL},
		{parameter{}, "1\n", "0", "1\n", 0, unix.EINVAL},
		{parameter{}, "1\n", "4294967296", "1\n", 0, unix.ERANGE},
	} {
		text, n, err := c.rule.write(c.old, 0, []byte(c.data))
		if text != c.text || n != c.n || !errors.Is(err, c.err) {
			t.Errorf("%+v %q: %q, %d, %v; want %q, %d, %v", c.rule, c.data, text, n, err, c.text, c.n, c.err)
		}
		if text, n, err := c.rule.write(c.old, 3, []byte(c.data)); c.rule != (parameter{}) && (text != c.old || n != len(c.data) || err != nil) {
			t.Errorf("%+v %q at 3: %q, %d, %v", c.rule, c.data, text, n, err)
		}
	}
}

// TestLikeKernel writes the same to the kernel's own nodes, in namespaces where that does
// nothing, and to rules.
func TestLikeKernel(t *testing.T) {
	linuxtest.Root(t)
	rounds := 20000
	if testing.Short() {
		rounds = 1000
	}
	must(t, linux.OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWIPC); err != nil {
			return err
		}
		for _, c := range []struct {
			path string
			rule rule
		}{
			{"/proc/sys/net/core/somaxconn", integer(0, math.MaxInt32)},
			{"/proc/sys/net/ipv4/tcp_max_syn_backlog", integer(math.MinInt32, math.MaxInt32)},
			{"/proc/sys/net/ipv4/tcp_rmem", numbers{count: 3, min: signed(1), max: signed(math.MaxInt32)}},
			{"/proc/sys/kernel/shmmax", long(0, math.MaxUint64)},
		} {
			if err := likeKernel(c.path, c.rule, rounds); err != nil {
				return err
			}
		}
		return nil
	}))
}

func likeKernel(path string, r rule, rounds int) error {
	f, err := linux.OpenAt(nil, path, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := unix.Pwrite(int(f.Fd()), []byte("1 1 1"), 0); err != nil && r.(numbers).count > 1 {
		return nil // some kernels have a lower bound for it (Debian's 6.1)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	model := string(text)
	for range rounds {
		data, off := randomText(), int64(0)
		if rand.IntN(8) == 0 {
			off = rand.Int64N(5)
		}
		n, err := unix.Pwrite(int(f.Fd()), data, off)
		got, readErr := readNode(path)
		if readErr != nil {
			return readErr
		}
		next, m, modelErr := r.write(model, off, data)
		if err != nil && r.(numbers).count > 1 {
			next = string(got) // how much of a vector a write with an error changes differs by kernel
		}
		if max(n, 0) != m || !errors.Is(err, modelErr) || string(got) != next {
			return fmt.Errorf("%s: %q at %d: kernel %d, %v, %q; rule %d, %v, %q (before %q)", path, data, off, n, err, got, m, modelErr, next, model)
		}
		model = next
	}
	return nil
}

// randomText is mostly numbers.
func randomText() []byte {
	parts := []string{
		"0", "1", "7", "42", "100", "4096", "65536", "2147483647", "2147483648", "-2147483648", "-2147483649",
		"4294967295", "9223372036854775807", "18446744073709551615", "18446744073709551616", "99999999999999999999999",
		"0x1f", "0X7fffffff", "0x", "0xg", "017", "08", "-", "--1", "+1", "-1", "-0", "1e3", "1.5", "a", "x",
		" ", "  ", "\t", "\n", "\v", "\r", "\x00", "\xa0", ",", ":", strings.Repeat("0", 20) + "1", strings.Repeat(" ", 30),
	}
	var b []byte
	for range 1 + rand.IntN(6) {
		b = append(b, parts[rand.IntN(len(parts))]...)
		if rand.IntN(2) == 0 {
			b = append(b, " \t\n"[rand.IntN(3)])
		}
	}
	return b
}

// FuzzRules: whatever is written, a node has a text that its rule takes and leaves as it is.
func FuzzRules(f *testing.F) {
	f.Add(0, int64(0), []byte("1\n"))
	f.Add(3, int64(0), []byte("-5 0x10 017\t9"))
	f.Fuzz(func(t *testing.T, which int, off int64, data []byte) {
		rules := []struct {
			rule
			old string
		}{
			{integer(math.MinInt32, math.MaxInt32), "0\n"},
			{integer(0, 2), "0\n"},
			{long(0, math.MaxUint64), "0\n"},
			{integers(4), "4\t4\t1\t7\n"},
			{ratchet(0, 3), "1\n"},
			{qdisc{}, "fq\n"},
			{parameter{}, "16\n"},
		}
		r := rules[uint(which)%uint(len(rules))]
		text, n, err := r.write(r.old, max(off, 0), data)
		if n < 0 || n > len(data) || err != nil && n != 0 {
			t.Errorf("wrote %d of %d, %v", n, len(data), err)
		}
		again, _, err := r.write(text, 0, []byte(text))
		if err != nil || again != text {
			t.Errorf("%q becomes %q, %v", text, again, err)
		}
		if strings.Count(text, "\t") != strings.Count(r.old, "\t") || !strings.HasSuffix(text, "\n") || len(text) > 64 {
			t.Errorf("%q", text)
		}
	})
}
