// Package main is the Kubernetes provider plugin of Pulumi.
//
// The provider's own main embeds generated files that its Go module does not carry, so this one takes their place. It
// embeds what they are generated from; the build puts both files beside this one.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version.Version, schema, terraformMapping)
}
