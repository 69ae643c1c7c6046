// Command muppet pre-finetunes transformers on many tasks at once.
//
//	muppet prefinetune                                the whole story on embedded data
//	muppet prefinetune -tasks DIR -data DIR -out DIR  the real thing; -dry-run first; the same line again resumes
//	muppet tasks                                      the datasets it knows
//	muppet version                                    instruction sets, devices, cores
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/prefinetune/catalog"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/simd"
)

const usage = `usage: muppet COMMAND [flags]

  prefinetune   train an encoder on many tasks at once (-h lists the flags)
  tasks         list the task files that come with muppet
  version       version, instruction sets, device, cores
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "muppet:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	switch command, rest := args[0], args[1:]; command {
	case "prefinetune":
		return prefinetuneCommand(ctx, rest, stdout, stderr)
	case "tasks":
		return tasksCommand(stdout)
	case "version":
		return versionCommand(stdout)
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(stdout, usage)
		return err
	default:
		fmt.Fprintf(stderr, "muppet: unknown command %q\n", command)
		return errUsage
	}
}

func tasksCommand(w io.Writer) error {
	tasks, err := task.LoadFS(catalog.FS, "")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		note := ""
		if !t.Default {
			note = "  (left out by default: " + t.Why + ")"
		}
		fmt.Fprintf(w, "%-26s %-15s %s%s\n", t.Name, t.Family, t.Metric, note)
	}
	return nil
}

func versionCommand(w io.Writer) error {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	_, err := fmt.Fprintf(w, "muppet %s, %s %s/%s\nkernels: %s in use, %s available\ndevice: %s\ncores: %d\n",
		version, runtime.Version(), runtime.GOOS, runtime.GOARCH,
		simd.Implementation(), strings.Join(simd.Available(), ", "), device.Default().Name(), runtime.GOMAXPROCS(0))
	return err
}
