// Package layers tests the shape of the house: which package may import which,
// what comes from outside, and how the files are kept. It has no code of its own.
package layers

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/muppet-go/muppet"
)

// The floor of every package; folders inside belong to their parent's floor.
// Imports stay on a floor or go down.
var floors = map[string]int{
	"cmd":               7,
	"examples":          7,
	"notebooks":         7,
	"prefinetune":       6,
	"transformer":       5,
	"nn":                4,
	"optim":             4,
	"ops":               3,
	"autograd":          2,
	"device":            1,
	"simd":              0,
	"internal/file":     0,
	"internal/hugepage": 0,
	"internal/parallel": 0,
	"internal/parquet":  0,
	"internal/layers":   0,
}

// The foundation, up to this floor, is built on little: somebody who wants
// gradients does not get a YAML parser with them.
const foundation = 4

var foundationModules = []string{module, "gonum.org/v1/gonum", "golang.org/x/sys"}

// A file is of a length that can be read in one sitting. Longer ones stand here
// with their reason.
const maxLines = 650

var longFiles = map[string]string{}

// Names that say nothing about what is inside.
var namelessPackages = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "lib"}

// Methods that everybody knows.
var wellKnownMethods = []string{"String", "Error", "Unwrap", "Len", "Less", "Swap", "Push", "Pop", "Read", "Write"}

type file struct {
	path      string // from the root, with slashes
	dir       string
	lines     int
	generated bool
	syntax    *ast.File // nil for assembly
	fset      *token.FileSet
}

// As https://go.dev/s/generatedcode has it, in Go and in assembly.
var generatedMark = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func (f *file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

// at is the place of a node as compilers print it.
func (f *file) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// files reads every Go and assembly file of the module, for every platform.
var files = sync.OnceValues(func() (all []*file, err error) {
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == root {
				return nil
			}
			if base := d.Name(); base[0] == '.' || base[0] == '_' || base == "testdata" {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		ext := filepath.Ext(name)
		if ext != ".go" && ext != ".s" {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f := &file{
			path:      filepath.ToSlash(rel),
			dir:       path.Dir(filepath.ToSlash(rel)),
			lines:     bytes.Count(src, []byte("\n")),
			generated: generatedMark.Match(src),
			fset:      token.NewFileSet(),
		}
		if ext == ".go" {
			if f.syntax, err = parser.ParseFile(f.fset, name, src, parser.ParseComments|parser.SkipObjectResolution); err != nil {
				return err
			}
		}
		all = append(all, f)
		return nil
	})
	return all, err
})

func load(t *testing.T) []*file {
	t.Helper()
	all, err := files()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("found %d files: is %s the root?", len(all), root)
	}
	return all
}

func floor(dir string) (int, bool) {
	for ; dir != "."; dir = path.Dir(dir) {
		if n, ok := floors[dir]; ok {
			return n, true
		}
	}
	return 0, false
}

func TestImportsGoDown(t *testing.T) {
	for _, f := range load(t) {
		from, ok := floor(f.dir)
		if !ok {
			t.Errorf("%s: its folder has no floor: enter it in the table", f.path)
			continue
		}
		if f.syntax == nil || f.test() {
			continue // an example may well show what is built on its package
		}
		for _, spec := range f.syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			dir, ok := strings.CutPrefix(imported, module+"/")
			if !ok {
				continue
			}
			if to, ok := floor(dir); !ok || to > from {
				t.Errorf("%s: floor %d imports %s from floor %d", f.at(spec), from, dir, to)
			}
		}
	}
}

