package schema

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"sync"
)

// keyLengths identifies a row of a table of keys.
type keyLengths struct {
	name      string
	form, doc int
}

// keyText is what a row of a table of keys says in the source.
type keyText struct{ form, doc string }

// keyTexts returns the texts of all tables of keys, from the source of this package.
var keyTexts = sync.OnceValue(func() map[keyLengths]keyText {
	names, err := filepath.Glob("*.go")
	if err != nil {
		panic(err)
	}
	s := source{consts: map[string]ast.Expr{}}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			panic(err)
		}
		files = append(files, file)
		ast.Inspect(file, s.addConsts)
	}
	texts := map[keyLengths]keyText{}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			row, is := n.(*ast.CompositeLit)
			if !is || row.Type != nil || len(row.Elts) != 4 {
				return true
			}
			form, is := s.measured(row.Elts[1])
			doc, also := s.measured(row.Elts[2])
			if !is || !also {
				return true
			}
			text := keyText{form, doc}
			lengths := keyLengths{s.text(row.Elts[0]), len(form), len(doc)}
			if other, known := texts[lengths]; known && other != text {
				panic(fmt.Sprintf("two keys %q cannot be told apart: change a word of %q", lengths.name, doc))
			}
			texts[lengths] = text
			return true
		})
	}
	return texts
})

// source knows the constants of the package.
type source struct{ consts map[string]ast.Expr }

func (s *source) addConsts(n ast.Node) bool {
	if d, is := n.(*ast.GenDecl); is && d.Tok == token.CONST {
		for _, spec := range d.Specs {
			spec := spec.(*ast.ValueSpec)
			for i, value := range spec.Values {
				s.consts[spec.Names[i].Name] = value
			}
		}
	}
	return true
}

// measured returns the text of the expression len(text).
func (s *source) measured(e ast.Expr) (text string, is bool) {
	call, is := e.(*ast.CallExpr)
	if !is || len(call.Args) != 1 {
		return "", false
	}
	if f, is := call.Fun.(*ast.Ident); !is || f.Name != "len" {
		return "", false
	}
	return s.text(call.Args[0]), true
}

// text returns the value of a constant expression.
func (s *source) text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.StringVal(constant.MakeFromLiteral(e.Value, e.Kind, 0))
	case *ast.BinaryExpr:
		return s.text(e.X) + s.text(e.Y)
	case *ast.Ident:
		return s.text(s.consts[e.Name])
	}
	panic(fmt.Sprintf("%T is no constant text", e))
}
