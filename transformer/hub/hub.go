package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/muppet-go/muppet/internal/file"
)

// Config says where models come from and where they go. The zero Config is what the environment says.
type Config struct {
	Endpoint string // the server's URL
	Token    string
	Cache    string // a folder, made if there is none
	Offline  bool   // opens no connection; so does HF_HUB_OFFLINE

	// Stall is how long a server may send nothing before the connection is given up: 30 seconds, if 0.
	Stall time.Duration
	// Retries is how often in a row a request is tried again after its connection broke, stalled or was refused for
	// the moment, with pauses that double from half a second on: 5, if 0; none, if negative.
	Retries int
	// MaxSize is the most bytes that a file may have: 64 GiB, if 0.
	MaxSize int64
	// Progress is told how many bytes of a file are there, of how many. It is called from Download's goroutine.
	Progress func(file string, done, total int64)

	pause time.Duration // before the first retry
}

// filled is the configuration with what the environment says in place of zeros.
func (c Config) filled() (Config, error) {
	home := os.Getenv("HF_HOME")
	if home == "" {
		home = os.Getenv("XDG_CACHE_HOME")
		if user, err := os.UserHomeDir(); home == "" && err == nil {
			home = filepath.Join(user, ".cache")
		}
		if home != "" {
			home = filepath.Join(home, "huggingface")
		}
	}
	if c.Cache == "" {
		if c.Cache = os.Getenv("HF_HUB_CACHE"); c.Cache == "" {
			if home == "" {
				return c, errors.New("no folder for the cache: neither HF_HUB_CACHE nor HF_HOME is set, and there is no home")
			}
			c.Cache = filepath.Join(home, "hub")
		}
	}
	if on := strings.ToLower(os.Getenv("HF_HUB_OFFLINE")); slices.Contains([]string{"1", "on", "yes", "true"}, on) {
		c.Offline = true
	}
	c.Endpoint = strings.TrimRight(cmp.Or(c.Endpoint, os.Getenv("HF_ENDPOINT"), "https://huggingface.co"), "/")
	if u, err := url.Parse(c.Endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return c, fmt.Errorf("endpoint %q is no URL of a server", c.Endpoint)
	}
	if c.Token == "" && !c.Offline {
		path := os.Getenv("HF_TOKEN_PATH")
		if path == "" && home != "" {
			path = filepath.Join(home, "token")
		}
		if c.Token = os.Getenv("HF_TOKEN"); c.Token == "" && path != "" {
			token, err := file.Read(path, 4096)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return c, err
			}
			c.Token = string(token)
		}
	}
	c.Token = strings.TrimSpace(c.Token)
	c.Stall = cmp.Or(c.Stall, 30*time.Second)
	c.Retries = cmp.Or(c.Retries, 5)
	c.MaxSize = cmp.Or(c.MaxSize, 64<<30)
	c.pause = cmp.Or(c.pause, time.Second/2)
	return c, nil
}

// Download returns the folder of a model's files, and fetches before what the cache lacks of them. Without files it is
// what transformer.Load needs: config.json, the weights, and what there is of a tokenizer and of settings to generate
// with. The weights are model.safetensors, or its index and the files that lists, or the same of pytorch_model.bin: the
// first that there is.
//
// The name is "organisation/name", or a name alone; the revision a branch, a tag or a commit, and main if empty. Files
// are paths inside the model's repository, with slashes. What the model or the cache lacks is an error that is
// [fs.ErrNotExist]. After an error the cache has what was complete, and begun files to continue with.
func Download(ctx context.Context, c Config, name, revision string, files ...string) (dir string, err error) {
	defer func() {
		if err != nil {
			dir, err = "", fmt.Errorf("hub: %s: %w", name, err)
		}
	}()
	if c, err = c.filled(); err != nil {
		return "", err
	}
	if !validName.MatchString(name) || len(name) > 96 || strings.Contains(name, "--") || strings.Contains(name, "..") {
		return "", fmt.Errorf("%.100q is no name of a model, such as organisation/name", name)
	}
	if revision == "" {
		revision = "main"
	}
	if err := checkPath(revision); err != nil {
		return "", fmt.Errorf("revision: %w", err)
	}
	for _, f := range files {
		if err := checkPath(f); err != nil {
			return "", err
		}
	}
	m := &model{Config: c, name: name, folder: filepath.Join(c.Cache, "models--"+strings.ReplaceAll(name, "/", "--"))}
	if c.Offline {
		return m.cached(revision, files)
	}
	return m.download(ctx, revision, files)
}

