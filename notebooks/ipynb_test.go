package notebooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// A notebook is an .ipynb file (nbformat 4) as JSON, so that what the tests do not
// know of stays when they write it.
type notebook struct {
	path string
	json map[string]any
}

func readNotebook(path string) (*notebook, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	n := &notebook{path: path}
	if err := json.Unmarshal(data, &n.json); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if v := n.json["nbformat"]; v != 4.0 {
		return nil, fmt.Errorf("%s: nbformat %v, want 4", path, v)
	}
	return n, nil
}

// write writes the notebook as Jupyter does: keys sorted, indented by one.
func (n *notebook) write() error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(n.json); err != nil {
		return err
	}
	return os.WriteFile(n.path, b.Bytes(), 0o644)
}

func (n *notebook) codeCells() []map[string]any {
	var code []map[string]any
	cells, _ := n.json["cells"].([]any)
	for _, c := range cells {
		if c, ok := c.(map[string]any); ok && c["cell_type"] == "code" {
			code = append(code, c)
		}
	}
	return code
}

func (n *notebook) sources() []string {
	var s []string
	for _, c := range n.codeCells() {
		s = append(s, text(c["source"]))
	}
	return s
}

// An output is what a cell printed and what its last expression displayed, by MIME
// type.
type output struct {
	stdout string
	data   map[string]string
}

// stored returns the output that a cell's JSON has.
func stored(cell map[string]any) (output, error) {
	o := output{data: map[string]string{}}
	list, _ := cell["outputs"].([]any)
	for _, item := range list {
		item, _ := item.(map[string]any)
		switch kind := item["output_type"]; {
		case kind == "stream" && item["name"] == "stdout":
			o.stdout += text(item["text"])
		case kind == "execute_result" && len(o.data) == 0:
			data, _ := item["data"].(map[string]any)
			for mime, v := range data {
				o.data[mime] = text(v)
			}
		default:
			return o, fmt.Errorf("an output of kind %v %v, which no run of a cell has", kind, item["name"])
		}
	}
	return o, nil
}

// store puts o into the cell, the count-th one run.
func store(cell map[string]any, o output, count int) {
	list := []any{}
	if o.stdout != "" {
		list = append(list, map[string]any{"output_type": "stream", "name": "stdout", "text": lines(o.stdout)})
	}
	if len(o.data) > 0 {
		data := map[string]any{}
		for mime, s := range o.data {
			data[mime] = lines(s)
		}
		list = append(list, map[string]any{
			"output_type": "execute_result", "execution_count": count, "metadata": map[string]any{}, "data": data,
		})
	}
	cell["outputs"], cell["execution_count"] = list, count
}

// compare returns an error that shows in what a run's output is not the one stored.
func compare(got, want output) error {
	if got.stdout != want.stdout {
		return fmt.Errorf("printed\n%s\nbut the notebook has\n%s", got.stdout, want.stdout)
	}
	for mime := range got.data {
		if w, ok := want.data[mime]; !ok || w != got.data[mime] {
			return fmt.Errorf("%s is\n%s\nbut the notebook has\n%s", mime, got.data[mime], w)
		}
	}
	for mime := range want.data {
		if _, ok := got.data[mime]; !ok {
			return fmt.Errorf("there is no %s, but the notebook has one", mime)
		}
	}
	return nil
}

// text joins what nbformat keeps as a string or as a list of lines.
func text(v any) string {
	list, ok := v.([]any)
	if !ok {
		s, _ := v.(string)
		return s
	}
	var s strings.Builder
	for _, line := range list {
		s.WriteString(text(line))
	}
	return s.String()
}

func lines(s string) []any {
	var list []any
	for _, line := range strings.SplitAfter(s, "\n") {
		if line != "" {
			list = append(list, line)
		}
	}
	return list
}
