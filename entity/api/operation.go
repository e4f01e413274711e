package api

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func ref(room, name string) object { return object{"$ref": "#/components/" + room + "/" + name} }

func schemaRef(name string) object { return ref("schemas", name) }

// refusals are the statuses with a problem that each sort of operation can have, besides
// those that all have.
var refusals = map[string][]int{
	"get":    {404, 412},
	"head":   {404, 412},
	"put":    {409, 411, 412, 413, 415, 422},
	"patch":  {404, 409, 411, 412, 413, 415, 422},
	"delete": {404, 409, 412, 413, 422},
	"post":   {404, 409, 411, 412, 413, 415, 422},
}

// always can go wrong anywhere: the request, its rate, us, the store.
var always = []int{400, 429, 500, 503}

var summaries = map[string]string{
	"get": "Read it.", "head": "Read its entity tag.", "put": "Make it, or replace it.",
	"patch": "Change some of its members.", "delete": "Delete it.",
}

// entityOperation is a method of an entity's own address.
func entityOperation(method string, k Kind) object {
	name := title(k.Name)
	operation := object{
		"operationId": method + name, "summary": summaries[method], "tags": []string{k.Name},
		"parameters": conditionsFor(method), "responses": responses(method),
	}
	answers := operation["responses"].(object)
	switch method {
	case "get", "head":
		answers["200"] = shown(method, name, "The entity.")
		answers["200"].(object)["headers"] = headerRefs("ETag", "Cache-Control", "Age", "X-Cache")
		answers["304"] = object{"description": "The client has this version already.", "headers": headerRefs("ETag", "Cache-Control", "Age", "X-Cache")}
	case "put":
		answers["200"] = shown(method, name, "The entity as it is now.")
		created := shown(method, name, "The entity is new.")
		created["headers"] = headerRefs("ETag", "Cache-Control", "Location")
		answers["201"] = created
		operation["requestBody"] = body(true, name+"Body", "application/json")
	case "patch":
		answers["200"] = shown(method, name, "The entity as it is now.")
		operation["requestBody"] = body(true, name+"Patch", "application/merge-patch+json", "application/json")
	case "delete":
		answers["204"] = object{"description": "It is gone.", "headers": headerRefs("Cache-Control")}
	}
	return operation
}

// actionOperation is one action, at an address of its own.
func actionOperation(k Kind, action string, a Action) object {
	name := title(k.Name)
	operation := object{
		"operationId": camel(action) + name, "summary": "The action " + action + ".", "tags": []string{k.Name},
		"parameters":  conditionsFor("post"),
		"requestBody": body(!a.Bare, title(action)+name+"Body", "application/json"),
		"responses":   responses("post"),
	}
	operation["responses"].(object)["200"] = shown("post", name, "The entity as it is now.")
	return operation
}

// documentOperation is this document's own.
func documentOperation(method string) object {
	ok := object{"description": "This document.", "headers": headerRefs("ETag", "Cache-Control")}
	if method != "head" {
		ok["content"] = object{"application/json": object{"schema": object{"type": "object"}}}
	}
	return object{
		"operationId": method + "Description", "summary": "Read this document.",
		"parameters": []object{ref("parameters", "IfNoneMatch")},
		"responses": object{
			"200": ok, "304": object{"description": "The client has it already.", "headers": headerRefs("ETag", "Cache-Control")},
			"401": ref("responses", "Unauthorized"), "500": ref("responses", "InternalServerError"),
		},
	}
}

// otherOperation is all that a function.json tells of a function that serves no kind.
func otherOperation(method string, r Route, template string) object {
	named := []object{}
	for part := range strings.SplitSeq(template, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			named = append(named, object{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	return object{
		"operationId": method + r.Function, "parameters": named,
		"responses": object{"default": object{"description": "What the function answers."}},
	}
}

// responses are the problems of an operation, by status.
func responses(method string) object {
	all := object{"401": ref("responses", "Unauthorized")}
	for _, status := range slices.Concat(refusals[method], always) {
		name := responseName(status)
		if method == "head" {
			name = "Head" + name
		}
		all[strconv.Itoa(status)] = ref("responses", name)
	}
	return all
}

// shown is an answer with the entity in it, or what HEAD says of that.
func shown(method, name, description string) object {
	answer := object{"description": description, "headers": headerRefs("ETag", "Cache-Control")}
	if method != "head" {
		answer["content"] = object{"application/json": object{"schema": schemaRef(name)}}
	}
	return answer
}

func body(required bool, schema string, mediaTypes ...string) object {
	content := object{}
	for _, mediaType := range mediaTypes {
		content[mediaType] = object{"schema": schemaRef(schema)}
	}
	return object{"required": required, "content": content}
}

// conditionsFor are the parameters that a method reads.
func conditionsFor(method string) []object {
	all := []object{ref("parameters", "ID"), ref("parameters", "IfMatch"), ref("parameters", "IfNoneMatch")}
	if method == "get" || method == "head" {
		return append(all, ref("parameters", "Fresh"))
	}
	return append(all, ref("parameters", "IdempotencyKey"), ref("parameters", "TraceParent"), ref("parameters", "TraceState"))
}

func headerRefs(names ...string) object {
	all := object{}
	for _, name := range names {
		all[name] = ref("headers", strings.ReplaceAll(name, "-", ""))
	}
	return all
}

// merged is a with what b adds.
func merged(a, b object) object {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
