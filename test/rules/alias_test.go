package rules_test

import (
	"go/ast"
	"go/doc"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// aliased are the rooms whose types are defined in internal rooms and shown by alias.
var aliased = []string{"local/minibus", "local/minicosmos", "local/minihost"}

// TestAliasDocNamesItsFields: go doc shows nothing of what an alias of an internal struct
// has, so its comment lists the fields, a line each or several of one type, and no others.
func TestAliasDocNamesItsFields(t *testing.T) {
	t.Parallel()
	for _, room := range aliased {
		p, structs := documentation(t, room), 0
		for _, of := range p.Types {
			target, ok := definition(t, p, of)
			if !ok {
				continue
			}
			structs++
			has, says := fields(target), listed(of.Doc)
			for _, name := range has {
				if !slices.Contains(says, name) {
					t.Errorf("%s: the comment of %s does not list its field %s", room, of.Name, name)
				}
			}
			for _, name := range says {
				if !slices.Contains(has, name) {
					t.Errorf("%s: the comment of %s lists %s, which is no field", room, of.Name, name)
				}
			}
		}
		require.NotZero(t, structs, "%s has no alias of a struct: is it still in the right list?", room)
	}
}

// definition is the struct that an alias stands for; false for every other type.
func definition(t *testing.T, p *doc.Package, of *doc.Type) (*ast.StructType, bool) {
	t.Helper()
	alias := of.Decl.Specs[0].(*ast.TypeSpec)
	target, elsewhere := alias.Type.(*ast.SelectorExpr)
	if !alias.Assign.IsValid() || !elsewhere {
		return nil, false
	}
	name := target.X.(*ast.Ident).Name
	from := slices.IndexFunc(p.Imports, func(of string) bool { return path.Base(of) == name })
	require.GreaterOrEqual(t, from, 0, "%s: no import is called %s", of.Name, name)
	room := strings.TrimPrefix(p.Imports[from], module)
	types := documentation(t, room).Types
	at := slices.IndexFunc(types, func(of *doc.Type) bool { return of.Name == target.Sel.Name })
	require.GreaterOrEqual(t, at, 0, "%s has no %s", room, target.Sel.Name)
	s, ok := types[at].Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType)
	return s, ok
}

// fields are the exported fields of a struct; an embedded one is called as its type.
func fields(s *ast.StructType) []string {
	var names []string
	for _, f := range s.Fields.List {
		for _, name := range f.Names {
			names = append(names, name.Name)
		}
		if len(f.Names) > 0 {
			continue
		}
		switch of := f.Type.(type) {
		case *ast.Ident:
			names = append(names, of.Name)
		case *ast.SelectorExpr:
			names = append(names, of.Sel.Name)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return !ast.IsExported(name) })
}

// fieldLine is a line of the list: names, then a type, or the comment of an embedded one.
var fieldLine = regexp.MustCompile(`^\t(\w+(?:, \w+)*)(?:\s|$)`)

// listed are the names in the first indented block of a comment; what is indented after it
// may be a table of something else.
func listed(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		m := fieldLine.FindStringSubmatch(line)
		switch {
		case m != nil:
			names = append(names, strings.Split(m[1], ", ")...)
		case names != nil && !strings.HasPrefix(line, "\t"):
			return names
		}
	}
	return names
}
