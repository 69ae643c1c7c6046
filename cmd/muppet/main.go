// Command muppet pre-finetunes transformers on many tasks at once.
//
//	muppet prefinetune                                the whole story on embedded data
//	muppet prefinetune -tasks DIR -data DIR -out DIR  the real thing; -dry-run first; the same line again resumes
//	muppet pretrain -out DIR FILE...                  a model of one's own, from plain text
//	muppet finetune -init RUN -task NAME -out DIR     one task, from what pre-finetuning left, over several seeds
//	muppet eval -model RUN                            its scores
//	muppet predict -model RUN -task NAME              its answers, JSONL in and out
//	muppet export -model RUN -task NAME -out DIR      the same for Hugging Face's programs
//	muppet tasks                                      the datasets it knows; inspect NAME, check FILE
//	muppet info MODEL                                 what is in a folder of Hugging Face's, or a model of the Hub
//	muppet convert -model MODEL -out DIR              the same as safetensors, with another head if asked
//	muppet embed -model MODEL                         embeddings of the lines of the standard input
//	muppet generate -model MODEL                      what BART writes for each of them
//	muppet tokenize -tokenizer DIR                    the ids, tokens and offsets of those lines
//	muppet tokenizer train -out DIR FILE...           a vocabulary learnt from text
//	muppet bench gemm                                 matrix products beside the peak of the machine
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
	_ "github.com/muppet-go/muppet/device/reference" // for MUPPET_DEVICE=reference
	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/simd"
)

const usage = `usage: muppet COMMAND [flags]

  pretrain      train a model on plain text, to restore what is masked
  prefinetune   train an encoder on many tasks at once (-h lists the flags)
  finetune      train what came of that on one task
  eval          score a model on the tasks it has heads for
  predict       answer examples, JSONL in and out
  export        write a model with a head for Hugging Face's programs
  tasks         list the datasets muppet knows, inspect one, check a task file
  info          say what a model is and what its files have
  convert       write a model as a folder with model.safetensors
  embed         embed lines of text
  generate      have a model write an answer to each line of text
  tokenize      show the tokens of lines of text, or decode them
  tokenizer     train a tokenizer
  bench gemm    measure matrix products beside the peak of the machine
  version       version, instruction sets, device, cores
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// errUsage marks an error in the command line itself.
var errUsage = errors.New("muppet -h lists the commands, muppet COMMAND -h its flags")

// stdio is what a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// run runs a command line and returns the exit status: 0, also of a run that was interrupted
// and can be resumed, 1 for a failure, 2 for a command line that makes no sense.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdio{stdin, stdout, stderr})
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "muppet: %v\n", err)
		return 2
	case errors.Is(err, prefinetune.ErrInterrupted):
		fmt.Fprintf(stderr, "muppet: %v\n", err)
		return 0
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(stderr, "muppet: %s: interrupted\n", args[0])
		return 1
	}
	fmt.Fprintf(stderr, "muppet: %v\n", err)
	return 1
}

func dispatch(ctx context.Context, args []string, std stdio) error {
	if len(args) == 0 {
		return fmt.Errorf("no command\n%s%w", usage, errUsage)
	}
	if name := os.Getenv("MUPPET_DEVICE"); name != "" {
		if _, err := device.ByName(name); err != nil { // device.Default would panic
			return fmt.Errorf("MUPPET_DEVICE: %w", err)
		}
	}
	command, rest := args[0], args[1:]
	switch command {
	case "prefinetune":
		return prefinetuneCommand(ctx, rest, std.out)
	case "pretrain":
		return pretrainCommand(ctx, rest, std.out)
	case "finetune":
		return finetuneCommand(ctx, rest, std)
	case "eval":
		return evalCommand(ctx, rest, std)
	case "predict":
		return predictCommand(ctx, rest, std)
	case "export":
		return exportCommand(ctx, rest, std)
	case "tasks":
		return tasksCommand(ctx, rest, std.out)
	case "bench":
		return benchCommand(ctx, rest, std.out)
	case "info":
		return infoCommand(ctx, rest, std)
	case "convert":
		return convertCommand(ctx, rest, std)
	case "embed":
		return embedCommand(ctx, rest, std)
	case "generate":
		return generateCommand(ctx, rest, std)
	case "tokenize":
		return tokenizeCommand(ctx, rest, std)
	case "tokenizer":
		return tokenizerCommand(ctx, rest, std)
	}
	simple := map[string]func(io.Writer) error{
		"version": versionCommand,
		"help":    helpCommand, "-h": helpCommand, "-help": helpCommand, "--help": helpCommand,
	}[command]
	switch {
	case simple == nil:
		return fmt.Errorf("unknown command %q\n%s%w", command, usage, errUsage)
	case len(rest) > 0:
		return fmt.Errorf("%s: unexpected argument %q\n%s%w", command, rest[0], usage, errUsage)
	}
	return simple(std.out)
}

// parse reads the flags of a command, which may have so many arguments behind them. For a command line that only asks for
// help it prints that and returns done.
func parse(set *flag.FlagSet, usage string, args []string, arguments int, stdout io.Writer) (done bool, err error) {
	set.SetOutput(io.Discard) // an error is printed once, by the caller
	set.Usage = func() {}
	command := strings.TrimPrefix(set.Name(), "muppet ")
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		set.SetOutput(stdout)
		set.PrintDefaults()
		return true, nil
	case err != nil:
		return false, fmt.Errorf("%s: %w\n%w", command, err, errUsage)
	case set.NArg() > arguments:
		return false, fmt.Errorf("%s: unexpected argument %q\n%w", command, set.Arg(arguments), errUsage)
	}
	return false, nil
}

func helpCommand(w io.Writer) error {
	_, err := io.WriteString(w, usage)
	return err
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
