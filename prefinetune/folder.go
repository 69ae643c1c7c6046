package prefinetune

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/muppet-go/muppet/internal/file"
	"github.com/muppet-go/muppet/prefinetune/internal/tensorboard"
)

// layout is the version of what a run's folder looks like. A program reads its own alone.
const layout = 2

// folder is a run's Out folder while the run is on: run.json, metrics.jsonl, checkpoints. A
// run without one has nil.
type folder struct {
	path     string
	keep     int // checkpoints
	every    int // steps between them
	steps    int // of the run
	identity any // what run.json says
	warn     func(string)

	tensorboard bool // write event files
	events      *tensorboard.Writer

	log   *metricsLog
	saved int // step of the last checkpoint
}

// open makes the folder a run's, or takes up the one that it began. Its is read from what the
// folder says, and differences asked what differs.
func (f *folder) open(its any, differences func() []string) error {
	if err := os.MkdirAll(f.path, 0o755); err != nil {
		return fmt.Errorf("prefinetune: %w", err)
	}
	if err := f.claim(its, differences); err != nil {
		return err
	}
	var err error
	if f.log, err = openMetrics(filepath.Join(f.path, "metrics.jsonl")); err != nil {
		return fmt.Errorf("prefinetune: %w", err)
	}
	return nil
}

func (f *folder) runFile() string { return filepath.Join(f.path, "run.json") }

