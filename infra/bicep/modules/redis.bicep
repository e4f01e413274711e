metadata description = 'Azure Managed Redis with the cache of reads that instances share. No access keys.'

@description('Name of the cluster.')
@minLength(1)
@maxLength(60)
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Object id of the app\'s identity.')
param principalId string

@description('Name of that identity: the name of its assignment is made of it, so that what-if can tell it.')
param identityName string

@description('Size, such as Balanced_B0.')
param sku string

@description('A second node, in another zone where the region has zones. A cache may be lost, so it is for availability of speed only.')
param highAvailability bool

@description('False: reachable through private endpoints only.')
param publicNetworkAccess bool

@description('Resource id of the workspace for diagnostic logs.')
param workspaceId string

resource cluster 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
  }
  properties: {
    minimumTlsVersion: '1.2'
    highAvailability: highAvailability ? 'Enabled' : 'Disabled'
    publicNetworkAccess: publicNetworkAccess ? 'Enabled' : 'Disabled'
  }

  resource reads 'databases' = {
    name: 'default'
    properties: {
      accessKeysAuthentication: 'Disabled'
      clientProtocol: 'Encrypted'
      port: 10000
      // One address for all: the client does not follow slots.
      clusteringPolicy: 'EnterpriseCluster'
      // What is read least goes first.
      evictionPolicy: 'AllKeysLRU'
    }

    resource app 'accessPolicyAssignments' = {
      // Letters and digits only.
      name: 'app${uniqueString(name, identityName)}'
      properties: {
        accessPolicyName: 'default'
        user: {
          objectId: principalId
        }
      }
    }
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: cluster::reads
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'ConnectionEvents'
        enabled: true
      }
    ]
  }
}

@description('Resource id of the cluster.')
output id string = cluster.id

@description('Host name and port of the database.')
output host string = '${cluster.properties.hostName}:${cluster::reads.properties.port}'
