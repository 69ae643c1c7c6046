package hub

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// On the real hub, Config{} will do. Here it is a server of the test's, and a cache that is thrown away.
func ExampleDownload() {
	server := newFake("org/tiny", map[string]string{
		"README.md":         "Not needed.",
		"config.json":       `{"model_type": "roberta"}`,
		"model.safetensors": "weights",
	})
	defer server.Close()
	cache, err := os.MkdirTemp("", "hub")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(cache)

	c := Config{Endpoint: server.hub.URL, Cache: cache, Progress: func(file string, done, total int64) {
		fmt.Printf("%s: %d of %d bytes\n", file, done, total)
	}}
	dir, err := Download(context.Background(), c, "org/tiny", "main")
	if err != nil {
		fmt.Println(err)
		return
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	fmt.Println(string(config), err)

	c.Offline = true // now that it is here
	again, err := Download(context.Background(), c, "org/tiny", "main")
	fmt.Println(again == dir, err)
	// Output:
	// model.safetensors: 7 of 7 bytes
	// config.json: 25 of 25 bytes
	// {"model_type": "roberta"} <nil>
	// true <nil>
}
