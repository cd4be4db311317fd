package policy

import (
	"slices"
	"strings"
)

// dockerCommands are the commands of docker that its engine has a part in, each with
// all its names as docker --help has them. The first one is its name elsewhere. One
// name may stand for several commands, as inspect does.
var dockerCommands = [][]string{
	{"container attach", "attach"},
	{"container commit", "commit"},
	{"container cp", "cp"},
	{"container create", "create"},
	{"container diff", "diff"},
	{"container exec", "exec"},
	{"container export", "export"},
	{"container inspect", "inspect"},
	{"container kill", "kill"},
	{"container logs", "logs"},
	{"container ls", "container list", "container ps", "ps"},
	{"container pause", "pause"},
	{"container port", "port"},
	{"container prune"},
	{"container rename", "rename"},
	{"container restart", "restart"},
	{"container rm", "container remove", "rm"},
	{"container run", "run"},
	{"container start", "start"},
	{"container stats", "stats"},
	{"container stop", "stop"},
	{"container top", "top"},
	{"container unpause", "unpause"},
	{"container update", "update"},
	{"container wait", "wait"},

	{"checkpoint create"},
	{"checkpoint ls", "checkpoint list"},
	{"checkpoint rm", "checkpoint remove"},

	{"image build", "build", "builder build", "buildx build", "buildx bake"},
	{"image history", "history"},
	{"image import", "import"},
	{"image inspect", "inspect"},
	{"image load", "load"},
	{"image ls", "image list", "images"},
	{"image prune"},
	{"image pull", "pull"},
	{"image push", "push"},
	{"image rm", "image remove", "rmi"},
	{"image save", "save"},
	{"image tag", "tag"},
	{"builder prune", "buildx prune"},
	{"search"},

	{"network connect"},
	{"network create"},
	{"network disconnect"},
	{"network inspect", "inspect"},
	{"network ls", "network list"},
	{"network prune"},
	{"network rm", "network remove"},

	{"volume create"},
	{"volume inspect", "inspect"},
	{"volume ls", "volume list"},
	{"volume prune"},
	{"volume rm", "volume remove"},
	{"volume update"},

	{"plugin create"},
	{"plugin disable"},
	{"plugin enable"},
	{"plugin inspect", "inspect"},
	{"plugin install"},
	{"plugin ls", "plugin list"},
	{"plugin push"},
	{"plugin rm", "plugin remove"},
	{"plugin set"},
	{"plugin upgrade"},

	{"swarm ca"},
	{"swarm init"},
	{"swarm join"},
	{"swarm join-token"},
	{"swarm leave"},
	{"swarm unlock"},
	{"swarm unlock-key"},
	{"swarm update"},

	{"node demote"},
	{"node inspect", "inspect"},
	{"node ls", "node list"},
	{"node promote"},
	{"node ps"},
	{"node rm", "node remove"},
	{"node update"},

	{"service create"},
	{"service inspect", "inspect"},
	{"service logs"},
	{"service ls", "service list"},
	{"service ps"},
	{"service rm", "service remove"},
	{"service rollback"},
	{"service scale"},
	{"service update"},

	{"stack deploy", "stack up"},
	{"stack ls", "stack list"},
	{"stack ps"},
	{"stack rm", "stack remove", "stack down"},
	{"stack services"},

	{"secret create"},
	{"secret inspect", "inspect"},
	{"secret ls", "secret list"},
	{"secret rm", "secret remove"},

	{"config create"},
	{"config inspect", "inspect"},
	{"config ls", "config list"},
	{"config rm", "config remove"},

	{"system df"},
	{"system events", "events"},
	{"system info", "info"},
	{"system prune"},
	{"login"},
	{"version"},
}

// DockerCommands are the commands that Commands.List can name, each by the first of
// its names.
func DockerCommands() []string {
	names := make([]string, len(dockerCommands))
	for i, c := range dockerCommands {
		names[i] = c[0]
	}
	return names
}

// Names tells whether the list has a command, which is one of [DockerCommands], by
// any of its names.
func (c Commands) Names(command string) bool {
	return slices.ContainsFunc(dockerCommands, func(names []string) bool {
		return names[0] == command && slices.ContainsFunc(c.List, func(entry string) bool { return entryNames(entry, names) })
	})
}

// entryNames tells whether an entry of the list is one of the names of a command.
func entryNames(entry string, names []string) bool {
	stem, star := strings.CutSuffix(entry, "*")
	return slices.ContainsFunc(names, func(name string) bool { return name == entry || star && strings.HasPrefix(name, stem) })
}

// isDockerCommand tells whether an entry of the list names anything: a denied command
// with a mistake in it would be an allowed one.
func isDockerCommand(entry string) bool {
	return slices.ContainsFunc(dockerCommands, func(names []string) bool { return entryNames(entry, names) })
}
