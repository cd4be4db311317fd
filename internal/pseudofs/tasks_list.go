package pseudofs

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// lists says where the threads of a container are listed. The zero value lists
// none.
type lists struct {
	dir  *os.File // the cgroup, O_PATH
	name string   // of the list in it, and in the cgroups that the container made
	// whole: the kernel makes and sorts the whole list at the first read (v1),
	// 1 µs for each thread. Else it goes on at each read.
	whole bool
}

// budget is how much may be done at once.
type budget struct {
	deadline time.Time
	pids     int // how many are listed
	least    int // how much is done without looking at the clock
}

// spent tells whether the budget is used up after n pieces.
func (b budget) spent(n int) bool {
	return n >= b.least && time.Now().After(b.deadline)
}

// read lists the threads of the cgroup, and then of those below it, from the top
// down, as far as the budget goes.
func (l lists) read(b budget) (pids []int32, complete bool) {
	if l.dir == nil {
		return nil, true
	}
	buf := make([]byte, 4096)
	complete = true
	visited := 0
	for queue := []string{"."}; len(queue) > 0; queue = queue[1:] {
		if len(pids) >= b.pids || b.spent(visited) {
			return pids, false
		}
		visited++
		dir, err := linux.OpenAt(l.dir, queue[0], unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue // gone meanwhile
		}
		var all, allBelow bool
		pids, all = l.readOne(pids, dir, buf, b)
		queue, allBelow = below(queue, dir, b)
		complete = complete && all && allBelow
		dir.Close()
	}
	return pids, complete
}

// readOne adds the threads of one cgroup.
func (l lists) readOne(pids []int32, dir *os.File, buf []byte, b budget) (more []int32, complete bool) {
	// Opened anew each time: v1 shows its old list again to who keeps it open.
	file, err := linux.OpenAt(dir, l.name, unix.O_RDONLY, 0)
	if err != nil {
		return pids, true
	}
	defer file.Close()
	rest := 0 // bytes of a line whose end is not there yet
	for {
		n, err := file.Read(buf[rest:])
		end := rest + n
		if n == 0 || err != nil {
			return parsePIDs(pids, buf[:rest]), true
		}
		lines := end
		for lines > 0 && buf[lines-1] != '\n' {
			lines--
		}
		pids = parsePIDs(pids, buf[:lines])
		rest = copy(buf, buf[lines:end])
		if len(pids) >= b.pids || b.spent(len(pids)) {
			return pids, false
		}
	}
}

// below adds the cgroups in a directory to a queue.
func below(queue []string, dir *os.File, b budget) (longer []string, complete bool) {
	// A directory has a link for its name, one for ".", and one for ".." of each below.
	if st, err := linux.StatFile(dir); err != nil || st.Links == 2 {
		return queue, true
	}
	for {
		entries, err := dir.ReadDir(256)
		for _, e := range entries {
			if e.IsDir() {
				queue = append(queue, queue[0]+"/"+e.Name())
			}
		}
		if err != nil {
			return queue, true
		}
		if b.spent(len(queue)) {
			return queue, false
		}
	}
}