// claim makes sure that the folder is this run's: empty, or begun by it.
func (f *folder) claim(its any, differences func() []string) error {
	var of struct {
		Layout int `json:"layout"`
	}
	switch err := readJSON(f.runFile(), &of); {
	case errors.Is(err, fs.ErrNotExist):
		if err := checkEmpty(f.path); err != nil {
			return err
		}
		if err := f.introduce(); err != nil {
			return fmt.Errorf("prefinetune: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("prefinetune: %w", err)
	case of.Layout != layout:
		return fmt.Errorf("prefinetune: %s was written by another version of this program (layout %d of a run's folder, here %d): finish it with that one, or choose another folder", f.runFile(), of.Layout, layout)
	}
	if err := readJSON(f.runFile(), its); err != nil {
		return fmt.Errorf("prefinetune: %w", err)
	}
	if d := differences(); d != nil {
		return fmt.Errorf("prefinetune: %s holds another run (%s); choose another folder, or repeat that run's settings to resume it", f.path, strings.Join(d, ", "))
	}
	return nil
}

// introduce writes run.json: the layout and the identity's fields.
func (f *folder) introduce() error {
	data, err := json.Marshal(f.identity)
	if err != nil {
		return err
	}
	fields := map[string]json.RawMessage{"layout": json.RawMessage(strconv.Itoa(layout))}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	return writeJSON(f.runFile(), fields)
}

// checkEmpty refuses a folder with files that no run here wrote.
func checkEmpty(out string) error {
	entries, err := os.ReadDir(out)
	if err != nil {
		return fmt.Errorf("prefinetune: %w", err)
	}
	for _, e := range entries {
		if e.Name() == checkpointsDir || e.Name() == "metrics.jsonl" || e.Name() == "report.html" || e.Name() == "model" {
			return fmt.Errorf("prefinetune: %s has %s but no run.json: not a folder to write a run to", out, e.Name())
		}
	}
	return nil
}

// revive makes the folder again if somebody removed it, with what is still known.
func (f *folder) revive() error {
	if _, err := os.Stat(f.runFile()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f.warn(f.runFile() + " is no longer there: the folder is made anew")
	if f.events != nil { // its file is gone, too
		f.events.Close()
		f.events = nil
	}
	if err := os.MkdirAll(f.path, 0o755); err != nil {
		return err
	}
	if err := f.log.revive(); err != nil {
		return err
	}
	return f.introduce()
}

// record adds a line to metrics.jsonl, or keeps it in memory until that can be written.
func (f *folder) record(step int, line any) error {
	if f == nil {
		return nil
	}
	data, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("prefinetune: metrics: %w", err)
	}
	f.show(step, data)
	warning, err := f.log.write(data)
	if err != nil {
		return fmt.Errorf("prefinetune: metrics: %w", err)
	}
	if warning != nil {
		f.warn(fmt.Sprintf("step %d: metrics wait in memory until they can be written: %v", step, warning))
	}
	return nil
}

// after calls save if a checkpoint is due after a step and there is none. Only the run's last must
// succeed: what is in memory is worth more than what could not be written of it now.
func (f *folder) after(step int, last bool, save func() error) error {
	if f == nil || f.saved == step || step%f.every != 0 && !last {
		return nil
	}
	err := save()
	if err != nil && last {
		return fmt.Errorf("prefinetune: checkpoint: %w", err)
	}
	if err != nil {
		f.warn(fmt.Sprintf("step %d: no checkpoint: %v; training goes on, and the next is due in %d steps", step, err, f.every))
	}
	return nil
}

// interrupted calls save unless that step has a checkpoint, and returns an error that wraps
// ErrInterrupted.
func (f *folder) interrupted(step int, save func() error) error {
	if f == nil {
		return fmt.Errorf("prefinetune: %w at step %d", ErrInterrupted, step)
	}
	if f.saved != step || step == 0 {
		if err := save(); err != nil {
			return fmt.Errorf("prefinetune: checkpoint on interrupt: %w", err)
		}
	}
	return fmt.Errorf("prefinetune: %w at step %d; a checkpoint is in %s, the same command resumes", ErrInterrupted, step, f.path)
}

func (f *folder) close() error {
	if f == nil {
		return nil
	}
	if f.events != nil {
		f.events.Close()
	}
	return f.log.f.Close()
}

// maxPending bounds the lines that wait to be written, in bytes.
const maxPending = 64 << 20

// metricsLog is metrics.jsonl, one line a step. Whoever has it open has the Out folder.
type metricsLog struct {
	f       *os.File
	size    int64  // of the file: whole lines
	pending []byte // lines that could not be written yet
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

// write adds a line. One that cannot be written, because the disk is full say, waits for the
// next call: the first time that happens is worth a warning.
func (l *metricsLog) write(line []byte) (warning, err error) {
	waiting := len(l.pending) > 0
	l.pending = append(append(l.pending, line...), '\n')
	err = l.flush()
	switch {
	case len(l.pending) > maxPending:
		return nil, err
	case waiting:
		return nil, nil
	}
	return err, nil
}

// flush writes what waits, all of it or nothing.
func (l *metricsLog) flush() error {
	if _, err := l.f.WriteAt(l.pending, l.size); err != nil {
		l.f.Truncate(l.size) // if that fails, too, the next write overwrites it
		return err
	}
	l.size += int64(len(l.pending))
	l.pending = l.pending[:0]
	return nil
}

// sync brings all lines to the disk.
func (l *metricsLog) sync() error {
	if err := l.flush(); err != nil {
		return err
	}
	return l.f.Sync()
}

// revive writes the log again where its file was removed. The file that is open still has
// its lines, though on a network file system they may be lost.
func (l *metricsLog) revive() error {
	here, err := os.Stat(l.f.Name())
	mine, err2 := l.f.Stat()
	if err == nil && err2 == nil && os.SameFile(here, mine) {
		return nil
	}
	lines, err := io.ReadAll(io.NewSectionReader(l.f, 0, l.size))
	if err != nil {
		lines = nil
	}
	again, err := openMetrics(l.f.Name())
	if err != nil {
		return err
	}
	if _, err := again.f.WriteAt(lines, 0); err != nil {
		return errors.Join(err, again.f.Close(), os.Remove(again.f.Name()))
	}
	l.f.Close()
	l.f, l.size = again.f, int64(len(lines))
	return nil
}
