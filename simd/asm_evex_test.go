package simd

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
)

// An evex is an instruction of AVX-512 as it lies in memory, the fields as in
// section 2.7.1 of volume 2 of Intel's manual: P0 to P2 after the byte 0x62, the
// opcode and ModRM.
type evex [6]byte

// evexNames are the instructions that are written out, by prefix and opcode:
// EVEX.512.F3.0F38.W0 52 /r and EVEX.512.F2.0F38.W0 72 /r.
var evexNames = map[[2]int]string{{2, 0x52}: "vdpbf16ps", {3, 0x72}: "vcvtne2ps2bf16"}

// text returns what the bytes say if they are one of those on registers of 512 bits
// without a mask, and otherwise what they are not.
func (e evex) text() string {
	field := func(i, high, low int) int { return int(e[i]) >> low & (1<<(high-low+1) - 1) }
	for _, must := range []struct {
		name         string
		i, high, low int
		value        int
	}{
		{"EVEX", 0, 7, 0, 0x62},
		{"a zero in P0", 1, 3, 3, 0},
		{"map 0F38", 1, 2, 0, 2},
		{"W0", 2, 7, 7, 0},
		{"a one in P1", 2, 2, 2, 1},
		{"merging", 3, 7, 7, 0},
		{"512 bits", 3, 6, 5, 2},
		{"without broadcast", 3, 4, 4, 0},
		{"mask K0", 3, 2, 0, 0},
		{"register operand", 5, 7, 6, 3},
	} {
		if field(must.i, must.high, must.low) != must.value {
			return fmt.Sprintf("not %s: % x", must.name, e[:])
		}
	}
	name, known := evexNames[[2]int{field(2, 1, 0), int(e[4])}]
	if !known {
		return fmt.Sprintf("no known instruction: % x", e[:])
	}
	// R', R, V', vvvv, X and B are inverted.
	reg := (1-field(1, 4, 4))<<4 | (1-field(1, 7, 7))<<3 | field(5, 5, 3)
	vvvv := (1-field(3, 3, 3))<<4 | 15 - field(2, 6, 3)
	rm := (1-field(1, 6, 6))<<4 | (1-field(1, 5, 5))<<3 | field(5, 2, 0)
	return fmt.Sprintf("%s zmm%d, zmm%d, zmm%d", name, reg, vvvv, rm)
}

var bytesLine = regexp.MustCompile(`^\tLONG \$0x([0-9a-f]{8}); WORD \$0x([0-9a-f]{4}) // (.+)$`)

// checkBytes fails unless a line with the bytes of an instruction says in its
// comment what that is.
func checkBytes(t *testing.T, where, line string) {
	match := bytesLine.FindStringSubmatch(line)
	if match == nil {
		t.Errorf("%s: %q: bytes need their instruction beside them", where, line)
		return
	}
	low, errLow := strconv.ParseUint(match[1], 16, 32)
	high, errHigh := strconv.ParseUint(match[2], 16, 16)
	if errLow != nil || errHigh != nil {
		t.Fatal(errLow, errHigh)
	}
	code := high<<32 | low
	var e evex
	for i := range e {
		e[i] = byte(code >> (8 * i))
	}
	if is := e.text(); is != match[3] {
		t.Errorf("%s: is %q, its comment says %q", where, is, match[3])
	}
}

// TestEVEX reads instructions whose bytes an assembler of others wrote, and some
// that differ in a bit.
func TestEVEX(t *testing.T) {
	for _, c := range []struct {
		code evex
		want string
	}{
		{evex{0x62, 0xf2, 0x76, 0x48, 0x52, 0xc2}, "vdpbf16ps zmm0, zmm1, zmm2"},
		{evex{0x62, 0x02, 0x06, 0x40, 0x52, 0xff}, "vdpbf16ps zmm31, zmm31, zmm31"},
		{evex{0x62, 0x62, 0x7e, 0x48, 0x52, 0xfb}, "vdpbf16ps zmm31, zmm0, zmm3"},
		{evex{0x62, 0xf2, 0x77, 0x48, 0x72, 0xc2}, "vcvtne2ps2bf16 zmm0, zmm1, zmm2"},
		{evex{0x62, 0x62, 0x7f, 0x48, 0x72, 0xfb}, "vcvtne2ps2bf16 zmm31, zmm0, zmm3"},
		{evex{0x62, 0xf2, 0xf6, 0x48, 0x52, 0xc2}, "not W0: 62 f2 f6 48 52 c2"},
		{evex{0x62, 0xf2, 0x76, 0x28, 0x52, 0xc2}, "not 512 bits: 62 f2 76 28 52 c2"},
		{evex{0x62, 0xf2, 0x75, 0x48, 0x52, 0xc2}, "no known instruction: 62 f2 75 48 52 c2"},
		{evex{0x62, 0xf2, 0x76, 0x48, 0x53, 0xc2}, "no known instruction: 62 f2 76 48 53 c2"},
	} {
		if got := c.code.text(); got != c.want {
			t.Errorf("% x is %q, want %q", c.code[:], got, c.want)
		}
	}
}
