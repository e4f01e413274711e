package cosmos

import (
	"testing"
	"testing/synctest"

	"github.com/relaybox/relaybox/outbox"
	"github.com/stretchr/testify/require"
)

func TestConnection(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		conn     Connection
		endpoint string
		insecure bool
		fault    string
	}{
		"emulator":           {conn: Connection{ConnectionString: "AccountEndpoint=http://localhost:8081/;AccountKey=a2V5;"}, endpoint: "http://localhost:8081/"},
		"any order and case": {conn: Connection{ConnectionString: "accountkey=a2V5; accountendpoint=http://localhost:8081/"}, endpoint: "http://localhost:8081/"},
		"padding in the key": {conn: Connection{ConnectionString: "AccountEndpoint=http://localhost/;AccountKey=a2V5MQ=="}, endpoint: "http://localhost/"},
		"further parts":      {conn: Connection{ConnectionString: "AccountEndpoint=https://127.0.0.1:8081/;AccountKey=a2V5;DisableServerCertificateValidation=True;"}, endpoint: "https://127.0.0.1:8081/", insecure: true},
		"not on this machine": {conn: Connection{ConnectionString: "AccountEndpoint=https://db.example/;AccountKey=a2V5;DisableServerCertificateValidation=True"},
			endpoint: "https://db.example/"},
		"identity":         {conn: Connection{Endpoint: "https://x.documents.azure.com/"}, endpoint: "https://x.documents.azure.com/"},
		"nothing":          {fault: "neither an account endpoint nor a connection string is set"},
		"no key":           {conn: Connection{ConnectionString: "AccountEndpoint=http://localhost/"}, fault: "AccountKey is missing"},
		"bad key":          {conn: Connection{ConnectionString: "AccountEndpoint=http://localhost/;AccountKey=s$cret"}, fault: "AccountKey is not base64"},
		"no endpoint":      {conn: Connection{ConnectionString: "AccountKey=a2V5"}, fault: "AccountEndpoint: \"\" is not a URL"},
		"bad endpoint":     {conn: Connection{Endpoint: "x.documents.azure.com"}, fault: "is not a URL"},
		"other credential": {conn: Connection{Endpoint: "https://x/", Credential: "magic"}, fault: `credential "magic" is not known`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, err := row.conn.resolve()
			if row.fault != "" {
				require.ErrorContains(t, err, row.fault)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.endpoint, at.endpoint)
			require.Equal(t, row.insecure, at.tls != nil)
		})
	}
}

// azcosmos caches a failed account read for five minutes; ours are over in
// milliseconds once the account answers.
func TestClientRecoversWhenItsFirstCallFailed(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]reply{
		"refused":     {refused: true},
		"dropped":     {dropped: true},
		"unavailable": {status: 503},
		"half up":     {status: 200, body: "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := scripted(stored)
				for range 40 {
					s.accounts = append(s.accounts, down)
				}
				box := c.Outbox("db", "c", OutboxOptions{})
				_, err := box.Commit(t.Context(), aCommit)
				require.Equal(t, outbox.Unavailable, outbox.ClassOf(err), "nothing was sent: %v", err)
				require.Zero(t, s.count())

				s.mu.Lock()
				s.accounts = nil
				s.mu.Unlock()
				made, err := box.Commit(t.Context(), aCommit)
				require.NoError(t, err)
				require.Equal(t, `"e2"`, made.Entity)
			})
		})
	}
}

func TestUnauthorizedAtTheFirstCall(t *testing.T) {
	t.Parallel()
	c, s := scripted(stored)
	s.accounts = []reply{{status: 401}}
	_, err := c.Outbox("db", "c", OutboxOptions{}).Commit(t.Context(), aCommit)
	require.Equal(t, outbox.Unauthorized, outbox.ClassOf(err))
}

func TestFaultySettingsShowAtTheFirstCall(t *testing.T) {
	t.Parallel()
	c := Open(Connection{}, Options{})
	err := c.Ready(t.Context())
	require.Equal(t, outbox.Unauthorized, outbox.ClassOf(err))
	require.ErrorContains(t, err, "neither an account endpoint nor a connection string is set")
}
