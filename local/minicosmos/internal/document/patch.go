package document

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// maxPatchOperations is the service's limit for one patch.
const maxPatchOperations = 10

// Patch is a partial update: operations on JSON pointers (RFC 6901), all or none, under
// an optional condition.
type Patch struct {
	condition  *sql.Query // nil: none
	operations []patchOperation
}

type patchOperation struct {
	op    string
	path  []string
	from  []string // of a move
	value sql.Value
}

// ParsePatch reads {"condition":"from c where …","operations":[…]}.
func ParsePatch(sent sql.Value) (*Patch, *refusal.Error) {
	operations := sent.Get("operations")
	if sent.Kind() == sql.Array {
		operations = sent
	}
	switch n := len(operations.Items()); {
	case operations.Kind() != sql.Array || n == 0:
		return nil, refusal.BadRequest("A patch needs an array of operations.")
	case n > maxPatchOperations:
		return nil, refusal.BadRequest("A patch is limited to %d operations.", maxPatchOperations)
	}
	p := &Patch{}
	condition, ok := sent.Get("condition").Str()
	switch given := sent.Get("condition"); {
	case !ok && given.Kind() > sql.Null:
		return nil, refusal.BadRequest("The condition of a patch is a text, not %s.", given)
	case ok && condition != "":
		q, err := sql.Parse("SELECT * " + condition)
		if err != nil {
			return nil, refusal.BadRequest("The patch condition is invalid: %v", err)
		}
		p.condition = q
	}
	for _, item := range operations.Items() {
		op, bad := parsePatchOperation(item)
		if bad != nil {
			return nil, bad
		}
		p.operations = append(p.operations, op)
	}
	return p, nil
}

// parsePatchOperation reads the members that an operation defines; others are ignored (RFC 6902, 4).
func parsePatchOperation(item sql.Value) (op patchOperation, bad *refusal.Error) {
	op.op, _ = item.Get("op").Str()
	if op.path, bad = pointer(item.Get("path")); bad != nil {
		return op, bad
	}
	switch op.op {
	case "add", "set", "replace":
		if op.value = item.Get("value"); !op.value.IsDefined() {
			return op, refusal.BadRequest("The patch operation %s needs a value.", op.op)
		}
	case "incr":
		if op.value = item.Get("value"); op.value.Kind() != sql.Number {
			return op, refusal.BadRequest("The patch operation incr needs a number.")
		}
	case "move":
		op.from, bad = pointer(item.Get("from"))
	case "remove":
	default:
		bad = refusal.BadRequest("Unknown patch operation %q.", op.op)
	}
	return op, bad
}

var pointerUnescape = strings.NewReplacer("~1", "/", "~0", "~")

func pointer(v sql.Value) ([]string, *refusal.Error) {
	path, _ := v.Str()
	if !strings.HasPrefix(path, "/") || path == "/" {
		return nil, refusal.BadRequest("The patch path %s is invalid.", v)
	}
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		segments[i] = pointerUnescape.Replace(s)
	}
	return segments, nil
}

// Apply returns the document after the patch.
func (p *Patch) Apply(doc sql.Value, pk *partition.Definition) (sql.Value, *refusal.Error) {
	if p.condition != nil {
		holds, err := p.condition.Matches(doc)
		if err != nil {
			return doc, refusal.BadRequest("The patch condition is invalid: %v", err)
		}
		if !holds {
			return doc, refusal.Precondition
		}
	}
	for _, op := range p.operations {
		if immutable(op.path, pk) || op.op == "move" && immutable(op.from, pk) {
			return doc, refusal.BadRequest("The path /%s cannot be patched.", strings.Join(op.path, "/"))
		}
		var bad *refusal.Error
		if doc, bad = op.apply(doc); bad != nil {
			return doc, bad
		}
	}
	if doc.Depth() > sql.MaxDepth {
		return doc, refusal.BadRequest("The patched document is nested more than %d levels deep.", sql.MaxDepth)
	}
	return doc, nil
}

