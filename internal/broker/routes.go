package broker

// route is one request of Docker's API (docs.docker.com, "Docker Engine API"), from
// version 1.24 on.
type route struct {
	method string

	// path is without the version in front. A star stands for one character or more,
	// slashes included, as names do in the engine's own routes.
	path string

	// query is a parameter that is given, and not empty.
	query string

	// does are the commands that this request is sent for. It is refused if one of them
	// is denied, and passes if one of them is allowed.
	does []string

	// also are commands whose work it could do as well: it is refused if one of them is
	// denied, but it does not pass because one is allowed.
	also []string

	// serves are commands that cannot do without it: it passes if one of them is
	// allowed, but it is not refused because one is denied.
	serves []string

	// upgrade is the protocol that the connection can be switched to.
	upgrade string

	// always lets it pass whatever a list allows: clients begin with it.
	always bool
}

// Commands that begin with something else.
var (
	running   = []string{"container run", "container start"}
	attaching = []string{"container run", "container start", "container attach"}
	looking   = []string{"container run", "container start", "container attach", "container exec", "container logs"}
	swarming  = []string{"stack deploy", "service scale", "service rollback"}
)

// routes are all requests that can pass. Several may match one request, because names
// may hold anything; then all of them count.
var routes = []route{
	{method: "GET", path: "/_ping", always: true},
	{method: "HEAD", path: "/_ping", always: true},
	{method: "GET", path: "/version", does: []string{"version"}, always: true},
	{method: "GET", path: "/info", does: []string{"system info"}, always: true},
	{method: "POST", path: "/auth", does: []string{"login"}},
	{method: "GET", path: "/events", does: []string{"system events"}, serves: []string{"container stats"}},
	{method: "GET", path: "/system/df", does: []string{"system df"}},

	{method: "GET", path: "/containers/json", does: []string{"container ls"}, serves: []string{"container stats"}},
	{method: "POST", path: "/containers/create", does: []string{"container create", "container run"}},
	{method: "POST", path: "/containers/prune", does: []string{"container prune", "system prune"}},
	{method: "GET", path: "/containers/*/json", does: []string{"container inspect", "container port"}, serves: looking},
	{method: "GET", path: "/containers/*/top", does: []string{"container top"}},
	{method: "GET", path: "/containers/*/logs", does: []string{"container logs"}},
	{method: "GET", path: "/containers/*/changes", does: []string{"container diff"}},
	{method: "GET", path: "/containers/*/export", does: []string{"container export"}},
	{method: "GET", path: "/containers/*/stats", does: []string{"container stats"}},
	{method: "POST", path: "/containers/*/resize", does: []string{"container attach"}, serves: running},
	{method: "POST", path: "/containers/*/start", does: []string{"container start"}, serves: running},
	{method: "POST", path: "/containers/*/stop", does: []string{"container stop"}},
	{method: "POST", path: "/containers/*/restart", does: []string{"container restart"}},
	{method: "POST", path: "/containers/*/kill", does: []string{"container kill"}, serves: attaching},
	{method: "POST", path: "/containers/*/update", does: []string{"container update"}},
	{method: "POST", path: "/containers/*/rename", does: []string{"container rename"}},
	{method: "POST", path: "/containers/*/pause", does: []string{"container pause"}},
	{method: "POST", path: "/containers/*/unpause", does: []string{"container unpause"}},
	{method: "POST", path: "/containers/*/attach", does: []string{"container attach"}, serves: running, upgrade: "tcp"},
	{method: "GET", path: "/containers/*/attach/ws", does: []string{"container attach"}, serves: running, upgrade: "websocket"},
	{method: "POST", path: "/containers/*/wait", does: []string{"container wait"}, serves: attaching},
	{method: "DELETE", path: "/containers/*", does: []string{"container rm"}, serves: []string{"container run"}},
	{method: "HEAD", path: "/containers/*/archive", does: []string{"container cp"}},
	{method: "GET", path: "/containers/*/archive", does: []string{"container cp"}},
	{method: "PUT", path: "/containers/*/archive", does: []string{"container cp"}},
	{method: "POST", path: "/containers/*/copy", does: []string{"container cp"}},
	{method: "GET", path: "/containers/*/checkpoints", does: []string{"checkpoint ls"}},
	{method: "POST", path: "/containers/*/checkpoints", does: []string{"checkpoint create"}},
	{method: "DELETE", path: "/containers/*/checkpoints/*", does: []string{"checkpoint rm"}},
	{method: "POST", path: "/commit", does: []string{"container commit"}},

	{method: "POST", path: "/containers/*/exec", does: []string{"container exec"}},
	{method: "POST", path: "/exec/*/start", does: []string{"container exec"}, upgrade: "tcp"},
	{method: "POST", path: "/exec/*/resize", does: []string{"container exec"}},
	{method: "GET", path: "/exec/*/json", does: []string{"container exec"}},

	{method: "GET", path: "/images/json", does: []string{"image ls"}},
	{method: "GET", path: "/images/search", does: []string{"search"}},
	{method: "GET", path: "/images/get", does: []string{"image save"}},
	{method: "GET", path: "/images/*/get", does: []string{"image save"}},
	{method: "GET", path: "/images/*/json", does: []string{"image inspect"}},
	{method: "GET", path: "/images/*/history", does: []string{"image history"}},
	{method: "POST", path: "/images/load", does: []string{"image load"}},
	{method: "POST", path: "/images/create", query: "fromImage", does: []string{"image pull"}},
	{method: "POST", path: "/images/create", query: "fromSrc", does: []string{"image import"}},
	{method: "POST", path: "/images/prune", does: []string{"image prune", "system prune"}},
	{method: "POST", path: "/images/*/push", does: []string{"image push"}},
	{method: "POST", path: "/images/*/tag", does: []string{"image tag"}},
	{method: "DELETE", path: "/images/*", does: []string{"image rm"}},
	{method: "POST", path: "/build", does: []string{"image build"}, also: []string{"image pull"}},
	{method: "POST", path: "/build", query: "outputs", does: []string{"image build"}, also: []string{"image push"}},
	{method: "POST", path: "/build/prune", does: []string{"builder prune", "system prune"}},
	{method: "POST", path: "/build/cancel", does: []string{"image build"}},
	{method: "POST", path: "/session", does: []string{"image build"}, upgrade: "h2c"},
	{method: "POST", path: "/grpc", does: []string{"image build"}, also: []string{"image pull", "image push", "builder prune"}, upgrade: "h2c"},
	{method: "GET", path: "/distribution/*/json", does: []string{"service create", "service update"}, serves: swarming},

	{method: "GET", path: "/networks", does: []string{"network ls"}, serves: []string{"stack deploy", "stack rm"}},
	{method: "GET", path: "/networks/*", does: []string{"network inspect"}, serves: []string{"service create", "service update", "stack deploy"}},
	{method: "POST", path: "/networks/create", does: []string{"network create"}, serves: []string{"stack deploy"}},
	{method: "POST", path: "/networks/prune", does: []string{"network prune", "system prune"}},
	{method: "POST", path: "/networks/*/connect", does: []string{"network connect"}, serves: []string{"container run", "container create"}},
	{method: "POST", path: "/networks/*/disconnect", does: []string{"network disconnect"}},
	{method: "DELETE", path: "/networks/*", does: []string{"network rm"}, serves: []string{"stack rm"}},

	{method: "GET", path: "/volumes", does: []string{"volume ls"}},
	{method: "GET", path: "/volumes/*", does: []string{"volume inspect"}},
	{method: "POST", path: "/volumes/create", does: []string{"volume create"}},
	{method: "POST", path: "/volumes/prune", does: []string{"volume prune", "system prune"}},
	{method: "PUT", path: "/volumes/*", does: []string{"volume update"}},
	{method: "DELETE", path: "/volumes/*", does: []string{"volume rm"}},

	{method: "GET", path: "/plugins", does: []string{"plugin ls"}},
	{method: "GET", path: "/plugins/privileges", does: []string{"plugin install", "plugin upgrade"}},
	{method: "GET", path: "/plugins/*/json", does: []string{"plugin inspect"}, serves: []string{"plugin upgrade"}},
	{method: "POST", path: "/plugins/pull", does: []string{"plugin install"}},
	{method: "POST", path: "/plugins/create", does: []string{"plugin create"}},
	{method: "POST", path: "/plugins/*/enable", does: []string{"plugin enable"}, serves: []string{"plugin install"}},
	{method: "POST", path: "/plugins/*/disable", does: []string{"plugin disable"}},
	{method: "POST", path: "/plugins/*/upgrade", does: []string{"plugin upgrade"}},
	{method: "POST", path: "/plugins/*/push", does: []string{"plugin push"}},
	{method: "POST", path: "/plugins/*/set", does: []string{"plugin set"}, serves: []string{"plugin install"}},
	{method: "DELETE", path: "/plugins/*", does: []string{"plugin rm"}},

	{method: "GET", path: "/swarm", does: []string{"swarm join-token", "swarm ca"}, serves: []string{"swarm update", "swarm unlock-key"}},
	{method: "GET", path: "/swarm/unlockkey", does: []string{"swarm unlock-key"}, serves: []string{"swarm update", "swarm init"}},
	{method: "POST", path: "/swarm/init", does: []string{"swarm init"}},
	{method: "POST", path: "/swarm/join", does: []string{"swarm join"}},
	{method: "POST", path: "/swarm/leave", does: []string{"swarm leave"}},
	{method: "POST", path: "/swarm/unlock", does: []string{"swarm unlock"}},
	{method: "POST", path: "/swarm/update", does: []string{"swarm update", "swarm ca", "swarm join-token", "swarm unlock-key"}},

	{method: "GET", path: "/nodes", does: []string{"node ls"}, serves: []string{"service ps", "stack ps"}},
	{method: "GET", path: "/nodes/*", does: []string{"node inspect"}, serves: []string{"node ps", "node update", "node promote", "node demote", "service ps", "stack ps", "service logs"}},
	{method: "POST", path: "/nodes/*/update", does: []string{"node update", "node promote", "node demote"}},
	{method: "DELETE", path: "/nodes/*", does: []string{"node rm"}},

	{method: "GET", path: "/services", does: []string{"service ls", "stack ls", "stack services"}, serves: []string{"service ps", "stack ps", "stack rm", "stack deploy"}},
	{method: "GET", path: "/services/*", does: []string{"service inspect"}, serves: []string{"service update", "service scale", "service rollback", "service ps", "service logs", "stack ps"}},
	{method: "GET", path: "/services/*/logs", does: []string{"service logs"}},
	{method: "POST", path: "/services/create", does: []string{"service create", "stack deploy"}, also: []string{"container run"}},
	{method: "POST", path: "/services/*/update", does: []string{"service update", "service scale", "service rollback", "stack deploy"}, also: []string{"container run"}},
	{method: "DELETE", path: "/services/*", does: []string{"service rm", "stack rm"}},
	{method: "GET", path: "/tasks", does: []string{"service ps", "stack ps", "node ps"}, serves: []string{"service ls", "stack services", "service create", "service update", "service logs"}},
	{method: "GET", path: "/tasks/*", does: []string{"service ps"}, serves: []string{"service logs"}},
	{method: "GET", path: "/tasks/*/logs", does: []string{"service logs"}},

	{method: "GET", path: "/secrets", does: []string{"secret ls"}, serves: []string{"service create", "service update", "stack deploy", "stack rm"}},
	{method: "GET", path: "/secrets/*", does: []string{"secret inspect"}, serves: []string{"stack deploy"}},
	{method: "POST", path: "/secrets/create", does: []string{"secret create"}, serves: []string{"stack deploy"}},
	{method: "POST", path: "/secrets/*/update", does: []string{"secret create", "stack deploy"}},
	{method: "DELETE", path: "/secrets/*", does: []string{"secret rm"}, serves: []string{"stack rm"}},

	{method: "GET", path: "/configs", does: []string{"config ls"}, serves: []string{"service create", "service update", "stack deploy", "stack rm"}},
	{method: "GET", path: "/configs/*", does: []string{"config inspect"}, serves: []string{"stack deploy"}},
	{method: "POST", path: "/configs/create", does: []string{"config create"}, serves: []string{"stack deploy"}},
	{method: "POST", path: "/configs/*/update", does: []string{"config create", "stack deploy"}},
	{method: "DELETE", path: "/configs/*", does: []string{"config rm"}, serves: []string{"stack rm"}},
}
