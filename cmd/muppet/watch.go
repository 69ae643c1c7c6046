package main

import (
	"flag"
	"fmt"

	"github.com/muppet-go/muppet/prefinetune/monitor"
)

// folderFlags are those of every command that trains into a folder.
func folderFlags(set *flag.FlagSet, every, keep *int, tensorboard *bool, listen *string) {
	set.IntVar(every, "checkpoint-every", 0, "steps between checkpoints (default a tenth of the run, at least 50)")
	set.IntVar(keep, "keep-last", 2, "checkpoints to keep, the newest ones")
	set.BoolVar(tensorboard, "tensorboard", false, "also write event files for TensorBoard, below -out")
	set.StringVar(listen, "listen", "", "show the run at http://`ADDRESS`/ while it trains, with /metrics for Prometheus and /debug/pprof/: HOST:PORT, this machine's alone (127.0.0.1) unless another host is spelled out")
}

// watch serves what show is told at an address, if there is one, until stop is called.
func watch(address string, show *progress) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	server, err := monitor.Listen(address)
	if err != nil {
		return nil, fmt.Errorf("-listen: %w", err)
	}
	show.also = server.Progress
	show.line(fmt.Sprintf("The run shows itself at http://%s/", server.Addr()))
	if !server.Loopback() {
		show.line("Whoever reaches that address can read it, profiles included: there is no password.")
	}
	return func() { server.Close() }, nil
}
