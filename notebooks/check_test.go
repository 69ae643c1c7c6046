package notebooks

import (
	"bufio"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// The interpreter knows the language of Go 1.17 (no type parameters, no range over
// integers and functions, no min, max and clear) and the functions, types, variables
// and constants that the standard library had in Go 1.13. Methods and fields it finds
// by reflection, whatever their age. The type checker holds cells to that language.
const (
	language = "go1.17"
	library  = 13
)

// A checked program is one that the interpreter can run, as far as a compiler can say.
type checked struct {
	file   string
	source string
	cells  int
}

// check translates the cells and returns all that the interpreter could not do with
// them as one error.
func check(file string, cells []string) (*checked, error) {
	void := map[int]bool{}
	for {
		p, err := translate(file, cells, void)
		if err != nil {
			return nil, err
		}
		c := &checked{file: file, source: p.source(), cells: len(cells)}
		found, err := c.check()
		if err != nil || len(found) == 0 {
			return c, err
		}
		for _, cell := range found {
			void[cell] = true
		}
	}
}

// check returns the cells whose last call has no result, or an error.
func (c *checked) check() (void []int, err error) {
	fset := token.NewFileSet()
	main, err := parser.ParseFile(fset, "main.go", c.source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	kernel, err := parser.ParseFile(fset, kernelFile, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	imports, err := importing(fset, main, kernel)
	if err != nil {
		return nil, err
	}
	var errs []error
	conf := types.Config{Importer: imports, GoVersion: language, Error: func(err error) { errs = append(errs, err) }}
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
	}
	conf.Check("main", fset, []*ast.File{main, kernel}, info)
	ast.Inspect(main, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "show" && len(call.Args) == 1 && info.Types[call.Args[0]].IsVoid() {
			void = append(void, cellOf(fset.Position(call.Args[0].Pos()).Filename))
		}
		return true
	})
	if len(void) > 0 {
		return void, nil
	}
	added, err := newNames()
	if err != nil {
		return nil, err
	}
	refuse := func(n ast.Node, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", fset.Position(n.Pos()), fmt.Sprintf(format, args...)))
	}
	checkLibrary(main, info, added, refuse)
	checkLoops(main, info, refuse)
	checkLonely(main, info, refuse)
	checkRest(main, refuse)
	return nil, errors.Join(errs...)
}

var cellPattern = regexp.MustCompile(`\[(\d+)\]$`)

func cellOf(name string) int {
	n, err := strconv.Atoi(cellPattern.FindStringSubmatch(name)[1])
	if err != nil {
		panic(err)
	}
	return n
}

// checkLibrary refuses what came into the standard library after the release that
// added is of.
func checkLibrary(file *ast.File, info *types.Info, added map[string]int, refuse func(ast.Node, string, ...any)) {
	ast.Inspect(file, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		obj := info.Uses[id]
		if obj == nil || obj.Pkg() == nil || obj.Parent() != obj.Pkg().Scope() {
			return true
		}
		if release := added[obj.Pkg().Path()+"."+obj.Name()]; release > 0 {
			refuse(n, "%s.%s came with Go 1.%d, the interpreter has the library of Go 1.%d", obj.Pkg().Path(), obj.Name(), release, library)
		}
		return true
	})
}

// checkLoops refuses what tells one variable of a loop for each iteration from one
// for all: a function that captures it, or its address.
func checkLoops(file *ast.File, info *types.Info, refuse func(ast.Node, string, ...any)) {
	ast.Inspect(file, func(loop ast.Node) bool {
		vars := map[types.Object]bool{}
		var declared []ast.Expr
		switch loop := loop.(type) {
		case *ast.ForStmt:
			if a, ok := loop.Init.(*ast.AssignStmt); ok {
				declared = a.Lhs
			}
		case *ast.RangeStmt:
			declared = []ast.Expr{loop.Key, loop.Value}
		}
		for _, e := range declared {
			if id, ok := e.(*ast.Ident); ok && info.Defs[id] != nil {
				vars[info.Defs[id]] = true
			}
		}
		if len(vars) == 0 {
			return true
		}
		uses := func(n ast.Node, what string) {
			ast.Inspect(n, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && vars[info.Uses[id]] {
					refuse(id, "%s loop variable %s, which the interpreter has one of for all iterations", what, id.Name)
				}
				return true
			})
		}
		ast.Inspect(loop, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				uses(n.Body, "a function captures")
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					if _, literal := n.X.(*ast.CompositeLit); !literal {
						uses(n.X, "an address is taken of")
					}
				}
			}
			return true
		})
		return true
	})
}

