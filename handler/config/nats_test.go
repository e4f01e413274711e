package config

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/nats/jetstream"
)

// streaming is a complete environment whose events go to JetStream, with changes.
func streaming(changes map[string]string) map[string]string {
	m := with(map[string]string{
		"SERVICEBUS_CONNECTION": "", "EVENTS_TOPIC": "",
		"EVENTS_BROKER": "jetstream", "NATS_URL": "nats://127.0.0.1:4222", "EVENTS_STREAM": "EVENTS",
	})
	maps.Copy(m, changes)
	return m
}

// TestBrokers: the settings of the broker that is not chosen are nobody's business.
func TestBrokers(t *testing.T) {
	t.Parallel()
	c, err := Load(emulators)
	require.NoError(t, err)
	require.Equal(t, ServiceBusBroker, c.EventBroker())

	c, err = Load(streaming(map[string]string{
		"SERVICEBUS_CONNECTION": "nonsense", "EVENTS_BROKER": "JetStream", "NATS_URL": "tls://a:4222,tls://b:4222",
		"NATS_CREDS": "/etc/app.creds", "NATS_CA": "/etc/ca.pem", "NATS_CERT": "/etc/app.pem", "NATS_KEY": "/etc/app.key",
	}))
	require.NoError(t, err)
	require.Equal(t, JetStreamBroker, c.EventBroker())
	require.Equal(t, jetstream.Connection{
		URLs: "tls://a:4222,tls://b:4222", Credentials: "/etc/app.creds", CA: "/etc/ca.pem", Certificate: "/etc/app.pem", Key: "/etc/app.key",
	}, c.NATSConnection())
	require.Equal(t, "events", c.NATS.Subject)
	require.Equal(t, "dead-letters", c.NATS.Letters)
	require.Empty(t, c.NATS.Consumer)

	_, err = Load(with(map[string]string{"NATS_URL": "nonsense", "EVENTS_SUBJECT": ">"}))
	require.NoError(t, err)

	_, err = Load(with(map[string]string{"EVENTS_BROKER": "kafka", "SERVICEBUS_CONNECTION": ""}))
	require.EqualError(t, err, `EVENTS_BROKER is "kafka": use servicebus or jetstream`)
}

// TestFaultsOfAStream name the setting, and nothing that may be a secret.
func TestFaultsOfAStream(t *testing.T) {
	t.Parallel()
	const seed = "SUAMLTESTSEEDTHATOPENSNOTHINGAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, c := range []struct {
		setting, value, also string
	}{
		{"NATS_URL", "", ""},
		{"NATS_URL", "nats://me:" + key + "@127.0.0.1", ""},
		{"NATS_URL", "https://127.0.0.1", ""},
		{"NATS_CREDS", "/etc/app.creds", "NATS_NKEY"},
		{"NATS_CREDS", "-----BEGIN NATS USER JWT-----\n" + key, ""},
		{"NATS_NKEY", seed, ""},
		{"NATS_CA", "-----BEGIN CERTIFICATE-----\n" + key, ""},
		{"NATS_CERT", "-----BEGIN CERTIFICATE-----\n" + key, "NATS_KEY"},
		{"NATS_KEY", "-----BEGIN PRIVATE KEY-----\n" + key, "NATS_CERT"},
		{"NATS_KEY", "", "NATS_CERT"},
		{"NATS_CERT", "", "NATS_KEY"},
		{"EVENTS_STREAM", "", ""},
		{"EVENTS_STREAM", "a.b", ""},
		{"EVENTS_SUBJECT", "events.>", ""},
		{"EVENTS_SUBJECT", "events.", ""},
		{"EVENTS_SUBJECT", "$JS.API", ""},
		{"EVENTS_CONSUMER", "read models", ""},
		{"EVENTS_DEAD_LETTERS", "dead letters", ""},
		{"EVENTS_DEAD_LETTERS", "events.dead", ""},
	} {
		changes := map[string]string{c.setting: c.value}
		if c.also != "" {
			changes[c.also] = "/etc/other"
		}
		_, err := Load(streaming(changes))
		require.Len(t, Faults(err), 1, "%+v: %v", c, err)
		require.True(t, blames(err, c.setting), "%+v: %v", c, err)
		require.NotContains(t, err.Error(), key)
		require.NotContains(t, err.Error(), seed)
	}
	_, err := Load(streaming(map[string]string{"NATS_URL": "", "EVENTS_STREAM": "", "EVENTS_CONSUMER": "*"}))
	require.Len(t, Faults(err), 3, "all at once")
}
