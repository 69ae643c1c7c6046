package main

import "fmt"

// NEON's registers V0 to V31 hold four float32 or two float64. Go's assembler
// knows its loads, stores, moves and integer instructions, and the fused
// multiply-add; the other floating-point instructions are encoded here and
// written as words, each with its text in Arm's notation beside it. The names
// and fields are those of the Arm Architecture Reference Manual for A-profile
// (DDI 0487), C7.2; the test of package simd reads the words back.
//
// General registers are R0 to R15 only: R18, R27, R28 and what follows belong to
// the platform and to Go.

// The words of instructions on whole vectors, with all registers 0, in float32;
// float64 sets bit 22.
var (
	neonThree = map[string]uint32{
		"fadd": 0x4e20d400, "fsub": 0x4ea0d400, "fmul": 0x6e20dc00, "fdiv": 0x6e20fc00,
		"fmax": 0x4e20f400, "fmin": 0x4ea0f400,
		"fcmeq": 0x4e20e400, "fcmge": 0x6e20e400, "fcmgt": 0x6ea0e400,
	}
	neonTwo = map[string]uint32{
		"fsqrt": 0x6ea1f800, "frintn": 0x4e218800, "frintm": 0x4e219800,
		"fcvtns": 0x4e21a800, "scvtf": 0x4e21d800,
	}
	neonByElement = map[string]uint32{"fmla": 0x4f801000, "fmul": 0x4f809000}
)

func encoding(table map[string]uint32, name string) uint32 {
	word, ok := table[name]
	if !ok {
		panic("no encoding of " + name)
	}
	return word
}

// word emits an instruction by its encoding.
func (a *assembler) word(word uint32, format string, args ...any) {
	fmt.Fprintf(&a.text, "\tWORD $0x%08x // "+format+"\n", append([]any{word}, args...)...)
}

// three emits d = n op m.
func (a *assembler) three(p precision, name string, d, n, m int) {
	t := arrangement(p)
	a.word(encoding(neonThree, name)|isDouble(p)<<22|uint32(m<<16|n<<5|d), "%s v%d.%s, v%d.%s, v%d.%s", name, d, t, n, t, m, t)
}

// two emits d = op n.
func (a *assembler) two(p precision, name string, d, n int) {
	t := arrangement(p)
	a.word(encoding(neonTwo, name)|isDouble(p)<<22|uint32(n<<5|d), "%s v%d.%s, v%d.%s", name, d, t, n, t)
}

// byElement emits d = n op m, where m is the first element of its register.
func (a *assembler) byElement(p precision, name string, d, n, m int) {
	t := arrangement(p)
	a.word(encoding(neonByElement, name)|isDouble(p)<<22|uint32(m<<16|n<<5|d), "%s v%d.%s, v%d.%s, v%d.%s[0]", name, d, t, n, t, m, t[1:])
}

// not emits d = ^n.
func (a *assembler) not(d, n int) {
	a.word(0x6e205800|uint32(n<<5|d), "mvn v%d.16b, v%d.16b", d, n)
}

// longMultiply emits d = n·m of the lower two, or with upper the upper two,
// unsigned 32-bit elements.
func (a *assembler) longMultiply(upper bool, d, n, m int) {
	word, name, t := uint32(0x2ea0c000), "umull", "2s"
	if upper {
		word, name, t = 0x6ea0c000, "umull2", "4s"
	}
	a.word(word|uint32(m<<16|n<<5|d), "%s v%d.2d, v%d.%s, v%d.%s", name, d, n, t, m, t)
}

// shiftRight emits d = n >> by on signed 32-bit elements.
func (a *assembler) shiftRight(d, n, by int) {
	a.word(0x4f000400|uint32((64-by)<<16|n<<5|d), "sshr v%d.4s, v%d.4s, #%d", d, n, by)
}

func isDouble(p precision) uint32 { return uint32(p.bytes / 8) }

// arrangement returns how Arm writes a vector of elements.
func arrangement(p precision) string { return map[int]string{4: "4s", 8: "2d"}[p.bytes] }

// vec returns a register as Go's assembler writes a vector of elements.
func vec(p precision, r int) string {
	return fmt.Sprintf("V%d.%s", r, map[int]string{4: "S4", 8: "D2"}[p.bytes])
}

// vecs returns a list of n consecutive registers.
func vecs(p precision, first, n int) string {
	list := "["
	for i := range n {
		if i > 0 {
			list += ", "
		}
		list += vec(p, first+i)
	}
	return list + "]"
}

// bits16 returns a register as Go's assembler writes a vector of bits.
func bits16(r int) string { return fmt.Sprintf("V%d.B16", r) }

// scalarMoves has the instruction that loads or stores the lowest bytes of a
// vector register, by their number; a load clears the others.
var scalarMoves = map[int]string{4: "FMOVS", 8: "FMOVD", 16: "FMOVQ"}
