package simd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAssemblyStaysInItsInstructionSet reads every assembly file and fails for
// an instruction that the processor features which the file's kernels are
// dispatched on do not cover. Instructions are listed, so that a new one has to
// be looked up.
func TestAssemblyStaysInItsInstructionSet(t *testing.T) {
	words := func(s string) map[string]bool {
		set := map[string]bool{}
		for _, w := range strings.Fields(s) {
			set[w] = true
		}
		return set
	}
	const base = `MOVQ MOVL ADDQ ADDL SUBQ IMULQ ORL SHLQ SHRQ LEAQ CMPQ XORQ NOTQ TESTQ DECQ JMP JZ JNZ JL JGE RET PREFETCHT0 PREFETCHT1 CMOVQLT PCALIGN`
	// AVX, AVX2 and FMA3, with the vector registers Y0 to Y15.
	const avx2 = base + ` VZEROUPPER SFENCE VMOVNTPS VMOVNTPD VSTMXCSR VLDMXCSR
		VMOVUPS VMOVUPD VMOVSS VMOVSD VBROADCASTSS VBROADCASTSD VPBROADCASTQ VMASKMOVPS VMASKMOVPD
		VADDPS VADDPD VSUBPS VSUBPD VMULPS VMULPD VDIVPS VDIVPD VSQRTPS VSQRTPD VMAXPS VMAXPD VMINPS VMINPD
		VANDPS VANDPD VORPS VORPD VXORPS VXORPD VCMPPS VCMPPD VBLENDVPS VBLENDVPD VROUNDPS VROUNDPD
		VFMADD213PS VFMADD213PD VFMADD231PS VFMADD231PD VFNMADD213PS VFNMADD231PS
		VUNPCKLPS VUNPCKHPS VUNPCKLPD VUNPCKHPD VINSERTF128 VEXTRACTF128 VPERMILPD VMOVSHDUP VPTEST
		VCVTPS2DQ VCVTDQ2PS VPADDD VPADDQ VPSUBD VPSLLD VPSRLD VPSRAD VPSLLQ VPSRLQ VPMULUDQ VPXOR VPBLENDD
		VPUNPCKLQDQ VPUNPCKHQDQ VPCMPEQD`
	// AVX-512 F, BW, DQ and VL. Those that the same names have in AVX2 and that
	// exist for Z registers, and what is new. VANDPS and its like need DQ.
	const avx512 = avx2 + ` VMOVDQU32 VBLENDMPS VBLENDMPD VRNDSCALEPS VRNDSCALEPD VINSERTF32X4 VEXTRACTF64X4
		VPTERNLOGD KMOVW KXORW KORW KORTESTW`
	// And AVX512_BF16: instructions which Go's assembler does not know. They are
	// written out, and checkBytes looks them up.
	const avx512bf16 = avx512 + ` VPERMW LONG`
	// Advanced SIMD, which every arm64 processor has. What Go's assembler does not
	// know is a WORD, which checkWord looks up.
	const neon = `MOVD LSL LSR ADD ADDS SUB SUBS ORR CBZ TBZ BNE BEQ BLT BGE RET PCALIGN MRS MSR WORD FMOVS FMOVD FMOVQ FCMPS FCMPD
		VLD1 VST1 VST4 VMOV VMOVQ VDUP VEXT VTRN1 VTRN2 VUZP1 VUZP2 VZIP1 VZIP2
		VAND VORR VEOR VBSL VADD VSUB VSHL VUSHR VFMLA VFMLS`
	allowed := map[string]struct {
		instructions map[string]bool
		suffixes     *regexp.Regexp // of instructions
		registers    *regexp.Regexp // numbered ones
	}{
		"_base_amd64.s": {words(base + " CPUID"), regexp.MustCompile(`^$`), regexp.MustCompile(`^$`)},
		"_avx2_amd64.s": {words(avx2), regexp.MustCompile(`^$`),
			regexp.MustCompile(`^([XY](\d|1[0-5])|R([89]|1[0-4]))$`)},
		"_avx512_amd64.s": {words(avx512), regexp.MustCompile(`^(\.(BCST|Z))?$`),
			regexp.MustCompile(`^([XYZ](\d|[12]\d|3[01])|K[1-7]|R([89]|1[0-4]))$`)},
		"_avx512bf16_amd64.s": {words(avx512bf16), regexp.MustCompile(`^(\.(BCST|Z))?$`),
			regexp.MustCompile(`^([XYZ](\d|[12]\d|3[01])|K[1-7]|R([89]|1[0-4]))$`)},
		// R18 and R27 to R30 are the platform's and Go's.
		"_neon_arm64.s": {words(neon), regexp.MustCompile(`^(\.P)?$`),
			regexp.MustCompile(`^([VF](\d|[12]\d|3[01])|R(\d|1[0-5]))$`)},
	}
	instruction := regexp.MustCompile(`^\t([A-Z][A-Z0-9]*)(\.[A-Z.]+)?(\s|$)`)
	register := regexp.MustCompile(`\b[XYZKVFR]\d+\b`)

	files, err := filepath.Glob("*.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("no assembly files: %v", err)
	}
	for _, file := range files {
		suffix := regexp.MustCompile(`_[a-z0-9]+_[a-z0-9]+\.s$`).FindString(file)
		rule, known := allowed[suffix]
		if !known {
			t.Errorf("%s: no instruction set is known for this name", file)
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, whole := range strings.Split(string(text), "\n") {
			line, _, _ := strings.Cut(whole, "//")
			match := instruction.FindStringSubmatch(line)
			if match == nil {
				continue
			}
			if match[1] == "WORD" {
				checkWord(t, fmt.Sprintf("%s:%d", file, i+1), whole)
			}
			if match[1] == "LONG" {
				checkBytes(t, fmt.Sprintf("%s:%d", file, i+1), whole)
			}
			if !rule.instructions[match[1]] || !rule.suffixes.MatchString(match[2]) {
				t.Errorf("%s:%d: %s is not known to belong to the instruction set", file, i+1, strings.TrimSpace(line))
			}
			for _, r := range register.FindAllString(line, -1) {
				if !rule.registers.MatchString(r) {
					t.Errorf("%s:%d: register %s", file, i+1, r)
				}
			}
		}
	}
}
