#!/bin/sh
# Starts a Kubernetes of one node, as plain processes, beside a containerd that runs already: in
# its network namespace, and in a mount namespace of its own, as which this is started.
#
# $DIR is where it keeps what it writes, with sa.key, a key for tokens; $NODE the node's name;
# $SOCKET containerd's; $CGROUP the cgroup of all pods. /var/lib/kubelet is a mount that is shared
# with containerd's namespace. /proc/sys is not written: what a kubelet wants there is bound over
# what the machine has.
set -eu

address=10.0.0.2
export HOME="$DIR" KUBECONFIG="$DIR/admin.conf"
cd "$DIR"
mkdir -p log manifests plugins pods

# Nothing else that is mounted from here on is seen outside.
for point in / /proc /var; do mount --make-private "$point" 2>/dev/null || true; done
mount -t tmpfs node /var/log
mkdir -p "$DIR/sysctl"
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
	file="$DIR/sysctl/$(echo "${setting%=*}" | tr / -)"
	echo "${setting#*=}" >"$file"
	mount --bind "$file" "/proc/sys/${setting%=*}"
done

ip link show node0 >/dev/null 2>&1 || ip link add node0 type bridge
ip addr replace $address/24 dev node0
ip link set node0 up
ip route replace default via 10.0.0.1

# run NAME COMMAND... starts a program, again if it ends, and writes its log.
run() {
	name=$1
	shift
	(while :; do
		"$@" >>"log/$name.log" 2>&1 &
		echo $! >"$name.pid"
		wait $! || echo "$name ended: $?" >>"log/$name.log"
		sleep 0.5
	done) &
}
await() { until "$@" >/dev/null 2>&1; do sleep 0.2; done; }

token=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
echo "$token,admin,admin,system:masters" >tokens
chmod 600 tokens

run etcd etcd --data-dir "$DIR/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
run kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --advertise-address $address --secure-port 6443 \
	--allow-privileged=true --cert-dir "$DIR" --token-auth-file tokens --authorization-mode Node,RBAC --service-cluster-ip-range 10.96.0.0/24 \
	--service-account-issuer https://kubernetes.default.svc --service-account-key-file sa.key --service-account-signing-key-file sa.key \
	--kubelet-preferred-address-types InternalIP
await test -s apiserver.crt
cat >admin.conf <<END
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://$address:6443", certificate-authority: $DIR/apiserver.crt}}]
users: [{name: admin, user: {token: $token}}]
contexts: [{name: c, context: {cluster: c, user: admin}}]
current-context: c
END
await kubectl get --raw /readyz
run kube-controller-manager kube-controller-manager --kubeconfig "$DIR/admin.conf" --leader-elect=false \
	--service-account-private-key-file sa.key --root-ca-file apiserver.crt
run kube-scheduler kube-scheduler --kubeconfig "$DIR/admin.conf" --leader-elect=false --authentication-skip-lookup

cat >kubelet.yaml <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
cgroupRoot: $CGROUP
enforceNodeAllocatable: [none]
protectKernelDefaults: true
containerRuntimeEndpoint: unix://$SOCKET
staticPodPath: $DIR/manifests
podLogsDir: $DIR/pods
volumePluginDir: $DIR/plugins
allowedUnsafeSysctls: [net.core.somaxconn]
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
resolvConf: ""
serializeImagePulls: true
syncFrequency: 2s
evictionHard: {imagefs.available: 0%, nodefs.available: 0%, nodefs.inodesFree: 0%, memory.available: 0%}
END
run kubelet kubelet --config "$DIR/kubelet.yaml" --kubeconfig "$DIR/admin.conf" --cert-dir "$DIR/pki" \
	--hostname-override "$NODE" --node-ip $address --node-labels eci=yes
wait
