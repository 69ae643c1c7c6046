package hub

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	for _, name := range []string{"HF_HOME", "HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT", "HF_HUB_OFFLINE"} {
		os.Unsetenv(name)
	}
	os.Setenv("HF_TOKEN_PATH", filepath.Join(os.TempDir(), "no-token-here")) // not the user's
	os.Exit(m.Run())
}

// start returns a model's hub and a configuration with an empty cache.
func start(t *testing.T, files map[string]string) (*fake, Config) {
	t.Helper()
	f := newFake("org/tiny", files)
	t.Cleanup(f.Close)
	return f, Config{Endpoint: f.hub.URL, Cache: t.TempDir(), Token: "secret", Stall: 5 * time.Second, Retries: 3, pause: time.Millisecond}
}

func plain() map[string]string {
	return map[string]string{"config.json": "{}", "model.safetensors": strings.Repeat("0123456789", 100), "vocab.json": "{}\n", "README.md": "x"}
}

// tree returns the files below a folder, and checks that every content in a cache is what its name says.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path) // also of a link, which must lead somewhere
		if err != nil {
			t.Error(err)
		}
		name, _ := filepath.Rel(dir, path)
		found[filepath.ToSlash(name)] = string(content)
		if base := filepath.Base(path); filepath.Base(filepath.Dir(path)) == "blobs" && filepath.Ext(base) == "" {
			if base != etag(map[int]string{40: "", 64: ".bin"}[len(base)], string(content)) {
				t.Errorf("%s has another content", path)
			}
		} else if filepath.Ext(base) == ".tmp" {
			t.Errorf("left behind: %s", path)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return found
}

func TestDownload(t *testing.T) {
	files := plain()
	f, c := start(t, files)
	var told []string
	c.Progress = func(file string, done, total int64) {
		if file != "sub/x.txt" && int(total) != len(files[file]) || done > total {
			t.Errorf("%s: %d of %d", file, done, total)
		}
		if done == total {
			told = append(told, file)
		}
	}
	ctx := context.Background()
	dir, err := Download(ctx, c, "org/tiny", "")
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(c.Cache, "models--org--tiny")
	if dir != filepath.Join(folder, "snapshots", commit1) {
		t.Errorf("folder %s", dir)
	}
	want := map[string]string{"refs/main": commit1}
	for name, content := range files {
		if name != "README.md" {
			want["blobs/"+etag(name, content)] = content
			want["snapshots/"+commit1+"/"+name] = content
		}
	}
	if got := tree(t, folder); !maps.Equal(got, want) {
		t.Errorf("the cache has %v, want %v", got, want)
	}
	if target, err := os.Readlink(filepath.Join(dir, "config.json")); runtime.GOOS != "windows" &&
		(err != nil || filepath.ToSlash(target) != "../../blobs/"+etag("config.json", "{}")) {
		t.Errorf("config.json links to %s, %v", target, err)
	}
	if !slices.Equal(told, []string{"vocab.json", "model.safetensors", "config.json"}) {
		t.Errorf("progress of %q", told)
	}
	for _, r := range f.requests {
		if want := map[bool]string{true: "", false: "Bearer secret"}[r.large]; r.authorized != want {
			t.Errorf("%s %s: authorization %q, want %q", r.method, r.path, r.authorized, want)
		}
	}
	f.asked()

	// What is there is not asked for again, nor is what is the same in another commit.
	if _, err := Download(ctx, c, "org/tiny", "main"); err != nil {
		t.Fatal(err)
	}
	if asked := f.asked(); !slices.Equal(asked, []string{"GET main"}) {
		t.Errorf("asked for %q", asked)
	}
	f.content[commit2] = maps.Clone(files)
	f.content[commit2]["vocab.json"] = "{ }"
	f.content[commit2]["sub/x.txt"] = "deep"
	f.commits["feature/x"] = commit2
	if dir, err = Download(ctx, c, "org/tiny", "feature/x"); err != nil || filepath.Base(dir) != commit2 {
		t.Fatal(dir, err)
	}
	if asked := f.asked(); !slices.Equal(asked, []string{"GET feature%2Fx", "HEAD vocab.json", "GET vocab.json",
		"HEAD model.safetensors", "HEAD config.json"}) {
		t.Errorf("asked for %q", asked)
	}
	if got := tree(t, folder); got["refs/feature/x"] != commit2 || got["snapshots/"+commit2+"/vocab.json"] != "{ }" {
		t.Errorf("the cache has %v", got)
	}
	// A file of the caller's choice, of a commit.
	if dir, err = Download(ctx, c, "org/tiny", commit2, "sub/x.txt"); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); got["sub/x.txt"] != "deep" {
		t.Errorf("the folder has %v", got)
	}
	if _, err = Download(ctx, c, "org/tiny", commit2, "sub/y.txt"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "there is no sub/y.txt") {
		t.Errorf("error %v", err)
	}
}

