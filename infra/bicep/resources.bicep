metadata description = 'Everything that Relaybox needs, in one resource group. main.bicep makes the group too.'

@description('Short name of the environment, such as dev or prod: part of every name. Letters, digits and -.')
@minLength(2)
@maxLength(20)
param environmentName string

@description('Azure region. It must offer Flex Consumption.')
param location string = resourceGroup().location

@description('Tags of every resource.')
param tags object = {}

@description('serverless: pay per request, up to 5,000 RU/s a container. autoscale: pay for the highest RU/s of each hour.')
@allowed(['serverless', 'autoscale'])
param cosmosMode string = 'serverless'

@description('Highest RU/s of each container in autoscale mode; a multiple of 1,000.')
@minValue(1000)
@maxValue(1000000)
param cosmosMaxThroughput int = 4000

@description('Restore to any second of the last 7 days instead of to a copy every four hours. Cannot be taken back.')
param cosmosContinuousBackup bool = false

@description('Containers of kinds that do not share the two, by kind: { invoice: { outbox: \'invoices\', inbox: \'invoice-views\' } }.')
param kindContainers object = {}

@description('Run the second consumer, MailingList, with a subscription and a container of its own. Each event that it hears costs a delivery, an execution and a write.')
param mailingList bool = false

@description('Premium has dedicated capacity, messages above 256 KB and private endpoints.')
@allowed(['Standard', 'Premium'])
param serviceBusTier string = 'Standard'

@description('Messaging units of a Premium namespace.')
@allowed([1, 2, 4, 8, 16])
param serviceBusMessagingUnits int = 1

@description('How long Service Bus remembers message ids. Longer than a dispatcher can pause.')
@allowed(['PT10M', 'PT1H', 'PT6H', 'P1D', 'P3D'])
param duplicateDetectionWindow string = 'PT1H'

@description('Give the app Manage on its subscription, for scaling by the exact number of messages. Without it scaling works from an estimate.')
param exactScaling bool = false

