targetScope = 'subscription'

metadata description = 'Relaybox in a resource group of its own.'

@description('Short name of the environment, such as dev or prod: part of every name. Letters, digits and -.')
@minLength(2)
@maxLength(20)
param environmentName string

@description('Azure region. It must offer Flex Consumption.')
@minLength(1)
param location string

@description('Resource group to make.')
param resourceGroupName string = 'rg-relaybox-${environmentName}'

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

var tags = {
  'azd-env-name': environmentName
  app: 'relaybox'
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

module resources 'resources.bicep' = {
  name: 'relaybox'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    cosmosMode: cosmosMode
    cosmosMaxThroughput: cosmosMaxThroughput
    cosmosContinuousBackup: cosmosContinuousBackup
    kindContainers: kindContainers
    mailingList: mailingList
    serviceBusTier: serviceBusTier
    serviceBusMessagingUnits: serviceBusMessagingUnits
    duplicateDetectionWindow: duplicateDetectionWindow
    exactScaling: exactScaling
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyDispatcher: alwaysReadyDispatcher
    readCache: readCache
    redisSku: redisSku
    dispatchSchedule: dispatchSchedule
    zoneRedundant: zoneRedundant
    extraSettings: extraSettings
    privateNetwork: privateNetwork
    networkAddressPrefix: networkAddressPrefix
    alertEmail: alertEmail
    oldestPendingAlertSeconds: oldestPendingAlertSeconds
    logRetentionInDays: logRetentionInDays
    logDailyQuotaGb: logDailyQuotaGb
  }
}

@description('Resource group that was made.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output AZURE_FUNCTION_APP_NAME string = resources.outputs.AZURE_FUNCTION_APP_NAME

@description('Address of the function app.')
output AZURE_FUNCTION_APP_URL string = resources.outputs.AZURE_FUNCTION_APP_URL

@description('Endpoint of the Cosmos DB account.')
output COSMOS_ENDPOINT string = resources.outputs.COSMOS_ENDPOINT

@description('Fully qualified Service Bus namespace.')
output SERVICEBUS_NAMESPACE string = resources.outputs.SERVICEBUS_NAMESPACE
