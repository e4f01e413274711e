package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/entity/request"
)

// object is a JSON object; encoding/json sorts its members, so equal ones have equal texts.
type object = map[string]any

// Document returns the OpenAPI 3.1 document of the routes, and of the kinds' events. version
// is the app's.
func Document(version string, kinds []Kind, routes []Route) ([]byte, error) {
	d := document{
		paths: object{}, operations: map[string]bool{},
		schemas: object{"Problem": problemSchema(), "Health": healthSchema()}, responses: problemResponses(),
	}
	byName := map[string]Kind{}
	for _, k := range kinds {
		if err := d.addKind(k); err != nil {
			return nil, fmt.Errorf("describe the kind %q: %w", k.Name, err)
		}
		byName[k.Name] = k
	}
	for _, r := range routes {
		if err := d.addRoute(r, byName); err != nil {
			return nil, fmt.Errorf("describe the function %s: %w", r.Function, err)
		}
	}
	return json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Relaybox", "version": version,
			"description": "Entities whose changes are stored and sent as events: both or neither. " +
				"The schemas whose names end in Event are the CloudEvents on the topic.",
		},
		"servers":  []object{{"url": "/api"}},
		"security": []object{{"header": []string{}}, {"query": []string{}}},
		"paths":    d.paths,
		"components": object{
			"schemas": d.schemas, "responses": d.responses, "headers": headers, "parameters": parameters,
			"securitySchemes": object{
				"header": object{"type": "apiKey", "in": "header", "name": "x-functions-key"},
				"query":  object{"type": "apiKey", "in": "query", "name": "code"},
			},
		},
	})
}

// document is one Document under way.
type document struct {
	paths, schemas, responses object
	operations                map[string]bool // the operationIds that are taken
}

// addKind adds the kind's schemas: as it is sent, as it is told, and its events.
func (d *document) addKind(k Kind) error {
	name := title(k.Name)
	body, err := schemaOf(k.Entity, sent)
	if err != nil {
		return err
	}
	state, err := schemaOf(k.Entity, told)
	if err != nil {
		return err
	}
	made := object{name + "Body": body, name + "Patch": patchOf(body), name + "State": state}
	made[name] = object{"allOf": []object{schemaRef(name + "State"), {
		"type": "object",
		"properties": object{
			"id":        object{"type": "string", "pattern": request.IDPattern},
			"version":   object{"type": "integer", "minimum": 1},
			"updatedAt": object{"type": "string", "format": "date-time"},
		},
		"required": []string{"id", "version", "updatedAt"},
	}}}
	for action, a := range k.Actions {
		if made[title(action)+name+"Body"], err = schemaOf(a.Input, sent); err != nil {
			return err
		}
	}
	for _, event := range k.events() {
		s, err := k.eventSchema(event)
		if err != nil {
			return err
		}
		if event != deleted {
			s.Properties["data"].Properties["state"] = &jsonschema.Schema{Ref: "#/components/schemas/" + name + "State"}
		}
		made[name+title(event)+"Event"] = s
	}
	for name, s := range made {
		if d.schemas[name] != nil {
			return fmt.Errorf("its schema %s has the name of another kind's: give one of the two another Name", name)
		}
		d.schemas[name] = s
	}
	return nil
}

// addRoute adds the operations of a function.
func (d *document) addRoute(r Route, kinds map[string]Kind) error {
	template, optional, err := azfunc.Template(r.Route)
	if err != nil {
		return err
	}
	k, known := kinds[r.Kind]
	for _, method := range r.methods() {
		switch {
		case r.Document:
			d.add(r, method, template, documentOperation(method))
		case r.Health:
			for _, check := range healthChecks {
				d.add(r, method, template+check.path, healthOperation(method, check))
			}
		case !known:
			d.add(r, method, template, otherOperation(method, r, template))
		case method == "post":
			if optional == "" {
				continue
			}
			for _, action := range slices.Sorted(maps.Keys(k.Actions)) {
				d.add(r, method, template+"/"+action, actionOperation(k, action, k.Actions[action]))
			}
		default:
			d.add(r, method, template, entityOperation(method, k))
		}
	}
	return nil
}

// methods are what the host lets through and the function answers, in small letters.
func (r Route) methods() []string {
	var all []string
	for _, method := range r.Methods {
		all = append(all, strings.ToLower(method))
	}
	if slices.Contains(all, "get") && !slices.Contains(all, "head") {
		all = append(all, "head")
	}
	return slices.DeleteFunc(all, func(method string) bool {
		return r.Kind != "" && !slices.Contains(r.Serves, strings.ToUpper(method))
	})
}

// add puts an operation into its path. Two functions may have made the same id.
func (d *document) add(r Route, method, template string, operation object) {
	if id := operation["operationId"].(string); d.operations[id] {
		operation["operationId"] = id + r.Function
	}
	d.operations[operation["operationId"].(string)] = true
	path, ok := d.paths["/"+template].(object)
	if !ok {
		path = object{}
		d.paths["/"+template] = path
	}
	path[method] = operation
}
