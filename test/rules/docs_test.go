package rules_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// public are the rooms that other projects import, or read to begin with.
var public = []string{"outbox", "inbox", "health", "azfunc", "entity", "profile", "examples", "functions", "azure", "nats", "local"}

// TestNoPublicNameWithoutDocs: what a name promises stands at the name. A comment on a group
// of constants or variables is enough.
func TestNoPublicNameWithoutDocs(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		room := strings.TrimPrefix(p.ImportPath, module)
		inside := slices.ContainsFunc(public, func(of string) bool { return below(room, of) })
		if !inside || slices.Contains(strings.Split(room, "/"), "internal") {
			continue
		}
		for _, name := range undocumented(t, room) {
			t.Errorf("%s: %s has no comment", room, name)
		}
	}
}

// documentation is what go doc knows of a package.
func documentation(t *testing.T, room string) *doc.Package {
	t.Helper()
	files, sources := token.NewFileSet(), []*ast.File(nil)
	all, err := filepath.Glob(filepath.Join(root(t), filepath.FromSlash(room), "*.go"))
	require.NoError(t, err)
	for _, file := range all {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(files, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		sources = append(sources, source)
	}
	p, err := doc.NewFromFiles(files, sources, path.Join(module, room))
	require.NoError(t, err)
	return p
}

// undocumented are the exported names of a package that nothing is said about.
func undocumented(t *testing.T, room string) []string {
	t.Helper()
	p := documentation(t, room)
	var silent []string
	miss := func(text, name string) {
		if strings.TrimSpace(text) == "" {
			silent = append(silent, name)
		}
	}
	miss(p.Doc, "package "+p.Name)
	functions := func(of string, list []*doc.Func) {
		for _, f := range list {
			miss(f.Doc, of+f.Name)
		}
	}
	values := func(list []*doc.Value) {
		for _, v := range list {
			silent = append(silent, silentValues(v)...)
		}
	}
	functions("", p.Funcs)
	values(slices.Concat(p.Consts, p.Vars))
	for _, of := range p.Types {
		miss(of.Doc, of.Name)
		functions("", of.Funcs)
		functions(of.Name+".", of.Methods)
		values(slices.Concat(of.Consts, of.Vars))
	}
	return silent
}

// silentValues are the exported names of a declaration that neither it nor their own line
// says anything about.
func silentValues(v *doc.Value) []string {
	var silent []string
	if strings.TrimSpace(v.Doc) != "" {
		return nil
	}
	for _, spec := range v.Decl.Specs {
		s, ok := spec.(*ast.ValueSpec)
		if !ok || s.Doc.Text() != "" || s.Comment.Text() != "" {
			continue
		}
		for _, name := range s.Names {
			if name.IsExported() {
				silent = append(silent, name.Name)
			}
		}
	}
	return silent
}
