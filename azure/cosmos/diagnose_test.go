package cosmos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// TestDiagnose: what each error of an attempt is taken for.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	answered := func(status int, sub string) error {
		return &azcore.ResponseError{StatusCode: status, RawResponse: &http.Response{Header: http.Header{"X-Ms-Substatus": {sub}}}}
	}
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		err  error
		sent bool
		want fault
	}{
		"not sent":                    {broken, false, fault{class: outbox.Unavailable, again: true}},
		"sent":                        {broken, true, fault{class: outbox.Unavailable, effect: unknown, again: true}},
		"over":                        {context.DeadlineExceeded, true, fault{class: outbox.Timeout, effect: unknown, again: true}},
		"given up":                    {context.Canceled, true, fault{class: outbox.Timeout, effect: unknown, again: true}},
		"a partition on the move":     {answered(410, "1002"), true, fault{class: outbox.Unavailable, effect: hardly, again: true, elsewhere: true}},
		"busy":                        {answered(503, ""), true, fault{class: outbox.Unavailable, effect: hardly, again: true}},
		"no such container":           {answered(404, "1003"), true, fault{class: outbox.Unavailable, elsewhere: true}},
		"a replica that lags":         {answered(404, "1002"), true, fault{class: outbox.Unavailable, again: true, stale: true, elsewhere: true}},
		"not the write region":        {answered(403, "1008"), true, fault{class: outbox.Unavailable, again: true}},
		"no connection":               {&connectError{err: broken}, true, fault{class: outbox.Unavailable, again: true}},
		"the account is throttled":    {&connectError{err: answered(429, "")}, true, fault{class: outbox.Throttled, again: true}},
		"the account is not there":    {&connectError{err: answered(404, "")}, true, fault{class: outbox.Unavailable, again: true, elsewhere: true}},
		"the account does not answer": {&connectError{err: context.DeadlineExceeded}, true, fault{class: outbox.Timeout, again: true}},
		"the account lets nobody in":  {&connectError{err: answered(401, "")}, true, fault{class: outbox.Unauthorized}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := diagnose(t.Context(), fmt.Errorf("wrapped: %w", c.err), c.sent)
			require.Error(t, got.err)
			got.err = nil
			require.Equal(t, c.want, got)
		})
	}
}
