package prefinetune

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/file"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/optim"
	"github.com/muppet-go/muppet/simd"
)

// A checkpoint is a folder checkpoints/step-000123 with model.safetensors,
// optimizer.safetensors, state.json and, for all three, SHA256SUMS, in the form that the
// program sha256sum checks. It is written under another name and renamed when all of it is
// on disk, so that a folder of that name is whole.

// state is what a checkpoint knows besides tensors.
type state struct {
	Step           int             `json:"step"`
	OptimizerSteps map[string]int  `json:"optimizer_steps"`
	MetricsBytes   int64           `json:"metrics_bytes"` // length of metrics.jsonl
	Machine        machine         `json:"machine"`
	Run            json.RawMessage `json:"run"` // what the run itself keeps
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
	sumsFile       = "SHA256SUMS"
)

var checkpointFiles = []string{"model.safetensors", "optimizer.safetensors", "state.json"}

// save writes a checkpoint of a step and removes all but the newest. Where it fails it
// leaves nothing behind, and the checkpoints there are as they were. A folder that is gone
// is made anew.
func (f *folder) save(step int, model any, opt *optim.Optimizer, run any) error {
	if err := f.revive(); err != nil {
		return err
	}
	if err := f.log.sync(); err != nil { // the state refers to its length
		return err
	}
	if f.events == nil {
		if err := f.board(); err != nil {
			f.warn(fmt.Sprintf("step %d: TensorBoard's file cannot be written: %v", step, err))
		}
	}
	own, err := json.Marshal(run)
	if err != nil {
		return err
	}
	moments, steps := opt.State()
	s := state{Step: step, OptimizerSteps: steps, MetricsBytes: f.log.size, Machine: thisMachine(), Run: own}
	err = f.write(fmt.Sprintf("step-%06d", step), func(dir string) error {
		if err := nn.Save(filepath.Join(dir, "model.safetensors"), model); err != nil {
			return err
		}
		if err := nn.SaveEntries(filepath.Join(dir, "optimizer.safetensors"), moments); err != nil {
			return err
		}
		if err := writeJSON(filepath.Join(dir, "state.json"), s); err != nil {
			return err
		}
		var sums bytes.Buffer
		for _, name := range checkpointFiles {
			sum, err := sumFile(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			fmt.Fprintf(&sums, "%s  %s\n", sum, name)
		}
		return writeFile(filepath.Join(dir, sumsFile), sums.Bytes())
	})
	if err != nil {
		return err
	}
	f.saved = step
	return f.removeOld()
}

// write makes the folder of a name among the checkpoints, in the place of one that is there: under
// another name first, so that under its own it is whole.
func (f *folder) write(name string, content func(dir string) error) (err error) {
	dir := filepath.Join(f.path, checkpointsDir)
	temporary := filepath.Join(dir, ".writing-"+name)
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(temporary) // of a full disk, too
		}
	}()
	if err := os.MkdirAll(temporary, 0o755); err != nil {
		return err
	}
	if err := content(temporary); err != nil {
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

func (f *folder) removeOld() error {
	names, err := f.checkpoints()
	if err != nil {
		return err
	}
	for _, name := range names[:max(0, len(names)-f.keep)] {
		if err := os.RemoveAll(filepath.Join(f.path, checkpointsDir, name)); err != nil {
			return err
		}
	}
	return nil
}

// checkpoints returns the names of the checkpoints, oldest first.
func (f *folder) checkpoints() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(f.path, checkpointsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "step-") {
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

// restore loads the newest checkpoint that can be read and returns its step; found is false if
// there are none at all. Those that cannot be read are put aside, with a warning. If none can, that is an error:
// to begin again is not this program's decision. Own takes what was saved of the run, or says
// why it is not this one's; it may be called for several checkpoints.
func (f *folder) restore(model any, opt *optim.Optimizer, own func(data []byte) error) (step int, found bool, err error) {
	names, err := f.checkpoints()
	if err != nil {
		return 0, false, fmt.Errorf("prefinetune: %w", err)
	}
	if len(names) == 0 {
		return 0, false, f.log.truncate(0)
	}
	var broken []string
	var reasons []error
	for _, name := range slices.Backward(names) {
		dir := filepath.Join(f.path, checkpointsDir, name)
		s, err := readCheckpoint(dir, f.steps, model, opt, own)
		if err != nil {
			broken, reasons = append(broken, dir), append(reasons, fmt.Errorf("checkpoint %s cannot be read: %w", dir, err))
			continue
		}
		if err := f.log.truncate(s.MetricsBytes); err != nil {
			return 0, false, fmt.Errorf("prefinetune: cannot resume from %s: %w", dir, err)
		}
		for i, dir := range broken {
			aside := filepath.Join(filepath.Dir(dir), "unreadable-"+filepath.Base(dir))
			if err := errors.Join(os.RemoveAll(aside), os.Rename(dir, aside)); err != nil {
				return 0, false, fmt.Errorf("prefinetune: %w", err)
			}
			f.warn(fmt.Sprintf("%v; it is now %s, and the run goes back to %s", reasons[i], filepath.Base(aside), name))
		}
		if w := s.Machine.warning(); w != "" {
			f.warn(w)
		}
		if f.saved = s.Step; s.Step == f.steps {
			f.warn(fmt.Sprintf("%s holds this run, complete at step %d: nothing left to train", f.path, s.Step))
		} else if s.Step > 0 {
			f.warn(fmt.Sprintf("resuming at step %d of %d", s.Step, f.steps))
		}
		return s.Step, true, nil
	}
	return 0, false, fmt.Errorf("prefinetune: %w (remove %s to start again)", errors.Join(reasons...), filepath.Join(f.path, checkpointsDir))
}

// readCheckpoint reads a checkpoint of a run of so many steps back.
func readCheckpoint(dir string, steps int, model any, opt *optim.Optimizer, own func(data []byte) error) (s state, err error) {
	if err := checkSums(dir); err != nil {
		return s, err
	}
	if err := readJSON(filepath.Join(dir, "state.json"), &s); err != nil {
		return s, err
	}
	if s.Step < 0 || s.Step > steps || s.MetricsBytes < 0 {
		return s, fmt.Errorf("state.json does not fit the run: step %d of %d, metrics of %d bytes", s.Step, steps, s.MetricsBytes)
	}
	if err := own(s.Run); err != nil {
		return s, fmt.Errorf("state.json does not fit the run: %w", err)
	}
	if err := nn.Load(filepath.Join(dir, "model.safetensors"), model); err != nil {
		return s, err
	}
	moments, _ := opt.State()
	if err := nn.LoadEntries(filepath.Join(dir, "optimizer.safetensors"), moments); err != nil {
		return s, err
	}
	return s, opt.SetSteps(s.OptimizerSteps)
}

// checkSums compares the files of a checkpoint with their sums.
func checkSums(dir string) error {
	path := filepath.Join(dir, sumsFile)
	content, err := file.Read(path, 1<<16)
	if err != nil {
		return err
	}
	want := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		want[name] = sum
	}
	for _, name := range checkpointFiles {
		sum, err := sumFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if sum != want[name] {
			return fmt.Errorf("%s is not what was written: its SHA-256 is %s, in %s %q", filepath.Join(dir, name), sum, sumsFile, want[name])
		}
	}
	return nil
}

func sumFile(path string) (string, error) {
	f, err := file.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
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
