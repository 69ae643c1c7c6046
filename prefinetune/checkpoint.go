package prefinetune

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/file"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/optim"
	"github.com/muppet-go/muppet/simd"
)

// A checkpoint is a folder checkpoints/step-000123 with model.safetensors,
// optimizer.safetensors and state.json. It is written under another name and renamed
// when all of it is on disk, so that a folder of that name is whole.

// state is what a checkpoint knows besides tensors.
type state struct {
	Step           int            `json:"step"`
	Sampler        cursor         `json:"sampler"`
	OptimizerSteps map[string]int `json:"optimizer_steps"`
	MetricsBytes   int64          `json:"metrics_bytes"` // length of metrics.jsonl
	Machine        machine        `json:"machine"`
	tally
}

// machine is what results to the bit depend on.
type machine struct {
	Device string `json:"device"`
	SIMD   string `json:"simd"`
	Arch   string `json:"arch"`
}

func thisMachine() machine {
	return machine{device.Default().Name(), simd.Implementation(), runtime.GOARCH}
}

const (
	checkpointsDir = "checkpoints"
	keepLast       = 2
)

// save writes a checkpoint and removes all but the newest.
func (t *Trainer) save() error {
	_, steps := t.opt.State()
	s := state{
		Step: t.step, Sampler: t.sampler.Cursor, OptimizerSteps: steps, tally: t.tally,
		MetricsBytes: t.log.size, Machine: thisMachine(),
	}
	if err := t.log.sync(); err != nil { // the state refers to its length
		return err
	}
	if err := writeCheckpoint(t.cfg.Out, t.step, t.model, t.opt, s); err != nil {
		return err
	}
	t.saved = t.step
	return removeOld(t.cfg.Out)
}

// writeCheckpoint writes a checkpoint of a step: the model's and the optimiser's tensors, and
// whatever state is.
func writeCheckpoint(out string, step int, model any, opt *optim.Optimizer, state any) error {
	dir := filepath.Join(out, checkpointsDir)
	name := fmt.Sprintf("step-%06d", step)
	temporary := filepath.Join(dir, ".writing-"+name)
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	if err := os.MkdirAll(temporary, 0o755); err != nil {
		return err
	}
	if err := nn.Save(filepath.Join(temporary, "model.safetensors"), model); err != nil {
		return err
	}
	moments, _ := opt.State()
	if err := nn.SaveEntries(filepath.Join(temporary, "optimizer.safetensors"), moments); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(temporary, "state.json"), state); err != nil {
		return err
	}
	final := filepath.Join(dir, name)
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	if err := os.Rename(temporary, final); err != nil {
		return err
	}
	return file.SyncFolder(dir)
}

// readCheckpoint reads the tensors of a checkpoint back, with the optimiser's steps from
// its state.
func readCheckpoint(dir string, model any, opt *optim.Optimizer, steps map[string]int) error {
	if err := nn.Load(filepath.Join(dir, "model.safetensors"), model); err != nil {
		return err
	}
	moments, _ := opt.State()
	if err := nn.LoadEntries(filepath.Join(dir, "optimizer.safetensors"), moments); err != nil {
		return err
	}
	return opt.SetSteps(steps)
}

func removeOld(out string) error {
	names, err := listCheckpoints(out)
	if err != nil {
		return err
	}
	for _, name := range names[:max(0, len(names)-keepLast)] {
		if err := os.RemoveAll(filepath.Join(out, checkpointsDir, name)); err != nil {
			return err
		}
	}
	return nil
}

// listCheckpoints returns the names of whole checkpoints, oldest first.
func listCheckpoints(out string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(out, checkpointsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "step-") {
			names = append(names, e.Name())
		}
	}
	sort.Slice(names, func(i, j int) bool {
		if len(names[i]) != len(names[j]) {
			return len(names[i]) < len(names[j])
		}
		return names[i] < names[j]
	})
	return names, nil
}

// restore loads the newest checkpoint, if there is one, and returns a warning if it
// comes from a machine that may round differently.
func (t *Trainer) restore() (warning string, err error) {
	names, err := listCheckpoints(t.cfg.Out)
	if err != nil || len(names) == 0 {
		return "", err
	}
	dir := filepath.Join(t.cfg.Out, checkpointsDir, names[len(names)-1])
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("prefinetune: checkpoint %s cannot be read: %w (remove that folder to resume from the one before it, or to start again)", dir, err)
	}
	var s state
	if err := readJSON(filepath.Join(dir, "state.json"), &s); err != nil {
		return fail(err)
	}
	if len(s.Sampled) != len(t.tasks) || s.Step < 0 || s.Step > t.cfg.Steps || !t.sampler.seekable(s.Sampler) {
		return fail(fmt.Errorf("state.json does not fit the run: step %d, %d tasks, sampler at %+v", s.Step, len(s.Sampled), s.Sampler))
	}
	if err := readCheckpoint(dir, t.model, t.opt, s.OptimizerSteps); err != nil {
		return fail(err)
	}
	t.step, t.saved, t.tally = s.Step, s.Step, s.tally
	t.sampler.seek(s.Sampler)
	if err := t.log.truncate(s.MetricsBytes); err != nil {
		return "", fmt.Errorf("prefinetune: cannot resume from %s: %w", dir, err)
	}
	return s.Machine.warning(), nil
}

// warning says that a checkpoint of the machine m may go on in other bits here.
func (m machine) warning() string {
	now := thisMachine()
	if now == m {
		return ""
	}
	return fmt.Sprintf("this checkpoint was written on device %s with %s kernels on %s; on device %s with %s kernels on %s results differ in the last bits",
		m.Device, m.SIMD, m.Arch, now.Device, now.SIMD, now.Arch)
}

// writeJSON writes a file whole: under another name, synced, renamed.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'))
}

func writeFile(path string, data []byte) error {
	return file.Replace(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// maxJSON bounds run.json and state.json, in bytes: far above what a run writes.
const maxJSON = 1 << 26

func readJSON(path string, v any) error {
	data, err := file.Read(path, maxJSON)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// metricsLog is metrics.jsonl, one line a step. Whoever has it open has the Out folder.
type metricsLog struct {
	f    *os.File
	size int64
}

func openMetrics(path string) (*metricsLog, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	// Two processes on one folder would spoil each other's checkpoints.
	if err := file.Lock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &metricsLog{f: f}, nil
}

// truncate cuts the log to the length it had at a checkpoint.
func (l *metricsLog) truncate(size int64) error {
	if l == nil {
		return nil
	}
	info, err := l.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < size {
		return fmt.Errorf("%s has %d bytes, fewer than the %d it had when the checkpoint was written (put the file back, or choose another folder)", l.f.Name(), info.Size(), size)
	}
	if err := l.f.Truncate(size); err != nil {
		return err
	}
	l.size = size
	return nil
}

func (l *metricsLog) write(v any) error {
	if l == nil {
		return nil
	}
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	n, err := l.f.WriteAt(append(line, '\n'), l.size)
	l.size += int64(n)
	return err
}

func (l *metricsLog) sync() error { return l.f.Sync() }

func (l *metricsLog) close() error {
	if l == nil {
		return nil
	}
	return l.f.Close()
}
