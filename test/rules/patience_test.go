package rules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPatience: a test that waits for what will come waits long. On a machine that is at work with something else a
// shorter wait fails now and then, and where all is well the wait ends at once anyway.
func TestPatience(t *testing.T) {
	t.Parallel()
	top, waits := root(t), 0
	require.NoError(t, filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if to, ok := call.Fun.(*ast.SelectorExpr); !ok || !strings.HasPrefix(to.Sel.Name, "Eventually") || len(call.Args) < 4 {
				return true
			}
			waits++
			unit, ok := call.Args[2].(*ast.SelectorExpr)
			if !ok || unit.Sel.Name != "Minute" {
				t.Errorf("%s: it waits time.Minute, and no less", files.Position(call.Pos()))
			}
			return true
		})
		return nil
	}))
	require.Greater(t, waits, 20)
}
