package account

import (
	"slices"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Every setting of a container is on one of these lists, or is refused: what is echoed is done.
var (
	// applied are the settings that this server acts on.
	applied = []string{"id", "partitionKey", "indexingPolicy", "defaultTtl", "uniqueKeyPolicy"}
	// kept are those that ask nothing of a server with one region: what no conflict decides, what clients do themselves, and
	// what functions of the language need no policy for.
	kept = []string{"conflictResolutionPolicy", "clientEncryptionPolicy", "vectorEmbeddingPolicy", "fullTextPolicy"}
	// shown are the service's own, which clients send back.
	shown = []string{"_docs", "_sprocs", "_triggers", "_udfs", "_conflicts"}
	// neutral are settings that this server does not act on, with the test for values that ask for nothing.
	neutral = map[string]func(sql.Value) bool{
		"computedProperties":   func(v sql.Value) bool { return len(v.Items()) == 0 },
		"analyticalStorageTtl": func(v sql.Value) bool { n, ok := v.Number(); return ok && n == 0 },
		"changeFeedPolicy": func(v sql.Value) bool {
			n, ok := v.Get("retentionDuration").Number()
			return !v.Get("retentionDuration").IsDefined() || ok && n == 0
		},
		"geospatialConfig": func(v sql.Value) bool {
			kind, _ := v.Get("type").Str()
			return !v.Get("type").IsDefined() || strings.EqualFold(kind, "Geography")
		},
	}
)

// checkSettings refuses a setting that would be echoed and not done, but one that the container has had from a version before:
// who reads a container, changes something else and puts it back has not asked for it.
func checkSettings(properties, old sql.Value) *refusal.Error {
	for i, name := range properties.Names() {
		value := properties.Items()[i]
		asksNothing, known := neutral[name]
		switch {
		case old.Get(name).IsDefined() && sql.Equal(value, old.Get(name)):
		case value.Kind() == sql.Null, slices.Contains(applied, name), slices.Contains(kept, name), slices.Contains(shown, name), known && asksNothing(value):
		case known:
			return refusal.BadRequest("The setting %s of a container is not supported here with the value %s.", name, value)
		default:
			return refusal.BadRequest("A container has no setting %q that is supported here.", name)
		}
	}
	return nil
}

// settled is what a client sent in place of what there was, checked, with enums as the service writes them and with what it leaves to the service.
func settled(sent, old sql.Value) (sql.Value, *refusal.Error) {
	properties := document.WithoutSystem(sent)
	if bad := checkSettings(properties, old); bad != nil {
		return properties, bad
	}
	pk := properties.Get("partitionKey")
	if !pk.Get("kind").IsDefined() {
		pk = pk.With("kind", sql.StringOf(partition.Hash))
	}
	pk = pk.With("kind", enum(pk.Get("kind"), partition.Hash, "Range", partition.MultiHash)).With("version", version(pk.Get("version")))
	return properties.With("partitionKey", pk).With("indexingPolicy", indexing(properties.Get("indexingPolicy"))), nil
}

// enum is a value of an enum by its name: SDKs send names in any case, or numbers.
func enum(v sql.Value, names ...string) sql.Value {
	if n, ok := v.Number(); ok && n >= 0 && n < float64(len(names)) && n == float64(int(n)) {
		return sql.StringOf(names[int(n)])
	}
	text, _ := v.Str()
	for _, name := range names {
		if strings.EqualFold(text, name) {
			return sql.StringOf(name)
		}
	}
	return v
}

// version is the version of a partition key, which Java sends as V1 or V2.
func version(v sql.Value) sql.Value {
	text, _ := v.Str()
	switch strings.TrimPrefix(strings.ToUpper(text), "V") {
	case "1":
		return sql.NumberOf(1)
	case "2":
		return sql.NumberOf(2)
	}
	return v
}

// defaultIndexing is the index policy of a container that was created without one.
var defaultIndexing = mustParse(`{"indexingMode":"consistent","automatic":true,` +
	`"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/\"_etag\"/?"}]}`)

// etagPath is excluded from every index.
const etagPath = `/"_etag"/?`

// indexing completes an index policy as the service does.
func indexing(policy sql.Value) sql.Value {
	if policy.Kind() != sql.Object {
		return defaultIndexing
	}
	for i, name := range defaultIndexing.Names() {
		if !policy.Get(name).IsDefined() && !strings.HasSuffix(name, "Paths") {
			policy = policy.With(name, defaultIndexing.Items()[i])
		}
	}
	policy = policy.With("indexingMode", enum(policy.Get("indexingMode"), "consistent", "lazy", "none"))
	if mode, _ := policy.Get("indexingMode").Str(); mode == "none" {
		return policy
	}
	included, excluded := policy.Get("includedPaths").Items(), policy.Get("excludedPaths").Items()
	if len(included) == 0 && !lists(excluded, "/*") {
		included = []sql.Value{pathOf("/*")}
	}
	if !lists(excluded, etagPath) && !lists(included, etagPath) {
		excluded = append(slices.Clone(excluded), pathOf(etagPath))
	}
	return policy.With("includedPaths", sql.ArrayOf(included)).With("excludedPaths", sql.ArrayOf(excluded))
}

func pathOf(path string) sql.Value {
	return sql.ObjectOf([]string{"path"}, []sql.Value{sql.StringOf(path)})
}

func lists(paths []sql.Value, path string) bool {
	return slices.ContainsFunc(paths, func(p sql.Value) bool { return sql.Equal(p.Get("path"), sql.StringOf(path)) })
}
