package doctor

import (
	"context"
	"net/http"

	"github.com/relaybox/relaybox/azure/probe"
	"github.com/relaybox/relaybox/azure/storage"
)

// checkStorage is about the storage account that the Functions host keeps its own state in.
func checkStorage(ctx context.Context, s Settings, who identities, transport http.RoundTripper) Group {
	const subject = storageSetting
	conn := storage.ConnectionOf(s.Values, storageSetting)
	g := Group{Name: "Storage of the Functions host"}
	if !conn.Set() {
		g.Findings = []Finding{finding(Refused, subject, "is not set: func start and Azure keep timers and locks there, and do not start without",
			"set it to UseDevelopmentStorage=true locally, and "+storageSetting+"__accountName in Azure")}
		return g
	}
	opts := storage.Options{Transport: transport}
	if conn.ConnectionString == "" {
		opts.Credential = who.of(s.Values[storageSetting+"__clientId"])
	}
	place, err := storage.Ask(ctx, conn, opts)
	if conn.Development() && err != nil {
		g.Findings = []Finding{developmentStorage(place, err)}
		return g
	}
	g.Findings = []Finding{CheckAccess(Access{
		Subject: subject, Place: place, Key: conn.ConnectionString != "", Err: err, Fine: place + " answers and lets us in",
		Start: "start Azurite: npx azurite, or make func-start", Role: "Storage Blob Data Reader on the account",
	})}
	return g
}

// developmentStorage that is not there keeps func start from working, and nothing else.
func developmentStorage(place string, err error) Finding {
	if probe.Of(err) == probe.NoAnswer {
		return finding(Warning, storageSetting, "no Azurite answers at "+place+": func start needs it, relaybox up does not", "start it before func start: npx azurite, or make func-start")
	}
	return finding(Warning, storageSetting, "what answers at "+place+" refuses us ("+err.Error()+")", "start Azurite with --skipApiVersionCheck, and with its public account")
}
