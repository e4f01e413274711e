package api

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/relaybox/relaybox/entity/problem"
	"github.com/relaybox/relaybox/entity/request"
)

// blank is the type of the problems that are told before a function is found, or when it
// has panicked (RFC 9457 §4.2.1).
const blank = "about:blank"

// problemSchema is problem.Problem; the types are those of all kinds.
func problemSchema() *jsonschema.Schema {
	s, err := schemaOf(reflect.TypeFor[problem.Problem](), told)
	if err != nil {
		panic(err) // a type of ours
	}
	types := []any{blank}
	for _, k := range problem.All() {
		types = append(types, k.Type)
	}
	s.Properties["type"].Enum = types
	s.Properties["status"].Minimum, s.Properties["status"].Maximum = jsonschema.Ptr(400.0), jsonschema.Ptr(599.0)
	s.Required = []string{"type", "title", "status"}
	s.Description = "RFC 9457. Programs look at the type."
	return s
}

// problemResponses are the answers that tell a problem, one for each status.
func problemResponses() object {
	byStatus := map[int][]problem.Kind{}
	for _, k := range problem.All() {
		byStatus[k.Status] = append(byStatus[k.Status], k)
	}
	all := object{"Unauthorized": object{"description": "The function key is missing or wrong. The host answers this, without a body."}}
	for status, kinds := range byStatus {
		types, says := []string{}, []string{}
		for _, k := range kinds {
			types = append(types, k.Type)
			says = append(says, fmt.Sprintf("%s (%s)", k.Title, k.Type))
		}
		if slices.Contains([]int{404, 405, 500}, status) {
			types = append(types, blank)
		}
		headers := headersOf(status)
		head := object{"description": strings.Join(says, "; ") + "."}
		if len(headers) > 0 {
			head["headers"] = headers
		}
		all["Head"+responseName(status)] = head
		all[responseName(status)] = merged(head, object{"content": object{"application/problem+json": object{"schema": object{
			"allOf": []object{schemaRef("Problem"), {"properties": object{"type": object{"enum": types}, "status": object{"const": status}}}},
		}}}})
	}
	return all
}

func responseName(status int) string { return strings.ReplaceAll(http.StatusText(status), " ", "") }

// headersOf are the headers that a problem of a status may have: a time to come again, or
// what would be accepted.
func headersOf(status int) object {
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return object{"Retry-After": ref("headers", "RetryAfter")}
	case http.StatusConflict:
		return object{"Retry-After": ref("headers", "RetryAfterIfAny")}
	case http.StatusMethodNotAllowed:
		return headerRefs("Allow")
	case http.StatusUnsupportedMediaType:
		return headerRefs("Accept", "Accept-Patch")
	}
	return object{}
}

var headers = object{
	"ETag":            header(true, "The entity tag of the version, for If-Match and If-None-Match.", object{"type": "string", "pattern": `^".+"$`}),
	"CacheControl":    header(true, "How long it may be kept.", object{"type": "string"}),
	"Age":             header(false, "How many seconds ago the entity was as it is shown; only where max-age has asked a cache.", object{"type": "integer", "minimum": 0}),
	"XCache":          header(false, "HIT if the cache had it, MISS if the store was read; only where max-age has asked a cache.", object{"type": "string", "enum": []string{"HIT", "MISS"}}),
	"Location":        header(true, "The address of the new entity.", object{"type": "string"}),
	"RetryAfter":      header(true, "Seconds after which the same request may succeed.", object{"type": "integer", "minimum": 1}),
	"RetryAfterIfAny": header(false, "Seconds after which the same request may succeed, if that is a matter of time.", object{"type": "integer", "minimum": 1}),
	"Allow":           header(true, "The methods that are offered.", object{"type": "string"}),
	"Accept":          header(false, "The media types that PUT and POST take.", object{"type": "string"}),
	"AcceptPatch":     header(false, "The media types that PATCH takes.", object{"type": "string"}),
}

func header(required bool, description string, schema object) object {
	return object{"required": required, "description": description, "schema": schema}
}

var parameters = object{
	"ID": object{
		"name": "id", "in": "path", "required": true, "schema": object{"type": "string", "pattern": request.IDPattern},
		"description": `1 to 128 letters, digits, '.', '_', '~' and '-', but neither "." nor "..".`,
	},
	"IfMatch":        parameter("If-Match", "Only if the entity is at one of these versions: entity tags, or * for any.", object{"type": "string"}),
	"IfNoneMatch":    parameter("If-None-Match", "Only if the entity is at none of these versions; * on PUT: only if there is none.", object{"type": "string"}),
	"IdempotencyKey": parameter("Idempotency-Key", "Carry the request out once, however often it is sent within 24 hours: each time it gets the first answer, 404, 409 and 412 included.", object{"type": "string", "minLength": 1}),
	"Fresh":          parameter("Cache-Control", "no-cache: the entity as it is now, where a replica may lag behind what another instance has written. max-age=N: one that a cache has may do, if it was so no more than N seconds ago.", object{"type": "string"}),
	"TraceParent":    parameter("traceparent", "The W3C trace that the events belong to.", object{"type": "string"}),
	"TraceState":     parameter("tracestate", "What the systems of the trace add to it.", object{"type": "string"}),
}

func parameter(name, description string, schema object) object {
	return object{"name": name, "in": "header", "description": description, "schema": schema}
}
