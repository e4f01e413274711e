package sql

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// ORDER BY RANK puts the rows with the highest score first. A score is known only when
// all rows are: BM25 weighs a term by how rare it is, and the fusion of scores (RRF) adds
// up a row's places in the order of each. So what a row's scores are made of is kept until
// then, and only the rows that are shown are projected, in a second pass.

// rankFunctions stand in ORDER BY RANK only.
var rankFunctions = map[string]bool{"FULLTEXTSCORE": true, "RRF": true}

// maxTerms is how many terms FULLTEXTSCORE counts.
const maxTerms = 1000

// marks are what the scores of the row are made of that e stands on: of FULLTEXTSCORE the text's number of words and how
// often each term is in it, of VECTORDISTANCE the distance; nil for what is undefined.
func (s *selection) marks(e *env) [][]float64 {
	if s.scores == nil {
		return nil
	}
	marks := make([][]float64, len(s.scores))
	for i, score := range s.scores {
		if score.name == "FULLTEXTSCORE" {
			marks[i] = score.termCounts(e)
		} else if v := score.eval(e); v.kind == Number {
			marks[i] = []float64{v.num}
		}
	}
	return marks
}

func (n *node) termCounts(e *env) []float64 {
	field := n.kids[0].eval(e)
	if field.kind != String {
		return nil
	}
	text := words(field.str)
	counts := []float64{float64(len(text))}
	for _, kid := range n.kids[1:] {
		terms := []Value{kid.eval(e)}
		if terms[0].kind == Array {
			terms = terms[0].items
		}
		if len(counts)-1+len(terms) > maxTerms {
			e.budget.fail(ErrTerms)
			return nil
		}
		for _, t := range terms {
			if t.kind != String || e.budget.work(1+len(text)/wordsPerStep) != nil {
				return nil
			}
			counts = append(counts, float64(countPhrase(text, words(t.str))))
		}
	}
	return counts
}

// ranking resolves ORDER BY RANK: its scores and their weights.
func (r *resolver) ranking(s *selection, sc *scope) error {
	n := s.orderBy[0].expr
	scores := []*node{n}
	if n.op == opCall && strings.EqualFold(n.name, "RRF") {
		n.name, scores = "RRF", n.kids
		weighted := false
		if last := len(scores) - 1; last >= 0 && scores[last].op == opArray {
			weighted = true
			for _, weight := range scores[last].kids {
				if v := weight.signed(); v.kind == Number {
					s.weights = append(s.weights, v.num)
				}
			}
			scores = scores[:last]
		}
		if len(scores) < 2 || weighted && len(s.weights) != len(scores) {
			return &SyntaxError{Start: n.start, End: n.end, Code: codeArgs, Msg: "RRF takes two scores or more, and as many numbers as weights, if any."}
		}
	}
	for _, score := range scores {
		if err := r.score(score, sc); err != nil {
			return err
		}
	}
	if n.name == "VECTORDISTANCE" {
		return s.vectorOrder(0)
	}
	if s.aggregated() {
		return &SyntaxError{Start: n.start, End: n.end, Code: codeGroup, Msg: "ORDER BY RANK cannot be used with GROUP BY or an aggregate."}
	}
	s.scores = scores
	return nil
}

// signed is a literal with any signs before it, else undefined.
func (n *node) signed() Value {
	switch n.op {
	case opLiteral:
		return n.value
	case opNegate, opPlus:
		return unary(n.op, n.kids[0].signed())
	}
	return Value{}
}

// score resolves a function that gives a score.
func (r *resolver) score(n *node, sc *scope) error {
	name := strings.ToUpper(n.name)
	switch {
	case n.op == opCall && name == "VECTORDISTANCE":
		if err := r.expression(n, sc, nil); err != nil {
			return err
		}
		_, err := n.leastIsNearest()
		return err
	case n.op == opCall && name == "FULLTEXTSCORE" && len(n.kids) > 1:
		n.name = name
		return r.all(sc, nil, n.kids...)
	}
	return &SyntaxError{Start: n.start, End: n.end, Code: codeFunction, Msg: "ORDER BY RANK takes FullTextScore, VectorDistance or RRF of them."}
}

// rank sorts by score, the highest first.
func (s *selection) rank(list []result) {
	total := make([]float64, len(list))
	for i, score := range s.scores {
		values := s.scoresOf(i, score, list)
		if len(s.scores) == 1 {
			total = values
			break
		}
		weight := 1.0
		if s.weights != nil {
			weight = s.weights[i]
		}
		fuse(total, values, weight)
	}
	ranked := make([]result, len(list))
	for place, row := range byScore(total) {
		ranked[place] = list[row]
	}
	copy(list, ranked)
}