func TestWhichFiles(t *testing.T) {
	index := func(ext string) string {
		return `{"weight_map": {"a": "2` + ext + `", "b": "1` + ext + `", "c": "2` + ext + `"}}`
	}
	for _, c := range []struct {
		files map[string]string
		want  string
		err   string
	}{
		{map[string]string{"config.json": "{}", "model.safetensors": "a", "pytorch_model.bin": "b", "tf_model.h5": "c"}, "config.json model.safetensors", ""},
		{map[string]string{"config.json": "{}", "pytorch_model.bin": "b", "vocab.txt": "x", "tokenizer.json": "{}", "merges.txt": "x", "vocab.json": "{}",
			"tokenizer_config.json": "{}", "special_tokens_map.json": "{}", "generation_config.json": "{}", "flax_model.msgpack": "x"},
			"config.json generation_config.json merges.txt pytorch_model.bin special_tokens_map.json tokenizer.json tokenizer_config.json vocab.json vocab.txt", ""},
		{map[string]string{"config.json": "{}", "model.safetensors.index.json": index(".safetensors"), "1.safetensors": "1", "2.safetensors": "2", "3.safetensors": "3", "pytorch_model.bin": "b"},
			"1.safetensors 2.safetensors config.json model.safetensors.index.json", ""},
		{map[string]string{"config.json": "{}", "pytorch_model.bin.index.json": index(".bin"), "1.bin": "1", "2.bin": "2"},
			"1.bin 2.bin config.json pytorch_model.bin.index.json", ""},
		{map[string]string{"config.json": "{}", "pytorch_model.bin.index.json": index(".bin"), "1.bin": "1"}, "", "there is no 2.bin"},
		{map[string]string{"config.json": "{}", "pytorch_model.bin.index.json": "{"}, "", "pytorch_model.bin.index.json: unexpected end"},
		{map[string]string{"config.json": "{}", "pytorch_model.bin.index.json": index("/../../../x.bin")}, "", `weight_map: "1/../../../x.bin" is no path`},
		{map[string]string{"config.json": "{}", "tf_model.h5": "b"}, "", "there is no model.safetensors, model.safetensors.index.json, pytorch_model.bin"},
		{map[string]string{"model.safetensors": "b"}, "", "there is no config.json"},
	} {
		_, config := start(t, c.files)
		dir, err := Download(context.Background(), config, "org/tiny", "")
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || dir != "" {
				t.Errorf("%v: %q, error %v, want %s", c.files, dir, err, c.err)
			}
			if exists(filepath.Join(config.Cache, "models--org--tiny", "refs", "main")) {
				t.Errorf("%v: the revision is there all the same", c.files)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", c.files, err)
			continue
		}
		if got := strings.Join(slices.Sorted(maps.Keys(tree(t, dir))), " "); got != c.want {
			t.Errorf("%v: got %s, want %s", c.files, got, c.want)
		}
	}
}

