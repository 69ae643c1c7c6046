package tokenizer

import "unicode/utf8"

// The files spell a token one character per byte, each of the 256 bytes having a printable character of its own, so that
// tokens survive text editors and the space that separates the parts of a merge (the space is Ġ). Bytes that are
// printable in Latin-1 stand for themselves, the others get the characters from U+0100 on, in order (GPT-2's
// bytes_to_unicode).
var byteToRune, runeToByte = alphabet()

func alphabet() (byteToRune [256]rune, runeToByte map[rune]byte) {
	runeToByte = map[rune]byte{}
	next := rune(0x100)
	for b := range 256 {
		r := rune(b)
		if !('!' <= r && r <= '~' || '¡' <= r && r <= '¬' || '®' <= r && r <= 'ÿ') {
			r = next
			next++
		}
		byteToRune[b] = r
		runeToByte[r] = byte(b)
	}
	return byteToRune, runeToByte
}

// spell returns the bytes as the files spell them.
func spell(bytes string) string {
	var spelled []byte
	for i := range len(bytes) {
		spelled = utf8.AppendRune(spelled, byteToRune[bytes[i]])
	}
	return string(spelled)
}

// unspell returns the bytes of a token. A token with a character outside the alphabet stands for itself.
func unspell(token string) string {
	bytes := make([]byte, 0, len(token))
	for _, r := range token {
		b, ok := runeToByte[r]
		if !ok {
			return token
		}
		bytes = append(bytes, b)
	}
	return string(bytes)
}
