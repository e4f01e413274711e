package doctor

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/azure/probe"
	"github.com/relaybox/relaybox/azure/servicebus/admin"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/local/minihost"
)

// wanted is what a rule shall say: of the findings that are not fine, the first.
type wanted struct {
	status        Status
	found, remedy string
}

// requireFinding wants the one finding that is not fine, or none at all.
func requireFinding(t *testing.T, want wanted, list []Finding) {
	t.Helper()
	bad := slices.DeleteFunc(slices.Clone(list), func(f Finding) bool { return f.Status == OK })
	if want.status == OK {
		require.Empty(t, bad)
		return
	}
	require.Len(t, bad, 1, "%v", bad)
	require.Equal(t, want.status, bad[0].Status, "%v", bad[0])
	require.Contains(t, bad[0].Found, want.found)
	require.Contains(t, bad[0].Remedy, want.remedy)
	require.NotEmpty(t, bad[0].Remedy)
}

func TestCheckContainer(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		role   Role
		change func(*Container)
		want   wanted
	}{
		"as needed":            {Outbox, func(*Container) {}, wanted{}},
		"other key":            {Outbox, func(c *Container) { c.PartitionKey = []string{"/id"} }, wanted{Refused, "/id", "make the container anew"}},
		"two keys":             {Inbox, func(c *Container) { c.PartitionKey = []string{"/pk", "/id"} }, wanted{Refused, "/pk, /id", "make the container anew"}},
		"old hash":             {Outbox, func(c *Container) { c.PartitionKeyVersion = 1 }, wanted{Warning, "version 1", "make the container anew"}},
		"default TTL":          {Outbox, func(c *Container) { c.DefaultTTL = new(int32(3600)) }, wanted{Refused, "not sent yet would expire", "default TTL to -1"}},
		"default TTL of inbox": {Inbox, func(c *Container) { c.DefaultTTL = new(int32(60)) }, wanted{Refused, "read models would expire", "default TTL to -1"}},
		"TTL off":              {Inbox, func(c *Container) { c.DefaultTTL = nil }, wanted{Refused, "never expire", "default TTL to -1"}},
		"no index":             {Inbox, func(c *Container) { c.Indexing = "none" }, wanted{Refused, "mode none", "/pending/?"}},
		"no policy told":       {Outbox, func(c *Container) { c.Indexing = "" }, wanted{Warning, "does not tell", "/pending/?"}},
		"a path missing":       {Outbox, func(c *Container) { c.Included = []string{"/pk/?", "/seq/?"} }, wanted{Refused, "/pending/? /parked/? not indexed", "include /pk/?"}},
		"of an inbox":          {Inbox, func(c *Container) { c.Included = []string{"/pk/?"} }, wanted{Refused, "/earlySince/? /seq/? not indexed", "include"}},
		"an inbox needs two":   {Inbox, func(c *Container) { c.Included = []string{"/seq/?", "/earlySince/?"} }, wanted{}},
		"everything":           {Outbox, func(c *Container) { c.Included, c.Excluded = []string{"/*"}, []string{`/"_etag"/?`} }, wanted{Warning, "everything is indexed", "exclude /*"}},
		"everything but one":   {Outbox, func(c *Container) { c.Included, c.Excluded = []string{"/*"}, []string{"/pending/*"} }, wanted{Refused, "/pending/? not indexed", "include"}},
		"quoted":               {Outbox, func(c *Container) { c.Included = []string{`/"pk"/?`, "/pending/*", "/parked/?", "/seq/?"} }, wanted{}},
		"unique keys":          {Outbox, func(c *Container) { c.UniqueKeys = [][]string{{"/a", "/b"}} }, wanted{Refused, "/a+/b", "without them"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cosmos.Needed()
			row.change(&c)
			requireFinding(t, row.want, CheckContainer(row.role, "box", c))
		})
	}
}

func goodTopic() Topic {
	return Topic{DuplicateDetection: true, DuplicateWindow: 10 * time.Minute, TimeToLive: 14 * 24 * time.Hour, AutoDelete: admin.Forever, Ordered: true, Status: "Active"}
}

