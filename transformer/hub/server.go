package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A server answers as huggingface.co does: https://huggingface.co/docs/hub/api for its lists. Files are at
// {endpoint}/{name}/resolve/{revision}/{file}; the header fields that describe them are those that huggingface_hub reads.
type server struct {
	Config
	http *http.Client
}

func newServer(c Config) (*server, error) {
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, err
	}
	return &server{c, &http.Client{
		Transport: bearer{c.Token, endpoint},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			from := via[len(via)-1]
			switch {
			case req.Method == http.MethodHead && !sameOrigin(from.URL, req.URL):
				return http.ErrUseLastResponse // what describes the file is in the answer that leads away
			case from.URL.Scheme == "https" && req.URL.Scheme != "https":
				return fmt.Errorf("%w from https to %s", errRedirect, req.URL.Scheme)
			case len(via) >= 10:
				return fmt.Errorf("%w: the tenth", errRedirect)
			}
			return nil
		},
	}}, nil
}

var errRedirect = errors.New("redirection refused")

// bearer adds the token to what goes to one server. net/http itself would let it go along to subdomains and other ports.
type bearer struct {
	token string
	to    *url.URL
}

func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.token != "" && sameOrigin(b.to, req.URL) {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	return http.DefaultTransport.RoundTrip(req)
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host) }

// A temporary error may be gone the next time.
type temporary struct {
	error
	after time.Duration // that the server asks to wait
}

func (t temporary) Unwrap() error { return t.error }

// retry calls try until it succeeds, fails for good, or fails too often in a row without getting on.
func (s *server) retry(ctx context.Context, try func() (gotOn bool, err error)) error {
	for failures := 0; ; failures++ {
		gotOn, err := try()
		var again temporary
		if err == nil || !errors.As(err, &again) {
			return err
		}
		if gotOn {
			failures = 0
		}
		if failures >= s.Retries {
			return again.error
		}
		pause := min(s.pause<<min(failures, 6), time.Minute)
		pause += rand.N(pause/4 + 1) // so that many clients do not come back all at once
		if err := sleep(ctx, max(pause, min(again.after, time.Minute))); err != nil {
			return fmt.Errorf("%w, after %w", err, again.error)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// errStall ends a request whose server is silent.
var errStall = errors.New("the server sends nothing")

// do makes a request. Connections that break and answers for the moment are temporary errors.
func (s *server) do(ctx context.Context, method, address string, header map[string]string) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	b := &body{ctx: ctx, cancel: cancel, stall: s.Stall}
	b.timer = time.AfterFunc(s.Stall, func() { cancel(errStall) })
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	req.Header.Set("User-Agent", "muppet")
	req.Header.Set("Accept-Encoding", "identity") // lengths and ranges are of the file itself
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		var of *url.Error // which has an address, and that of another host may hold secrets
		if errors.As(err, &of) {
			err = of.Err
		}
		err = b.error(err)
		b.Close()
		return nil, err
	}
	b.ReadCloser, resp.Body = resp.Body, b
	if resp.StatusCode >= 400 {
		b.Close()
		return nil, statusError(resp)
	}
	return resp, nil
}

var errRange = errors.New("the file ends before the part asked for")

// statusError says what an answer means.
func statusError(resp *http.Response) error {
	err := errors.New(resp.Status)
	if message := resp.Header.Get("X-Error-Message"); message != "" {
		err = fmt.Errorf("%s: %.300q", resp.Status, message)
	}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fmt.Errorf("%w: it does not exist, or is private or gated and needs a token (HF_TOKEN) that may read it", err)
	case code == http.StatusNotFound:
		return fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	case code == http.StatusRequestedRangeNotSatisfiable:
		return temporary{error: fmt.Errorf("%w: %w", err, errRange)}
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		after := time.Duration(0)
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
			after = time.Duration(min(max(seconds, 0), 3600)) * time.Second
		} else if at, err := http.ParseTime(resp.Header.Get("Retry-After")); err == nil {
			after = time.Until(at)
		}
		return temporary{err, after}
	}
	return err
}

