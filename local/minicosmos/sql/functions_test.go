package sql

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reference is every function that Microsoft's reference has a page for (learn.microsoft.com/cosmos-db/query, November 2026).
const reference = `ABS ACOS ASIN ATAN ATN2 CEILING COS COT DEGREES EXP FLOOR INTADD INTBITAND INTBITLEFTSHIFT INTBITNOT INTBITOR INTBITRIGHTSHIFT INTBITXOR
INTDIV INTMOD INTMUL INTSUB LOG LOG10 NUMBERBIN PI POWER RADIANS RAND ROUND SIGN SIN SQRT SQUARE TAN TRUNC
ARRAY_AVG ARRAY_CONCAT ARRAY_CONTAINS ARRAY_CONTAINS_ALL ARRAY_CONTAINS_ANY ARRAY_LENGTH ARRAY_MAX ARRAY_MEDIAN ARRAY_MIN ARRAY_SLICE ARRAY_SUM
CHOOSE OBJECTTOARRAY SETDIFFERENCE SETEQUAL SETINTERSECT SETUNION IIF DOCUMENTID AVG COUNT MAX MIN SUM
AGO DATETIMEADD DATETIMEBIN DATETIMEDIFF DATETIMEFORMAT DATETIMEFROMPARTS DATETIMEPART DATETIMETOTICKS DATETIMETOTIMESTAMP DAY GETCURRENTDATETIME
GETCURRENTDATETIMESTATIC GETCURRENTTICKS GETCURRENTTICKSSTATIC GETCURRENTTIMESTAMP GETCURRENTTIMESTAMPSTATIC MONTH NOW TICKSTODATETIME TIMESTAMPTODATETIME YEAR
ST_AREA ST_DISTANCE ST_INTERSECTS ST_ISVALID ST_ISVALIDDETAILED ST_WITHIN VECTORDISTANCE FULLTEXTCONTAINS FULLTEXTCONTAINSALL FULLTEXTCONTAINSANY FULLTEXTSCORE RRF
CONCAT CONTAINS CONTAINS_ALL_CI CONTAINS_ALL_CS CONTAINS_ANY_CI CONTAINS_ANY_CS ENDSWITH INDEX_OF LASTINDEXOF LASTSUBSTRINGAFTER LASTSUBSTRINGBEFORE LEFT LENGTH
LOWER LTRIM REGEXEXTRACT REGEXEXTRACTALL REGEXMATCH REPLACE REPLICATE REVERSE RIGHT RTRIM STARTSWITH STRINGEQUALS STRINGJOIN STRINGSPLIT STRINGTOARRAY
STRINGTOBOOLEAN STRINGTONULL STRINGTONUMBER STRINGTOOBJECT SUBSTRING SUBSTRINGAFTER SUBSTRINGBEFORE TOSTRING TRIM UPPER
IS_ARRAY IS_BOOL IS_DATETIME IS_DEFINED IS_FINITE_NUMBER IS_INTEGER IS_NULL IS_NUMBER IS_OBJECT IS_PRIMITIVE IS_STRING`

// TestFunctions: what the reference has is there or refused, and docs/compat.md names each.
func TestFunctions(t *testing.T) {
	t.Parallel()
	there := slices.Concat(slices.Collect(maps.Keys(functions)), slices.Collect(maps.Keys(accumulators)), slices.Collect(maps.Keys(rankFunctions)))
	for name := range strings.FieldsSeq(reference) {
		require.True(t, slices.Contains(there, name) != refused[name], name)
	}
	for name := range refused {
		_, err := Parse("SELECT VALUE " + name + "(c.a) FROM c")
		require.ErrorContains(t, err, "The function '"+name+"' is not supported here.")
	}
	_, err := Parse("SELECT VALUE udf.f(1)")
	require.ErrorContains(t, err, "not supported here")
	text, err := os.ReadFile("../../../docs/compat.md")
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(text), "| functions | |")
	table, _, _ = strings.Cut(table, "\n\n")
	documented := map[bool][]string{}
	for line := range strings.Lines(table) {
		for _, name := range regexp.MustCompile("`([A-Z0-9_]+)`").FindAllStringSubmatch(line, -1) {
			isRefused := strings.HasPrefix(line, "| refused")
			documented[isRefused] = append(documented[isRefused], name[1])
		}
	}
	require.ElementsMatch(t, there, documented[false], "functions that are there, against docs/compat.md")
	require.ElementsMatch(t, slices.Collect(maps.Keys(refused)), documented[true], "functions that are refused, against docs/compat.md")
}

