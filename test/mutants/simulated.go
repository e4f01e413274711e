package mutants

// Simulated are the mutants that the simulation catches beside those of All: they take two
// consumers at once, a lagging replica, or an answer that is lost in the right moment.
var Simulated = []Mutant{
	{
		Name: "the read model is replaced whatever it is by now",
		Edit: Edit{
			File: "azure/cosmos/inbox.go",
			Old:  "t.ReplaceItem(modelDocID, model, &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &tag})\n",
			New:  "_ = tag\n\t\t\tt.ReplaceItem(modelDocID, model, nil)\n",
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
}
