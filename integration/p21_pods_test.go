package integration

// runtimeClasses are this project's runtime as pods name it, and one that fits no node.
const runtimeClasses = `apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: eci}
handler: eci
overhead: {podFixed: {memory: 24Mi, cpu: 10m}}
scheduling: {nodeSelector: {eci: "yes"}}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: nowhere}
handler: eci
scheduling: {nodeSelector: {eci: "no"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {key: "value"}
---
apiVersion: v1
kind: Secret
metadata: {name: secret}
stringData: {password: "hush"}
`

// everything is a pod with all kinds of containers, probes and volumes.
const everything = `apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: NAME}}
spec:
  runtimeClassName: eci
  hostUsers: HOSTUSERS
  shareProcessNamespace: true
  terminationGracePeriodSeconds: 1
  securityContext:
    fsGroup: 2000
    supplementalGroups: [3000]
    sysctls: [{name: net.ipv4.ip_local_port_range, value: "20000 30000"}, {name: kernel.shm_rmid_forced, value: "1"}]
  initContainers:
  - name: init
    image: eci.test/busybox:latest
    imagePullPolicy: Never
    command: [sh, -ec, "readlink /proc/self/ns/user >/disk/init; touch /memory/init"]
    volumeMounts: [{name: disk, mountPath: /disk}, {name: memory, mountPath: /memory}]
  - name: sidecar
    image: eci.test/busybox:latest
    imagePullPolicy: Never
    restartPolicy: Always
    command: [sleep, "100000"]
    volumeMounts: [{name: memory, mountPath: /memory}]
  containers:
  - name: main
    image: eci.test/busybox:latest
    imagePullPolicy: Never
    command: [sh, -ec, "mkdir /w; echo page >/w/index.html; echo hello from $POD; exec httpd -f -p 8080 -h /w"]
    env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    ports: [{containerPort: 8080, hostPort: PORT}]
    resources: {requests: {memory: 32Mi, cpu: 50m}, limits: {memory: 64Mi, cpu: 200m}}
    startupProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, failureThreshold: 100}
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
    livenessProbe: {exec: {command: [test, -e, /w/index.html]}, periodSeconds: 2, timeoutSeconds: 30, failureThreshold: 10}
    lifecycle: {postStart: {exec: {command: [touch, /started]}}}
    volumeMounts:
    - {name: disk, mountPath: /disk}
    - {name: disk, mountPath: /sub, subPath: part/of/it}
    - {name: memory, mountPath: /memory}
    - {name: config, mountPath: /config}
    - {name: config, mountPath: /key, subPath: key}
    - {name: secret, mountPath: /secret}
    - {name: both, mountPath: /both}
    - {name: downward, mountPath: /downward}
    - {name: host, mountPath: /host}
  - name: user
    image: eci.test/busybox:latest
    imagePullPolicy: Never
    command: [sleep, "100000"]
    securityContext: {runAsUser: 1000, runAsGroup: 1001}
    volumeMounts:
    - {name: disk, mountPath: /disk}
    - {name: memory, mountPath: /memory}
    - {name: secret, mountPath: /secret}
  volumes:
  - {name: disk, emptyDir: {}}
  - {name: memory, emptyDir: {medium: Memory, sizeLimit: 8Mi}}
  - {name: config, configMap: {name: config}}
  - {name: secret, secret: {secretName: secret, defaultMode: 0440}}
  - name: both
    projected: {sources: [{configMap: {name: config}}, {secret: {name: secret}}]}
  - name: downward
    downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
  - {name: host, hostPath: {path: HOST, type: Directory}}
`

// contexts is a pod with a container for each kind of security context.
const contexts = `apiVersion: v1
kind: Pod
metadata: {name: contexts}
spec:
  runtimeClassName: eci
  hostUsers: false
  terminationGracePeriodSeconds: 1
  containers:
  - name: restricted
    image: eci.test/busybox:latest
    imagePullPolicy: Never
    command: [sleep, "100000"]
    securityContext:
      runAsNonRoot: true
      runAsUser: 1000
      runAsGroup: 1001
      capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}
      readOnlyRootFilesystem: true
      allowPrivilegeEscalation: false
      seccompProfile: {type: RuntimeDefault}
  - name: privileged
    image: eci.test/busybox:latest
    imagePullPolicy: Never
    command: [sleep, "100000"]
    securityContext: {privileged: true}
  - name: unmasked
    image: eci.test/busybox:latest
    imagePullPolicy: Never
    command: [sleep, "100000"]
    securityContext: {procMount: Unmasked, capabilities: {add: [SYS_ADMIN]}, seccompProfile: {type: Unconfined}}
  - name: profile
    image: eci.test/busybox:latest
    imagePullPolicy: Never
    command: [sleep, "100000"]
    securityContext: {seccompProfile: {type: Localhost, localhostProfile: no-mkdir.json}}
`

// noMkdir is the seccomp profile of one of them.
const noMkdir = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}`

// simplePod is a pod of one container, with more fields of the pod's and of the container's.
func simplePod(name, command, pod, container string) string {
	return `---
apiVersion: v1
kind: Pod
metadata: {name: ` + name + `}
spec:
  runtimeClassName: eci
  terminationGracePeriodSeconds: 1
` + pod + `
  containers:
  - name: main
    image: eci.test/busybox:latest
    imagePullPolicy: Never
    command: [sh, -c, "` + command + `"]
` + container + "\n"
}