// Facts of the reference's pages that the samples do not have, and ends of our own.
func TestFunctionFacts(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		`ARRAY_AVG([1, -2.7, 3, -4, undefined])`: "-0.675", `ARRAY_AVG(['abc'])`: "", `ARRAY_AVG([])`: "", `ARRAY_SUM([])`: "0", `ARRAY_SUM([1, 2.5])`: "3.5", `ARRAY_SUM(1)`: "",
		`ARRAY_MEDIAN([1, 2, 3, 4])`: "2.5", `ARRAY_MEDIAN([1.0, 2.0, 3.3, 4.7, 7.8])`: "3.3", `ARRAY_MEDIAN([1, -2.7, 3, -4, undefined])`: "-0.8500000000000001", `ARRAY_MEDIAN(['a'])`: "",
		`ARRAY_MAX([12, 'abc', true, null])`: `"abc"`, `ARRAY_MIN([12, 'abc', true, null])`: "null", `ARRAY_MAX([[1]])`: "", `ARRAY_MEDIAN([])`: "", `ARRAY_MEDIAN({a: 1})`: "",
		`SETEQUAL([1, 2, 3, 3], [1, 2, 2, 3, 1, 2])`: "true", `SETEQUAL([], [1, 2, 3])`: "false", `SETEQUAL([1, true, 'abc'], [true, 1, 'abc'])`: "true", `SETEQUAL([1], 1)`: "",
		`SETDIFFERENCE([1, 2, 6, 7], [1, 2, 3])`: "[6,7]", `SETDIFFERENCE([1, 1, 1, 1], [2, 3, 4])`: "[1]", `SETINTERSECT([1, 2, 2, 3], [3, 9, 2, 3])`: "[3,2]",

		`ARRAY_CONTAINS_ANY([1, true, "3", [1,2,3]], [1,2,3])`: "true", `ARRAY_CONTAINS_ANY([1, 2], [1, 2])`: "false", `ARRAY_CONTAINS_ANY([1, 2], 5, undefined)`: "", `ARRAY_CONTAINS_ANY([1, 2], 1, undefined)`: "true",
		`ARRAY_CONTAINS_ALL([1, 2], 1, undefined)`: "", `ARRAY_CONTAINS_ALL([1, 2], 5, undefined)`: "false", `ARRAY_CONTAINS_ALL([], 1, 2)`: "false", `ARRAY_CONTAINS_ANY(1, 1)`: "",
		`STRINGSPLIT("Helmet", "")`: `["Helmet"]`, `STRINGSPLIT("", "")`: `[""]`, `STRINGSPLIT("xenmoun mountain bike", "moun")`: `["xen"," ","tain bike"]`, `STRINGSPLIT("a", undefined)`: "",
		`CONTAINS_ALL_CI("Have a nice day!", "HAVE", "NICE", "DAY!")`: "true", `CONTAINS_ALL_CI("Have a nice day!", "had", "nice", "day!")`: "false",
		`CONTAINS_ALL_CI("Have a nice day!", undefined, "nice", "day!")`: "", `CONTAINS_ALL_CI("Have a nice day!", undefined, "had")`: "false",
		`CONTAINS_ALL_CS("Have a nice day!", "have")`: "false", `CONTAINS_ANY_CS("Have a nice day!", "have", "nice")`: "true", `CONTAINS_ANY_CI("x", 1, "X")`: "true", `CONTAINS_ANY_CI("x", 1, "Y")`: "",
		`LASTINDEXOF("abcdeabc", "abc")`: "5", `LASTINDEXOF("abcdeabc", "abc", 6)`: "0", `LASTINDEXOF("abcdeabc", "abc", 7)`: "5", `LASTINDEXOF("abcdeabc", "fg")`: "-1", `LASTINDEXOF("a", "a", -1)`: "-1",
		`LASTSUBSTRINGBEFORE("/products/shoes/boots", "/")`: `"/products/shoes"`, `LASTSUBSTRINGAFTER("bike::touring::frame", "::")`: `"frame"`,
		`SUBSTRINGBEFORE("contoso|north|2026", "|")`: `"contoso"`, `SUBSTRINGAFTER("contoso|north|2026", "|")`: `"north|2026"`,
		`REGEXEXTRACT("SKU-93821-BLUE", "[0-9]+")`: `"93821"`, `REGEXEXTRACT("a", "b")`: "", `REGEXEXTRACT("sku-12", "SKU-([0-9]+)", "i", 1)`: `"12"`, `REGEXEXTRACT("a", "a", "", 1)`: "",
		`REGEXEXTRACTALL("A12-B34-C56", "[0-9]+")`: `["12","34","56"]`, `REGEXEXTRACTALL("A12-B34", "([A-Z])[0-9]", "", 1)`: `["A","B"]`, `REGEXEXTRACTALL("a", "b")`: "[]",

		`IS_DATETIME("2024-12-12Z")`: "true", `IS_DATETIME("2024-12-12 20:21:25.123Z")`: "true", `IS_DATETIME("2024-12-12T20Z")`: "false", `IS_DATETIME("2024-12-12 20:21:25.")`: "false", `IS_DATETIME(1)`: "false", `IS_DATETIME("2024-01-01T1:00:00")`: "false", `IS_DATETIME("2024-01-01 1:00:00.5Z")`: "false", `IS_DATETIME("2024-01-0")`: "false", `IS_DATETIME("")`: "false", `YEAR("2024-01-01T1:02:03Z")`: "",
		`DATETIMEFORMAT("2024-10-10 14:40:20", "yyyy-MM-dd [HH:mm:ss]")`: `"2024-10-10 [14:40:20]"`, `DATETIMEFORMAT("2024-10-10 14:40:20", "To\da\y i\s: yyyy-MM-ddTHH:mm:ss.FFF")`: `"Today is: 2024-10-10T14:40:20."`,
		`DATETIMEFORMAT("2024-10-10 14:40:20", "yyyyMMdd fff é")`: `"20241010 000 é"`, `DATETIMEFORMAT("2024-01-02 04:05:06.78", "yy/M/d h:m:s.FFF tt H")`: `"24/1/2 4:5:6.78 AM 4"`, `DATETIMEFORMAT("2024-01-02", "MMMM")`: "",
		`MONTH("2024-01-10")`: "1", `YEAR("1989-03-03T12:12:12.1234567Z")`: "1989", `DAY("2024-02-30")`: "", `DATETIMEADD("mm", 1, "2023-01-31")`: `"2023-02-28T00:00:00.0000000Z"`,
		`DATETIMEADD("yyyy", 1, "2024-02-29")`: `"2025-02-28T00:00:00.0000000Z"`, `DATETIMEADD("yy", 8000, "2024-02-29")`: "", `DATETIMEADD("hh", 9e15, "2024-02-29")`: "", `DATETIMEADD("ns", -100, "2024-01-01")`: `"2023-12-31T23:59:59.9999999Z"`,
		`DATETIMEADD("week", 1, "2024-02-29")`: "", `DATETIMEADD("dd", 1.5, "2024-02-29")`: "", `DATETIMEADD("mm", -2, "2024-01-15")`: `"2023-11-15T00:00:00.0000000Z"`,
		`DATETIMEDIFF("ms", "0001-01-01", "9999-12-31")`: "315537811200000", `DATETIMEDIFF("mm", "2019-12-31", "2020-01-01")`: "1", `DATETIMEDIFF("dd", "1970-01-02", "1969-12-31T23:59:59")`: "-2",
		`DATETIMEBIN("1969-12-31T10:00:00", "dd")`: `"1969-12-31T00:00:00.0000000Z"`, `DATETIMEBIN("2021-01-08", "dd", 0)`: "", `DATETIMEBIN("2021-01-08", "mm")`: "", `DATETIMEBIN("2021-01-08", "dd", 1, "1600-01-01")`: "",
		`DATETIMEBIN("2021-01-08", "dd", 9e15)`: `"1970-01-01T00:00:00.0000000Z"`, `DATETIMEBIN("2021-01-08T00:00:00.0000007", "ns", 300)`: `"2021-01-08T00:00:00.0000006Z"`, `DATETIMEFROMPARTS(2023, 2, 30)`: "", `DATETIMEFROMPARTS(2023, 1, 1, 24)`: "",
		`TICKSTODATETIME(1e300)`: "", `GETCURRENTDATETIMESTATIC() = GETCURRENTDATETIMESTATIC()`: "true", `AGO("dd", 1) < NOW() AND AGO("dd", -1) > NOW()`: "true",

		`INTDIV(10, 0)`: "", `INTMOD(-12, 5)`: "-2", `INTBITNOT(0.1)`: "", `RAND() >= 0 AND RAND() < 1`: "true",
		`VECTORDISTANCE([1, 0], [0, 1])`: "0", `VECTORDISTANCE([1, 2], [2, 4])`: "1", `VECTORDISTANCE([1, 2], [3, 4], true, {distanceFunction: 'dotproduct'})`: "11", `VECTORDISTANCE([0, 0], [3, 4], false, {'distanceFunction': 'Euclidean'})`: "5",
		`VECTORDISTANCE([1], [1, 2])`: "", `VECTORDISTANCE([0], [1])`: "", `VECTORDISTANCE([1], ['a'])`: "", `VECTORDISTANCE([1], [1], true, {distanceFunction: 'x'})`: "",
		`FULLTEXTCONTAINS("Red bikes, and red-blue ones", "RED-Blue")`: "true", `FULLTEXTCONTAINS("Red bikes", "bike")`: "false", `FULLTEXTCONTAINS("Red bikes", "bikes red")`: "false", `FULLTEXTCONTAINS(1, "a")`: "", `FULLTEXTCONTAINS("a", "")`: "false",
		`FULLTEXTCONTAINSALL("a b c", "c", "a")`: "true", `FULLTEXTCONTAINSALL("a b c", "c", "d")`: "false", `FULLTEXTCONTAINSANY("a b c", "d", "b")`: "true", `FULLTEXTCONTAINSANY("a b c", "d", 1)`: "",
		`DOCUMENTID({_rid: "x"})`: "", `DOCUMENTID(1)`: "",
	} {
		require.Equal(t, want, eval(t, strings.ReplaceAll(expression, `\`, `\\`)), expression)
	}
}

func TestAggregatesThatGather(t *testing.T) {
	t.Parallel()
	var docs []Value
	for _, text := range []string{`{"g":1,"v":"a"}`, `{"g":1,"v":"a"}`, `{"g":2}`, `{"g":1,"v":true}`} {
		docs = append(docs, value(t, text))
	}
	q, err := Parse("SELECT c.g, COUNTIF(c.v = 'a') AS n, MAKELIST(c.v) AS l, MAKESET(c.v) AS s FROM c GROUP BY c.g")
	require.NoError(t, err)
	got, err := drain(t, q, nil, docs, wholePage)
	require.NoError(t, err)
	require.Equal(t, `[{"g":1,"n":2,"l":["a","a",true],"s":["a",true]},{"g":2,"n":0,"l":[],"s":[]}]`, ArrayOf(got).String())
}

// ORDER BY VectorDistance puts the most similar first whatever the metric and the direction.
func TestVectorsInOrder(t *testing.T) {
	t.Parallel()
	docs := []Value{value(t, `{"id":"far","v":[-1,0.1]}`), value(t, `{"id":"near","v":[1,0.1]}`), value(t, `{"id":"mid","v":[0,1]}`)}
	for _, order := range []string{"VectorDistance(c.v, [1, 0])", "VectorDistance(c.v, [1, 0]) ASC", "VectorDistance(c.v, [1, 0], true, {distanceFunction: 'euclidean'}) DESC", "VectorDistance(c.v, @q)"} {
		q, err := Parse("SELECT VALUE c.id FROM c ORDER BY " + order)
		require.NoError(t, err)
		got, err := drain(t, q, []Param{{Name: "@q", Value: value(t, "[1,0]")}}, docs, wholePage)
		require.NoError(t, err)
		require.Equal(t, `["near","mid","far"]`, ArrayOf(got).String(), order)
	}
	_, err := Parse("SELECT VALUE c.id FROM c ORDER BY VectorDistance(c.v, [1, 0], true, @options)")
	require.ErrorContains(t, err, "must be a literal")
}

// ORDER BY RANK: rare terms count more, more of one counts more, short texts before long ones; fused, the places count.
func TestRanks(t *testing.T) {
	t.Parallel()
	var docs []Value
	for _, text := range []string{
		`{"id":"common","t":"a common word","v":[0,1]}`, `{"id":"long","t":"a rare word in a text that goes on and on about nothing","v":[0.1,1]}`,
		`{"id":"rare","t":"a rare word","v":[0.2,1]}`, `{"id":"twice","t":"rare, rare word","v":[0.3,1]}`, `{"id":"none","v":[1,0]}`, `{"id":"other","t":"A COMMON thing"}`,
	} {
		docs = append(docs, value(t, text))
	}
	for order, want := range map[string]string{
		"FullTextScore(c.t, 'rare')":                                                                           `["twice","rare","long","common","other","none"]`,
		"FullTextScore(c.t, 'common', 'RARE')":                                                                 `["common","other","twice","rare","long","none"]`,
		"FullTextScore(c.t, ['rare word'])":                                                                    `["rare","twice","long","common","other","none"]`,
		"VectorDistance(c.v, [1, 0])":                                                                          `["none","twice","rare","long","common","other"]`,
		"VectorDistance(c.v, [1, 0], true, {distanceFunction: 'euclidean'})":                                   `["none","twice","rare","long","common","other"]`,
		"RRF(FullTextScore(c.t, 'rare'), VectorDistance(c.v, [1, 0]))":                                         `["twice","rare","none","long","common","other"]`,
		"RRF(FullTextScore(c.t, 'common'), VectorDistance(c.v, [1, 0]), [100, 1])":                             `["common","other","twice","rare","long","none"]`,
		"RRF(VectorDistance(c.v, [0, 1]), VectorDistance(c.v, [0, 1], true, {distanceFunction: 'euclidean'}))": `["common","long","rare","twice","none","other"]`,
	} {
		q, err := Parse("SELECT VALUE c.id FROM c ORDER BY RANK " + order)
		require.NoError(t, err, order)
		require.False(t, q.CrossPartition())
		for _, limits := range []Limits{wholePage, {Rows: 2, Bytes: 1 << 20, Looked: 1}} {
			got, err := drain(t, q, nil, docs, limits)
			require.NoError(t, err)
			require.Equal(t, want, ArrayOf(got).String(), order)
		}
	}
	q, err := Parse("SELECT TOP 1 VALUE c.id FROM c WHERE FullTextContains(c.t, 'common') ORDER BY RANK FullTextScore(c.t, @term)")
	require.NoError(t, err)
	got, err := drain(t, q, []Param{{Name: "@term", Value: StringOf("thing")}}, docs, wholePage)
	require.NoError(t, err)
	require.Equal(t, `["other"]`, ArrayOf(got).String())

	for _, text := range []string{
		"SELECT FullTextScore(c.t, 'a') FROM c", "SELECT * FROM c ORDER BY FullTextScore(c.t, 'a')", "SELECT * FROM c WHERE RRF(c.a, c.b) = 1", "SELECT * FROM c ORDER BY RANK c.n", "SELECT * FROM c ORDER BY RANK LOWER(c.n)",
		"SELECT * FROM c ORDER BY RANK RRF(FullTextScore(c.t, 'a'))", "SELECT * FROM c ORDER BY RANK RRF(FullTextScore(c.t, 'a'), c.n)", "SELECT * FROM c ORDER BY RANK FullTextScore(c.t)", "SELECT * FROM c ORDER BY RANK FullTextScore(c.t, 'a') DESC",
		"SELECT * FROM c ORDER BY RANK FullTextScore(c.t, 'a'), c.n", "SELECT COUNT(1) FROM c ORDER BY RANK FullTextScore(c.t, 'a')", "SELECT * FROM c ORDER BY RANK FullTextScore(d.t, 'a')",
		"SELECT * FROM c ORDER BY RANK RRF(FullTextScore(c.t, 'a'), FullTextScore(c.t, 'b'), [1])", "SELECT * FROM c ORDER BY RANK RRF(FullTextScore(c.t, 'a'), FullTextScore(c.t, 'b'), [c.n, @p])",
	} {
		_, err := Parse(text)
		require.Error(t, err, text)
	}
}

func TestStaticTimes(t *testing.T) {
	t.Parallel()
	q, err := Parse("SELECT VALUE GetCurrentTicksStatic() FROM c WHERE GetCurrentTimestamp() > 0")
	require.NoError(t, err)
	docs := []Value{value(t, "{}"), value(t, "{}")}
	got, err := drain(t, q, nil, docs, wholePage)
	require.NoError(t, err)
	require.Equal(t, got[0].String(), got[1].String())
	require.InDelta(t, float64(time.Now().UnixMilli()), got[0].num/1e4, 60000)
}

// Polygons run counter-clockwise; one that does not is all but what it surrounds.
func TestShapes(t *testing.T) {
	t.Parallel()
	point := func(at string) string { return `{type: "Point", coordinates: ` + at + `}` }
	square := `{type: "Polygon", coordinates: [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]}`
	holed := `{type: "Polygon", coordinates: [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], [[1, 1], [1, 3], [3, 3], [3, 1], [1, 1]]]}`
	inverse := `{type: "Polygon", coordinates: [[[0, 0], [0, 4], [4, 4], [4, 0], [0, 0]]]}`
	small := `{type: "Polygon", coordinates: [[[1.5, 1.5], [2, 1.5], [2, 2], [1.5, 1.5]]]}`
	road := `{type: "LineString", coordinates: [[-1, 2], [5, 2]]}`
	both := `{type: "MultiPolygon", coordinates: [[[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]], [[[8, 8], [9, 8], [9, 9], [8, 8]]]]}`
	for expression, want := range map[string]string{
		"ST_WITHIN(" + point("[2, 2]") + ", " + square + ")": "true", "ST_WITHIN(" + point("[4, 2]") + ", " + square + ")": "true", "ST_WITHIN(" + point("[5, 2]") + ", " + square + ")": "false",
		"ST_WITHIN(" + point("[2, 2]") + ", " + holed + ")": "false", "ST_WITHIN(" + point("[2, 2]") + ", " + inverse + ")": "false", "ST_WITHIN(" + point("[9, 2]") + ", " + inverse + ")": "true",
		"ST_WITHIN(" + small + ", " + square + ")": "true", "ST_WITHIN(" + square + ", " + small + ")": "false", "ST_WITHIN(" + small + ", " + holed + ")": "false", "ST_WITHIN(" + square + ", " + holed + ")": "false",
		"ST_WITHIN(" + road + ", " + square + ")": "false", "ST_WITHIN(" + small + ", " + both + ")": "true", "ST_WITHIN(" + point("[8.9, 8.5]") + ", " + both + ")": "true",
		"ST_INTERSECTS(" + road + ", " + square + ")": "true", "ST_INTERSECTS(" + small + ", " + holed + ")": "false", "ST_INTERSECTS(" + small + ", " + square + ")": "true", "ST_INTERSECTS(" + square + ", " + small + ")": "true",
		"ST_DISTANCE(" + point("[2, 2]") + ", " + square + ")": "0", "ROUND(ST_DISTANCE(" + point("[5, 0]") + ", " + square + "))": "111319", "ROUND(ST_DISTANCE(" + road + ", " + point("[2, 3]") + "))": "110576",
		"ROUND(ST_DISTANCE(" + point("[179.5, 0]") + ", " + point("[-179.5, 0]") + "))": "111319", "ROUND(ST_DISTANCE(" + point("[0, 90]") + ", " + point("[0, -90]") + ") / 1000)": "20004",
		"ST_DISTANCE(" + point("[0, 0]") + ", " + point("[180, 0]") + ") > 19900000": "true", "ST_DISTANCE(1, " + square + ")": "", "ST_DISTANCE(" + point("[0, 91]") + ", " + square + ")": "",
		"ROUND((ST_AREA(" + square + ") - ST_AREA(" + holed + ")) / 1e6)": "49210", "ROUND((ST_AREA(" + square + ") + ST_AREA(" + inverse + ")) / 1e12)": "510", "ST_AREA(" + road + ")": "0",
		"ST_ISVALID(1)": "false", "ST_ISVALID(" + point("[1]") + ")": "false", "ST_ISVALID(" + point("[181, 1]") + ")": "false", "ST_ISVALID(" + both + ")": "true", "ST_ISVALID({type: 'Circle', coordinates: [1, 2]})": "false",
		"ST_ISVALID({type: 'Polygon', coordinates: [[[0, 0], [1, 1], [0, 0]]]})": "false", "ST_ISVALID({type: 'Polygon', coordinates: [[[0, 0], [1, 1], [1, 0], [0, 1]]]})": "false", "ST_ISVALID({type: 'LineString', coordinates: [[0, 0]]})": "false",
	} {
		require.Equal(t, want, eval(t, expression), expression)
	}
}
