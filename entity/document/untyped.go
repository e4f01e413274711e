package document

import (
	"fmt"
	"strconv"
)

// untyped walks once over a part that no shape describes.
type untyped struct {
	cursor
	part   value
	path   string // of the part
	steps  []step // from the part to where the cursor is
	faults *Faults
	fits   bool
}

// step is one level down: into the member name, or into the element index.
type step struct {
	name  string
	index int // -1 for a member
}

// lookInto looks for names that are there twice in what is held as any or json.RawMessage
// or reads itself. Unless faults is nil, it also notes what nests too deep and numbers that
// are no doubles, and says whether there were none.
func (v value) lookInto(path string, depth int, faults *Faults) (fits bool, err error) {
	u := untyped{cursor: cursor{text: v.raw}, part: v, path: path, faults: faults, fits: true}
	err = u.value(depth)
	return u.fits, err
}

func (u *untyped) value(depth int) error {
	if depth > maxNesting {
		u.skip()
		u.fault("nests deeper than %d levels", maxNesting)
		return nil
	}
	switch kindOf(u.peek()) {
	case "an object":
		return u.object(depth)
	case "an array":
		u.steps = append(u.steps, step{index: 0})
		for u.open(); u.next(); u.steps[len(u.steps)-1].index++ {
			if err := u.value(depth + 1); err != nil {
				return err
			}
		}
		u.steps = u.steps[:len(u.steps)-1]
	case "a number":
		if _, err := strconv.ParseFloat(string(u.skip()), 64); err != nil {
			u.fault(noDouble)
		}
	default:
		u.skip()
	}
	return nil
}

func (u *untyped) object(depth int) error {
	var seen map[string]bool
	for u.open(); u.next(); {
		at := u.part.at + u.at
		name := string(u.name())
		u.steps = append(u.steps, step{name, -1})
		if seen[name] {
			return &DuplicateFieldError{positionOf(u.part.doc, at), u.here()}
		}
		if seen == nil {
			seen = map[string]bool{}
		}
		seen[name] = true
		if err := u.value(depth + 1); err != nil {
			return err
		}
		u.steps = u.steps[:len(u.steps)-1]
	}
	return nil
}

func (u *untyped) fault(format string, args ...any) {
	u.fits = false
	if u.faults != nil && !u.faults.full() { // a path is dear
		u.faults.Add(orRoot(u.here()), format, args...)
	}
}

// here is the path of what the cursor is at.
func (u *untyped) here() string {
	path := u.path
	for _, s := range u.steps {
		if s.index < 0 {
			path = join(path, Clip(s.name))
		} else {
			path = fmt.Sprintf("%s[%d]", path, s.index)
		}
	}
	return path
}
