// Package redis keeps the entries of package cache in a Redis that the app's instances share: Azure
// Managed Redis with the app's identity, or any server of the protocol by its URL.
//
// It promises what cache.Store asks for: an entry is replaced by a newer one only, in one step, by a
// script of the server. It needs one key at a time, so it runs on a cluster behind one address
// (clusteringPolicy EnterpriseCluster) as well. It retries nothing: whoever reads has another source.
package redis
