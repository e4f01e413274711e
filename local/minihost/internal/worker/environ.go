package worker

import (
	"maps"
	"slices"
)

// environ is the handler's environment.
func environ(env, extra map[string]string) []string {
	all := maps.Clone(env)
	maps.Copy(all, extra)
	var list []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		list = append(list, k+"="+all[k])
	}
	return list
}