func TestCheckTopic(t *testing.T) {
	t.Parallel()
	needs := TopicNeeds{SweepBudget: 25 * time.Second}
	for name, row := range map[string]struct {
		change func(*Topic, *TopicNeeds)
		want   wanted
	}{
		"as needed":             {func(*Topic, *TopicNeeds) {}, wanted{}},
		"no detection":          {func(p *Topic, _ *TopicNeeds) { p.DuplicateDetection = false }, wanted{Refused, "arrives twice", "requiresDuplicateDetection"}},
		"the emulator's window": {func(p *Topic, _ *TopicNeeds) { p.DuplicateWindow = 20 * time.Second }, wanted{Refused, "window 20s", "at least 1m"}},
		"a long sweep":          {func(_ *Topic, n *TopicNeeds) { n.SweepBudget = time.Hour }, wanted{Refused, "shorter than a dispatcher may pause", "at least 1h0m15s"}},
		"partitioned":           {func(p *Topic, _ *TopicNeeds) { p.Partitioned, p.Ordered = true, false }, wanted{Warning, "first batch", "EVENTS_TOPIC_PARTITIONED to true"}},
		"both partitioned":      {func(p *Topic, n *TopicNeeds) { p.Partitioned, p.Ordered, n.Partitioned = true, false, true }, wanted{}},
		"not partitioned":       {func(_ *Topic, n *TopicNeeds) { n.Partitioned = true }, wanted{Warning, "send of its own", "EVENTS_TOPIC_PARTITIONED to false"}},
		"short life":            {func(p *Topic, _ *TopicNeeds) { p.TimeToLive = time.Minute }, wanted{Warning, "1m", "P14D"}},
		"auto-delete":           {func(p *Topic, _ *TopicNeeds) { p.AutoDelete = 14 * 24 * time.Hour }, wanted{Refused, "after 14d", "autoDeleteOnIdle"}},
		"no order":              {func(p *Topic, _ *TopicNeeds) { p.Ordered = false }, wanted{Refused, "overtake", "supportOrdering"}},
		"disabled":              {func(p *Topic, _ *TopicNeeds) { p.Status = "SendDisabled" }, wanted{Refused, "senddisabled", "Active"}},
		"receiving is not its":  {func(p *Topic, _ *TopicNeeds) { p.Status = "ReceiveDisabled" }, wanted{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic, n := goodTopic(), needs
			row.change(&topic, &n)
			requireFinding(t, row.want, CheckTopic("events", topic, n))
		})
	}
}

func TestCheckSubscription(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*Subscription)
		want   wanted
	}{
		"as needed":          {func(*Subscription) {}, wanted{}},
		"sessions":           {func(s *Subscription) { s.Sessions = true }, wanted{Refused, "without sessions: it gets none", "requiresSession to false"}},
		"a long lock":        {func(s *Subscription) { s.LockDuration = 3 * time.Minute }, wanted{Refused, "for its lock of 3m", "RELAYBOX_EARLY_WAIT"}},
		"few deliveries":     {func(s *Subscription) { s.MaxDeliveryCount = 3 }, wanted{Refused, "dead-letter a good event", "to 100"}},
		"ten deliveries":     {func(s *Subscription) { s.MaxDeliveryCount = 10 }, wanted{Refused, "10, each held for 25m: with a restart an hour, an outage of the store of 2h56m", "82 or more, or raise RELAYBOX_INBOX_HOLD"}},
		"a day, just not":    {func(s *Subscription) { s.MaxDeliveryCount = 81 }, wanted{Refused, "23h49m", "82 or more"}},
		"a day":              {func(s *Subscription) { s.MaxDeliveryCount = 82 }, wanted{}},
		"short lock":         {func(s *Subscription) { s.LockDuration = 5 * time.Second }, wanted{Warning, "5s", "PT1M"}},
		"short life":         {func(s *Subscription) { s.TimeToLive = 30 * time.Minute }, wanted{Warning, "30m", "P14D"}},
		"the emulator's":     {func(s *Subscription) { s.TimeToLive = time.Hour }, wanted{}},
		"expires in silence": {func(s *Subscription) { s.DeadLetterLate = false }, wanted{Warning, "without a trace", "deadLetteringOnMessageExpiration"}},
		"auto-delete":        {func(s *Subscription) { s.AutoDelete = time.Hour }, wanted{Refused, "events are lost", "autoDeleteOnIdle"}},
		"forwarding":         {func(s *Subscription) { s.ForwardTo = "elsewhere" }, wanted{Refused, "to elsewhere", "forwardTo"}},
		"disabled":           {func(s *Subscription) { s.Status = "Disabled" }, wanted{Refused, "disabled", "Active"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Subscription{LockDuration: time.Minute, TimeToLive: admin.Forever, AutoDelete: admin.Forever, MaxDeliveryCount: 100, DeadLetterLate: true, Status: "Active"}
			row.change(&s)
			requireFinding(t, row.want, CheckSubscription("views", s, SubscriptionNeeds{Hold: 25 * time.Minute, EarlyWait: 3 * time.Minute, Deliveries: s.MaxDeliveryCount}))
		})
	}
}

