package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unseenDepth bounds the search for lost functions.
const unseenDepth = 6

// unseen looks for what the host passes over without a word (reference §1.1).
func unseen(c Config) ([]Unseen, error) {
	var list []Unseen
	lost := map[string]bool{} // top folders that hold a lost function
	err := filepath.WalkDir(c.Root, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(c.Root, path) // path is below root
		parts := strings.Split(filepath.ToSlash(rel), "/")
		switch {
		case err != nil:
			return err
		case e.IsDir():
			if hidden(e.Name()) && rel != "." || len(parts) > unseenDepth {
				return filepath.SkipDir
			}
			return nil
		}
		if why := lostFunction(c, parts); why != "" {
			list = append(list, Unseen{Path: filepath.ToSlash(rel), Why: why, Function: true})
			lost[parts[0]] = true
		}
		if len(parts) == 1 && strings.EqualFold(parts[0], "local.settings.json") {
			list = append(list, Unseen{Path: rel, Why: "it holds settings, perhaps secrets, and no package for Azure may have it in; build packages with relaybox assemble --zip, which leaves it out"})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	empty, err := emptyFolders(c.Root, lost)
	return append(list, empty...), err
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") || name == "node_modules" }

// lostFunction says why the host does not take a file for a function's, "" if it does or
// if the file is none.
func lostFunction(c Config, parts []string) string {
	name, folder := parts[len(parts)-1], parts[0]
	switch {
	case !strings.EqualFold(name, "function.json"):
		return ""
	case len(parts) == 1:
		return "it lies beside host.json; a function is a folder: move it into one of its own"
	case len(parts) > 2:
		return "the host looks only at direct sub-folders of the app; move the folder " + parts[len(parts)-2] + " up, beside host.json"
	case name != "function.json":
		return "the name is function.json, in lower case; rename it"
	case c.allowed != nil && !slices.ContainsFunc(c.allowed, func(n string) bool { return strings.EqualFold(n, folder) }):
		return "the list functions in host.json does not name it; add it there or remove the list"
	}
	return ""
}

// emptyFolders are direct sub-folders that hold no function at all.
func emptyFolders(root string, lost map[string]bool) ([]Unseen, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var list []Unseen
	for _, e := range entries {
		folder := filepath.Join(root, e.Name())
		if !isDir(folder) || hidden(e.Name()) || lost[e.Name()] {
			continue
		}
		if _, err := os.Stat(filepath.Join(folder, "function.json")); err != nil {
			list = append(list, Unseen{Path: e.Name() + "/", Why: "it holds no function.json, so it is no function; remove it from the app folder if nothing needs it"})
		}
	}
	return list, nil
}
