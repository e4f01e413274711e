metadata description = 'Cosmos DB account, database and the containers of the protocol. No account keys.'

@description('Name of the account.')
@minLength(3)
@maxLength(44)
param name string

@description('Azure region: the one that writes.')
param location string

@description('Tags of every resource.')
param tags object

@description('Object id of the app\'s identity.')
param principalId string

@description('Name of that identity: names of role assignments are made of it, so that what-if can tell them.')
param identityName string

@description('serverless: pay per request unit, up to 5,000 RU/s a container and 1 TB. autoscale: from a tenth of cosmosMaxThroughput up to it.')
@allowed(['serverless', 'autoscale'])
param mode string

@description('Highest RU/s of each container in autoscale mode; a multiple of 1,000.')
@minValue(1000)
@maxValue(1000000)
param maxThroughput int

@description('Continuous backup (restore to any second of the last 7 days) instead of a copy every four hours. It cannot be taken back.')
param continuousBackup bool

@description('Database.')
param database string

@description('Container of the entities, their events and receipts.')
param outboxContainer string

@description('Container of the consumer: read models and receipts.')
param inboxContainer string

@description('Containers of kinds that do not share these two, of either side, and of further consumers.')
param ownContainers array

@description('Spread over the zones of the region.')
param zoneRedundant bool

@description('False: reachable through private endpoints only.')
param publicNetworkAccess bool

@description('Resource id of the workspace for diagnostic logs.')
param workspaceId string

// Cosmos DB Built-in Data Contributor: read and write items and read metadata; it cannot
// create or delete containers.
var dataContributor = '00000000-0000-0000-0000-000000000002'

resource account 'Microsoft.DocumentDB/databaseAccounts@2024-11-15' = {
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    capabilities: mode == 'serverless'
      ? [
          {
            name: 'EnableServerless'
          }
        ]
      : []
    // A single region that writes: with several, two writers could give one number to two events.
    enableMultipleWriteLocations: false
    locations: [
      {
        locationName: location
        failoverPriority: 0
        isZoneRedundant: zoneRedundant
      }
    ]
    consistencyPolicy: {
      defaultConsistencyLevel: 'Session'
    }
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: publicNetworkAccess ? 'Enabled' : 'Disabled'
    backupPolicy: continuousBackup
      ? {
          type: 'Continuous'
          continuousModeProperties: {
            tier: 'Continuous7Days'
          }
        }
      : {
          type: 'Periodic'
          periodicModeProperties: {
            backupIntervalInMinutes: 240
            backupRetentionIntervalInHours: 8
            backupStorageRedundancy: 'Local'
          }
        }
  }

  resource db 'sqlDatabases' = {
    name: database
    properties: {
      resource: {
        id: database
      }
    }

    resource containers 'containers' = [
      for container in union([outboxContainer, inboxContainer], ownContainers): {
        name: container
        properties: {
          resource: {
            id: container
            partitionKey: {
              kind: 'Hash'
              paths: ['/pk']
              version: 2
            }
            // On, with no default: only documents that carry a ttl of their own expire, and
            // a pending event never carries one.
            defaultTtl: -1
            indexingPolicy: {
              automatic: true
              indexingMode: 'consistent'
              includedPaths: [
                { path: '/pk/?' }
                { path: '/pending/?' }
                { path: '/parked/?' }
                { path: '/seq/?' }
                { path: '/earlySince/?' }
              ]
              excludedPaths: [
                { path: '/*' }
              ]
            }
          }
          options: mode == 'autoscale'
            ? {
                autoscaleSettings: {
                  maxThroughput: maxThroughput
                }
              }
            : {}
        }
      }
    ]
  }
}

resource assignment 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2024-11-15' = {
  parent: account
  name: guid(account.id, database, identityName, dataContributor)
  properties: {
    principalId: principalId
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${dataContributor}'
    scope: '${account.id}/dbs/${account::db.name}'
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: account
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'ControlPlaneRequests'
        enabled: true
      }
    ]
  }
}

@description('Resource id of the account.')
output id string = account.id

@description('Endpoint of the account.')
output endpoint string = account.properties.documentEndpoint
