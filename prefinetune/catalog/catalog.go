// Package catalog holds the task files of the datasets that the project knows,
// embedded so that a command finds them without a checkout.
package catalog

import "embed"

// FS holds one YAML file a dataset, for task.LoadFS.
//
//go:embed *.yaml
var FS embed.FS
