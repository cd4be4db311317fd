package integration

import (
	osexec "os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// twoHosts makes a second network namespace inside, whose only way out is a pair of interfaces:
// this side is 192.0.2.1, that one 192.0.2.2.
const twoHosts = `ip link set lo up
ip netns add there
ip link add here type veth peer name eth0 netns there
ip addr add 192.0.2.1/24 dev here; ip link set here up
ip -n there addr add 192.0.2.2/24 dev eth0; ip -n there link set eth0 up; ip -n there link set lo up
`

// TestWorkloads_OpenVPN: a tunnel between two hosts inside, with a device of the host that many share.
func TestWorkloads_OpenVPN(t *testing.T) {
	task := workloads(t, testbed.Container{CapAdd: bothAdmins, Spec: withTun})
	out := workload(t, task, twoHosts+`cd /tmp
openvpn --genkey secret key >/dev/null
o="--dev tun --secret key --cipher AES-256-CBC --auth-nocache"
openvpn $o --local 192.0.2.1 --remote 192.0.2.2 --ifconfig 10.8.0.1 10.8.0.2 --daemon --log here.log
ip netns exec there openvpn $o --local 192.0.2.2 --remote 192.0.2.1 --ifconfig 10.8.0.2 10.8.0.1 --daemon --log there.log
await ping -c 1 -W 1 10.8.0.2
await ip netns exec there ping -c 1 -W 1 10.8.0.1
ip -o link show tun0`)
	if !strings.Contains(out, "tun0") {
		t.Error(out)
	}
	if out, err := osexec.Command("ip", "link", "show", "tun0").CombinedOutput(); err == nil {
		t.Errorf("the host has the interface: %s", out)
	}
}

// wireguard is two ends of a tunnel; make is a function that makes an interface of a name.
const wireguard = twoHosts + `umask 077; cd /tmp
for h in here there; do wg genkey >$h.key; wg pubkey <$h.key >$h.pub; done
make wg0
wg set wg0 private-key here.key listen-port 51820 peer $(cat there.pub) allowed-ips 10.9.0.2/32 endpoint 192.0.2.2:51820
ip addr add 10.9.0.1/24 dev wg0; ip link set wg0 up
on_there
wg show wg1 | grep -c peer
await ping -c 1 -W 1 10.9.0.2
wg show wg0 latest-handshakes | grep -c '	[1-9]'
`

// TestWorkloads_WireGuard: in the kernel where it has it, and by a program of user space everywhere.
func TestWorkloads_WireGuard(t *testing.T) {
	const there = `wg set wg1 private-key there.key listen-port 51820 peer $(cat here.pub) allowed-ips 10.9.0.1/32 endpoint 192.0.2.1:51820
ip -n there addr add 10.9.0.2/24 dev wg1; ip -n there link set wg1 up
`
	t.Run("user space", func(t *testing.T) {
		task := workloads(t, testbed.Container{CapAdd: bothAdmins, Spec: withTun})
		wantText(t, "peers and handshakes", workload(t, task, `make() { wireguard-go $1 >/tmp/log 2>&1; }
on_there() { ip netns exec there wireguard-go wg1 >/tmp/log 2>&1; `+there+`}
`+wireguard), "1\n1")
	})
	t.Run("wg-quick", func(t *testing.T) {
		// It writes net.ipv4.conf.all.src_valid_mark, which engines make read-only.
		task := workloads(t, testbed.Container{CapAdd: bothAdmins, Spec: specOf(withTun, readWrite)})
		out := workload(t, task, twoHosts+`umask 077; mkdir -p /etc/wireguard; cd /etc/wireguard
printf '[Interface]\nPrivateKey = %s\nAddress = 10.9.0.1/24\n[Peer]\nPublicKey = %s\nAllowedIPs = 0.0.0.0/0\nEndpoint = 192.0.2.2:51820\n' $(wg genkey) $(wg genkey | wg pubkey) >wg0.conf
wg-quick up wg0 >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
ip route get 203.0.113.1 | grep -o 'dev wg0'; ip route get 192.0.2.2 mark 51820 | grep -o 'dev here'; sysctl -n net.ipv4.conf.all.src_valid_mark
wg-quick down wg0 >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
ip rule | wc -l; nft list ruleset | grep -c wg-quick || true`)
		wantText(t, "routes", out, "dev wg0\ndev here\n1\n3\n0")
	})
	t.Run("kernel", func(t *testing.T) {
		needWireGuard(t)
		task := workloads(t, testbed.Container{CapAdd: bothAdmins})
		wantText(t, "peers and handshakes", workload(t, task, `make() { ip link add $1 type wireguard; }
wg() { case "$2" in wg1) ip netns exec there wg "$@";; *) command wg "$@";; esac; }
on_there() { ip -n there link add wg1 type wireguard; `+there+`}
`+wireguard), "1\n1")
	})
}

// needWireGuard skips where a container could not have it, because the host has not.
func needWireGuard(t *testing.T) {
	t.Helper()
	if out, err := osexec.Command("unshare", "--net", "ip", "link", "add", "wg0", "type", "wireguard").CombinedOutput(); err != nil {
		t.Skipf("this kernel has no WireGuard: ip link add type wireguard: %s", out)
	}
}

// TestWorkloads_WireGuardInterface: a container makes interfaces of the kernel's WireGuard, for
// which it needs no device and no other image than busybox.
func TestWorkloads_WireGuardInterface(t *testing.T) {
	d := bed(t)
	needWireGuard(t)
	wantText(t, "interfaces", run(t, d, testbed.Container{
		Args: []string{"sh", "-ec", "ip link add wg7 type wireguard; ip addr add 10.9.0.1/24 dev wg7; ip link set wg7 up; ip -o link show wg7 | grep -c UP"}, CapAdd: networkAdmin,
	}), "1")
	checkClean(t, d)
}

// TestWorkloads_Firewall: rules inside are the container's, and the host's and its neighbour's stay.
func TestWorkloads_Firewall(t *testing.T) {
	for name, add := range map[string]struct{ block, redirect, list string }{
		"nft": {
			"nft add table inet f; nft add chain inet f in '{ type filter hook input priority 0; }'; nft add rule inet f in tcp dport 81 counter reject with tcp reset",
			"nft add table ip n; nft add chain ip n out '{ type nat hook output priority -100; }'; nft add rule ip n out tcp dport 80 redirect to :8080",
			"nft list ruleset",
		},
		"iptables-nft": {
			"iptables-nft -A INPUT -p tcp --dport 81 -m comment --comment closed -j REJECT --reject-with tcp-reset",
			"iptables-nft -t nat -A OUTPUT -p tcp --dport 80 -j REDIRECT --to-ports 8080",
			"iptables-nft-save",
		},
		"iptables-legacy": {
			"iptables-legacy -A INPUT -p tcp --dport 81 -m comment --comment closed -j REJECT --reject-with tcp-reset",
			"iptables-legacy -t nat -A OUTPUT -p tcp --dport 80 -j REDIRECT --to-ports 8080",
			"iptables-legacy-save",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "iptables-legacy" {
				if out, err := osexec.Command("unshare", "--net", "iptables-legacy", "-t", "nat", "-L").CombinedOutput(); err != nil {
					if _, missing := osexec.LookPath("iptables-legacy"); missing == nil {
						t.Skipf("this kernel has no legacy tables: %s", out)
					}
				}
			}
			task := workloads(t, testbed.Container{CapAdd: networkAdmin})
			beside := workloads(t, testbed.Container{CapAdd: networkAdmin})
			out := workload(t, task, `ip link set lo up
mkdir -p /tmp/w; echo served >/tmp/w/index.html
busybox httpd -p 8080 -h /tmp/w; busybox httpd -p 81 -h /tmp/w
get() { busybox wget -q -O - http://127.0.0.1:$1/; }
get 81; fails get 80 >/tmp/first
`+add.block+"\n"+add.redirect+`
get 80; fails get 81
`+add.list+` | grep -c 81`)
			if !regexp.MustCompile(`^served\nserved\nwget: .*Connection re[a-z]+\n[12]\n$`).MatchString(out) {
				t.Errorf("got %q", out)
			}
			wantText(t, "its neighbour's rules", workload(t, beside, add.list+" | grep -c 81 || true"), "0")
		})
	}
}

