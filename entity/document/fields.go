package document

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// candidate is a Go field that may be the member name of a struct's object.
type candidate struct {
	name, path string
	tagged     bool // the name is from the json tag
	index      []int
	typ        reflect.Type
}

// addFields takes the members that encoding/json takes: of the fields with one name the
// one that is embedded least deep, and of those the one that has its name from a tag.
// What encoding/json leaves out because it cannot choose is refused here.
func (s *shape) addFields(path string, known map[reflect.Type]*shape) error {
	all, err := candidates(s.typ, path, nil, nil)
	if err != nil {
		return err
	}
	for _, c := range all {
		chosen, err := dominant(c, all)
		if err != nil {
			return err
		}
		if !chosen {
			continue
		}
		for _, other := range s.names {
			if strings.EqualFold(other, c.name) {
				return fmt.Errorf("%s has the JSON name %q, and another field has %q, which is the same but for case: rename one", c.path, c.name, other)
			}
		}
		member, err := build(c.typ, c.path, known)
		if err != nil {
			return err
		}
		s.names = append(s.names, c.name)
		s.fields[c.name] = field{member, c.index}
	}
	return nil
}

// dominant says whether c is the one of all that has its name.
func dominant(c candidate, all []candidate) (bool, error) {
	var twin string
	for _, other := range all {
		switch {
		case other.name != c.name || slices.Equal(other.index, c.index):
		case other.rank() < c.rank():
			return false, nil
		case other.rank() == c.rank():
			twin = other.path
		}
	}
	if twin != "" {
		return false, fmt.Errorf("%s and %s are both %q in JSON, and encoding/json leaves both out: give one another name in its json tag, or - to leave it out",
			c.path, twin, c.name)
	}
	return true, nil
}

// rank orders fields of one name, the one that counts first.
func (c candidate) rank() int {
	if c.tagged {
		return 2 * len(c.index)
	}
	return 2*len(c.index) + 1
}

// candidates are the fields of t and of the structs that it embeds, in their order. within
// are the structs that t is embedded in.
func candidates(t reflect.Type, path string, at []int, within []reflect.Type) ([]candidate, error) {
	var found []candidate
	within = append(slices.Clone(within), t)
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		here := path + "." + f.Name
		index := append(slices.Clone(at), f.Index...)
		inner := dereferenced(f.Type)
		embedded := f.Anonymous && inner.Kind() == reflect.Struct
		switch {
		case tag == "-", !f.IsExported() && !embedded:
			continue
		case !validName(name):
			return nil, fmt.Errorf("%s has the name %q in its json tag, which encoding/json does not take: use letters, digits and - _ .", here, name)
		case embedded && !f.IsExported() && name != "":
			return nil, fmt.Errorf("%s is embedded under a JSON name, and %v is not exported: make it a field with a name of its own", here, inner)
		case embedded && !f.IsExported() && f.Type != inner:
			return nil, fmt.Errorf("%s is an embedded pointer to %v, which is not exported, so nothing can be read into it: embed the struct itself", here, inner)
		case embedded && name == "" && slices.Contains(within, inner):
			return nil, fmt.Errorf("%s embeds %v in itself: give the field a name in its json tag", here, inner)
		case embedded && name == "":
			deeper, err := candidates(inner, here, index, within)
			if err != nil {
				return nil, err
			}
			found = append(found, deeper...)
			continue
		case slices.Contains(strings.Split(options, ","), "string"):
			return nil, fmt.Errorf("%s has the option string in its json tag, which hides its type", here)
		}
		c := candidate{name: name, path: here, tagged: name != "", index: index, typ: f.Type}
		if !c.tagged {
			c.name = f.Name
		}
		found = append(found, c)
	}
	return found, nil
}

// validName says whether encoding/json takes a name from a tag; what it does not take, it
// ignores without a word.
func validName(name string) bool {
	for _, r := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

func dereferenced(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
