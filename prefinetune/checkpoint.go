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
	dir := filepath.Join(t.cfg.Out, checkpointsDir)
	name := fmt.Sprintf("step-%06d", t.step)
	temporary := filepath.Join(dir, ".writing-"+name)
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	if err := os.MkdirAll(temporary, 0o755); err != nil {
		return err
	}
	moments, steps := t.opt.State()
	if err := nn.Save(filepath.Join(temporary, "model.safetensors"), t.model); err != nil {
		return err
	}
	if err := nn.SaveEntries(filepath.Join(temporary, "optimizer.safetensors"), moments); err != nil {
		return err
	}
	s := state{
		Step: t.step, Sampler: t.sampler.Cursor, OptimizerSteps: steps, tally: t.tally,
		MetricsBytes: t.log.size, Machine: thisMachine(),
	}
	if err := writeJSON(filepath.Join(temporary, "state.json"), s); err != nil {
		return err
	}
	if err := t.log.sync(); err != nil { // the state refers to its length
		return err
	}
	final := filepath.Join(dir, name)
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	if err := os.Rename(temporary, final); err != nil {
		return err
	}
	if err := file.SyncFolder(dir); err != nil {
		return err
	}
	t.saved = t.step
	return t.removeOld()
}

func (t *Trainer) removeOld() error {
	names, err := listCheckpoints(t.cfg.Out)
	if err != nil {
		return err
	}
	for _, name := range names[:max(0, len(names)-keepLast)] {
		if err := os.RemoveAll(filepath.Join(t.cfg.Out, checkpointsDir, name)); err != nil {
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
	if err := nn.Load(filepath.Join(dir, "model.safetensors"), t.model); err != nil {
		return fail(err)
	}
	moments, _ := t.opt.State()
	if err := nn.LoadEntries(filepath.Join(dir, "optimizer.safetensors"), moments); err != nil {
		return fail(err)
	}
	if err := t.opt.SetSteps(s.OptimizerSteps); err != nil {
		return fail(err)
	}
	t.step, t.saved, t.tally = s.Step, s.Step, s.tally
	t.sampler.seek(s.Sampler)
	if err := t.log.truncate(s.MetricsBytes); err != nil {
		return "", fmt.Errorf("prefinetune: cannot resume from %s: %w", dir, err)
	}
	if now := thisMachine(); now != s.Machine {
		warning = fmt.Sprintf("this checkpoint was written on device %s with %s kernels on %s; on device %s with %s kernels on %s results differ in the last bits",
			s.Machine.Device, s.Machine.SIMD, s.Machine.Arch, now.Device, now.SIMD, now.Arch)
	}
	return warning, nil
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
