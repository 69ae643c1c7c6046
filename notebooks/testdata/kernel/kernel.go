// Package main's other half: what the kernel does after each cell of a notebook.
// It is written in Go 1.17, as the cells are.
package main

import (
	"encoding/json"
	"fmt"
	"os"
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
	data := map[string]string{}
	some, drawn := 0, 0
	for _, v := range values {
		if v != nil {
			some++
		}
		if p, ok := v.(interface{ SVG() string }); ok {
			data["image/svg+xml"] = p.SVG()
			drawn++
		}
		if p, ok := v.(interface{ HTML() string }); ok {
			data["text/html"] = p.HTML()
			drawn++
		}
	}
	if drawn > 0 && some > 1 {
		data = map[string]string{}
	}
	if some > 0 {
		data["text/plain"] = fmt.Sprint(values...)
	}
	line, err := json.Marshal(data)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%s%s\n", separator, line)
}
