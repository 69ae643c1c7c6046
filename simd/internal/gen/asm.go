package main

import (
	"fmt"
	"math"
	"strings"
)

// An isa is an instruction set that kernels are generated for.
type isa struct {
	name  string // as in MUPPET_SIMD and in file names
	title string // as in the names of Go functions
	arch  string // GOARCH
	reg   string // prefix of a vector register (of amd64)
	bytes int    // of a vector register
	regs  int    // how many there are
}

var isas = []isa{
	{name: "avx2", title: "AVX2", arch: "amd64", reg: "Y", bytes: 32, regs: 16},
	{name: "avx512", title: "AVX512", arch: "amd64", reg: "Z", bytes: 64, regs: 32},
	{name: "neon", title: "NEON", arch: "arm64", bytes: 16, regs: 32},
}

// v returns the name of vector register i.
func (s isa) v(i int) string {
	if i >= s.regs {
		panic(fmt.Sprintf("%s has no vector register %d", s.name, i))
	}
	return fmt.Sprint(s.reg, i)
}

// A precision is an element type.
type precision struct {
	letter string // the BLAS prefix
	suffix string // of a packed instruction
	bytes  int
	goType string

	bfloat16 rounding // of a product
}

var (
	single = precision{letter: "s", suffix: "PS", bytes: 4, goType: "float32"}
	double = precision{letter: "d", suffix: "PD", bytes: 8, goType: "float64"}
)

// number returns the number that has these bits.
func (p precision) number(bits uint64) string {
	if p.bytes == 4 {
		return fmt.Sprint(math.Float32frombits(uint32(bits)))
	}
	return fmt.Sprint(math.Float64frombits(bits))
}

// An assembler collects the text of one assembly file and of the Go file that
// declares its functions.
type assembler struct {
	isa
	text strings.Builder
	decl strings.Builder
	data strings.Builder
	done map[string]bool // constants already in data

	fields strings.Builder // assignments to the table of kernels
	tables strings.Builder // functions that fill tables of kernels of products
}

// kernelField makes fn the kernel of this name (of vectorKernels) in the
// implementation's table.
func (a *assembler) kernelField(p precision, name, fn string) {
	fmt.Fprintf(&a.fields, "\timpl.%s.%s = %s\n", p.letter, strings.ToLower(name[:1])+name[1:], fn)
}

// gemmTable declares a function that puts kernels of products into their table: the
// micro-kernels of so many rows, and others by the names of their fields.
func (a *assembler) gemmTable(p precision, rows []int, fields ...string) {
	name := p.letter + "gemm" + a.title
	fmt.Fprintf(&a.tables, "\n// %s puts the kernels of products into g.\nfunc %s(g *gemmKernels[%s]) {\n", name, name, p.goType)
	sizes := []string{"tiles:"}
	if a.arch == "amd64" {
		sizes = append(sizes, "narrow:Narrow")
	}
	for _, size := range sizes {
		field, suffix, _ := strings.Cut(size, ":")
		fmt.Fprintf(&a.tables, "\tg.%s = []tileKernel[%s]{\n", field, p.goType)
		for _, r := range rows {
			fmt.Fprintf(&a.tables, "\t\t{%d, %sgemm%d%s%s},\n", r, p.letter, r, suffix, a.title)
		}
		a.tables.WriteString("\t}\n")
	}
	for _, field := range fields {
		field, value, _ := strings.Cut(field, ":")
		if !strings.ContainsAny(value[:1], "0123456789") {
			value = p.letter + value + a.title
		}
		fmt.Fprintf(&a.tables, "\tg.%s = %s\n", field, value)
	}
	a.tables.WriteString("}\n")
}

// op emits one instruction: "OP a, b, c".
func (a *assembler) op(name string, args ...any) {
	fmt.Fprintf(&a.text, "\t%s", name)
	for i, arg := range args {
		if i == 0 {
			a.text.WriteByte(' ')
		} else {
			a.text.WriteString(", ")
		}
		fmt.Fprint(&a.text, arg)
	}
	a.text.WriteByte('\n')
}

func (a *assembler) label(name string) { fmt.Fprintf(&a.text, "\n%s:\n", name) }

// loop begins a loop where the processor fetches it whole.
func (a *assembler) loop(label string) {
	a.op("PCALIGN", "$32")
	a.label(label)
}

func (a *assembler) comment(format string, args ...any) {
	fmt.Fprintf(&a.text, "\t// "+format+"\n", args...)
}

// function begins a function with the given Go parameter list (and result).
func (a *assembler) function(name, params string, argBytes int) {
	a.functionWithFrame(name, params, 0, argBytes)
}

// functionWithFrame is function for one with so many bytes of local variables.
func (a *assembler) functionWithFrame(name, params string, frame, argBytes int) {
	fmt.Fprintf(&a.text, "\n// func %s%s\nTEXT ·%s(SB), NOSPLIT, $%d-%d\n", name, params, name, frame, argBytes)
	fmt.Fprintf(&a.decl, "\n//go:noescape\nfunc %s%s\n", name, params)
}

// ret ends a function. On amd64 the upper halves of the vector registers are
// cleared: SSE code after it would be slow otherwise.
func (a *assembler) ret() {
	if a.arch == "amd64" {
		a.op("VZEROUPPER")
	}
	a.op("RET")
}

// global adds read-only data once: each of the words, of size bytes.
func (a *assembler) global(symbol, comment string, size int, words ...uint64) string {
	if !a.done[symbol] {
		a.done[symbol] = true
		fmt.Fprintf(&a.data, "// %s\n", comment)
		for i, word := range words {
			fmt.Fprintf(&a.data, "DATA %s<>+%d(SB)/%d, $%#x\n", symbol, i*size, size, word)
		}
		fmt.Fprintf(&a.data, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n\n", symbol, size*len(words))
	}
	return symbol + "<>(SB)"
}

// constant returns a memory operand for a constant: in AVX2 a full vector, in
// AVX-512 one element, which instructions with the suffix .BCST repeat.
func (a *assembler) constant(p precision, bits uint64) string {
	symbol := fmt.Sprintf("%s%0*x", p.letter, 2*p.bytes, bits)
	comment := p.number(bits)
	if a.name == "avx512" {
		return a.global(symbol, comment, p.bytes, bits)
	}
	if p.bytes == 4 {
		bits |= bits << 32
	}
	words := make([]uint64, a.bytes/8)
	for i := range words {
		words[i] = bits
	}
	return a.global(symbol, comment, 8, words...)
}

// broadcast returns the instruction that repeats an element in memory.
func broadcast(p precision) string {
	return map[int]string{4: "VBROADCASTSS", 8: "VBROADCASTSD"}[p.bytes]
}
