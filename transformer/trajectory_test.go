package transformer

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/optim"
)

// TestTrajectory trains models 200 steps as testdata/trajectory.py did with PyTorch, and compares the loss of every step.
func TestTrajectory(t *testing.T) {
	for _, name := range []string{"roberta", "bart"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", "trajectory", name)
			var stored struct {
				Decay, Clip, Beta1, Beta2, Eps float64
				Examples                       []struct {
					Source, Target []int32
					Label          int32
				}
				Steps []struct {
					Examples       []int
					LR, Loss, Norm float64
				}
			}
			data, err := os.ReadFile(filepath.Join(dir, "steps.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, &stored); err != nil {
				t.Fatal(err)
			}
			if len(stored.Steps) != 200 {
				t.Fatalf("%d steps", len(stored.Steps))
			}
			m, err := Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			opt := optim.NewAdamW(nn.Parameters(m), optim.AdamWConfig{Beta1: stored.Beta1, Beta2: stored.Beta2, Eps: stored.Eps, WeightDecay: stored.Decay})
			opt.ClipNorm = stored.Clip
			scope, grads := autograd.NewScope(), autograd.NewGradients()
			worst := 0.0
			for i, s := range stored.Steps {
				var sources, targets [][]int32
				var labels []int32
				for _, j := range s.Examples {
					e := stored.Examples[j]
					sources, targets, labels = append(sources, e.Source), append(targets, e.Target), append(labels, e.Label)
				}
				b := Pack(sources...)
				var scores *autograd.Tensor
				if m.LM != nil {
					target := Pack(targets...)
					labels = target.IDs
					scores = m.LM.Forward(m.Bart.Decode(target.ShiftRight(m.Config), m.Bart.Encode(scope, b, nil), b.Segments, nil), m.Bart.Shared)
				} else {
					scores = m.Classifier.Forward(m.Encode(scope, b), m.SequenceRows(b), nil)
				}
				loss := ops.CrossEntropy(scores, scope.New(labels))
				autograd.Backward(loss, grads)
				got := loss.Item()
				opt.LR = s.LR
				norm := opt.Step(grads)
				scope.Reset()
				off := math.Abs(got-s.Loss) / s.Loss
				worst = math.Max(worst, off)
				if !(off <= 1e-3) {
					t.Fatalf("step %d: loss %.7f, PyTorch has %.7f", i+1, got, s.Loss)
				}
				if !(math.Abs(norm-s.Norm) <= 5e-3*s.Norm) {
					t.Fatalf("step %d: gradient norm %.6f, PyTorch has %.6f", i+1, norm, s.Norm)
				}
			}
			t.Logf("largest relative difference of the loss: %.2g", worst)
		})
	}
}