func TestFoundationIsSmall(t *testing.T) {
	args := []string{"list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"}
	packages := map[string]bool{}
	for _, f := range load(t) {
		if n, ok := floor(f.dir); ok && n <= foundation && f.syntax != nil && !f.test() {
			packages["./"+f.dir] = true
		}
	}
	for p := range packages {
		args = append(args, p)
	}
	for _, platform := range []string{"linux/amd64", "linux/arm64", "linux/riscv64", "darwin/arm64", "windows/amd64", "js/wasm"} {
		goos, goarch, _ := strings.Cut(platform, "/")
		cmd := exec.Command("go", args...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: go list: %v\n%s", platform, err, stderr.Bytes())
		}
		closure := strings.Fields(string(out))
		if len(closure) < len(packages) {
			t.Fatalf("%s: go list found %d packages, want %d or more", platform, len(closure), len(packages))
		}
		for _, imported := range closure {
			known := slices.ContainsFunc(foundationModules, func(m string) bool {
				return imported == m || strings.HasPrefix(imported, m+"/")
			})
			if !known {
				t.Errorf("%s: floors 0 to %d need %s", platform, foundation, imported)
			}
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, f := range load(t) {
		reason, excused := longFiles[f.path]
		switch {
		case f.generated:
		case f.lines > maxLines && !excused:
			t.Errorf("%s: %d lines, more than %d", f.path, f.lines, maxLines)
		case f.lines <= maxLines && excused:
			t.Errorf("%s: needs no excuse (%q) any more", f.path, reason)
		}
	}
}

func TestPackagesHaveNamesAndDocs(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range load(t) {
		if f.syntax == nil || f.test() && f.dir != "internal/layers" {
			continue
		}
		if slices.Contains(namelessPackages, f.syntax.Name.Name) {
			t.Errorf("%s: a package called %s could hold anything", f.path, f.syntax.Name.Name)
		}
		documented[f.dir] = documented[f.dir] || f.syntax.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no package comment", dir)
		}
	}
}

func TestExportedIdentifiersAreDocumented(t *testing.T) {
	for _, f := range load(t) {
		if f.syntax == nil || f.test() || f.syntax.Name.Name == "main" {
			continue
		}
		for _, decl := range f.syntax.Decls {
			for _, n := range undocumented(decl) {
				t.Errorf("%s: %s has no doc comment", f.at(n), n.Name)
			}
		}
	}
}

// undocumented returns the exported names that a declaration leaves without a
// comment. One above a group of constants or variables speaks for all of them.
func undocumented(decl ast.Decl) (names []*ast.Ident) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc != nil || !d.Name.IsExported() {
			return nil
		}
		if d.Recv != nil && (!ast.IsExported(receiver(d)) || slices.Contains(wellKnownMethods, d.Name.Name)) {
			return nil
		}
		return []*ast.Ident{d.Name}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Doc == nil && s.Comment == nil && (d.Doc == nil || len(d.Specs) > 1) && s.Name.IsExported() {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				if d.Doc != nil || s.Doc != nil || s.Comment != nil {
					continue
				}
				for _, name := range s.Names {
					if name.IsExported() {
						names = append(names, name)
					}
				}
			}
		}
	}
	return names
}

func receiver(d *ast.FuncDecl) string {
	for e := d.Recv.List[0].Type; ; {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// The interpreter behind the notebooks cannot see generic functions and types.
func TestPublicAPIIsNotGeneric(t *testing.T) {
	for _, f := range load(t) {
		if f.syntax == nil || f.test() || f.syntax.Name.Name == "main" || strings.HasPrefix(f.dir, "internal/") {
			continue
		}
		for _, decl := range f.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() && d.Type.TypeParams != nil {
					t.Errorf("%s: %s is generic", f.at(d), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() && s.TypeParams != nil {
						t.Errorf("%s: %s is generic", f.at(s), s.Name.Name)
					}
				}
			}
		}
	}
}

// The checks themselves: each must catch what it is there for.
func TestChecksCatch(t *testing.T) {
	const src = `package p
func Bare() {}
// Told is documented.
func Told() {}
type T struct{}
func (T) Method() {}
func (T) String() string { return "" }
type hidden struct{}
func (*hidden) Method() {}
const (
	A = 1
	B = 2 // two
)
// Both are documented.
var C, D int
type (
	// E is documented.
	E int
	F int
)
`
	syntax, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, decl := range syntax.Decls {
		for _, n := range undocumented(decl) {
			got = append(got, n.Name)
		}
	}
	if want := []string{"Bare", "T", "Method", "A", "F"}; !slices.Equal(got, want) {
		t.Errorf("undocumented: %v, want %v", got, want)
	}
	for dir, want := range map[string]int{"ops": 3, "device/reference": 1, "nn/safetensors": 4, "transformer/safetensors": 5, "cmd/muppet": 7} {
		if got, ok := floor(dir); !ok || got != want {
			t.Errorf("%s is on floor %d, want %d", dir, got, want)
		}
	}
	if _, ok := floor("internal/elsewhere"); ok {
		t.Error("an unknown folder has a floor")
	}
}
