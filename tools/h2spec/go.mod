// What h2spec is built from, by hash: it has no releases that a current Go installs by their name.
module hyperweb.invalid/h2spec

go 1.18

require (
	github.com/fatih/color v1.16.0
	github.com/spf13/cobra v1.8.1
	github.com/summerwind/h2spec v2.2.1+incompatible
	golang.org/x/net v0.33.0
)
