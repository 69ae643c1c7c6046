package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// complete fetches what a file lacks of a content, and compares it with its hash. A content that was put together from
// several answers and is wrong is fetched once more, from the start.
func (s *server) complete(ctx context.Context, f *os.File, d description, progress func(done int64)) error {
	best := int64(0)
	return s.retry(ctx, func() (gotOn bool, err error) {
		stat, err := f.Stat()
		if err != nil {
			return false, err
		}
		from := stat.Size()
		if from > d.size {
			from = 0
			if err := f.Truncate(0); err != nil {
				return false, err
			}
		}
		best = max(best, from)
		if to := from; to < d.size {
			if from, to, err = s.append(ctx, f, from, d, progress); err != nil {
				// Little at a time, or the same again and again, is not getting on: there is an end to it.
				gotOn = to-best >= 1<<20
				best = max(best, to)
				return gotOn, err
			}
		}
		err = d.verify(io.NewSectionReader(f, 0, d.size))
		if errors.Is(err, errHash) {
			if err := f.Truncate(0); err != nil {
				return false, err
			}
			if from > 0 {
				err = temporary{error: err}
			}
		}
		return false, err
	})
}

// append adds to a file what follows of a content, or begins it anew if the server sends all. It returns where in the
// file the server's answer begins and where it ended.
func (s *server) append(ctx context.Context, f *os.File, at int64, d description, progress func(done int64)) (from, to int64, err error) {
	header := map[string]string{}
	if at > 0 {
		header["Range"] = fmt.Sprintf("bytes=%d-", at)
		if d.etag != "" && !strings.HasPrefix(d.etag, "W/") { // a weak one is not for ranges (RFC 9110, 13.1.5)
			header["If-Range"] = d.etag
		}
	}
	resp, err := s.do(ctx, http.MethodGet, d.address, header)
	if errors.Is(err, errRange) {
		return 0, 0, errors.Join(err, f.Truncate(0))
	} else if err != nil {
		return at, at, err
	}
	defer resp.Body.Close()
	switch got := resp.Header.Get("Content-Range"); {
	case resp.StatusCode == http.StatusOK:
		if at > 0 {
			if err := f.Truncate(0); err != nil {
				return at, at, err
			}
			at = 0
		}
	case resp.StatusCode != http.StatusPartialContent:
		return at, at, fmt.Errorf("the server answers %s", resp.Status)
	case !strings.HasPrefix(got, fmt.Sprintf("bytes %d-", at)):
		return at, at, fmt.Errorf("the server sends %.100q where bytes from %d on were asked for", got, at)
	}
	from = at
	buffer := make([]byte, 1<<17)
	for {
		n, err := resp.Body.Read(buffer)
		if int64(n) > d.size-at {
			return from, at, fmt.Errorf("the server sends more than the %d bytes it spoke of", d.size)
		}
		if n > 0 {
			if _, err := f.WriteAt(buffer[:n], at); err != nil {
				return from, at, err
			}
			at += int64(n)
			progress(at)
		}
		switch {
		case err == io.EOF && at < d.size:
			return from, at, temporary{error: io.ErrUnexpectedEOF}
		case err == io.EOF:
			return from, at, nil
		case err != nil:
			return from, at, err
		}
	}
}
