package main

import (
	"fmt"

	"github.com/muppet-go/muppet/prefinetune/monitor"
)

// watch serves what show is told.
func watch(address string, show *progress) (*monitor.Server, error) {
	server, err := monitor.Listen(address)
	if err != nil {
		return nil, err
	}
	show.also = server.Progress
	show.line(fmt.Sprintf("The run shows itself at http://%s/", server.Addr()))
	if !server.Loopback() {
		show.line("Whoever reaches that address can read it, profiles included: there is no password.")
	}
	return server, nil
}
