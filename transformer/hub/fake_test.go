package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	commit1 = "1111111111111111111111111111111111111111"
	commit2 = "2222222222222222222222222222222222222222"
)

// A fake is a hub with one model, and the other host from which its large files come.
type fake struct {
	hub, files *httptest.Server

	mu       sync.Mutex
	name     string
	commits  map[string]string            // of branches
	content  map[string]map[string]string // of the files of commits; those that end in .safetensors or .bin are large
	requests []request
	// spoil answers in place of the fake, if it wants to.
	spoil func(w http.ResponseWriter, r request) bool
}

// A request is what a fake was asked.
type request struct {
	large                                   bool // of the other host
	method, path, rang, ifRange, authorized string
	*http.Request
}

func newFake(name string, files map[string]string) *fake {
	f := &fake{name: name, commits: map[string]string{"main": commit1}, content: map[string]map[string]string{commit1: files}}
	serve := func(large bool) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req := request{large, r.Method, r.URL.EscapedPath(), r.Header.Get("Range"), r.Header.Get("If-Range"), r.Header.Get("Authorization"), r}
			f.mu.Lock()
			f.requests = append(f.requests, req)
			spoil := f.spoil
			f.mu.Unlock()
			if spoil != nil && spoil(w, req) {
				return
			}
			f.answer(w, req)
		}))
	}
	f.hub, f.files = serve(false), serve(true)
	return f
}

func (f *fake) Close() {
	f.hub.Close()
	f.files.Close()
}

func isLarge(file string) bool { return path.Ext(file) == ".safetensors" || path.Ext(file) == ".bin" }

func etag(file, content string) string {
	if isLarge(file) {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
	}
	return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content)))
}

func (f *fake) answer(w http.ResponseWriter, r request) {
	if r.large {
		// As from a store whose etags are its own.
		commit, file, _ := strings.Cut(strings.TrimPrefix(r.path, "/"), "/")
		f.send(w, r, file, f.content[commit][file], `"not a hash"`)
		return
	}
	if revision, ok := strings.CutPrefix(r.path, "/api/models/"+f.name+"/revision/"); ok {
		revision, _ = url.PathUnescape(revision)
		commit := revision
		if f.commits[revision] != "" {
			commit = f.commits[revision]
		}
		if f.content[commit] == nil {
			w.Header().Set("X-Error-Message", "Invalid rev id: "+revision)
			w.WriteHeader(http.StatusNotFound)
			return
		}
		type sibling struct {
			RFilename string `json:"rfilename"`
		}
		var siblings []sibling
		for name := range f.content[commit] {
			siblings = append(siblings, sibling{name})
		}
		json.NewEncoder(w).Encode(map[string]any{"id": f.name, "sha": commit, "siblings": siblings, "tags": []string{"x"}})
		return
	}
	commit, file, _ := strings.Cut(strings.TrimPrefix(r.path, "/"+f.name+"/resolve/"), "/")
	if f.commits[commit] != "" { // a branch; Muppet asks for commits, huggingface_hub for either
		commit = f.commits[commit]
	}
	content, ok := f.content[commit][file]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	if isLarge(file) {
		w.Header().Set("X-Linked-Etag", `"`+etag(file, content)+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(content)))
		http.Redirect(w, r.Request, f.files.URL+"/"+commit+"/"+file+"?signature=secret", http.StatusFound)
		return
	}
	f.send(w, r, file, content, `"`+etag(file, content)+`"`)
}

func (f *fake) send(w http.ResponseWriter, r request, file, content, etag string) {
	w.Header().Set("Etag", etag)
	http.ServeContent(w, r.Request, file, time.Time{}, strings.NewReader(content))
}

// asked returns the requests so far, as method, last part of the path, range and condition, and forgets them.
func (f *fake) asked() (asked []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		if r.large || !isLarge(r.path) || r.method == http.MethodHead { // not a redirection
			asked = append(asked, strings.Join(strings.Fields(r.method+" "+path.Base(r.path)+" "+r.rang+" "+r.ifRange), " "))
		}
	}
	f.requests = nil
	return asked
}
