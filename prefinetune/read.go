package prefinetune

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// dataset identifies a split's examples.
type dataset struct {
	Rows   int    `json:"rows"`
	SHA256 string `json:"sha256"` // of all their fields but the place
}

func (d dataset) String() string { return fmt.Sprintf("%d rows of SHA-256 %.12s…", d.Rows, d.SHA256) }

// read calls yield for the examples of a split, as the policy for bad rows has it. Skipped is
// told about those left out.
func (c Config) read(t *task.Task, split string, yield func(task.Example) error, skipped func(error)) error {
	if c.BadRows != "skip" {
		return t.Each(split, yield, nil)
	}
	return t.Each(split, yield, func(err error) error {
		skipped(err)
		return nil
	})
}

// encode reads and encodes every task, on all cores. What comes of it, and of several errors
// which one, does not depend on how many there are.
func (t *Trainer) encode(enc *encoder) error {
	r := &taskReader{cfg: t.cfg, enc: enc, free: make(chan struct{}, runtime.GOMAXPROCS(0))}
	r.failed.Store(int64(len(t.tasks)))
	read := make([]*readTask, len(t.tasks))
	reading := make(chan struct{}, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i, tk := range t.tasks {
		reading <- struct{}{}
		all.Add(1)
		go func() {
			defer all.Done()
			read[i] = r.task(i, tk)
			<-reading
		}()
	}
	all.Wait()
	for _, d := range read {
		if d.err != nil {
			return d.err
		}
		t.train = append(t.train, d.train...)
		t.dev = append(t.dev, d.dev)
		t.counts = append(t.counts, d.count)
		t.data = append(t.data, d.data)
		if c := d.count; c.BadRows > 0 {
			t.cfg.Warn(fmt.Sprintf("task %s: %d bad rows are left out, the first: %s", c.Task.Name, c.BadRows, c.FirstBad[0]))
		}
	}
	if len(t.train) == 0 {
		return errors.New("prefinetune: the tasks have no example that can be learned from")
	}
	return nil
}

// taskReader reads and encodes tasks.
type taskReader struct {
	cfg    Config
	enc    *encoder
	free   chan struct{} // a place for each chunk that is being encoded
	failed atomic.Int64  // least index of a task with an error: those behind it need not go on
}

// readTask is a task as it was read.
type readTask struct {
	train []*example
	dev   devSet
	count taskCount
	data  [2]dataset // train and dev
	err   error
}

// errPointless ends the reading of a task because of an error elsewhere that comes first.
var errPointless = errors.New("another task has an error")

func (r *taskReader) task(index int, tk *task.Task) *readTask {
	d := &readTask{count: taskCount{TaskCount: TaskCount{Task: tk}}}
	defer func() {
		if d.err == nil {
			return
		}
		for least := r.failed.Load(); int64(index) < least && !r.failed.CompareAndSwap(least, int64(index)); {
			least = r.failed.Load()
		}
	}()
	if tk.Family == task.Summarisation && !r.enc.decoder {
		d.err = fmt.Errorf("prefinetune: task %s: summarisation needs an encoder-decoder", tk.Name)
		return d
	}
	d.data[0], d.err = r.split(index, tk, "train", d, func(r row) {
		d.count.label(r.label)
		parts := r.encoded.training()
		if len(parts) == 0 {
			d.count.Dropped++
		}
		for _, e := range parts {
			d.count.add(e)
			d.train = append(d.train, e)
		}
	})
	if d.err == nil {
		d.data[1], d.err = r.split(index, tk, "dev", d, func(r row) {
			d.count.Dev++
			d.dev.texts, d.dev.encoded = append(d.dev.texts, r.example), append(d.dev.encoded, r.encoded)
		})
	}
	return d
}

// row is a record of a split: an example, then with its encoding, or an error.
type row struct {
	example task.Example
	label   int // see position
	encoded *example
	err     error
}

// split reads a split, has it encoded in chunks while it reads on, and gives the examples to
// add, in order. No more chunks are in memory as text than there are cores.
func (r *taskReader) split(index int, tk *task.Task, split string, d *readTask, add func(row)) (dataset, error) {
	const size = 64 // examples of a chunk
	var chunks [][]row
	var encoding sync.WaitGroup
	var stop atomic.Bool
	chunk := make([]row, 0, size)
	flush := func() {
		own := chunk
		chunks = append(chunks, own)
		chunk = make([]row, 0, size)
		r.free <- struct{}{}
		encoding.Add(1)
		go func() {
			defer encoding.Done()
			for i := range own {
				row := &own[i]
				if row.err == nil {
					row.encoded, row.err = r.enc.encode(index, tk, row.example)
				}
				if row.err != nil && r.cfg.BadRows != "skip" {
					stop.Store(true)
				}
				row.label = position(tk, row.example)
				if row.encoded != nil {
					row.encoded.where = row.example.Where
				}
				if split == "train" {
					row.example = task.Example{} // the text is no longer needed
				}
			}
			<-r.free
		}()
	}
	push := func(rw row) error {
		if chunk = append(chunk, rw); len(chunk) == size {
			flush()
		}
		if stop.Load() || r.failed.Load() < int64(index) {
			return errPointless
		}
		return nil
	}
	sum := datasetSum{h: sha256.New()}
	err := r.cfg.read(tk, split, func(ex task.Example) error {
		sum.add(ex)
		return push(row{example: ex})
	}, func(err error) {
		push(row{err: err})
	})
	flush()
	encoding.Wait()
	for _, rows := range chunks {
		for _, rw := range rows {
			switch {
			case rw.err == nil:
				add(rw)
			case r.cfg.BadRows != "skip":
				return dataset{}, rw.err
			default:
				d.count.bad(rw.err)
			}
		}
	}
	if err != nil {
		return dataset{}, err
	}
	if sum.rows == 0 {
		err = fmt.Errorf("task %s: no examples in split %q %s", tk.Name, split, tk.Files(split))
		if n := d.count.BadRows; n > 0 {
			err = fmt.Errorf("%w: %d bad rows are left out, the first: %s", err, n, d.count.FirstBad[0])
		}
		return dataset{}, err
	}
	return sum.done(), nil
}

// datasetSum is a dataset in the making.
type datasetSum struct {
	rows int
	h    hash.Hash
}

func (s *datasetSum) add(ex task.Example) {
	s.rows++
	ex.Where = ""
	data, err := json.Marshal(ex)
	if err != nil {
		panic(fmt.Sprintf("prefinetune: an example as JSON: %v", err)) // texts and numbers
	}
	s.h.Write(append(data, '\n'))
}

func (s *datasetSum) done() dataset { return dataset{s.rows, hex.EncodeToString(s.h.Sum(nil))} }
