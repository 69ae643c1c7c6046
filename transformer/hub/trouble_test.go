package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muppet-go/muppet/internal/file"
)

const model1 = "model.safetensors"

// first spoils the first n requests for a large file's content.
func first(n int, spoil func(w http.ResponseWriter, r request)) func(w http.ResponseWriter, r request) bool {
	return func(w http.ResponseWriter, r request) bool {
		if !r.large || n == 0 {
			return false
		}
		n--
		spoil(w, r)
		return true
	}
}

// cut sends the whole content's length, or what is left of it, but no more than n bytes.
func cut(n int) func(w http.ResponseWriter, r request) {
	return func(w http.ResponseWriter, r request) {
		content := plain()[model1]
		at := 0
		fmt.Sscanf(r.rang, "bytes=%d-", &at)
		w.Header().Set("Content-Length", fmt.Sprint(len(content)-at))
		if at > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, len(content)-1, len(content)))
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write([]byte(content[at : at+n]))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func answer(status int, body string, header ...string) func(w http.ResponseWriter, r request) {
	return func(w http.ResponseWriter, _ request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

// Troubles that pass.
func TestTroubles(t *testing.T) {
	content := plain()[model1]
	wrong := strings.Repeat("x", len(content))
	for name, c := range map[string]struct {
		spoil func(w http.ResponseWriter, r request) bool
		asked string // for the large file's content
	}{
		"cut":         {first(1, cut(300)), "GET, GET bytes=300-"},
		"cut at once": {first(3, cut(0)), "GET, GET, GET, GET"},
		"cut again":   {first(3, cut(300)), "GET, GET bytes=300-, GET bytes=600-, GET bytes=900-"},
		"stalls": {first(1, func(w http.ResponseWriter, r request) {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}), "GET, GET"},
		"silent":           {first(1, func(_ http.ResponseWriter, r request) { <-r.Context().Done() }), "GET, GET"},
		"busy":             {first(2, answer(503, "")), "GET, GET, GET"},
		"too many":         {first(1, answer(429, "", "Retry-After", "0")), "GET, GET"},
		"too many, dated":  {first(1, answer(429, "", "Retry-After", time.Now().UTC().Format(http.TimeFormat))), "GET, GET"},
		"ends early":       {first(1, answer(200, content[:200])), "GET, GET bytes=200-"},
		"out of range":     {spoilSecond(answer(416, "")), "GET, GET bytes=300-, GET"},
		"ignores Range":    {spoilSecond(answer(200, content)), "GET, GET bytes=300-"},
		"ignores and cuts": {spoilSecond(answer(200, content[:50])), "GET, GET bytes=300-, GET bytes=50-"},
		"changes between": {spoilSecond(answer(206, wrong[300:], "Content-Range", fmt.Sprintf("bytes 300-%d/%d", len(wrong)-1, len(wrong)))),
			"GET, GET bytes=300-, GET"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, config := start(t, plain())
			if name == "stalls" || name == "silent" {
				config.Stall = time.Second / 2
			}
			f.spoil = c.spoil
			dir, err := Download(context.Background(), config, "org/tiny", "")
			if err != nil {
				t.Fatal(err)
			}
			if got := tree(t, config.Cache); got["models--org--tiny/snapshots/"+commit1+"/"+model1] != content {
				t.Errorf("the cache has %v", got)
			}
			if leftOver, _ := filepath.Glob(filepath.Join(dir, "../../blobs/*.incomplete")); leftOver != nil {
				t.Errorf("left over: %q", leftOver)
			}
			asked := slices.DeleteFunc(f.asked(), func(s string) bool { return !strings.HasPrefix(s, "GET "+model1) })
			if got := strings.ReplaceAll(strings.Join(asked, ", "), " "+model1, ""); got != c.asked {
				t.Errorf("asked for %s, want %s", got, c.asked)
			}
		})
	}
}

// spoilSecond cuts the first answer after 300 bytes and spoils the second.
func spoilSecond(spoil func(w http.ResponseWriter, r request)) func(w http.ResponseWriter, r request) bool {
	n := 0
	return func(w http.ResponseWriter, r request) bool {
		if r.large {
			n++
		}
		if r.large && n == 1 {
			cut(300)(w, r)
		} else if r.large && n == 2 {
			spoil(w, r)
			return true
		}
		return false
	}
}

// The same troubles of the list and of descriptions.
func TestTroublesBefore(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		f, c := start(t, plain())
		n := 0
		f.spoil = func(w http.ResponseWriter, r request) bool {
			if r.method != method || n == 3 {
				return false
			}
			n++
			switch n {
			case 1:
				w.WriteHeader(http.StatusBadGateway)
			case 2:
				<-r.Context().Done()
			default:
				w.Header().Set("Content-Length", "100")
				if method == http.MethodGet {
					w.Write([]byte("{"))
				}
				panic(http.ErrAbortHandler)
			}
			return true
		}
		c.Stall = 200 * time.Millisecond
		if _, err := Download(context.Background(), c, "org/tiny", ""); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// What is wrong for good.
func TestErrors(t *testing.T) {
	content := plain()[model1]
	wrong := strings.Repeat("x", len(content))
	// at spoils requests by a method for a part of a path.
	at := func(method, part string, spoil func(w http.ResponseWriter, r request)) func(w http.ResponseWriter, r request) bool {
		return func(w http.ResponseWriter, r request) bool {
			if r.method != method || !strings.Contains(r.path, part) {
				return false
			}
			spoil(w, r)
			return true
		}
	}
	list := func(status int, body string, header ...string) func(w http.ResponseWriter, r request) bool {
		return at("GET", "/revision/", answer(status, body, header...))
	}
	head := func(status int, header ...string) func(w http.ResponseWriter, r request) bool {
		return at("HEAD", model1, answer(status, "", header...))
	}
	hash := etag(model1, content)
	for _, c := range []struct {
		spoil func(w http.ResponseWriter, r request) bool
		want  string
		times int32 // a request is made
	}{
		{list(401, "", "X-Error-Message", "Invalid username or password."), `revision main: 401 Unauthorized: "Invalid username or password.": it does not exist, or is private or gated and needs a token (HF_TOKEN)`, 1},
		{list(403, ""), "403 Forbidden: it does not exist, or is private", 1},
		{list(404, "", "X-Error-Message", "Invalid rev id"), `404 Not Found: "Invalid rev id": file does not exist`, 1},
		{list(400, ""), "400 Bad Request", 1},
		{list(500, ""), "500 Internal Server Error", 4},
		{list(200, "{"), "the list of files: unexpected end", 1},
		{list(200, `{"sha": "main"}`), `sha "main" is no commit`, 1},
		{list(200, `{"sha": "../../../../../../../../../../../../../../x"}`), "is no commit", 1},
		{list(200, `{"sha": "`+commit1+`"}`), "there is no model.safetensors", 1},
		{list(302, "", "Location", "/api/models/org/tiny/revision/main"), "redirection refused: the tenth", 10},
		{head(404), model1 + ": 404 Not Found: file does not exist", 1},
		{head(200), "does not say how large it is", 1},
		{head(200, "Content-Length", "5"), `etag "" is no hash`, 1},
		{head(200, "Etag", `W/"xyz"`, "Content-Length", "5"), `etag "xyz" is no hash`, 1},
		{head(200, "Etag", `"../../`+hash[:34]+`"`, "Content-Length", "5"), "is no hash", 1},
		{head(302, "Location", "http://127.0.0.1:1/"), "does not say how large it is", 1},
		{head(302, "Location", "http://127.0.0.1:1/", "X-Linked-Etag", hash), "does not say how large it is", 1},
		{head(302, "Location", "http://127.0.0.1:1/", "X-Linked-Etag", hash, "X-Linked-Size", "-1"), "does not say how large it is", 1},
		{head(302, "Location", "http://127.0.0.1:1/", "X-Linked-Etag", hash, "X-Linked-Size", "1152921504606846976"), "1152921504606846976 bytes, the limit is 68719476736", 1},
		{head(200, "X-Repo-Commit", commit2), "the server has commit " + fmt.Sprintf("%q", commit2), 1},
		{first(9, answer(200, content+"x")), "sends more than the 1000 bytes", 1},
		{first(9, answer(200, wrong)), "the content has another hash than it should: it is " + etag(model1, wrong) + ", the server said " + hash, 1},
		{first(9, answer(206, content, "Content-Range", "bytes 1-1000/1001")), `sends "bytes 1-1000/1001" where bytes from 0 on`, 1},
		{first(9, answer(204, "")), "answers 204 No Content", 1},
		{first(9, answer(403, "")), "403 Forbidden", 1},
		{first(9, cut(0)), "unexpected EOF", 4},
		{first(9, answer(416, "")), "416 Requested Range Not Satisfiable", 4},
		{first(9, func(w http.ResponseWriter, r request) { <-r.Context().Done() }), "the server sends nothing for 500ms", 4},
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			f, config := start(t, plain())
			if strings.Contains(c.want, "for 500ms") {
				config.Stall = time.Second / 2
			}
			var n atomic.Int32
			f.spoil = func(w http.ResponseWriter, r request) bool {
				n.Add(1) // even if the handler aborts
				if c.spoil(w, r) {
					return true
				}
				n.Add(-1)
				return false
			}
			_, err := Download(context.Background(), config, "org/tiny", "")
			if err == nil || !strings.HasPrefix(err.Error(), "hub: org/tiny: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v tells a secret", err)
			}
			if n.Load() != c.times {
				t.Errorf("%v: asked %d times, want %d", err, n.Load(), c.times)
			}
			for name := range tree(t, config.Cache) {
				if strings.Contains(name, "refs") || strings.HasSuffix(name, model1) {
					t.Errorf("%v: the cache has %s all the same", err, name)
				}
			}
		})
	}
}