// checkLonely refuses a map's element, a received value and a type assertion that are
// the only argument of a call, what a cell shows, or a condition: the interpreter passes
// on as a second value whether there was one, or warns that it does not.
func checkLonely(file *ast.File, info *types.Info, refuse func(ast.Node, string, ...any)) {
	check := func(e ast.Expr) {
		lonely := false
		switch e := ast.Unparen(e).(type) {
		case *ast.IndexExpr:
			_, lonely = info.TypeOf(e.X).Underlying().(*types.Map)
		case *ast.UnaryExpr:
			lonely = e.Op == token.ARROW
		case *ast.TypeAssertExpr:
			lonely = true
		}
		if lonely {
			refuse(e, "alone, this has a second value in the interpreter; give it a name first")
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if len(n.Args) == 1 && info.Types[n.Fun].IsValue() {
				check(n.Args[0])
			}
		case *ast.IfStmt:
			check(n.Cond)
		case *ast.ForStmt:
			check(n.Cond)
		}
		return true
	})
}

// Methods that compiled code looks for in a value of any type. It sees none that cells
// declare, and the kernel draws pictures only of values, not of pointers.
var unseen = map[string]bool{"String": true, "GoString": true, "Error": true, "Format": true, "Compose": true}

// checkRest refuses what can be told from the syntax alone.
func checkRest(file *ast.File, refuse func(ast.Node, string, ...any)) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			if n.Name != nil && n.Name.Name == "." {
				refuse(n, "the interpreter cannot import into the cell's own scope")
			}
		case *ast.BranchStmt:
			if n.Tok == token.GOTO {
				refuse(n, "the interpreter has no goto")
			}
		case *ast.FuncDecl:
			if n.Recv == nil {
				break
			}
			if unseen[n.Name.Name] {
				refuse(n.Name, "compiled code does not see the method %s of a cell's type", n.Name.Name)
			}
			_, pointer := n.Recv.List[0].Type.(*ast.StarExpr)
			if pointer && (n.Name.Name == "SVG" || n.Name.Name == "HTML") {
				refuse(n.Name, "the kernel crashes at a pointer with a method %s that a cell declares", n.Name.Name)
			}
		}
		return true
	})
}

var newNames = sync.OnceValues(func() (map[string]int, error) { return addedSince(library) })

// addedSince returns the release, the 20 of Go 1.20, in which each package.Name came
// into the standard library, for those that came after the given one. There are none
// where Go came as a module: that has no lists.
func addedSince(release int) (map[string]int, error) {
	old, added := map[string]bool{}, map[string]int{}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "api", "go1*.txt"))
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "go1."), ".txt"))
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			switch name := listed(s.Text()); {
			case name == "":
			case n <= release:
				old[name] = true
			default:
				if added[name] == 0 || n < added[name] {
					added[name] = n
				}
			}
		}
		f.Close()
	}
	for name := range old {
		delete(added, name)
	}
	return added, nil
}

// Lines such as
//
//	pkg fmt, func Println(...interface{}) (int, error)
//	pkg net/http, type Server struct, DisableGeneralOptionsHandler bool
//	pkg syscall (linux-amd64), const O_PATH = 2097152
//
// The second is no news: the type is listed by itself in the release that it came with.
var listing = regexp.MustCompile(`^pkg ([^ ,]+)(?: \([^)]*\))?, (?:func|var|const|type) (\w+)`)

func listed(line string) string {
	m := listing.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	return m[1] + "." + m[2]
}

// exports has the files in the build cache with what packages export, by import path.
var exports = struct {
	sync.Mutex
	files map[string]string
}{files: map[string]string{}}

// importing returns an importer of what the files import.
func importing(fset *token.FileSet, files ...*ast.File) (types.Importer, error) {
	exports.Lock()
	defer exports.Unlock()
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}
	known := len(args)
	for _, f := range files {
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, err
			}
			if exports.files[path] == "" {
				args = append(args, path)
			}
		}
	}
	if len(args) > known {
		cmd := exec.Command("go", args...)
		cmd.Env = environment()
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, stderr.String())
		}
		for _, line := range strings.Split(string(out), "\n") {
			if path, file, ok := strings.Cut(line, "\t"); ok {
				exports.files[path] = file
			}
		}
	}
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		exports.Lock()
		defer exports.Unlock()
		return os.Open(exports.files[path])
	}), nil
}

// environment is that of the go command in the tests: what they need is there already.
func environment() []string { return append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off") }
