package torchfile_test

import (
	"fmt"

	"github.com/muppet-go/muppet/transformer/torchfile"
)

func Example() {
	f, err := torchfile.Open("testdata/odd.bin")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	for _, name := range []string{"contiguous", "transposed"} {
		info, _ := f.Info(name)
		first := make([]float32, 4)
		err := f.ReadFloat32At(name, first, 0)
		fmt.Println(info, first, err)
	}

	_, err = torchfile.Open("testdata/evil.bin")
	fmt.Println(err)
	// Output:
	// contiguous F32[2 3] [0 0.125 0.25 0.375] <nil>
	// transposed F32[10 6] [0 1.25 2.5 3.75] <nil>
	// torchfile: testdata/evil.bin: data.pkl: byte 177: "posix.system" is refused: only tensors are read, and nothing in a file is run
}