// A model is a repository on the server and its folder in the cache.
type model struct {
	Config
	name   string
	folder string
}

var (
	validName   = regexp.MustCompile(`^\w([\w.-]*\w)?(/\w([\w.-]*\w)?)?$`)
	validCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// checkPath refuses a path that is not below the folder it is meant for, on any system.
func checkPath(path string) error {
	odd := func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`\:*?"<>|`, r) }
	if !fs.ValidPath(path) || path == "." || len(path) > 1024 || strings.ContainsFunc(path, odd) || !filepath.IsLocal(filepath.FromSlash(path)) {
		return fmt.Errorf("%.100q is no path inside a repository", path)
	}
	return nil
}

// download fetches files of a revision.
func (m *model) download(ctx context.Context, revision string, files []string) (string, error) {
	s, err := newServer(m.Config)
	if err != nil {
		return "", err
	}
	commit, listed, err := s.list(ctx, m.name, revision)
	if err != nil {
		return "", fmt.Errorf("revision %s: %w", revision, err)
	}
	dir := m.snapshot(commit)
	err = gather(dir, files, func(file string) bool { return listed[file] }, func(name string) error {
		if exists(filepath.Join(dir, filepath.FromSlash(name))) {
			return nil // a commit never changes
		}
		return m.fetch(ctx, s, commit, name)
	})
	if err != nil {
		return "", err
	}
	return dir, m.setCommit(revision, commit)
}

// cached looks for files of a revision in the cache.
func (m *model) cached(revision string, files []string) (string, error) {
	commit, err := m.commit(revision)
	if err != nil {
		return "", fmt.Errorf("offline, and the cache %s lacks revision %s: %w", m.Cache, revision, err)
	}
	dir := m.snapshot(commit)
	err = gather(dir, files, func(name string) bool {
		return exists(filepath.Join(dir, filepath.FromSlash(name)))
	}, func(string) error { return nil })
	if err != nil {
		return "", fmt.Errorf("offline, and in the cache %s: %w", m.Cache, err)
	}
	return dir, nil
}

// The files that make a model, but for those that an index lists.
var (
	config   = "config.json"
	optional = []string{"generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "vocab.txt"}
	weights  = []string{"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"}
)

// gather gets the files asked for, or those of a model, into a folder. The configuration comes last: a folder that has it
// is complete.
func gather(dir string, files []string, has func(file string) bool, get func(file string) error) error {
	index := ""
	if len(files) == 0 {
		i := slices.IndexFunc(weights, has)
		if i < 0 {
			return missing(strings.Join(weights, ", "))
		}
		if strings.HasSuffix(weights[i], ".index.json") {
			index = weights[i]
		}
		files = []string{weights[i], config}
		for _, f := range optional {
			if has(f) {
				files = slices.Insert(files, 0, f)
			}
		}
	}
	for _, f := range files {
		if !has(f) {
			return missing(f)
		}
	}
	for _, f := range files {
		if err := get(f); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		if f != index {
			continue
		}
		shards, err := shardsOf(filepath.Join(dir, f))
		if err != nil {
			return err
		}
		for _, shard := range shards {
			if !has(shard) {
				return missing(shard)
			}
			if err := get(shard); err != nil {
				return fmt.Errorf("%s: %w", shard, err)
			}
		}
	}
	return nil
}

func missing(files string) error { return fmt.Errorf("there is no %s: %w", files, fs.ErrNotExist) }

// shardsOf returns the files that an index names.
func shardsOf(path string) ([]string, error) {
	const maxIndex = 64 << 20 // bytes
	data, err := file.Read(path, maxIndex)
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	shards := slices.Sorted(maps.Values(index.WeightMap))
	for _, shard := range shards {
		if err := checkPath(shard); err != nil {
			return nil, fmt.Errorf("%s: weight_map: %w", path, err)
		}
	}
	return slices.Compact(shards), nil
}
