package rest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/query"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// planned is a query's plan as clients read it.
type planned struct {
	Version int           `json:"partitionedQueryExecutionInfoVersion"`
	Info    plannedQuery  `json:"queryInfo"`
	Ranges  []plannedPart `json:"queryRanges"`
}

type plannedQuery struct {
	Distinct           string             `json:"distinctType"`
	Top                *int               `json:"top"`
	Offset             *int               `json:"offset"`
	Limit              *int               `json:"limit"`
	OrderBy            []string           `json:"orderBy"`
	OrderByExpressions []string           `json:"orderByExpressions"`
	GroupBy            []string           `json:"groupByExpressions"`
	GroupByAliases     []string           `json:"groupByAliases"`
	Aggregates         []string           `json:"aggregates"`
	AliasAggregates    map[string]*string `json:"groupByAliasToAggregateType"`
	Rewritten          string             `json:"rewrittenQuery"`
	SelectValue        bool               `json:"hasSelectValue"`
	NonStreaming       bool               `json:"hasNonStreamingOrderBy"`
	DistinctCount      *distinctCount     `json:"dCountInfo,omitempty"`
}

type distinctCount struct {
	Alias string `json:"dCountAlias"`
}

// plannedPart is a range of effective partition keys to ask.
type plannedPart struct {
	Min          string `json:"min"`
	Max          string `json:"max"`
	MinInclusive bool   `json:"isMinInclusive"`
	MaxInclusive bool   `json:"isMaxInclusive"`
}

// plan answers a request for a query's plan. What the client does not list as known to it is refused.
func (s *Service) plan(r *call, c *account.Container) (*wire.Answer, *refusal.Error) {
	if r.Method != http.MethodPost {
		return nil, refusal.NotAllowed("A query's plan is asked for with POST.")
	}
	q, params, bad := r.query(s.parsed.of(c))
	if bad != nil {
		return nil, bad
	}
	d, err := q.Distribute(params)
	if err != nil {
		return nil, refusal.BadRequest("Message: %v", err)
	}
	known := strings.FieldsFunc(r.Header.Get("X-Ms-Cosmos-Supported-Query-Features"), func(c rune) bool { return c == ',' || c == ' ' })
	if missing := d.Missing(known); len(missing) > 0 {
		return nil, refusal.BadRequest("Query contains the following features, which the calling client does not support: %s", strings.Join(missing, " "))
	}
	return &wire.Answer{Status: http.StatusOK, Body: planText(c, q, params, d), Charge: wire.ChargeMetadata, Count: -1}, nil
}

// planText is a plan as clients read it.
func planText(c *account.Container, q *sql.Query, params []sql.Param, d *sql.Distribution) []byte {
	text, err := json.Marshal(planned{Version: 2, Info: plannedInfo(d), Ranges: plannedRanges(c, q, params, d)})
	if err != nil {
		panic(err) // texts and numbers only
	}
	return text
}

func plannedInfo(d *sql.Distribution) plannedQuery {
	list := func(texts []string) []string { return append([]string{}, texts...) } // [] where there is none
	p := plannedQuery{
		Distinct: d.Distinct, Top: d.Top, Offset: d.Offset, Limit: d.Limit, OrderBy: list(d.OrderBy), OrderByExpressions: list(d.OrderByExpressions),
		GroupBy: list(d.GroupBy), GroupByAliases: []string{}, Aggregates: list(d.Aggregates), AliasAggregates: map[string]*string{},
		Rewritten: d.Rewritten, SelectValue: d.SelectValue,
	}
	for _, column := range d.Columns {
		p.GroupByAliases = append(p.GroupByAliases, column.Name)
		p.AliasAggregates[column.Name] = nil
		if column.Aggregate != "" {
			p.AliasAggregates[column.Name] = &column.Aggregate
		}
	}
	if d.DistinctCount != nil {
		p.DistinctCount = &distinctCount{Alias: *d.DistinctCount}
	}
	return p
}

// plannedRanges are the parts of the key space to ask: one key's where WHERE demands it, and any one where no document is read.
func plannedRanges(c *account.Container, q *sql.Query, params []sql.Param, d *sql.Distribution) []plannedPart {
	if !d.Everywhere {
		return []plannedPart{{Min: partition.MinEPK, Max: c.Layout().Of(partition.MinEPK).Max, MinInclusive: true}}
	}
	if key := query.PinnedKey(c, q, params); key != nil {
		epk := c.PK.EPK(key)
		return []plannedPart{{Min: epk, Max: epk, MinInclusive: true, MaxInclusive: true}}
	}
	return []plannedPart{{Min: partition.MinEPK, Max: partition.MaxEPK, MinInclusive: true}}
}