// immutable tells whether a path is the id, a system property, or touches the partition key.
func immutable(path []string, pk *partition.Definition) bool {
	if path[0] == "id" || slices.Contains(SystemProperties[:], path[0]) {
		return true
	}
	return slices.ContainsFunc(pk.Segments(), func(key []string) bool {
		n := min(len(key), len(path))
		return slices.Equal(key[:n], path[:n])
	})
}

func (op patchOperation) apply(doc sql.Value) (sql.Value, *refusal.Error) {
	if op.op != "move" {
		return op.at(doc, op.path)
	}
	value := lookUp(doc, op.from)
	if !value.IsDefined() {
		return doc, missingPath(op.from)
	}
	doc, bad := patchOperation{op: "remove"}.at(doc, op.from)
	if bad != nil {
		return doc, bad
	}
	return patchOperation{op: "add", value: value}.at(doc, op.path)
}

func missingPath(path []string) *refusal.Error {
	return refusal.BadRequest("The patch path /%s does not exist.", strings.Join(path, "/"))
}

func lookUp(v sql.Value, path []string) sql.Value {
	for _, s := range path {
		if v.Kind() == sql.Array {
			i, _ := arrayIndex(s, len(v.Items()))
			v = v.At(i)
		} else {
			v = v.Get(s)
		}
	}
	return v
}

// at applies the operation to the value at path below v and returns v changed.
func (op patchOperation) at(v sql.Value, path []string) (sql.Value, *refusal.Error) {
	name := path[0]
	if len(path) > 1 {
		return op.below(v, path)
	}
	switch v.Kind() {
	case sql.Object:
		changed, bad := op.change(v.Get(name), path)
		return v.With(name, changed), bad
	case sql.Array:
		return op.inArray(v, name)
	}
	return v, missingPath(path)
}

// below goes one step down the path, which must exist.
func (op patchOperation) below(v sql.Value, path []string) (sql.Value, *refusal.Error) {
	child := lookUp(v, path[:1])
	if !child.IsDefined() {
		return v, missingPath(path)
	}
	changed, bad := op.at(child, path[1:])
	if bad != nil || v.Kind() == sql.Object {
		return v.With(path[0], changed), bad
	}
	i, _ := arrayIndex(path[0], len(v.Items()))
	items := slices.Clone(v.Items())
	items[i] = changed
	return sql.ArrayOf(items), nil
}

// change returns what a property becomes; undefined removes it.
func (op patchOperation) change(old sql.Value, path []string) (sql.Value, *refusal.Error) {
	switch op.op {
	case "replace", "remove":
		if !old.IsDefined() {
			return old, missingPath(path)
		}
	case "incr":
		return op.increment(old)
	}
	return op.value, nil
}

func (op patchOperation) increment(old sql.Value) (sql.Value, *refusal.Error) {
	if !old.IsDefined() {
		return op.value, nil
	}
	n, ok := old.Number()
	if !ok {
		return old, refusal.BadRequest("The patch operation incr needs a number at its path.")
	}
	by, _ := op.value.Number()
	if math.IsInf(n+by, 0) {
		return old, refusal.BadRequest("The patch operation incr leads to a number that is too large.")
	}
	return sql.NumberOf(n + by), nil
}

// inArray applies the operation to an element; "-" is the place behind the last.
func (op patchOperation) inArray(v sql.Value, name string) (sql.Value, *refusal.Error) {
	items := slices.Clone(v.Items())
	i, ok := arrayIndex(name, len(items))
	inserts := op.op == "add" || op.op == "set" && i == len(items)
	switch {
	case !ok || i > len(items) || i == len(items) && !inserts:
		return v, missingPath([]string{name})
	case inserts:
		return sql.ArrayOf(slices.Insert(items, i, op.value)), nil
	case op.op == "remove":
		return sql.ArrayOf(slices.Delete(items, i, i+1)), nil
	}
	changed, bad := op.change(items[i], []string{name})
	items[i] = changed
	return sql.ArrayOf(items), bad
}

func arrayIndex(name string, length int) (int, bool) {
	if name == "-" {
		return length, true
	}
	i, err := strconv.Atoi(name)
	if err != nil || i < 0 {
		return -1, false
	}
	return i, true
}
