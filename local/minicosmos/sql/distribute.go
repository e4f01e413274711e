package sql

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A query over several ranges is answered by the client: it asks for a plan, sends the plan's query to each range, and puts
// the answers together. The shapes that the clients want of the rewritten query:
//
//	ORDER BY   SELECT c._rid, [{"item": key}, …] AS orderByItems, row AS payload … WHERE … AND ({filter}) ORDER BY key, …
//	GROUP BY   SELECT [{"item": key}, …] AS groupByItems, row AS payload … GROUP BY key, …
//	aggregates SELECT VALUE [aggregate], or SELECT {name: aggregate, …} AS payload
//	DISTINCT   as it stands; the client leaves out what another range has as well
//	OFFSET     OFFSET 0 LIMIT of both together; TOP as it stands
//
// An aggregate is {"item": COUNT(…)}; AVG, MIN and MAX bring what is needed to put them together.

// Features of a query that its client must know how to put together, in the service's words.
const (
	FeatureOrderBy            = "OrderBy"
	FeatureMultipleOrderBy    = "MultipleOrderBy"
	FeatureTop                = "Top"
	FeatureOffsetAndLimit     = "OffsetAndLimit"
	FeatureDistinct           = "Distinct"
	FeatureGroupBy            = "GroupBy"
	FeatureAggregate          = "Aggregate"
	FeatureNonValueAggregate  = "NonValueAggregate"
	FeatureMultipleAggregates = "MultipleAggregates"
	FeatureDistinctCount      = "DCount"
)

// How a client leaves out what is not distinct: it compares with all results, or with the last one.
const (
	DistinctNone      = "None"
	DistinctOrdered   = "Ordered"
	DistinctUnordered = "Unordered"
)

// Distribution is how a query is answered over several ranges.
type Distribution struct {
	Rewritten  string   // the query for each range, "" for the query as it is
	Features   []string // that the client must have
	Everywhere bool     // it reads documents; otherwise one range will do

	Distinct           string
	Top, Offset, Limit *int
	OrderBy            []string // Ascending or Descending
	OrderByExpressions []string
	GroupBy            []string
	Columns            []Column // of a query that is folded
	Aggregates         []string // of SELECT VALUE
	SelectValue        bool
	DistinctCount      *string // name of the column that counts distinct results, "" for SELECT VALUE
}

// Column is what a folded query returns under a name.
type Column struct {
	Name      string
	Aggregate string // "" for none
}

// aggregateTypes are the names that a plan has for aggregates.
var aggregateTypes = map[string]string{"COUNT": "Count", "SUM": "Sum", "AVG": "Average", "MIN": "Min", "MAX": "Max"}

// orderFilter stands where a client writes from where it goes on.
const orderFilter = "({documentdb-formattableorderbyquery-filter})"

// Distribute says how a query is answered over several ranges; its error is for the client.
func (q *Query) Distribute(params []Param) (*Distribution, error) {
	e, err := q.env(newBudget(context.Background()), params)
	if err != nil {
		return nil, err
	}
	d := &distributor{s: q.root, w: &writer{}}
	d.Distribution = Distribution{Distinct: DistinctNone, SelectValue: q.root.value != nil, Everywhere: q.NeedsDocuments()}
	if !d.Everywhere {
		return &d.Distribution, nil
	}
	if inner := q.root.countsDistinct(); inner != nil {
		d.countDistinct(inner)
		return &d.Distribution, nil
	}
	if q.root.ranked { // scores are known only when all documents are
		return nil, &SyntaxError{Code: codeSyntax, Msg: "ORDER BY RANK is not supported over more than one partition."}
	}
	if err := d.s.checkDistributable(); err != nil {
		return nil, err
	}
	if err := d.window(e); err != nil {
		return nil, err
	}
	if q.CrossPartition() {
		return &d.Distribution, nil
	}
	next := *d.s
	switch {
	case d.s.aggregated():
		err = d.fold(&next)
	case len(d.s.orderBy) > 0:
		d.order(&next, q.text)
	case d.s.distinct:
		d.need(DistinctUnordered, FeatureDistinct)
	}
	if err != nil {
		return nil, err
	}
	d.w.selection(&next)
	d.Rewritten = d.w.String()
	return &d.Distribution, nil
}

// distributor is a distribution under way.
type distributor struct {
	Distribution
	s *selection
	w *writer
}

func (d *distributor) need(distinct, feature string) {
	d.Distinct = distinct
	d.Features = append(d.Features, feature)
}

// window reads TOP, OFFSET and LIMIT.
func (d *distributor) window(e *env) (err error) {
	for _, part := range []struct {
		n       *node
		to      **int
		feature string
	}{{d.s.top, &d.Top, FeatureTop}, {d.s.offset, &d.Offset, FeatureOffsetAndLimit}, {d.s.limit, &d.Limit, ""}} {
		if part.n == nil {
			continue
		}
		n, err := count(part.n, e)
		if err != nil {
			return err
		}
		*part.to = &n
		if part.feature != "" {
			d.Features = append(d.Features, part.feature)
		}
	}
	if d.Offset != nil {
		shown := *d.s
		shown.offset, shown.limit = number(0), number(*d.Offset+*d.Limit)
		d.s = &shown
	}
	return nil
}

