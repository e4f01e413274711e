package rest

import (
	"net/http"

	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// describe answers GET /: the account document. SDKs send everything that follows to the
// endpoint it names, so it names the host that this client reached the server under.
func (s *Service) describe(r *call) (*wire.Answer, *refusal.Error) {
	if r.Method != http.MethodGet {
		return nil, refusal.NotAllowed("The account can only be read.")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	location := sql.ArrayOf([]sql.Value{sql.ObjectOf(
		[]string{"name", "databaseAccountEndpoint"},
		[]sql.Value{sql.StringOf("South Central US"), sql.StringOf(scheme + "://" + r.Host + "/")})})
	policy := sql.ObjectOf([]string{"defaultConsistencyLevel"}, []sql.Value{sql.StringOf("Strong")})
	doc := sql.ObjectOf(
		[]string{"_self", "id", "_rid", "media", "addresses", "_dbs", "writableLocations", "readableLocations",
			"enableMultipleWriteLocations", "continuousBackupEnabled", "enableNRegionSynchronousCommit", "enablePerPartitionFailoverBehavior", "userReplicationPolicy", "userConsistencyPolicy", "systemReplicationPolicy", "readPolicy", "queryEngineConfiguration"},
		[]sql.Value{sql.StringOf(""), sql.StringOf("minicosmos"), sql.StringOf("minicosmos"), sql.StringOf("//media/"), sql.StringOf("//addresses/"), sql.StringOf("//dbs/"),
			location, location, sql.BoolOf(false), sql.BoolOf(false), sql.BoolOf(false), sql.BoolOf(false), replication, policy, replication, readPolicy, engine})
	return &wire.Answer{Status: http.StatusOK, Body: doc.AppendJSON(nil), Count: -1}, nil
}

var (
	replication = sql.ObjectOf([]string{"asyncReplication", "minReplicaSetSize", "maxReplicasetSize"},
		[]sql.Value{sql.BoolOf(false), sql.NumberOf(1), sql.NumberOf(4)})
	// engine is what clients may know of the query language: its limits, and that it has no geometry index.
	engine = sql.StringOf(`{"maxSqlQueryInputLength":524288,"maxJoinsPerSqlQuery":10,"maxLogicalAndPerSqlQuery":2000,"maxLogicalOrPerSqlQuery":2000,"maxUdfRefPerSqlQuery":0,"maxInExpressionItemsCount":16000,` +
		`"queryMaxInMemorySortDocumentCount":500,"maxQueryRequestTimeoutFraction":0.9,"sqlAllowNonFiniteNumbers":false,"sqlAllowAggregateFunctions":true,"sqlAllowSubQuery":true,"sqlAllowScalarSubQuery":true,` +
		`"allowNewKeywords":true,"sqlAllowLike":true,"sqlAllowGroupByClause":true,"sqlDisableQueryILOptimization":false,"sqlDisableOptimizationFlags":0,"sqlAllowTop":true,` +
		`"enableSpatialIndexing":false,"spatialMaxGeometryPointCount":256}`)
	readPolicy = sql.ObjectOf([]string{"primaryReadCoefficient", "secondaryReadCoefficient"},
		[]sql.Value{sql.NumberOf(1), sql.NumberOf(1)})
)
