#!/bin/sh
# Starts a cluster of one node, as plain processes: what kind does with systemd and kubeadm.
# It is the first process of its container, and reaps.
#
# $NODE is the node's name, $PROXY the mode of kube-proxy. /opt/eci has containerd, runc and CNI
# plug-ins, /opt/kubernetes the programs of Kubernetes, /opt/images archives of images.
set -eu

export PATH=/opt/kubernetes:/opt/eci:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root KUBECONFIG=/etc/kubernetes/admin.conf
address=10.0.0.2
logs=/var/log/cluster
mkdir -p $logs /etc/kubernetes /etc/containerd /etc/cni/net.d /var/lib/etcd /run/containerd
cd /etc/kubernetes

# A node shares its mounts with what it starts; its address is one of no network of the host.
mount --make-rshared /
ip link set lo up
ip link add node0 type bridge
ip addr add $address/24 dev node0
ip link set node0 up
ip route add default via 10.0.0.1
sysctl -qw net.ipv4.ip_forward=1

# run NAME COMMAND... starts a program, again if it ends, and writes its log.
run() {
	name=$1
	shift
	(while :; do "$@" >>"$logs/$name.log" 2>&1 || echo "$name ended: $?" >>"$logs/$name.log"; sleep 1; done) &
}
await() { until "$@" >/dev/null 2>&1; do sleep 0.2; done; }

ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f sa.key
token=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
echo "$token,admin,admin,system:masters" >tokens
chmod 600 tokens

cat >/etc/containerd/config.toml <<END
version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'eci.test/pause:latest'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['/opt/eci/cni']
END
cat >/etc/cni/net.d/10-pods.conflist <<END
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
run containerd containerd
await ctr version
for image in /opt/images/*.tar; do ctr -n k8s.io images import "$image" >>$logs/import.log 2>&1; done

run etcd etcd --data-dir /var/lib/etcd --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
run kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --advertise-address $address --secure-port 6443 \
	--allow-privileged=true --cert-dir /etc/kubernetes --token-auth-file tokens --authorization-mode Node,RBAC --service-cluster-ip-range 10.96.0.0/24 \
	--service-account-issuer https://kubernetes.default.svc --service-account-key-file sa.key --service-account-signing-key-file sa.key \
	--kubelet-preferred-address-types InternalIP
await test -s apiserver.crt
cat >admin.conf <<END
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://$address:6443", certificate-authority: /etc/kubernetes/apiserver.crt}}]
users: [{name: admin, user: {token: $token}}]
contexts: [{name: c, context: {cluster: c, user: admin}}]
current-context: c
END
await kubectl get --raw /readyz
run kube-controller-manager kube-controller-manager --kubeconfig admin.conf --leader-elect=false \
	--service-account-private-key-file sa.key --root-ca-file apiserver.crt
run kube-scheduler kube-scheduler --kubeconfig admin.conf --leader-elect=false --authentication-skip-lookup

cat >kubelet.yaml <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
featureGates: {KubeletInUserNamespace: true}
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
resolvConf: ""
evictionHard: {imagefs.available: 0%, nodefs.available: 0%, nodefs.inodesFree: 0%}
END
run kubelet kubelet --config kubelet.yaml --kubeconfig admin.conf --hostname-override "$NODE" --node-ip $address
cat >proxy.yaml <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: $PROXY
hostnameOverride: $NODE
clusterCIDR: 10.244.0.0/16
clientConnection: {kubeconfig: /etc/kubernetes/admin.conf}
END
run kube-proxy kube-proxy --config proxy.yaml
echo started
wait
