package azfunc

import (
	"strings"
	"testing"
	"time"
)

// BenchmarkEncodeMessage encodes an event of 500 bytes of data as the host does.
func BenchmarkEncodeMessage(b *testing.B) {
	now := time.Now()
	call := Call{Function: "ConsumeEvent", Binding: "event", Now: now, RandGUID: "5a8c4b9e-7b1f-4d7e-9a51-0d1f4f8f9f10"}
	body := `{"specversion":"1.0","id":"0f6e0f4e7c9b4c6f8a52c6a7be3a5a10","source":"/profiles","type":"profile.updated","time":"2026-01-02T03:04:05.678Z",` +
		`"subject":"profile:key-1","datacontenttype":"application/json","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",` +
		`"sequence":17,"data":{"id":"key-1","version":17,"text":"` + strings.Repeat("x", 500) + `"}}`
	d := Delivery{
		Message: Message{Body: []byte(body), MessageID: "0f6e0f4e7c9b4c6f8a52c6a7be3a5a10", SessionID: "profile:key-1", Subject: "profile.updated",
			ContentType: "application/cloudevents+json", DeliveryCount: 1, SequenceNumber: 4711, EnqueuedTime: now},
		Namespace: "localhost", LockToken: "2f6c2f32-6d55-4a0f-8a5c-0f8a7b0f6c11", ExpiresAt: now,
	}
	b.ReportAllocs()
	for b.Loop() {
		EncodeMessage(call, d, TextTwice)
	}
}
