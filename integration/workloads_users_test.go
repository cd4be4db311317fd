package integration

import (
	"strings"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestWorkloads_SSH: a server for many users, each with a key; a terminal, files by sftp and by
// scp, and a forwarded port.
func TestWorkloads_SSH(t *testing.T) {
	task := workloads(t, testbed.Container{Spec: withPrivileges})
	out := workload(t, task, `ip link set lo up 2>/dev/null || true
mkdir -p /run/sshd; ssh-keygen -A >/dev/null; mkdir -p -m 700 /root/.ssh; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
for u in alice bob carol; do
	useradd -m -s /bin/bash $u; install -d -m 700 -o $u -g $u /home/$u/.ssh
	install -m 600 -o $u -g $u /root/.ssh/id_ed25519.pub /home/$u/.ssh/authorized_keys
done
rm /home/carol/.ssh/authorized_keys
/usr/sbin/sshd
o="-o BatchMode=yes -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR"
await ssh $o alice@127.0.0.1 true
for u in alice bob; do ssh $o $u@127.0.0.1 'id -un; pwd; cat /proc/self/loginuid >/dev/null; ulimit -n >/dev/null'; done
fails ssh $o carol@127.0.0.1 id | grep -o 'Permission denied'
ssh -tt $o alice@127.0.0.1 'tty | grep -o /dev/pts; stat -c %U $(tty)' </dev/null | tr -d '\r'
seq 200000 >/tmp/numbers
scp -q $o /tmp/numbers alice@127.0.0.1:copy
printf 'put /tmp/numbers sent\nget copy /tmp/back\n' | sftp -q $o -b - alice@127.0.0.1 >/dev/null
cmp /tmp/numbers /tmp/back; cmp /tmp/numbers /home/alice/sent; stat -c %U:%G /home/alice/sent
mkdir -p /tmp/w; echo forwarded >/tmp/w/index.html; busybox httpd -p 127.0.0.1:8080 -h /tmp/w
ssh -f -N $o -L 9090:127.0.0.1:8080 bob@127.0.0.1
await busybox wget -q -O - http://127.0.0.1:9090/; cat /tmp/await
chmod 600 /home/alice/sent; ssh $o bob@127.0.0.1 'cat /home/alice/sent 2>&1 | grep -o denied'`)
	wantText(t, "sessions", out, strings.TrimSpace(`
alice
/home/alice
bob
/home/bob
Permission denied
/dev/pts
alice
alice:alice
forwarded
denied`))
}

// TestWorkloads_Cron: jobs of root and of a user run with their own rights. They are those that
// begin with the daemon: a minute is long for a test.
func TestWorkloads_Cron(t *testing.T) {
	task := workloads(t, testbed.Container{})
	out := workload(t, task, `useradd -m alice; mkdir -m 1777 /tmp/jobs
echo '@reboot id -un >/tmp/jobs/alice.part; mv /tmp/jobs/alice.part /tmp/jobs/alice' | crontab -u alice -
echo '@reboot root id -un >/tmp/jobs/root.part; mv /tmp/jobs/root.part /tmp/jobs/root' >/etc/cron.d/eci
crontab -u alice -l | grep -c @reboot
cron
await cat /tmp/jobs/alice; await cat /tmp/jobs/root; cat /tmp/jobs/alice /tmp/jobs/root; stat -c %U /tmp/jobs/*`)
	wantText(t, "jobs", out, "1\nalice\nroot\nalice\nroot")
}
