module github.com/muppet-go/muppet

go 1.24.0

require (
	github.com/goccy/go-yaml v1.19.2
	github.com/google/go-cmp v0.7.0
	github.com/itchyny/gojq v0.12.18
	golang.org/x/sys v0.38.0
	golang.org/x/term v0.37.0
	gonum.org/v1/gonum v0.17.0
)

require github.com/itchyny/timefmt-go v0.1.7 // indirect
