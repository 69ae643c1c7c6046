// Package main's other half: what the kernel does after each cell of a notebook.
// It is written in Go 1.17, as the cells are.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	_ "github.com/muppet-go/muppet/device/reference" // for MUPPET_DEVICE=reference
)

// Endings of a cell: on standard output, a record separator, what is displayed as
// JSON, and a line feed.
const separator = "\x1e"

// end ends a cell that displays nothing.
func end() { fmt.Print(separator, "{}\n") }

// show ends a cell whose last expression has the given values. Like gophernotes it
// displays nothing if all are nil, a picture if one value has one and the others are
// nil, and text otherwise.
func show(values ...interface{}) {
	var some []interface{}
	for _, v := range values {
		if v != nil {
			some = append(some, v)
		}
	}
	data := map[string]string{}
	if len(some) == 1 {
		if p, ok := some[0].(interface{ SVG() string }); ok {
			data["image/svg+xml"] = p.SVG()
		}
		if p, ok := some[0].(interface{ HTML() string }); ok {
			data["text/html"] = p.HTML()
		}
	}
	if len(some) > 0 && len(data) == 0 {
		data["text/plain"] = fmt.Sprint(values...)
	}
	line, err := json.Marshal(data)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%s%s\n", separator, line)
}