func TestOffline(t *testing.T) {
	f, c := start(t, plain())
	ctx := context.Background()
	offline := c
	offline.Offline = true
	if _, err := Download(ctx, offline, "org/tiny", ""); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "offline, and the cache "+c.Cache+" lacks revision main") {
		t.Errorf("error %v", err)
	}
	if _, err := Download(ctx, c, "org/tiny", "", "config.json"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := Download(ctx, offline, "org/tiny", ""); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "there is no model.safetensors") {
		t.Errorf("error %v", err)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	for _, revision := range []string{"", "main", commit1} {
		if dir, err := Download(ctx, c, "org/tiny", revision, "config.json"); err != nil || filepath.Base(dir) != commit1 {
			t.Errorf("%s, %v", dir, err)
		}
	}
	ref := filepath.Join(c.Cache, "models--org--tiny", "refs", "main")
	if err := os.WriteFile(ref, []byte("../../.."), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Download(ctx, c, "org/tiny", ""); err == nil || !strings.Contains(err.Error(), `"../../.." is no commit`) {
		t.Errorf("error %v", err)
	}
}

func TestNames(t *testing.T) {
	f, c := start(t, plain())
	for _, name := range []string{"", "a/b/c", "/a", "a/", "a--b", "a..b", "..", "../a", "a/..", "-a", "a.", `a\b`, "a b", "a?b", "a%2fb", "a\n", strings.Repeat("a", 97)} {
		if _, err := Download(context.Background(), c, name, ""); err == nil || !strings.Contains(err.Error(), "is no name of a model") {
			t.Errorf("%q: error %v", name, err)
		}
	}
	for _, path := range []string{"..", "../x", "/x", "a/../x", "a//x", "./x", `a\x`, "c:x", "a\x00", "a\nb", "a?", "x/", strings.Repeat("x", 1025)} {
		if _, err := Download(context.Background(), c, "org/tiny", path); err == nil || !strings.Contains(err.Error(), "is no path inside a repository") {
			t.Errorf("revision %q: error %v", path, err)
		}
		if _, err := Download(context.Background(), c, "org/tiny", "", path); err == nil || !strings.Contains(err.Error(), "is no path inside a repository") {
			t.Errorf("file %q: error %v", path, err)
		}
	}
	if asked := f.asked(); asked != nil {
		t.Errorf("asked for %q", asked)
	}
	if got := tree(t, c.Cache); len(got) != 0 {
		t.Errorf("the cache has %v", got)
	}
}

func TestEnvironment(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "token"), []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	join := filepath.Join
	for _, c := range []struct {
		environment map[string]string
		in          Config
		want        Config
	}{
		{nil, Config{}, Config{Endpoint: "https://huggingface.co", Cache: join(home, ".cache", "huggingface", "hub")}},
		{map[string]string{"XDG_CACHE_HOME": home}, Config{}, Config{Endpoint: "https://huggingface.co", Cache: join(home, "huggingface", "hub")}},
		{map[string]string{"HF_HOME": home, "HF_ENDPOINT": "http://mirror:80/x/"}, Config{},
			Config{Endpoint: "http://mirror:80/x", Cache: join(home, "hub"), Token: "from file"}},
		{map[string]string{"HF_HOME": home, "HF_HUB_CACHE": "here", "HF_TOKEN": " one "}, Config{}, Config{Endpoint: "https://huggingface.co", Cache: "here", Token: "one"}},
		{map[string]string{"HF_TOKEN_PATH": join(home, "token"), "HF_HUB_CACHE": "here", "HF_HUB_OFFLINE": "0"}, Config{},
			Config{Endpoint: "https://huggingface.co", Cache: "here", Token: "from file"}},
		{map[string]string{"HF_HOME": home, "HF_HUB_OFFLINE": "TRUE"}, Config{Cache: "there", Endpoint: "http://a"},
			Config{Endpoint: "http://a", Cache: "there", Offline: true}},
	} {
		t.Run("", func(t *testing.T) {
			for _, name := range []string{"HF_HOME", "HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT", "HF_HUB_OFFLINE", "XDG_CACHE_HOME"} {
				t.Setenv(name, c.environment[name])
			}
			t.Setenv("HOME", home)
			t.Setenv("USERPROFILE", home)
			got, err := c.in.filled()
			if err != nil {
				t.Fatal(err)
			}
			if got.Endpoint != c.want.Endpoint || got.Cache != c.want.Cache || got.Token != c.want.Token || got.Offline != c.want.Offline {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if got.Stall != 30*time.Second || got.Retries != 5 || got.MaxSize != 64<<30 {
				t.Errorf("%+v", got)
			}
		})
	}
	for _, endpoint := range []string{"ftp://x", "huggingface.co", "https://", "http://%"} {
		if _, err := Download(context.Background(), Config{Endpoint: endpoint, Cache: home}, "a", ""); err == nil || !strings.Contains(err.Error(), "is no URL of a server") {
			t.Errorf("endpoint %q: error %v", endpoint, err)
		}
	}
}
