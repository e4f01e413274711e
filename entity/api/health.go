package api

// healthCheck is an address of the function that tells how the app is.
type healthCheck struct {
	path, id, summary string
	// fails: it may say that something is wrong.
	fails bool
}

var healthChecks = []healthCheck{
	{"", "Health", "Read how the app is, and what waits.", true},
	{"/live", "Liveness", "Read whether the app answers.", false},
	{"/ready", "Readiness", "Read whether the app reaches its store and its broker.", true},
}

func healthOperation(method string, c healthCheck) object {
	told := func(description string) object {
		answer := object{"description": description, "headers": headerRefs("Cache-Control")}
		if method != "head" {
			answer["content"] = object{"application/health+json": object{"schema": schemaRef("Health")}}
		}
		return answer
	}
	answers := object{
		"200": told("Nothing fails; a warning may be there."),
		"401": ref("responses", "Unauthorized"), "500": ref("responses", "InternalServerError"),
	}
	if c.fails {
		answers["503"] = told("A check fails.")
	}
	return object{"operationId": method + c.id, "summary": c.summary, "parameters": []object{}, "responses": answers}
}

// healthSchema is health.Report, in the form of draft-inadarei-api-health-check.
func healthSchema() object {
	status := object{"type": "string", "enum": []string{"pass", "warn", "fail"}}
	text := object{"type": "string"}
	check := object{
		"type": "object", "required": []string{"componentType", "status", "time"},
		"properties": object{
			"componentType": text, "observedValue": object{}, "observedUnit": text, "status": status,
			"time": object{"type": "string", "format": "date-time"}, "output": text,
		},
	}
	return object{
		"type": "object", "required": []string{"status"},
		"properties": object{
			"status": status, "version": text,
			"checks": object{"type": "object", "additionalProperties": object{"type": "array", "items": check, "minItems": 1}},
		},
	}
}