func number(n int) *node { return &node{op: opLiteral, value: NumberOf(float64(n))} }

// order rewrites ORDER BY.
func (d *distributor) order(next *selection, text string) {
	d.Features = append(d.Features, FeatureOrderBy)
	if len(d.s.orderBy) > 1 {
		d.Features = append(d.Features, FeatureMultipleOrderBy)
	}
	var keys []*node
	for _, o := range d.s.orderBy {
		direction := "Ascending"
		if o.descending {
			direction = "Descending"
		}
		d.OrderBy = append(d.OrderBy, direction)
		d.OrderByExpressions = append(d.OrderByExpressions, o.expr.written())
		keys = append(keys, o.expr)
	}
	if d.s.distinct {
		d.need(d.s.distinctInOrder(), FeatureDistinct)
		next.distinct, next.top, next.offset, next.limit = false, nil, nil, nil // what is not distinct would count
	}
	rid := &node{op: opMember, name: "_rid", kids: []*node{d.document(next, text)}}
	payload := d.s.row()
	next.star, next.value = false, nil
	next.items = []item{{expr: rid, name: "_rid"}, {expr: wrapped(keys), name: "orderByItems"}, {expr: payload, name: "payload"}}
	conditions := []*node{{op: opIdent, name: orderFilter}}
	if d.s.value != nil && payload.op != opIdent { // a row that is undefined is no row
		conditions = append([]*node{{op: opCall, name: "IS_DEFINED", kids: []*node{payload}}}, conditions...)
	}
	if next.where != nil {
		conditions = append([]*node{next.where}, conditions...)
	}
	if next.where = conditions[0]; len(conditions) > 1 {
		next.where = &node{op: opAnd, kids: conditions}
	}
}

// document is the name that the whole document has; FROM gets one where it names only a part.
func (d *distributor) document(next *selection, text string) *node {
	first := next.from[0]
	if first.sub == nil && !first.iterate && first.expr.op == opRoot {
		return &node{op: opIdent, name: first.alias}
	}
	name := "root"
	for n := 0; strings.Contains(text, name); n++ {
		name = "root" + strconv.Itoa(n)
	}
	d.w.root = name
	whole := source{alias: name, expr: &node{op: opRoot, name: name}}
	next.from = append([]source{whole}, next.from...)
	return &node{op: opIdent, name: name}
}

// distinctInOrder says how results of DISTINCT are told apart under ORDER BY: those that are alike follow each other when
// the rows are made of nothing but the keys, and of all of them.
func (s *selection) distinctInOrder() string {
	shown := map[string]bool{}
	for _, n := range append(itemExprs(s.items), s.value) {
		if n != nil {
			shown[n.signature()] = true
		}
	}
	keys := map[string]bool{}
	for _, o := range s.orderBy {
		keys[o.expr.signature()] = true
	}
	for signature := range keys {
		if !shown[signature] || len(keys) != len(shown) {
			return DistinctUnordered
		}
	}
	return DistinctOrdered
}

// row is what SELECT returns as one value.
func (s *selection) row() *node {
	switch {
	case s.star:
		return &node{op: opIdent, name: s.from[0].alias}
	case s.value != nil:
		return s.value
	}
	row := &node{op: opObject}
	for _, it := range s.items {
		row.names, row.kids = append(row.names, it.name), append(row.kids, it.expr)
	}
	return row
}

// wrapped is [{"item": key}, …].
func wrapped(keys []*node) *node {
	list := &node{op: opArray}
	for _, key := range keys {
		list.kids = append(list.kids, object("item", key))
	}
	return list
}

// object is {name: value, …} of pairs.
func object(pairs ...any) *node {
	n := &node{op: opObject}
	for i := 0; i < len(pairs); i += 2 {
		n.names, n.kids = append(n.names, pairs[i].(string)), append(n.kids, pairs[i+1].(*node))
	}
	return n
}

