package rules

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/sqlfilter"
)

// Check refuses a rule that can never work: it is for rules that come, not for those that are stored.
func (r *Compiled) Check() error {
	if f, ok := r.Filter.(SQL); ok {
		if err := checkNames(f.Names()); err != nil {
			return fmt.Errorf("filter: %w", err)
		}
	}
	if r.Action != nil {
		if err := checkNames(r.Action.Names()); err != nil {
			return fmt.Errorf("action: %w", err)
		}
	}
	return nil
}

// CheckSQL says what is wrong with a condition, and CheckAction with an action, that have no parameters.
func CheckSQL(text string) error {
	f, err := sqlfilter.Parse(text, nil)
	if err != nil {
		return err
	}
	return checkNames(f.Names())
}

// CheckAction is described at CheckSQL.
func CheckAction(text string) error {
	a, err := sqlfilter.ParseAction(text, nil)
	if err != nil {
		return err
	}
	return checkNames(a.Names())
}

func checkNames(names []sqlfilter.Name) error {
	for _, n := range names {
		if err := checkName(n); err != nil {
			return &sqlfilter.SyntaxError{Offset: n.At, Reason: err.Error()}
		}
	}
	return nil
}

func checkName(n sqlfilter.Name) error {
	if first, _ := utf8.DecodeRuneInString(n.Text); n.Bare && !unicode.IsLetter(first) {
		return fmt.Errorf("a name begins with a letter: write %s in brackets", n.Text)
	}
	if !n.System {
		return nil
	}
	if _, known := systemProperties[strings.ToLower(n.Text)]; !known {
		return fmt.Errorf("there is no system property %s", n.Text)
	}
	if !n.Set {
		return nil
	}
	if systemProperties[strings.ToLower(n.Text)].set == nil {
		return fmt.Errorf("sys.%s cannot be set", n.Text)
	}
	if !n.Value.Known {
		return nil
	}
	d := (&sqlView{of: &Candidate{Content: &content.Content{}}}).draft()
	return d.setSystem(n.Text, n.Value.Value)
}
