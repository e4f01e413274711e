package mutants

// Simulated are the mutants that the simulation catches beside those of All: they take two
// consumers at once, a lagging replica, an answer that is lost in the right moment, an event
// that nobody can send, or a store that loses its power.
var Simulated = []Mutant{
	{
		Name: "the read model is replaced whatever it is by now",
		Edit: Edit{
			File: "azure/cosmos/inbox.go",
			Old:  "t.ReplaceItem(modelDocID, b.model, &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &tag})\n",
			New:  "_ = tag\n\t\tt.ReplaceItem(modelDocID, b.model, nil)\n",
		},
		And: []Edit{{
			File: "azure/cosmos/inbox.go",
			Old:  "items.ReplaceItem(ctx, pk, modelDocID, b.model, &azcosmos.ItemOptions{IfMatchEtag: &tag})\n",
			New:  "items.ReplaceItem(ctx, pk, modelDocID, b.model, nil)\n\t\t_ = tag\n",
		}},
		Breaks: OneEffect,
	},
	{
		Name: "an event does not wait for its predecessor",
		Edit: Edit{
			File: "inbox/incarnation.go",
			Old:  "\treturn in, lost, ahead\n",
			New:  "\treturn in, 0, due\n",
		},
		Breaks: OneEffect,
	},
	{
		Name: "the lane goes on behind the first failure",
		Edit: Edit{
			File: "azure/servicebus/lane.go",
			Old:  "group.fail(rest, *f)\n\t\t\treturn\n",
			New:  "group.fail(rest[:1], *f)\n\t\t\trest = rest[1:]\n",
		},
		And: []Edit{{
			File: "azure/servicebus/call.go",
			Old:  "if c.results[j] != nil && c.events[j].Key == c.events[i].Key {\n",
			New:  "if c.results[j] != nil && c.events[j].Key != c.events[i].Key && false {\n",
		}},
		Breaks: Order,
	},
	{
		Name: "a key goes on past its parked event",
		Edit: Edit{
			File: "outbox/dispatcher.go",
			Old:  "case e.Parked() && e.Fault.Due().After(time.Now()):\n\t\t\treturn ready, e.Seq, nil\n",
			New:  "case e.Parked() && e.Fault.Due().After(time.Now()):\n",
		},
		Breaks: Order,
	},
	{
		Name: "what the broker refuses is never parked",
		Edit: Edit{
			File: "outbox/policy.go",
			Old:  "case attempt < max(limit, proofs):\n",
			New:  "case attempt > 0 || limit < 0:\n",
		},
		Breaks: Isolation,
	},
	{
		Name: "a refused event pauses every key",
		Edit: Edit{
			File: "outbox/policy.go",
			Old:  "return Verdict{Action: Retry}\n",
			New:  "return Verdict{Action: Pause, After: 10 * time.Second}\n",
		},
		And: []Edit{{
			File: "outbox/gate.go",
			Old:  "g.probe = ClassOf(err).Permanent()\n",
			New:  "g.probe = ClassOf(err).Permanent() && false\n",
		}},
		Breaks: Isolation,
	},
	{
		Name: "sweeps do not count what is parked",
		Edit: Edit{
			File: "outbox/sweep.go",
			Old:  "s.total.Standing += len(heads)\n",
			New:  "s.total.Standing += 0 * len(heads)\n",
		},
		Breaks: Isolation,
	},
	{
		Name: "the store answers before its disk has it",
		Edit: Edit{
			File: "local/minicosmos/internal/store/store.go",
			Old:  "g.err = s.db.Apply(g.batch, pebble.Sync)\n",
			New:  "g.err = s.db.Apply(g.batch, pebble.NoSync)\n",
		},
		Breaks: TrueAnswers,
	},
}
