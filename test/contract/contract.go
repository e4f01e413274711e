// Package contract checks, in tests, that what the app says is what its description says.
//
// It promises that every answer to a request below /api has a status, headers and a body
// that the OpenAPI document names for it, and every event the schema of its type; a
// violation is an error that says where. What the document cannot name (a path or a method
// that no function has) must be a problem all the same. Everything is read when the process
// starts, once, and is safe to use from many goroutines.
package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	faults "github.com/pb33f/libopenapi-validator/errors"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/relaybox/relaybox/functions"
)

// described is the app's description, ready to be asked. It is made before any test runs:
// what is made inside a synctest bubble belongs to it.
var described = describe()

type description struct {
	document  validator.Validator
	addresses []address
	events    map[string]*jsonschema.Resolved // by CloudEvents type
	bodies    map[string]*jsonschema.Resolved // by name of the component
	problem   *jsonschema.Resolved
}

// address is a path of the document. Literal parts are read in any case, as the host does.
type address struct {
	template string
	pattern  *regexp.Regexp
	item     *v3.PathItem
}

func describe() *description {
	d, err := read()
	if err != nil {
		panic(fmt.Errorf("the app's description: %w", err)) // no test is at hand to fail
	}
	return d
}

func read() (*description, error) {
	text, err := functions.OpenAPI()
	if err != nil {
		return nil, err
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	model, err := document.BuildV3Model()
	if err != nil {
		return nil, err
	}
	check, errs := validator.NewValidator(document, config.WithFormatAssertions())
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	d := &description{document: check}
	for template, item := range model.Model.Paths.PathItems.FromOldest() {
		pattern := regexp.MustCompile(`\\\{[^/]*\\\}`).ReplaceAllString(regexp.QuoteMeta("/api"+template), "[^/]+")
		d.addresses = append(d.addresses, address{template, regexp.MustCompile("^(?i:" + pattern + ")/?$"), item})
	}
	return d, d.addSchemas(text)
}

// addSchemas reads what is checked without a request.
func (d *description) addSchemas(document []byte) error {
	kinds, err := functions.Kinds()
	if err != nil {
		return err
	}
	events, err := kinds.EventSchemas()
	if err != nil {
		return err
	}
	if d.events, err = resolved(events); err != nil {
		return err
	}
	var parts struct {
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal(document, &parts); err != nil {
		return err
	}
	bodies := map[string]json.RawMessage{}
	for name, schema := range parts.Components.Schemas {
		if strings.HasSuffix(name, "Body") || strings.HasSuffix(name, "Patch") || name == "Problem" {
			bodies[name] = schema
		}
	}
	d.bodies, err = resolved(bodies)
	d.problem = d.bodies["Problem"]
	return err
}

func resolved(texts map[string]json.RawMessage) (map[string]*jsonschema.Resolved, error) {
	all := map[string]*jsonschema.Resolved{}
	for name, text := range texts {
		var s jsonschema.Schema
		err := json.Unmarshal(text, &s)
		if err == nil {
			all[name], err = s.Resolve(nil)
		}
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
	}
	return all, nil
}

// Document says whether the document is one of OpenAPI 3.1.
func Document() error {
	_, found := described.document.ValidateDocument()
	return joined(found)
}

// Answer checks the answer to a request. path is the request's, escaped.
func Answer(method, path string, status int, header http.Header, body []byte) error {
	if !strings.HasPrefix(strings.ToLower(path), "/api/") {
		return nil // a trigger's call, which only the host makes
	}
	if err := described.answer(method, path, status, header, body); err != nil {
		return fmt.Errorf("%s %s was answered with %d, against the app's description: %w\n%s", method, path, status, err, body)
	}
	return nil
}

func (d *description) answer(method, path string, status int, header http.Header, body []byte) error {
	i := slices.IndexFunc(d.addresses, func(a address) bool { return a.pattern.MatchString(path) })
	var operation *v3.Operation
	if i >= 0 && method == strings.ToUpper(method) { // methods are told apart by case
		operation = d.addresses[i].item.GetOperations().GetOrZero(strings.ToLower(method))
	}
	if operation == nil {
		return d.refusal(method, status, header, body)
	}
	r, err := http.NewRequest(method, "http://app"+path, nil)
	if err != nil {
		return err
	}
	w := &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r}
	if _, found := d.document.GetResponseBodyValidator().ValidateResponseBodyWithPathItem(r, w, d.addresses[i].item, d.addresses[i].template); len(found) > 0 {
		return joined(found)
	}
	// What the library reads over.
	told := operation.Responses.Codes.GetOrZero(strconv.Itoa(status))
	if told != nil && (told.Content != nil) != (len(body) > 0) {
		return fmt.Errorf("it has %d bytes of body; a body is described: %v", len(body), told.Content != nil)
	}
	return nil
}

// refusal is an answer where the document has no operation.
func (d *description) refusal(method string, status int, header http.Header, body []byte) error {
	switch {
	case status != http.StatusNotFound && status != http.StatusMethodNotAllowed:
		return errors.New("no such operation is described")
	case status == http.StatusMethodNotAllowed && header.Get("Allow") == "":
		return errors.New("the header Allow is missing")
	case method == http.MethodHead:
		return nil
	case header.Get("Content-Type") != "application/problem+json":
		return errors.New("it is no problem+json")
	}
	return valid(d.problem, body)
}

// Event checks the envelope of a published event.
func Event(envelope []byte) error {
	var e struct{ Type string }
	if err := json.Unmarshal(envelope, &e); err != nil {
		return err
	}
	schema, ok := described.events[e.Type]
	if !ok {
		return fmt.Errorf("no event of the type %q is described: %s", e.Type, envelope)
	}
	if err := valid(schema, envelope); err != nil {
		return fmt.Errorf("an event is against its schema: %w\n%s", err, envelope)
	}
	return nil
}

// Body checks a body that a client sends against a schema of the document, such as
// OrderBody, OrderPatch and ShipOrderBody.
func Body(name string, text []byte) error {
	schema, ok := described.bodies[name]
	if !ok {
		return fmt.Errorf("no body %s is described", name)
	}
	return valid(schema, text)
}

func valid(schema *jsonschema.Resolved, text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	return schema.Validate(value)
}

func joined(found []*faults.ValidationError) error {
	var all []error
	for _, f := range found {
		all = append(all, fmt.Errorf("%s: %s", f.Message, f.Reason))
		for _, s := range f.SchemaValidationErrors {
			all = append(all, fmt.Errorf("%s: %s", s.FieldPath, s.Reason))
		}
	}
	return errors.Join(all...)
}