// TestWorkloads_Router: one container forwards for a host inside it, and translates its addresses.
func TestWorkloads_Router(t *testing.T) {
	task := workloads(t, testbed.Container{CapAdd: bothAdmins, Spec: readWrite})
	before, err := osexec.Command("sysctl", "-n", "net.ipv4.ip_forward").Output()
	succeed(t, err)
	wantText(t, "who asks", workload(t, task, twoHosts+`sysctl -qw net.ipv4.ip_forward=1
ip netns add far; ip link add out type veth peer name eth0 netns far
ip addr add 198.51.100.1/24 dev out; ip link set out up
ip -n far addr add 198.51.100.2/24 dev eth0; ip -n far link set eth0 up; ip -n far link set lo up
ip -n there route add default via 192.0.2.1
iptables -t nat -A POSTROUTING -o out -j MASQUERADE
ip netns exec far sh -c 'nc -l -v -n 7 >/tmp/got 2>/tmp/asked' & 
await ip netns exec there nc -z -n -w 1 198.51.100.2 7
wait; grep -o '198.51.100.1 ' /tmp/asked
ip netns del far; ip netns del there`), "198.51.100.1")
	after, err := osexec.Command("sysctl", "-n", "net.ipv4.ip_forward").Output()
	succeed(t, err)
	if string(after) != string(before) {
		t.Errorf("the host forwards: %s", after)
	}
}
