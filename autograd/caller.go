package autograd

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// within are the packages between an operation and the program that called it.
var within = []string{"autograd", "ops", "nn"}

// calls returns the calls inside those packages, innermost first, as "ops.Mul", and
// the file and line they were called from. It reads the stack, which takes microseconds.
func calls() (functions []string, site string) {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	f, more := frames.Next() // this function; what is before its package is the module
	own, _, _ := strings.Cut(f.Function, "autograd.")
	for ; more; f, more = frames.Next() {
		name, inModule := strings.CutPrefix(f.Function, own)
		pkg, _, _ := strings.Cut(name, ".")
		if !inModule || !slices.Contains(within, pkg) {
			break
		}
		functions = append(functions, name)
	}
	return functions, fmt.Sprintf("%s:%d", f.File, f.Line)
}

// operationName returns what the program called, for a message: the innermost exported
// function of another package, or the outermost of this one.
func operationName() string {
	functions, _ := calls()
	name := "operation"
	for _, f := range functions {
		pkg, rest, _ := strings.Cut(f, ".")
		last := rest[strings.LastIndexByte(rest, '.')+1:]
		if first, _ := utf8.DecodeRuneInString(last); !unicode.IsUpper(first) {
			continue
		}
		if pkg != "autograd" && last == rest {
			return last
		}
		if pkg == "autograd" {
			name = last
		}
	}
	return name
}
