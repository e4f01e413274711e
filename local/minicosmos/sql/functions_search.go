package sql

import (
	"encoding/base64"
	"math"
	"slices"
	"strings"
	"unicode"
)

var searchFunctions = map[string]*function{
	"VECTORDISTANCE":      {min: 2, max: 4, call: vectorDistance},
	"FULLTEXTCONTAINS":    {min: 2, max: 2, in: fullText(true)},
	"FULLTEXTCONTAINSALL": {min: 2, max: -1, in: fullText(true)},
	"FULLTEXTCONTAINSANY": {min: 2, max: -1, in: fullText(false)},
	"DOCUMENTID":          fixed(1, documentID),
}

// metrics of VectorDistance, by the name that its options have for them.
var metrics = map[string]func(a, b []Value) float64{
	"dotproduct": dotProduct,
	"cosine": func(a, b []Value) float64 {
		return dotProduct(a, b) / math.Sqrt(dotProduct(a, a)*dotProduct(b, b))
	},
	"euclidean": func(a, b []Value) float64 {
		sum := 0.0
		for i := range a {
			sum += (a[i].num - b[i].num) * (a[i].num - b[i].num)
		}
		return math.Sqrt(sum)
	},
}

func dotProduct(a, b []Value) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i].num * b[i].num
	}
	return sum
}

// vectorDistance is exact whatever its third argument says: there is no vector index.
func vectorDistance(a []Value) Value {
	name := "cosine"
	if len(a) > 3 {
		if given, ok := a[3].Get("distanceFunction").Str(); ok {
			name = strings.ToLower(given)
		}
	}
	metric := metrics[name]
	if metric == nil || !isVector(a[0]) || !isVector(a[1]) || len(a[0].items) != len(a[1].items) {
		return Value{}
	}
	return finite(metric(a[0].items, a[1].items))
}

func isVector(v Value) bool {
	return v.kind == Array && len(v.items) > 0 && !slices.ContainsFunc(v.items, func(n Value) bool { return n.kind != Number })
}

// words are a text's runs of letters and digits without regard to case.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
}

// wordsPerStep is how many words a term is compared with in the time of a row.
const wordsPerStep = 64

// fullText tells whether a text has all or any of the terms; a term of several words is
// a phrase.
func fullText(all bool) func(*env, []Value) Value {
	return func(e *env, a []Value) Value {
		if slices.ContainsFunc(a, func(v Value) bool { return v.kind != String }) {
			return Value{}
		}
		text := words(a[0].str)
		for _, term := range a[1:] {
			if e.budget.work(1+len(text)/wordsPerStep) != nil {
				break
			}
			if countPhrase(text, words(term.str)) > 0 != all {
				return BoolOf(!all)
			}
		}
		return BoolOf(all)
	}
}

// countPhrase counts where a phrase begins in a text, in time linear in both (Knuth, Morris and Pratt, 1977).
func countPhrase(text, phrase []string) int {
	if len(phrase) == 0 || len(phrase) > len(text) {
		return 0
	}
	shorter := make([]int, len(phrase)+1) // of so many words that fit, how many do one beginning later
	fits := func(n int, word string) int {
		for n > 0 && (n == len(phrase) || phrase[n] != word) {
			n = shorter[n]
		}
		if phrase[n] == word {
			n++
		}
		return n
	}
	for i := 1; i < len(phrase); i++ {
		shorter[i+1] = fits(shorter[i], phrase[i])
	}
	count, n := 0, 0
	for _, word := range text {
		if n = fits(n, word); n == len(phrase) {
			count++
		}
	}
	return count
}

// documentID is the number in a document's _rid, which its last eight bytes are.
func documentID(a []Value) Value {
	rid, _ := a[0].Get("_rid").Str()
	raw, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(rid, "-", "/"))
	if err != nil || len(raw) != 16 {
		return Value{}
	}
	number := uint64(0)
	for i := len(raw) - 1; i >= 8; i-- {
		number = number<<8 | uint64(raw[i])
	}
	return NumberOf(float64(number))
}
