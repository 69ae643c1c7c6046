package notebooks

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"sort"
	"strings"
)

// A program is a notebook as one Go file. The interpreter takes declarations and
// statements in any order and lets a later cell declare a name again. So:
//
//   - imports, types and methods move to the file's top;
//   - every other line stays where it is, in main, each cell in a block inside the
//     cell before, where a name may be declared again;
//   - a function becomes a variable of main, so that it sees those of earlier cells;
//   - a cell's last line, if it is an expression, goes to show.
//
// Left to the interpreter alone are a type declared twice and a method that uses a
// function or variable of a cell: the compiler refuses both.
type program struct {
	file    string
	cells   int
	imports map[string]string // what an import says, with the line that first says it
	top     strings.Builder
	main    strings.Builder
}

// translate returns the notebook's program. Cells are named by file and number, from
// 1, in every position. The calls in void, by cell, have no result to show.
func translate(file string, cells []string, void map[int]bool) (*program, error) {
	p := &program{file: file, cells: len(cells), imports: map[string]string{}}
	for i, source := range cells {
		if err := p.cell(i+1, source, void[i+1]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *program) source() string {
	var s strings.Builder
	s.WriteString("package main\n\n")
	specs := make([]string, 0, len(p.imports))
	for spec := range p.imports {
		specs = append(specs, spec)
	}
	sort.Strings(specs)
	for _, spec := range specs {
		fmt.Fprintf(&s, "%simport %s\n", p.imports[spec], spec)
	}
	fmt.Fprintf(&s, "%s\nfunc main() {\n%s%s}\n", p.top.String(), p.main.String(), strings.Repeat("}\n", p.cells))
	return s.String()
}

// cellName is the file name that positions in a cell have.
func cellName(file string, cell int) string { return fmt.Sprintf("%s[%d]", file, cell) }

func (p *program) cell(number int, source string, void bool) error {
	p.main.WriteString("{\n")
	pieces, err := split(cellName(p.file, number), source)
	if err != nil {
		return err
	}
	shown := false
	for i, piece := range pieces {
		last := i == len(pieces)-1 && !void
		isShown, err := p.piece(number, piece, last)
		if err != nil {
			return err
		}
		shown = shown || isShown
	}
	if !shown {
		p.main.WriteString("end()\n")
	}
	return nil
}

// piece adds a piece of a cell. It reports whether it is shown: an expression, and
// the last piece.
func (p *program) piece(number int, piece piece, last bool) (shown bool, err error) {
	at := fmt.Sprintf("//line %s:%d\n", cellName(p.file, number), piece.line)
	several := fmt.Errorf("%s:%d: several statements in a line", cellName(p.file, number), piece.line)
	fset := token.NewFileSet()
	if file, err := parser.ParseFile(fset, "", "package p\n"+at+piece.text, parser.SkipObjectResolution); err == nil {
		if len(file.Decls) != 1 {
			return false, several
		}
		p.declaration(at, piece, file.Decls[0])
		return false, nil
	}
	file, err := parser.ParseFile(fset, "", "package p; func _() {\n"+at+piece.text+"\n}", parser.SkipObjectResolution)
	if err != nil {
		return false, err
	}
	list := file.Decls[0].(*ast.FuncDecl).Body.List
	if len(list) != 1 {
		return false, several
	}
	if strings.HasPrefix(piece.text, "func") {
		return false, fmt.Errorf("%s:%d: the interpreter takes a function without a name for a method", cellName(p.file, number), piece.line)
	}
	if _, ok := list[0].(*ast.ExprStmt); ok && last {
		fmt.Fprintf(&p.main, "show(\n%s%s,\n)\n", at, piece.text)
		return true, nil
	}
	fmt.Fprintf(&p.main, "%s%s\n", at, piece.text)
	if a, ok := list[0].(*ast.AssignStmt); ok && a.Tok == token.DEFINE {
		for _, e := range a.Lhs {
			if name, ok := e.(*ast.Ident); ok {
				p.use(name)
			}
		}
	}
	return false, nil
}

func (p *program) declaration(at string, piece piece, d ast.Decl) {
	f, ok := d.(*ast.FuncDecl)
	if ok && f.Recv == nil {
		params := int(f.Name.End() - f.Pos())
		signature := piece.text[params:int(f.Type.End()-f.Pos())]
		fmt.Fprintf(&p.main, "%svar %s func%s\n", at, f.Name.Name, signature)
		fmt.Fprintf(&p.main, "%s%s = func%s\n", at, f.Name.Name, piece.text[params:])
		p.use(f.Name)
		return
	}
	g, _ := d.(*ast.GenDecl)
	switch {
	case ok || g.Tok == token.TYPE:
		fmt.Fprintf(&p.top, "%s%s\n", at, piece.text)
	case g.Tok == token.IMPORT:
		for _, spec := range g.Specs {
			s := spec.(*ast.ImportSpec)
			text := s.Path.Value
			if s.Name != nil {
				text = s.Name.Name + " " + text
			}
			if p.imports[text] == "" {
				p.imports[text] = at
			}
		}
	default:
		fmt.Fprintf(&p.main, "%s%s\n", at, piece.text)
		for _, spec := range g.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if g.Tok == token.VAR {
					p.use(name)
				}
			}
		}
	}
}

// use keeps the compiler from refusing a variable that only the reader looks at.
func (p *program) use(name *ast.Ident) {
	if name.Name != "_" {
		fmt.Fprintf(&p.main, "_ = %s\n", name.Name)
	}
}

// A piece is a declaration or a statement of a cell.
type piece struct {
	text string
	line int
}

// split cuts a cell at the ends of lines that are in no brackets and end a statement.
func split(name, source string) ([]piece, error) {
	fset := token.NewFileSet()
	file := fset.AddFile(name, -1, len(source))
	var errs scanner.ErrorList
	var s scanner.Scanner
	s.Init(file, []byte(source), errs.Add, 0)
	var pieces []piece
	depth, start, end := 0, -1, 0
	for {
		pos, tok, lit := s.Scan()
		switch tok {
		case token.LPAREN, token.LBRACE, token.LBRACK:
			depth++
		case token.RPAREN, token.RBRACE, token.RBRACK:
			depth--
		}
		lineEnds := tok == token.SEMICOLON && lit == "\n"
		switch {
		case tok == token.EOF || lineEnds && depth == 0:
			if start >= 0 {
				pieces = append(pieces, piece{source[start:end], file.Line(file.Pos(start))})
			}
			start = -1
		case !lineEnds:
			if start < 0 {
				start = file.Offset(pos)
			}
			if lit == "" {
				lit = tok.String()
			}
			end = file.Offset(pos) + len(lit)
		}
		if tok == token.EOF {
			return pieces, errs.Err()
		}
	}
}