// fold rewrites aggregates and GROUP BY.
func (d *distributor) fold(next *selection) error {
	if len(d.s.orderBy) > 0 {
		return &SyntaxError{Code: codeGroup, Msg: "'ORDER BY' is not supported with 'GROUP BY' or an aggregate over more than one partition."}
	}
	if d.s.distinct {
		d.need(DistinctUnordered, FeatureDistinct)
	}
	next.distinct, next.top, next.offset, next.limit = false, nil, nil, nil // of groups that are not complete yet
	payload, err := d.folded()
	if err != nil {
		return err
	}
	switch n := len(d.s.aggregates); {
	case n > 1:
		d.Features = append(d.Features, FeatureMultipleAggregates)
		fallthrough
	case n == 1:
		d.Features = append(d.Features, FeatureAggregate)
	}
	next.items = []item{{expr: payload, name: "payload"}}
	next.value = nil
	switch grouped := len(d.s.groupBy) > 0; {
	case grouped:
		d.Features = append(d.Features, FeatureGroupBy)
		for _, key := range d.s.groupBy {
			d.GroupBy = append(d.GroupBy, key.written())
		}
		next.items = append([]item{{expr: wrapped(d.s.groupBy), name: "groupByItems"}}, next.items...)
		if d.SelectValue && len(d.Aggregates) == 0 {
			defined := &node{op: opCall, name: "IS_DEFINED", kids: []*node{d.s.value}}
			if next.where != nil {
				defined = &node{op: opAnd, kids: []*node{next.where, defined}}
			}
			next.where = defined
		}
	case d.SelectValue:
		next.items, next.value = nil, payload
	default:
		d.Features = append(d.Features, FeatureNonValueAggregate)
	}
	return nil
}

// folded is a row of a folded query.
func (d *distributor) folded() (*node, error) {
	if d.SelectValue {
		value, kind, err := part(d.s.value)
		if err != nil || kind == "" {
			return value, err
		}
		d.Aggregates = []string{kind}
		return &node{op: opArray, kids: []*node{value}}, nil
	}
	row := &node{op: opObject}
	for _, it := range d.s.items {
		value, kind, err := part(it.expr)
		if err != nil {
			return nil, err
		}
		d.Columns = append(d.Columns, Column{Name: it.name, Aggregate: kind})
		row.names, row.kids = append(row.names, it.name), append(row.kids, value)
	}
	return row, nil
}

// part is what one range contributes to a column, and the aggregate that it is.
func part(n *node) (value *node, kind string, err error) {
	if n.op != opAggregate {
		n.walk(func(below *node) bool {
			if below.op == opAggregate {
				err = &SyntaxError{Start: n.start, End: n.end, Code: codeGroup, Msg: "Compositions of aggregates and other expressions are unsupported over more than one partition."}
			}
			return err == nil
		})
		return n, "", err
	}
	if kind = aggregateTypes[n.name]; kind == "" {
		return nil, "", &SyntaxError{Start: n.start, End: n.end, Code: codeFunction, Msg: fmt.Sprintf("The aggregate %s is not supported over more than one partition.", n.name)}
	}
	of := func(name string) *node { return &node{op: opAggregate, name: name, kids: n.kids} }
	switch n.name {
	case "AVG":
		return object("item", object("sum", of("SUM"), "count", of("COUNT"))), kind, nil
	case "MIN", "MAX":
		both := object(strings.ToLower(n.name), n, "count", of("COUNT"))
		return object("item", n, "item2", both), kind, nil // item is for older clients
	}
	return object("item", n), kind, nil
}

// checkDistributable refuses a FROM whose rows are known only when all ranges are.
func (s *selection) checkDistributable() error {
	for sub := s.from[0].sub; sub != nil; sub = sub.from[0].sub {
		if sub.distinct || sub.aggregated() || sub.top != nil || sub.offset != nil || len(sub.orderBy) > 0 {
			return &SyntaxError{Code: codeSyntax, Msg: "A subquery in FROM with DISTINCT, GROUP BY, an aggregate, TOP, ORDER BY or OFFSET is not supported over more than one partition."}
		}
		if len(sub.from) == 0 {
			break
		}
	}
	return nil
}

// countsDistinct returns what is counted by SELECT COUNT(1) FROM (SELECT DISTINCT …), nil if s is something else.
func (s *selection) countsDistinct() *selection {
	if len(s.from) != 1 || s.from[0].sub == nil || s.where != nil || len(s.groupBy) > 0 || len(s.aggregates) != 1 || s.top != nil || s.offset != nil || s.distinct {
		return nil
	}
	inner := s.from[0].sub
	counts := s.aggregates[0].name == "COUNT" && s.aggregates[0].kids[0].op == opLiteral && s.aggregates[0].kids[0].value.IsDefined()
	alone := s.value == s.aggregates[0] || len(s.items) == 1 && s.items[0].expr == s.aggregates[0]
	plain := inner.distinct && !inner.aggregated() && inner.top == nil && inner.offset == nil && len(inner.orderBy) == 0 && len(inner.from) > 0
	if !counts || !alone || !plain || inner.checkDistributable() != nil {
		return nil
	}
	return inner
}

func (d *distributor) countDistinct(inner *selection) {
	d.need(DistinctUnordered, FeatureDistinctCount)
	d.Features = append(d.Features, FeatureDistinct)
	name := ""
	if len(d.s.items) == 1 {
		name = d.s.items[0].name
	}
	d.DistinctCount = &name
	d.w.selection(inner)
	d.Rewritten = d.w.String()
}

// Missing returns those of a distribution's features that a client does not list.
func (d *Distribution) Missing(listed []string) []string {
	return slices.DeleteFunc(slices.Clone(d.Features), func(f string) bool { return slices.Contains(listed, f) })
}
