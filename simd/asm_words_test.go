package simd

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// neonWords are the instructions that the assembly for arm64 has as words, since
// Go's assembler does not know them: the bits from the highest down as in the
// encoding diagrams of the Arm Architecture Reference Manual for A-profile,
// C7.2, and the text. Letters are fields: d, n and m are registers, z the size
// of elements (sz), h and l the highest and lowest bit of an index, i the lower
// bits of immh:immb.
var neonWords = []struct{ bits, text string }{
	{"0100 1110 0z1m mmmm 1101 01nn nnnd dddd", "fadd Vd.T, Vn.T, Vm.T"},
	{"0100 1110 1z1m mmmm 1101 01nn nnnd dddd", "fsub Vd.T, Vn.T, Vm.T"},
	{"0110 1110 0z1m mmmm 1101 11nn nnnd dddd", "fmul Vd.T, Vn.T, Vm.T"},
	{"0110 1110 0z1m mmmm 1111 11nn nnnd dddd", "fdiv Vd.T, Vn.T, Vm.T"},
	{"0100 1110 0z1m mmmm 1111 01nn nnnd dddd", "fmax Vd.T, Vn.T, Vm.T"},
	{"0100 1110 1z1m mmmm 1111 01nn nnnd dddd", "fmin Vd.T, Vn.T, Vm.T"},
	{"0100 1110 0z1m mmmm 1110 01nn nnnd dddd", "fcmeq Vd.T, Vn.T, Vm.T"},
	{"0110 1110 0z1m mmmm 1110 01nn nnnd dddd", "fcmge Vd.T, Vn.T, Vm.T"},
	{"0110 1110 1z1m mmmm 1110 01nn nnnd dddd", "fcmgt Vd.T, Vn.T, Vm.T"},
	{"0110 1110 1z10 0001 1111 10nn nnnd dddd", "fsqrt Vd.T, Vn.T"},
	{"0100 1110 0z10 0001 1000 10nn nnnd dddd", "frintn Vd.T, Vn.T"},
	{"0100 1110 0z10 0001 1001 10nn nnnd dddd", "frintm Vd.T, Vn.T"},
	{"0100 1110 0z10 0001 1010 10nn nnnd dddd", "fcvtns Vd.T, Vn.T"},
	{"0100 1110 0z10 0001 1101 10nn nnnd dddd", "scvtf Vd.T, Vn.T"},
	{"0110 1110 0010 0000 0101 10nn nnnd dddd", "mvn Vd.16b, Vn.16b"},
	{"0100 1111 001i iiii 0000 01nn nnnd dddd", "sshr Vd.4s, Vn.4s, #SHIFT"},
	{"0100 1111 1zlm mmmm 0001 h0nn nnnd dddd", "fmla Vd.T, Vn.T, Vm.E[INDEX]"},
	{"0100 1111 1zlm mmmm 1001 h0nn nnnd dddd", "fmul Vd.T, Vn.T, Vm.E[INDEX]"},
	{"0010 1110 101m mmmm 1100 00nn nnnd dddd", "umull Vd.2d, Vn.2s, Vm.2s"},
	{"0110 1110 101m mmmm 1100 00nn nnnd dddd", "umull2 Vd.2d, Vn.4s, Vm.4s"},
}

// disassemble returns the text of each instruction in neonWords that word is.
func disassemble(word uint32) []string {
	var all []string
next:
	for _, w := range neonWords {
		field := map[rune]int{}
		for i, c := range strings.ReplaceAll(w.bits, " ", "") {
			bit := int(word >> (31 - i) & 1)
			switch c {
			case '0', '1':
				if bit != int(c-'0') {
					continue next
				}
			default:
				field[c] = field[c]<<1 | bit
			}
		}
		arrangement, index := "4s", field['h']<<1|field['l']
		if field['z'] == 1 {
			arrangement, index = "2d", field['h']
			if field['l'] == 1 {
				continue // reserved
			}
		}
		all = append(all, strings.NewReplacer(
			"Vd", fmt.Sprint("v", field['d']), "Vn", fmt.Sprint("v", field['n']), "Vm", fmt.Sprint("v", field['m']),
			".T", "."+arrangement, ".E", "."+arrangement[1:], "INDEX", fmt.Sprint(index),
			"SHIFT", fmt.Sprint(32-field['i'])).Replace(w.text))
	}
	return all
}

var wordLine = regexp.MustCompile(`^\tWORD \$0x([0-9a-f]{8}) // (.+)$`)

// checkWord fails unless a line with a word says in its comment what the word
// is.
func checkWord(t *testing.T, where, line string) {
	match := wordLine.FindStringSubmatch(line)
	if match == nil {
		t.Errorf("%s: %q: a word needs its instruction beside it", where, line)
		return
	}
	word, err := strconv.ParseUint(match[1], 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	if is := disassemble(uint32(word)); len(is) != 1 || is[0] != match[2] {
		t.Errorf("%s: word %s is %q, its comment says %q", where, match[1], is, match[2])
	}
}
