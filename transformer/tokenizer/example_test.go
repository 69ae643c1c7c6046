package tokenizer_test

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/transformer/tokenizer"
)

func Example() {
	texts := []string{"low low low lower lowest", "new newer newest, low and new"}
	tok, err := tokenizer.Train(slices.Values(texts), tokenizer.TrainConfig{VocabSize: 300})
	if err != nil {
		fmt.Println(err)
		return
	}
	text := "a newer low 🙂"
	e := tok.Encode(text)
	var parts []string
	for _, span := range e.Offsets {
		parts = append(parts, text[span.Start:span.End])
	}
	fmt.Printf("%q\n", parts)
	fmt.Println(tok.Decode(e.IDs))
	// Output:
	// ["a" " new" "er" " low" " " "\xf0" "\x9f" "\x99" "\x82"]
	// a newer low 🙂
}

// A model's input is put together from ids: text alone never becomes a special token.
func ExampleTokenizer_Encode() {
	tok, err := tokenizer.Load("testdata")
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := []int32{tok.BOS()}
	ids = append(ids, tok.Encode("the </s> question").IDs...)
	ids = append(ids, tok.EOS())
	for _, id := range ids {
		fmt.Print(tok.Token(id), " ")
	}
	fmt.Println()
	// Output: <s> the Ġ < / s > Ġquestion </s>
}