// A body is an answer's, and gives it up when nothing comes.
type body struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.timer.Reset(b.stall)
	}
	if err != nil && err != io.EOF {
		err = b.error(err)
	}
	return n, err
}

func (b *body) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	if b.ReadCloser == nil {
		return nil
	}
	return b.ReadCloser.Close()
}

// error tells what broke a connection: the silence, the caller, who is not asked again, or something else.
func (b *body) error(err error) error {
	switch cause := context.Cause(b.ctx); {
	case cause == errStall:
		return temporary{error: fmt.Errorf("%w for %v", errStall, b.stall)}
	case cause != nil:
		return cause
	case errors.Is(err, errRedirect):
		return err
	}
	return temporary{error: err}
}

// path is the address of parts, in which a slash divides nothing.
func (s *server) path(parts ...string) string {
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return s.Endpoint + "/" + strings.Join(parts, "/")
}

// list returns the commit that a revision is, and the files that it has.
func (s *server) list(ctx context.Context, name, revision string) (commit string, files map[string]bool, err error) {
	parts := append([]string{"api", "models"}, strings.Split(name, "/")...)
	address := s.path(append(parts, "revision", revision)...)
	const limit = 32 << 20 // bytes
	var data []byte
	err = s.retry(ctx, func() (bool, error) {
		resp, err := s.do(ctx, http.MethodGet, address, nil)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		data, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
		return false, err
	})
	if err != nil {
		return "", nil, err
	}
	if len(data) > limit {
		return "", nil, fmt.Errorf("the list of files takes more than %d bytes", limit)
	}
	var answer struct {
		SHA      string
		Siblings []struct{ RFilename string }
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return "", nil, fmt.Errorf("the list of files: %w", err)
	}
	if !validCommit.MatchString(answer.SHA) {
		return "", nil, fmt.Errorf("the list of files: sha %.100q is no commit", answer.SHA)
	}
	files = map[string]bool{}
	for _, f := range answer.Siblings {
		files[f.RFilename] = true
	}
	return answer.SHA, files, nil
}

// A description is what a server says about a file.
type description struct {
	address string
	hash    string // hexadecimal
	size    int64  // bytes
	etag    string // of the answer at this address, empty if it is elsewhere
}

var validHash = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// describe asks for a file's hash and size. Large files are elsewhere, and the redirection says both.
func (s *server) describe(ctx context.Context, name, commit, file string) (d description, err error) {
	parts := append(strings.Split(name, "/"), "resolve", commit)
	d.address = s.path(append(parts, strings.Split(file, "/")...)...)
	var resp *http.Response
	err = s.retry(ctx, func() (bool, error) {
		resp, err = s.do(ctx, http.MethodHead, d.address, nil)
		if err == nil {
			resp.Body.Close()
		}
		return false, err
	})
	if err != nil {
		return d, err
	}
	if of := resp.Header.Get("X-Repo-Commit"); of != "" && of != commit {
		return d, fmt.Errorf("the server has commit %.100q where %s was asked for", of, commit)
	}
	d.size = resp.ContentLength
	linked := resp.Header.Get("X-Linked-Etag")
	if linked == "" && resp.StatusCode == http.StatusOK {
		d.etag = resp.Header.Get("Etag")
	} else if d.size, err = strconv.ParseInt(resp.Header.Get("X-Linked-Size"), 10, 64); err != nil {
		d.size = -1
	}
	if d.size < 0 {
		return d, errors.New("the server does not say how large it is")
	}
	if d.hash = strings.Trim(strings.TrimPrefix(linked+d.etag, "W/"), `"`); !validHash.MatchString(d.hash) {
		return d, fmt.Errorf("etag %.100q is no hash that the content could be compared with", d.hash)
	}
	return d, nil
}