// TestCheckLastDelivery: the setting must be the subscription's limit, and too low is worse.
func TestCheckLastDelivery(t *testing.T) {
	t.Parallel()
	for setting, want := range map[int]wanted{
		100: {}, 99: {Refused, "RELAYBOX_MAX_DELIVERIES is 99", "to 100"}, 101: {Warning, "RELAYBOX_MAX_DELIVERIES is 101", "to 100"},
		0: {Unknown, "not usable", "correct the setting"},
	} {
		requireFinding(t, want, []Finding{checkLastDelivery("views last delivery", 100, setting)})
	}
}

// TestCheckDeliveries: the hold counts as much as the limit, and an emulator does what it can.
func TestCheckDeliveries(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		limit int
		needs SubscriptionNeeds
		want  wanted
	}{
		"short hold":   {100, SubscriptionNeeds{Hold: 4 * time.Minute}, wanted{Refused, "6h15m", "384 or more"}},
		"many of them": {384, SubscriptionNeeds{Hold: 4 * time.Minute}, wanted{}},
		"emulator":     {10, SubscriptionNeeds{Hold: 25 * time.Minute, Emulator: true}, wanted{Warning, "2h56m", "no more than 10"}},
		"no hold":      {100, SubscriptionNeeds{}, wanted{Unknown, "not usable", "correct the setting"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireFinding(t, row.want, []Finding{checkDeliveries("views max deliveries", row.limit, row.needs)})
		})
	}
}

func TestCheckRules(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		rules []Rule
		want  wanted
	}{
		"default":     {[]Rule{{Name: "$Default", Filter: admin.TrueFilter}}, wanted{}},
		"true in SQL": {[]Rule{{Name: "x", Filter: admin.SQLFilter, Text: "1 = 1"}}, wanted{}},
		"one of two":  {[]Rule{{Name: "x", Filter: admin.CorrelationFilter}, {Name: "$Default", Filter: admin.TrueFilter}}, wanted{}},
		"a filter":    {[]Rule{{Name: "x", Filter: admin.SQLFilter, Text: "a = 1"}}, wanted{Warning, "x (sql)", "$Default"}},
		"none":        {nil, wanted{Refused, "no event gets in", "$Default"}},
		"false":       {[]Rule{{Name: "x", Filter: admin.FalseFilter}}, wanted{Refused, "no event gets in", "$Default"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireFinding(t, row.want, []Finding{CheckRules("views", row.rules)})
		})
	}
}

func TestCheckEventSize(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		bytes int
		sku   string
		max   int64
		want  wanted
	}{
		"default":           {245760, "Standard", 0, wanted{}},
		"nobody says":       {245760, "", 0, wanted{}},
		"too large":         {262144, "Standard", 0, wanted{Refused, "262144", "at most 253952"}},
		"premium":           {1000000, "Premium", 0, wanted{}},
		"premium's limit":   {1048576, "Premium", 0, wanted{Refused, "1048576", "at most"}},
		"premium, extended": {2000000, "Premium", 100 << 20, wanted{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireFinding(t, row.want, []Finding{CheckEventSize(row.bytes, Namespace{SKU: row.sku}, Topic{MaxMessageBytes: row.max})})
		})
	}
}

func TestCheckClock(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]wanted{
		0: {}, 30 * time.Second: {}, -20 * time.Second: {},
		31 * time.Second: {Warning, "31s ahead of ours", "NTP"}, -5 * time.Minute: {Warning, "5m behind ours", "NTP"},
		5*time.Minute + time.Second: {Refused, "5m1s ahead", "15m"}, -time.Hour: {Refused, "1h behind", "NTP"},
	} {
		requireFinding(t, want, []Finding{CheckClock(ahead)})
	}
}