@description('Memory of an instance in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 512

@description('Most instances of each function group.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Keep one instance of OutboxDispatcher running.')
param alwaysReadyDispatcher bool = false

@description('Reads that say how old they may be: memory has each instance keep its own, redis makes an Azure Managed Redis that all share and events keep true, off asks Cosmos DB each time.')
@allowed(['off', 'memory', 'redis'])
param readCache string = 'memory'

@description('Size of that Redis.')
param redisSku string = 'Balanced_B0'

@description('NCRONTAB of the sweep, six fields, UTC.')
param dispatchSchedule string = '0 * * * * *'

@description('Spread storage and Cosmos DB over the zones of the region, where it has zones.')
param zoneRedundant bool = false

@description('Further application settings, or other values for those that are made here. Each deployment replaces all settings of the app: what is set by hand is gone then. No secrets.')
param extraSettings object = {}

@description('A virtual network with private endpoints; storage and Cosmos DB are then closed to the internet, and Service Bus too in Premium (Standard has no private endpoints).')
param privateNetwork bool = false

@description('Address space of that network: a /24 or larger.')
param networkAddressPrefix string = '10.71.0.0/24'

@description('Address that alerts are mailed to; empty: they are only shown in the portal.')
param alertEmail string = ''

@description('Age of the oldest pending event, in seconds, that raises the alert.')
@minValue(60)
param oldestPendingAlertSeconds int = 300

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionInDays int = 30

@description('Most logs a day in GB; -1 for no limit.')
@minValue(-1)
param logDailyQuotaGb int = -1

// How often an event is delivered. Times RELAYBOX_INBOX_HOLD it is the outage of the store that is
// borne: a day, with a restart every hour.
var maxDeliveries = 100

// Names of the app's entities, the same as in local.settings.json.example.
var names = {
  database: 'relaybox'
  outboxContainer: 'entities'
  inboxContainer: 'views'
  topic: 'entity-events'
  subscription: 'read-models'
  mailingList: 'mailing-list'
  cache: 'read-cache'
}
// The consumers beside ConsumeEvent that run: subscription, rule as in function.json, container.
var consumers = mailingList
  ? [
      {
        subscription: names.mailingList
        rule: 'sys.Label IN (\'relaybox.profile.created\', \'relaybox.profile.email-changed\', \'relaybox.profile.deleted\') OR replayfor = \'${names.mailingList}\''
        container: names.mailingList
      }
    ]
  : []
// RefreshCache hears everything, and has no models.
var cacheConsumer = readCache == 'redis' ? [{ subscription: names.cache, rule: '1=1' }] : []
var consumerContainers = [for consumer in consumers: consumer.container]
// kindContainers in the form of the app's setting, and as the containers of either side.
var kindSetting = [for kind in items(kindContainers): '${kind.key}=${kind.value.outbox}/${kind.value.inbox}']
var kindOutboxes = [for kind in items(kindContainers): kind.value.outbox]
var kindInboxes = [for kind in items(kindContainers): kind.value.inbox]
var token = uniqueString(resourceGroup().id, environmentName)
var suffix = '${toLower(environmentName)}-${take(token, 6)}'
var identityName = 'id-relaybox-${suffix}'
var deploymentContainer = 'app-package'
var closedBus = privateNetwork && serviceBusTier == 'Premium'

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    name: identityName
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    workspaceName: 'log-relaybox-${suffix}'
    componentName: 'appi-relaybox-${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    identityName: identityName
    retentionInDays: logRetentionInDays
    dailyQuotaGb: logDailyQuotaGb
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: 'strelaybox${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    identityName: identityName
    deploymentContainer: deploymentContainer
    sku: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
    publicNetworkAccess: !privateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

module cosmos 'modules/cosmos.bicep' = {
  name: 'cosmos'
  params: {
    name: 'cosmos-relaybox-${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    identityName: identityName
    mode: cosmosMode
    maxThroughput: cosmosMaxThroughput
    continuousBackup: cosmosContinuousBackup
    database: names.database
    outboxContainer: names.outboxContainer
    inboxContainer: names.inboxContainer
    ownContainers: union(kindOutboxes, kindInboxes, consumerContainers)
    zoneRedundant: zoneRedundant
    publicNetworkAccess: !privateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

module serviceBus 'modules/servicebus.bicep' = {
  name: 'servicebus'
  params: {
    name: 'sb-relaybox-${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    identityName: identityName
    tier: serviceBusTier
    messagingUnits: serviceBusMessagingUnits
    topic: names.topic
    subscription: names.subscription
    consumers: union(consumers, cacheConsumer)
    maxDeliveries: maxDeliveries
    duplicateDetectionWindow: duplicateDetectionWindow
    exactScaling: exactScaling
    publicNetworkAccess: !closedBus
    workspaceId: monitoring.outputs.workspaceId
  }
}

module redis 'modules/redis.bicep' = if (readCache == 'redis') {
  name: 'redis'
  params: {
    name: 'redis-relaybox-${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    identityName: identityName
    sku: redisSku
    highAvailability: zoneRedundant
    publicNetworkAccess: !privateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  params: {
    name: 'vnet-relaybox-${suffix}'
    location: location
    tags: tags
    addressPrefix: networkAddressPrefix
  }
}

module blobEndpoint 'modules/endpoint.bicep' = if (privateNetwork) {
  name: 'endpoint-blob'
  params: {
    name: 'pep-blob-${suffix}'
    location: location
    tags: tags
    targetId: storage.outputs.id
    groupId: 'blob'
    zoneName: 'privatelink.blob.${environment().suffixes.storage}'
    networkId: network.?outputs.id ?? ''
    subnetId: network.?outputs.endpointSubnetId ?? ''
  }
}

module tableEndpoint 'modules/endpoint.bicep' = if (privateNetwork) {
  name: 'endpoint-table'
  params: {
    name: 'pep-table-${suffix}'
    location: location
    tags: tags
    targetId: storage.outputs.id
    groupId: 'table'
    zoneName: 'privatelink.table.${environment().suffixes.storage}'
    networkId: network.?outputs.id ?? ''
    subnetId: network.?outputs.endpointSubnetId ?? ''
  }
  // One after the other: they change the same subnet.
  dependsOn: [blobEndpoint]
}

module cosmosEndpoint 'modules/endpoint.bicep' = if (privateNetwork) {
  name: 'endpoint-cosmos'
  params: {
    name: 'pep-cosmos-${suffix}'
    location: location
    tags: tags
    targetId: cosmos.outputs.id
    groupId: 'Sql'
    zoneName: 'privatelink.documents.azure.com'
    networkId: network.?outputs.id ?? ''
    subnetId: network.?outputs.endpointSubnetId ?? ''
  }
  dependsOn: [tableEndpoint]
}

module busEndpoint 'modules/endpoint.bicep' = if (closedBus) {
  name: 'endpoint-servicebus'
  params: {
    name: 'pep-sb-${suffix}'
    location: location
    tags: tags
    targetId: serviceBus.outputs.id
    groupId: 'namespace'
    zoneName: 'privatelink.servicebus.windows.net'
    networkId: network.?outputs.id ?? ''
    subnetId: network.?outputs.endpointSubnetId ?? ''
  }
  dependsOn: [cosmosEndpoint]
}

module redisEndpoint 'modules/endpoint.bicep' = if (privateNetwork && readCache == 'redis') {
  name: 'endpoint-redis'
  params: {
    name: 'pep-redis-${suffix}'
    location: location
    tags: tags
    targetId: redis.?outputs.id ?? ''
    groupId: 'redisEnterprise'
    zoneName: 'privatelink.redis.azure.net'
    networkId: network.?outputs.id ?? ''
    subnetId: network.?outputs.endpointSubnetId ?? ''
  }
  dependsOn: [busEndpoint]
}

module app 'modules/app.bicep' = {
  name: 'app'
  params: {
    name: 'func-relaybox-${suffix}'
    planName: 'plan-relaybox-${suffix}'
    location: location
    tags: tags
    azdServiceName: 'app'
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageAccountName: storage.outputs.name
    deploymentUrl: storage.outputs.deploymentUrl
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyDispatcher: alwaysReadyDispatcher
    subnetId: network.?outputs.appSubnetId ?? ''
    workspaceId: monitoring.outputs.workspaceId
    extraSettings: extraSettings
    appSettings: union(
      {
        COSMOS_CONNECTION__accountEndpoint: cosmos.outputs.endpoint
        COSMOS_CONNECTION__credential: 'managedidentity'
        COSMOS_CONNECTION__clientId: identity.outputs.clientId
        COSMOS_DATABASE: names.database
        COSMOS_OUTBOX_CONTAINER: names.outboxContainer
        COSMOS_INBOX_CONTAINER: names.inboxContainer
        SERVICEBUS_CONNECTION__fullyQualifiedNamespace: serviceBus.outputs.host
        SERVICEBUS_CONNECTION__credential: 'managedidentity'
        SERVICEBUS_CONNECTION__clientId: identity.outputs.clientId
        EVENTS_TOPIC: names.topic
        EVENTS_SUBSCRIPTION: names.subscription
        // Named in a function.json, so also when the function is off.
        MAILING_SUBSCRIPTION: names.mailingList
        CACHE_SUBSCRIPTION: names.cache
        RELAYBOX_MAX_DELIVERIES: '${maxDeliveries}'
        DISPATCH_SCHEDULE: dispatchSchedule
        INBOX_SCHEDULE: '30 * * * * *'
        // One threshold for the alert and for GET /api/health.
        RELAYBOX_HEALTH_OLDEST: '${oldestPendingAlertSeconds}s'
      },
      readCache == 'redis'
        ? {
            REDIS_CONNECTION__redisHostName: redis.?outputs.host ?? ''
            REDIS_CONNECTION__credential: 'managedidentity'
            REDIS_CONNECTION__clientId: identity.outputs.clientId
          }
        : { AzureWebJobs_RefreshCache_Disabled: 'true' },
      // Without it a Redis that extraSettings name is used, and memory otherwise.
      readCache == 'memory' ? {} : { RELAYBOX_READ_CACHE: readCache },
      empty(kindContainers) ? {} : { COSMOS_KIND_CONTAINERS: join(kindSetting, ',') },
      mailingList ? {} : { AzureWebJobs_MailingList_Disabled: 'true' }
    )
  }
  // The host reads its storage as soon as it starts.
  dependsOn: [blobEndpoint, tableEndpoint, cosmosEndpoint, busEndpoint, redisEndpoint]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    name: 'relaybox-${suffix}'
    location: location
    tags: tags
    email: alertEmail
    componentId: monitoring.outputs.componentId
    namespaceId: serviceBus.outputs.id
    accountId: cosmos.outputs.id
    oldestPendingSeconds: oldestPendingAlertSeconds
    topic: names.topic
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    name: 'relaybox-${suffix}'
    location: location
    tags: tags
    componentId: monitoring.outputs.componentId
    namespaceId: serviceBus.outputs.id
    topic: names.topic
  }
}

@description('Name of the function app.')
output AZURE_FUNCTION_APP_NAME string = app.outputs.name

@description('Address of the function app.')
output AZURE_FUNCTION_APP_URL string = app.outputs.url

@description('Endpoint of the Cosmos DB account.')
output COSMOS_ENDPOINT string = cosmos.outputs.endpoint

@description('Fully qualified Service Bus namespace.')
output SERVICEBUS_NAMESPACE string = serviceBus.outputs.host
