// Package mutants is the app with one rule of the protocol missing, many times over: each
// must be caught by the machines that look for broken promises (relaybox chaos, test/sim). A
// checker that cannot fail proves nothing.
//
// A mutant is text, not a switch: production code knows nothing of it. Overlay writes the
// changed files to a folder with the overlay.json that go build -overlay takes.
package mutants

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Mutant is a rule that is switched off.
type Mutant struct {
	// Name is the rule; it is unique.
	Name string
	// The change of the one file that it takes, and the further ones.
	Edit
	And []Edit
	// Breaks is the guarantee that must be seen broken (design §5).
	Breaks Guarantee
}

// Edit replaces text in a file. Old stands there exactly once.
type Edit struct {
	// File is a path in the source tree, with slashes.
	File     string
	Old, New string
}

// Guarantee is a promise of the app.
type Guarantee string

// The guarantees that mutants break.
const (
	TrueAnswers Guarantee = "G0"
	NoLoss      Guarantee = "G1"
	NoPhantom   Guarantee = "G2"
	Order       Guarantee = "G3"
	OneEffect   Guarantee = "G4"
	Isolation   Guarantee = "G5"
	NotPoison   Guarantee = "G6"
)

// ErrStale: the text that a mutant replaces is not where it says. The rule has moved: write
// the mutant anew.
var ErrStale = errors.New("the mutant does not fit the source")

// Overlay writes the mutant of the source tree to dir and returns the file for go build's
// flag -overlay.
func (m Mutant) Overlay(source, dir string) (file string, err error) {
	texts := map[string]string{} // by path; several edits may be of one file
	for _, e := range append([]Edit{m.Edit}, m.And...) {
		path := filepath.Join(source, filepath.FromSlash(e.File))
		if _, read := texts[path]; !read {
			text, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("mutant %q: %w", m.Name, err)
			}
			texts[path] = string(text)
		}
		if n := strings.Count(texts[path], e.Old); n != 1 {
			return "", fmt.Errorf("mutant %q: %w: %s has the text %d times, it must be once:\n%s", m.Name, ErrStale, e.File, n, e.Old)
		}
		texts[path] = strings.Replace(texts[path], e.Old, e.New, 1)
	}
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for path, text := range texts {
		changed := filepath.Join(dir, fmt.Sprintf("%d-%s", len(overlay.Replace), filepath.Base(path)))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return "", err
		}
		overlay.Replace[path] = changed
	}
	text, err := json.MarshalIndent(overlay, "", "  ")
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, text, 0o600)
}