func TestCheckRegions(t *testing.T) {
	t.Parallel()
	requireFinding(t, wanted{}, []Finding{CheckRegions([]string{"West Europe"}, false, "Session")})
	requireFinding(t, wanted{Refused, "different regions", "enableMultipleWriteLocations"}, []Finding{CheckRegions([]string{"West Europe", "North Europe"}, true, "Session")})
}

func TestCheckHost(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*HostConfig)
		want   wanted
	}{
		"as needed":         {func(*HostConfig) {}, wanted{}},
		"no forwarding":     {func(h *HostConfig) { h.Forwarding = false }, wanted{Refused, "off", "enableForwardingHttpRequest"}},
		"no bundle":         {func(h *HostConfig) { h.Bundle = "" }, wanted{Refused, "Service Bus trigger comes from it", "[4.*, 5.0.0)"}},
		"preview bundle":    {func(h *HostConfig) { h.Bundle += ".Preview" }, wanted{Warning, "not the stable one", "[4.*, 5.0.0)"}},
		"old bundle":        {func(h *HostConfig) { h.BundleVersion = "[2.*, 3.0.0)" }, wanted{Warning, "[2.*, 3.0.0)", "[4.*, 5.0.0)"}},
		"no range":          {func(h *HostConfig) { h.BundleVersion = "latest" }, wanted{Refused, "no range", "[4.*, 5.0.0)"}},
		"documented range":  {func(h *HostConfig) { h.BundleVersion = "[4.0.0, 5.0.0)" }, wanted{}},
		"no timeout":        {func(h *HostConfig) { h.FunctionTimeout = 0 }, wanted{}},
		"short timeout":     {func(h *HostConfig) { h.FunctionTimeout = 28 * time.Minute }, wanted{Refused, "kill the handler", "functionTimeout"}},
		"short renewal":     {func(h *HostConfig) { h.LockRenewal = time.Minute }, wanted{Refused, "for 1m", "maxAutoLockRenewalDuration"}},
		"sessions outlive":  {func(h *HostConfig) { h.LockRenewal = 23 * time.Hour }, wanted{Refused, "for 23h from a session's acceptance", "to 1.00:00:00"}},
		"renewal for ever":  {func(h *HostConfig) { h.LockRenewal = -time.Millisecond }, wanted{}},
		"settles itself":    {func(h *HostConfig) { h.AutoComplete = false }, wanted{Refused, "comes again and again", "autoCompleteMessages"}},
		"two at a time":     {func(h *HostConfig) { h.CallsPerSession = 2 }, wanted{Refused, "order is lost", "maxConcurrentCallsPerSession"}},
		"too many sessions": {func(h *HostConfig) { h.MaxSessions = 128 }, wanted{Refused, "receive nothing", "to 16 or less"}},
		"many sessions":     {func(h *HostConfig) { h.MaxSessions = 17 }, wanted{Warning, "stand in line", "to 16 or less"}},
		"waiting sessions":  {func(h *HostConfig) { h.MaxSessions = 15 }, wanted{Warning, "few sessions are left", "RELAYBOX_INBOX_WAITING to at most 7"}},
		"default sessions":  {func(h *HostConfig) { h.MaxSessionsSet = false }, wanted{Warning, "the host's default", "maxConcurrentSessions"}},
		"default calls":     {func(h *HostConfig) { h.MaxCallsSet = false }, wanted{Warning, "the host's default", "maxConcurrentCalls"}},
		"few calls":         {func(h *HostConfig) { h.MaxCalls = 15 }, wanted{Refused, "15 at once", "at most 7"}},
		"sampled log lines": {func(h *HostConfig) { h.NotSampled = []string{"Request"} }, wanted{Warning, "alert", "excludedTypes"}},
		"no sampling":       {func(h *HostConfig) { h.Sampling, h.NotSampled = false, nil }, wanted{}},
		"unknown key":       {func(h *HostConfig) { h.UnknownKeys = []string{"customHandlers"} }, wanted{Warning, "no such key", "correct its name"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := HostConfig{
				FunctionTimeout: 30 * time.Minute, Forwarding: true, Bundle: "Microsoft.Azure.Functions.ExtensionBundle", BundleVersion: "[4.*, 5.0.0)",
				MaxCalls: 128, MaxCallsSet: true, MaxSessions: 16, MaxSessionsSet: true, CallsPerSession: 1, AutoComplete: true, LockRenewal: 24 * time.Hour, Sampling: true, NotSampled: []string{"trace"},
			}
			row.change(&h)
			requireFinding(t, row.want, CheckHost(h, HostNeeds{Deadline: 28 * time.Minute, Hold: 25 * time.Minute, Waiting: 8, Sessions: true, Messages: true}))
		})
	}
	few := checkSessions(HostConfig{MaxSessions: 7, MaxSessionsSet: true, CallsPerSession: 1}, HostNeeds{Waiting: 3})
	require.Equal(t, OK, few.Status, "slow, and not wrong")
	require.Contains(t, few.Found, "8 to 16 is usual")
	require.NotContains(t, checkSessions(HostConfig{MaxSessions: 8, MaxSessionsSet: true, CallsPerSession: 1}, HostNeeds{Waiting: 4}).Found, "usual")
	require.Equal(t, OK, checkRenewal(HostConfig{LockRenewal: 25 * time.Minute}, HostNeeds{Hold: 25 * time.Minute}).Status, "without sessions, from the receipt of each message")
}