// fuse adds to each row's total what its place among the values is worth. Rows with the same value share a place, and the
// next place follows at once, as the clients reckon; a negative weight turns the order round, but for rows without a score.
func fuse(total, values []float64, weight float64) {
	if weight < 0 {
		for row, v := range values {
			if v != unscored {
				values[row] = -v
			}
		}
	}
	rows, place := byScore(values), 1
	for i, row := range rows {
		if i > 0 && values[row] != values[rows[i-1]] {
			place++
		}
		total[row] += math.Abs(weight) / float64(rankConstant+place)
	}
}

// unscored is the score of a row whose score is undefined.
var unscored = math.Inf(-1)

// rankConstant softens the difference between the first places (Cormack, Clarke and Büttcher, 2009).
const rankConstant = 60

// byScore returns the rows with the highest score first; rows that are alike stay in order.
func byScore(values []float64) []int {
	rows := make([]int, len(values))
	for i := range rows {
		rows[i] = i
	}
	slices.SortStableFunc(rows, func(a, b int) int {
		switch {
		case values[a] > values[b]:
			return -1
		case values[a] < values[b]:
			return 1
		}
		return 0
	})
	return rows
}

// scoresOf returns one score of each row.
func (s *selection) scoresOf(i int, score *node, list []result) []float64 {
	if score.name == "FULLTEXTSCORE" {
		return bm25(i, list)
	}
	sign := 1.0
	if nearest, _ := score.leastIsNearest(); nearest {
		sign = -1
	}
	values := make([]float64, len(list))
	for row, r := range list {
		values[row] = unscored
		if r.marks[i] != nil {
			values[row] = sign * r.marks[i][0]
		}
	}
	return values
}

// The usual parameters of BM25: how soon more of a term counts less, and how much a long
// text counts against it.
const (
	saturation  = 1.2
	lengthShare = 0.75
)

// bm25 scores term counts against those of all rows.
func bm25(score int, list []result) []float64 {
	texts, length, having := 0.0, 0.0, map[int]float64{}
	for _, r := range list {
		counts := r.marks[score]
		if counts == nil {
			continue
		}
		texts++
		length += counts[0]
		for term, n := range counts[1:] {
			if n > 0 {
				having[term]++
			}
		}
	}
	values := make([]float64, len(list))
	for row, r := range list {
		counts := r.marks[score]
		if counts == nil {
			values[row] = unscored
			continue
		}
		for term, n := range counts[1:] {
			rarity := math.Log(1 + (texts-having[term]+0.5)/(having[term]+0.5))
			share := 1 - lengthShare + lengthShare*counts[0]/max(1, length/texts)
			values[row] += rarity * n * (saturation + 1) / (n + saturation*share)
		}
	}
	return values
}

// onlyRanked refuses a score that stands where none may.
func (n *node) onlyRanked() error {
	return &SyntaxError{Start: n.start, End: n.end, Code: codeFunction, Msg: fmt.Sprintf("The function '%s' can only be used in ORDER BY RANK.", n.name)}
}

// fill projects ranked results, the best first, by going over their documents once more. It leaves out what comes after so
// many bytes.
func (r *run) fill(list []result, bytes int) ([]result, error) {
	wanted := map[uint64]map[int]int{} // places in the list by document and row
	first, last := uint64(math.MaxUint64), uint64(0)
	for i, at := range list {
		if wanted[at.number] == nil {
			wanted[at.number] = map[int]int{}
		}
		wanted[at.number][at.row] = i
		first, last = min(first, at.number), max(last, at.number)
	}
	if len(list) == 0 {
		return nil, nil
	}
	looked, size := r.page.Looked, 0
	err := r.documents(first, func(number uint64) (bool, error) {
		places, row := wanted[number], -1
		if places == nil {
			return false, nil
		}
		err := r.s.bind(r.e, 0, func() error {
			row++
			i, ok := places[row]
			if !ok || i >= len(list) {
				return nil
			}
			v := r.s.project(r.e)
			list[i].value = v
			size += v.weight()
			r.e.budget.left -= v.weight()
			for ; size > bytes && len(list) > 1; list = list[:len(list)-1] {
				if out := list[len(list)-1].value; out.IsDefined() {
					size -= out.weight()
					r.e.budget.left += out.weight()
				}
			}
			return r.e.budget.hold(0)
		})
		return number >= last, err
	})
	r.page.Looked = looked
	return list, err
}