// What a call that failed has of a file, the next one takes up.
func TestResume(t *testing.T) {
	files := plain()
	f, c := start(t, files)
	c.Retries = -1
	ctx := context.Background()
	f.spoil = first(1, cut(400))
	if _, err := Download(ctx, c, "org/tiny", ""); err == nil || !strings.Contains(err.Error(), model1+": unexpected EOF") {
		t.Fatalf("error %v", err)
	}
	blob := "models--org--tiny/blobs/" + etag(model1, files[model1])
	if got := tree(t, c.Cache); got[blob+".incomplete"] != files[model1][:400] || len(got) != 5 {
		t.Errorf("the cache has %v", got) // with vocab.json, its content, and two locks
	}
	f.asked()
	if _, err := Download(ctx, c, "org/tiny", ""); err != nil {
		t.Fatal(err)
	}
	if asked := f.asked(); !slices.Contains(asked, "GET "+model1+" bytes=400-") || slices.Contains(asked, "GET vocab.json") {
		t.Errorf("asked for %q", asked)
	}

	// A small file comes from the server itself, whose etag makes a range safe.
	vocab := filepath.Join(c.Cache, "models--org--tiny", "blobs", etag("vocab.json", files["vocab.json"]))
	again := func(incomplete string) []string {
		t.Helper()
		for _, path := range []string{vocab, filepath.Join(c.Cache, "models--org--tiny", "snapshots", commit1, "vocab.json")} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(vocab+".incomplete", []byte(incomplete), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Download(ctx, c, "org/tiny", "", "vocab.json"); err != nil {
			t.Error(err)
		}
		if got := tree(t, c.Cache); got["models--org--tiny/snapshots/"+commit1+"/vocab.json"] != files["vocab.json"] {
			t.Errorf("the cache has %v", got)
		}
		return f.asked()[2:] // after the list and the description
	}
	tag := `"` + etag("vocab.json", files["vocab.json"]) + `"`
	if asked := again("{"); !slices.Equal(asked, []string{"GET vocab.json bytes=1- " + tag}) {
		t.Errorf("asked for %q", asked)
	}
	if asked := again(files["vocab.json"]); len(asked) != 0 {
		t.Errorf("asked for %q", asked)
	}
	if asked := again("longer than it should be"); !slices.Equal(asked, []string{"GET vocab.json"}) {
		t.Errorf("asked for %q", asked)
	}
	c.Retries = 1
	if asked := again("xx\n"); !slices.Equal(asked, []string{"GET vocab.json"}) { // as long, but wrong
		t.Errorf("asked for %q", asked)
	}
	f.spoil = func(w http.ResponseWriter, r request) bool { // the file changes: the condition fails, and all is sent
		if r.rang != "" {
			answer(200, "[]\n", "Etag", `"other"`)(w, r)
		}
		return r.rang != ""
	}
	if err := os.Remove(vocab); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vocab+".incomplete", []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(c.Cache, "models--org--tiny", "snapshots", commit1, "vocab.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Download(ctx, c, "org/tiny", "", "vocab.json"); !errors.Is(err, errHash) {
		t.Errorf("error %v", err)
	}
	if got := tree(t, c.Cache); got["models--org--tiny/blobs/"+filepath.Base(vocab)+".incomplete"] != "" {
		t.Errorf("the cache has %v", got)
	}
}

func TestCancel(t *testing.T) {
	f, c := start(t, plain())
	ctx, cancel := context.WithCancel(context.Background())
	f.spoil = first(9, func(w http.ResponseWriter, r request) {
		w.Header().Set("Content-Length", "1000")
		w.Write([]byte("0123"))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	c.Stall = time.Minute
	if _, err := Download(ctx, c, "org/tiny", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	// While it waits to try again.
	ctx, cancel = context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	f.spoil = func(w http.ResponseWriter, r request) bool { w.WriteHeader(503); return true }
	c.pause = time.Minute
	if _, err := Download(ctx, c, "org/tiny", ""); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "503") {
		t.Errorf("error %v", err)
	}
}

// The wait that a server asks for is kept.
func TestRetryAfter(t *testing.T) {
	f, c := start(t, plain())
	f.spoil = first(1, answer(429, "", "Retry-After", "1"))
	began := time.Now()
	if _, err := Download(context.Background(), c, "org/tiny", ""); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("took %v", took)
	}
}

func TestRedirects(t *testing.T) {
	s, err := newServer(Config{Endpoint: "https://hub.example"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, from, to string
		want             error
	}{
		{"GET", "https://hub.example/a", "https://hub.example/b", nil},
		{"GET", "https://hub.example/a", "https://cdn.example/b", nil},
		{"GET", "https://hub.example/a", "http://hub.example/b", errRedirect},
		{"GET", "http://hub.example/a", "https://hub.example/b", nil},
		{"HEAD", "https://hub.example/a", "https://HUB.example/b", nil},
		{"HEAD", "https://hub.example/a", "https://cdn.hub.example/b", http.ErrUseLastResponse},
		{"HEAD", "https://hub.example/a", "https://hub.example:444/b", http.ErrUseLastResponse},
	} {
		request := func(address string) *http.Request {
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			return &http.Request{Method: c.method, URL: u}
		}
		if got := s.http.CheckRedirect(request(c.to), []*http.Request{request(c.from)}); !errors.Is(got, c.want) {
			t.Errorf("%v: %v", c, got)
		}
	}
}

// Of two that want the same at once, one fetches it.
func TestTwoAtOnce(t *testing.T) {
	f, c := start(t, plain())
	var wait sync.WaitGroup
	for range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if _, err := Download(context.Background(), c, "org/tiny", ""); err != nil {
				t.Error(err)
			}
		}()
	}
	wait.Wait()
	n := 0
	for _, asked := range f.asked() {
		if strings.HasPrefix(asked, "GET "+model1) {
			n++
		}
	}
	if n != 1 && runtime.GOOS != "js" {
		t.Errorf("%d fetched it", n)
	}
	tree(t, c.Cache)
}

func TestLocked(t *testing.T) {
	_, c := start(t, plain())
	path := filepath.Join(c.Cache, ".locks", "models--org--tiny", etag("config.json", "{}")+".lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	other, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Lock(other); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := Download(ctx, c, "org/tiny", "", "config.json"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	other.Close()
	if _, err := Download(context.Background(), c, "org/tiny", "", "config.json"); err != nil {
		t.Error(err)
	}
}

func TestDiskFull(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a device that is always full")
	}
	f, c := start(t, plain())
	before := openIncomplete
	defer func() { openIncomplete = before }()
	openIncomplete = func(path string) (*os.File, error) {
		if strings.Contains(path, etag(model1, plain()[model1])) {
			return os.OpenFile("/dev/full", os.O_RDWR, 0)
		}
		return before(path)
	}
	if _, err := Download(context.Background(), c, "org/tiny", ""); err == nil || !strings.Contains(err.Error(), model1+": write /dev/full: no space left on device") {
		t.Errorf("error %v", err)
	}
	if got := tree(t, c.Cache); got["models--org--tiny/refs/main"] != "" || len(got) != 4 {
		t.Errorf("the cache has %v", got) // vocab.json, its content, and two locks
	}
	openIncomplete = before
	f.asked()
	if _, err := Download(context.Background(), c, "org/tiny", ""); err != nil {
		t.Error(err)
	}
	if asked := f.asked(); slices.Contains(asked, "GET vocab.json") {
		t.Errorf("asked for %q", asked)
	}
}

func TestNoLinks(t *testing.T) {
	refuse := func(string, string) error { return errors.ErrUnsupported }
	defer func(s, h func(string, string) error) { symlink, hardlink = s, h }(symlink, hardlink)
	symlink = refuse
	for range 2 { // with hard links, and without
		_, c := start(t, plain())
		dir, err := Download(context.Background(), c, "org/tiny", "")
		if err != nil {
			t.Fatal(err)
		}
		if stat, err := os.Lstat(filepath.Join(dir, model1)); err != nil || !stat.Mode().IsRegular() {
			t.Errorf("%v, %v", stat, err)
		}
		if got := tree(t, dir); got[model1] != plain()[model1] {
			t.Errorf("the folder has %v", got)
		}
		if _, err := Download(context.Background(), c, "org/tiny", ""); err != nil {
			t.Error(err)
		}
		hardlink = refuse
	}
}