func TestCheckFunctions(t *testing.T) {
	t.Parallel()
	write := Function{Function: minihost.Function{Name: "Write", Trigger: minihost.HTTPTrigger, Methods: []string{"PUT"}, Route: "api/p/{id:regex(^[a-z]{{1,9}}$)}/x"}}
	sweep := Function{Function: minihost.Function{Name: "Sweep", Trigger: minihost.TimerTrigger}, Schedule: "0 * * * * *", Interval: time.Minute, Cron: true}
	eat := Function{Function: minihost.Function{Name: "Eat", Trigger: minihost.ServiceBusTrigger}, Topic: "a", Subscription: "b"}
	late := Function{Function: minihost.Function{Name: "InboxSweeper", Trigger: minihost.TimerTrigger}, Schedule: "30 * * * * *", Interval: time.Minute, Cron: true}
	with := func(f Function, change func(*Function)) Function { change(&f); return f }
	for name, row := range map[string]struct {
		functions []Function
		azure     bool
		want      wanted
	}{
		"as needed":      {[]Function{write, sweep, late, eat}, true, wanted{}},
		"no timer":       {[]Function{write, late, eat}, false, wanted{Refused, "never sent", "OutboxDispatcher"}},
		"no writer":      {[]Function{sweep, late, eat}, false, wanted{Warning, "nobody can write", "HTTP functions"}},
		"no consumer":    {[]Function{write, sweep}, false, wanted{Warning, "another app", "ConsumeEvent"}},
		"with sessions":  {[]Function{write, sweep, late, with(eat, func(f *Function) { f.Sessions = true })}, false, wanted{}},
		"no inbox sweep": {[]Function{write, sweep, eat}, false, wanted{Refused, "waits for ever", "relaybox assemble"}},
		"a span":         {[]Function{write, late, eat, with(sweep, func(f *Function) { f.Cron = false })}, false, wanted{Warning, "time span", "NCRONTAB"}},
		"a span on Flex": {[]Function{write, late, eat, with(sweep, func(f *Function) { f.Cron = false })}, true, wanted{Refused, "time span", "NCRONTAB"}},
		"seldom":         {[]Function{write, late, eat, with(sweep, func(f *Function) { f.Interval = time.Hour })}, true, wanted{Warning, "every 1h", "more often"}},
		"faulty":         {[]Function{write, sweep, late, eat, {Function: minihost.Function{Name: "X", Errors: []string{"function.json: bindings is missing; it needs one trigger"}}}}, false, wanted{Refused, "bindings is missing", "it needs one trigger"}},
		"disabled":       {[]Function{write, sweep, late, eat, with(eat, func(f *Function) { f.Name, f.Disabled = "Eat2", true })}, false, wanted{Warning, "disabled", "AzureWebJobs.Eat2.Disabled"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireFinding(t, row.want, CheckFunctions(row.functions, row.azure))
		})
	}
	require.Equal(t, "PUT /api/p/{id}/x", CheckFunctions([]Function{write}, false)[0].Found, "constraints are left out")
}

