// Package main is the Kubernetes provider plugin of Pulumi.
//
// The provider's own main embeds generated files that its Go module does not carry, so this one takes their place. The
// schema is left empty: the engine asks for it only to generate code, never to run a Python program.
package main

import (
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

func main() {
	provider.Serve("kubernetes", version.Version, []byte("{}"), []byte("{}"))
}
