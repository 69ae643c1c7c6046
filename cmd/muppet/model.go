package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/muppet-go/muppet/transformer/hub"
)

const modelUsage = `MODEL is a folder in Hugging Face's layout, or, if there is no such folder, the name of
a model on the Hugging Face Hub, such as FacebookAI/roberta-base. That is fetched into
the cache of Hugging Face's own programs, and not again if it is there;
HF_HUB_OFFLINE=1 takes what the cache has and opens no connection.

`

// findModel returns the folder of a model, which it fetches if it is none but a name.
func findModel(ctx context.Context, model, revision string, stderr io.Writer) (dir string, err error) {
	stat, err := os.Stat(model)
	switch {
	case model == "":
		return "", fmt.Errorf("which model? -model says so\n%w", errUsage)
	case err == nil && !stat.IsDir():
		return "", fmt.Errorf("%s is no folder", model)
	case err == nil && revision != "":
		return "", fmt.Errorf("-revision %s: %s is a folder, which has no others", revision, model)
	case err == nil:
		return model, nil
	case !errors.Is(err, fs.ErrNotExist) || strings.HasPrefix(model, ".") || strings.Count(model, "/") > 1 || strings.HasPrefix(model, "/"):
		return "", err // and no name either
	}
	redraw, last := isTerminal(stderr), ""
	progress := func(file string, done, total int64) {
		if redraw {
			fmt.Fprintf(stderr, "\r\x1b[K%s: %d of %d MB", file, done>>20, total>>20)
		} else if file != last {
			fmt.Fprintf(stderr, "fetching %s, %d MB\n", file, total>>20)
		}
		last = file
	}
	dir, err = hub.Download(ctx, hub.Config{Progress: progress}, model, revision)
	if redraw && last != "" {
		fmt.Fprint(stderr, "\r\x1b[K")
	}
	if err != nil {
		return "", fmt.Errorf("there is no folder %s, and %w", model, err)
	}
	return dir, nil
}

// maxLine is the most bytes that a line may have.
const maxLine = 1 << 20

// batches calls f with the lines of r, n at a time: what a line gets must not depend on how fast others come. It does not
// wait for a line longer than the context lasts.
func batches(ctx context.Context, r io.Reader, n int, f func(lines []string) error) error {
	lines, failed := make(chan string), make(chan error, 1)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(r)
		s.Buffer(nil, maxLine)
		number := 1
		for ; s.Scan(); number++ {
			if !utf8.Valid(s.Bytes()) {
				failed <- fmt.Errorf("line %d is not UTF-8", number)
				return
			}
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
		if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
			failed <- fmt.Errorf("line %d is longer than %d bytes", number, maxLine)
		} else if err != nil {
			failed <- fmt.Errorf("line %d: %w", number, err)
		}
	}()
	var batch []string
	for more := true; more; {
		var line string
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line, more = <-lines:
		}
		if more {
			batch = append(batch, line)
		}
		if len(batch) == n || !more && len(batch) > 0 {
			if err := f(batch); err != nil {
				return err
			}
			batch = nil
		}
	}
	select {
	case err := <-failed:
		return err
	default:
		return ctx.Err()
	}
}

// listed joins the first of many names.
func listed(names []string) string {
	const shown = 10
	if len(names) == 0 {
		return "none"
	}
	if more := len(names) - shown; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), more)
	}
	return strings.Join(names, ", ")
}