func TestCheckFaults(t *testing.T) {
	t.Parallel()
	list := CheckFaults([]string{
		"host.json: customHandler.description.defaultExecutablePath: /app/handler lacks the execute bit; run chmod +x on it",
		`host.json: version: is "1.0"; write "2.0"`,
		"not an assembled app: there is no folder x; run relaybox assemble",
		"host.json cannot be read: open: no such file",
	})
	require.Equal(t, []Finding{
		{Refused, "handler", "/app/handler lacks the execute bit", "run chmod +x on it"},
		{Refused, "host.json", `version: is "1.0"`, `write "2.0"`},
		{Refused, "app folder", "not an assembled app: there is no folder x", "run relaybox assemble"},
		{Refused, "host.json", "cannot be read: open: no such file", "correct it and run relaybox assemble"},
	}, list)
}

func TestCheckAccess(t *testing.T) {
	t.Parallel()
	judged := func(v probe.Verdict) error { return &probe.Error{Verdict: v, Err: errors.New("dial tcp: refused")} }
	for name, row := range map[string]struct {
		place string
		key   bool
		err   error
		want  wanted
	}{
		"let in":            {"127.0.0.1:1", true, nil, wanted{}},
		"down, here":        {"127.0.0.1:1", true, judged(probe.NoAnswer), wanted{Refused, "nothing answers at 127.0.0.1:1 (refused)", "start it"}},
		"down, by name":     {"localhost", true, judged(probe.NoAnswer), wanted{Refused, "nothing answers at localhost", "start it"}},
		"away":              {"x.example", false, judged(probe.NoAnswer), wanted{Unknown, "x.example does not answer", "private endpoint"}},
		"signed out":        {"x.example", false, judged(probe.NoToken), wanted{Unknown, "no token", "az login"}},
		"wrong key":         {"x.example", true, judged(probe.Unauthorized), wanted{Refused, "does not accept the key", "connection string anew"}},
		"walled off":        {"x.example", true, judged(probe.Forbidden), wanted{Refused, "not from here", "network rules"}},
		"lacks the role":    {"x.example", false, judged(probe.Unauthorized), wanted{Unknown, "may not read", "Reader of Things"}},
		"lacks the role, 3": {"x.example", false, judged(probe.Forbidden), wanted{Unknown, "may not read", "Reader of Things"}},
		"odd":               {"x.example", false, judged(probe.Faulty), wanted{Unknown, "answers oddly", "right service"}},
		"late":              {"x.example", false, &probe.Error{Verdict: probe.NoAnswer, Err: errors.New("read: context deadline exceeded")}, wanted{Unknown, "(no answer in time)", "network"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireFinding(t, row.want, []Finding{CheckAccess(Access{Subject: "s", Place: row.place, Key: row.key, Err: row.err, Fine: "fine", Start: "start it", Role: "Reader of Things"})})
		})
	}
}

func TestAMisspeltKindIsWarnedOf(t *testing.T) {
	t.Parallel()
	var c config.Config
	c.Cosmos.Own = "order=orders/order-views,boking=a/b"
	found := checkKinds(c)
	require.Len(t, found, 1)
	require.Equal(t, Warning, found[0].Status)
	require.Contains(t, found[0].Found, `"boking"`)
	require.Contains(t, found[0].Remedy, "order, profile")
}

// TestCheckRule: of a consumer that hears some events, the one rule is right, however its blanks
// were put.
func TestCheckRule(t *testing.T) {
	t.Parallel()
	const needed = "sys.Label IN ('a', 'b') OR replayfor = 's'"
	own := Rule{Name: "heard", Filter: admin.SQLFilter, Text: "sys.Label IN ('a', 'b')\n  OR replayfor = 's'"}
	for name, row := range map[string]struct {
		rules []Rule
		want  Status
	}{
		"right":       {[]Rule{own}, OK},
		"none":        {nil, Refused},
		"all":         {[]Rule{{Name: "$Default", Filter: admin.TrueFilter}}, Refused},
		"all, too":    {[]Rule{own, {Name: "$Default", Filter: admin.SQLFilter, Text: "1=1"}}, Refused},
		"another":     {[]Rule{{Name: "heard", Filter: admin.SQLFilter, Text: "sys.Label = 'a'"}}, Warning},
		"one more":    {[]Rule{own, {Name: "more", Filter: admin.CorrelationFilter}}, Warning},
		"correlation": {[]Rule{{Name: "heard", Filter: admin.CorrelationFilter, Text: needed}}, Warning},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := CheckRule("s", row.rules, needed)
			require.Equal(t, row.want, f.Status, f)
			require.Equal(t, row.want != OK, strings.Contains(f.Remedy, needed))
		})
	}
}
