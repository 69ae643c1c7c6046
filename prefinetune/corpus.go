package prefinetune

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/muppet-go/muppet/internal/file"
)

// maxTextLine is the most bytes that a line of a text file may have.
const maxTextLine = 1 << 24

// ReadTexts reads plain text for Pretrain, and for training a tokenizer: files, and of folders
// those below them whose names end in ".txt", in the order of their names. What is a
// text is said by split: "line", "paragraph" (what is between lines that are blank) or
// "file". Blank ones are left out. An error names file and line.
func ReadTexts(split string, paths ...string) ([]string, error) {
	if split != "line" && split != "paragraph" && split != "file" {
		return nil, fmt.Errorf("prefinetune: texts are split by %q; want line, paragraph or file", split)
	}
	var texts []string
	for _, root := range paths {
		files := 0
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path != root && filepath.Ext(path) != ".txt" {
				return err
			}
			files++
			return eachText(path, split, func(text string) { texts = append(texts, text) })
		})
		if err != nil {
			return nil, fmt.Errorf("prefinetune: %w", err)
		}
		if files == 0 {
			return nil, fmt.Errorf("prefinetune: no .txt file in %s", root)
		}
	}
	return texts, nil
}

// eachText yields the texts of a file.
func eachText(path, split string, yield func(string)) error {
	f, err := file.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var text strings.Builder
	end := func() {
		if s := strings.TrimSpace(text.String()); s != "" {
			yield(s)
		}
		text.Reset()
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxTextLine)
	number := 1
	for ; lines.Scan(); number++ {
		line := lines.Text()
		if number == 1 {
			line = strings.TrimPrefix(line, "\ufeff") // a byte order mark
		}
		if !utf8.ValidString(line) {
			return fmt.Errorf("%s:%d: not valid UTF-8", path, number)
		}
		text.WriteString(line)
		text.WriteByte('\n')
		if split == "line" || split == "paragraph" && strings.TrimSpace(line) == "" {
			end()
		}
	}
	end()
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("%s:%d: the line is longer than %d bytes", path, number, maxTextLine)
	case err != nil:
		return fmt.Errorf("%s:%d: %w", path, number, err)
	}
	return nil
}
