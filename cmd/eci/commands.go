package main

import "github.com/spf13/cobra"

// commands are those of the program, in the order of its help.
func commands(a *app) []*cobra.Command {
	return []*cobra.Command{
		newCheckCommand(a),
		newPolicyCommand(a),
		newExplainCommand(a),
		newPsCommand(a),
		newTopCommand(a),
		newInspectCommand(a),
		newAuditCommand(a),
		newMetricsCommand(a),
		newInstallCommand(a),
		newUninstallCommand(a),
		newNodeCommand(a),
		newVersionCommand(a),
		newManCommand(),
		newIdleCommand(),
		newImageCommand(a),
		newBrokerCommand(a),
	}
}
