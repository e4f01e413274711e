metadata description = 'Service Bus namespace with the topic of events and the subscription of the consumer. No access keys.'

@description('Name of the namespace.')
@minLength(6)
@maxLength(50)
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Object id of the app\'s identity.')
param principalId string

@description('Name of that identity: names of role assignments are made of it, so that what-if can tell them.')
param identityName string

@description('Standard: shared capacity, 256 KB messages. Premium: dedicated, 1 MB messages, private endpoints.')
@allowed(['Standard', 'Premium'])
param tier string

@description('Messaging units of a Premium namespace.')
@allowed([1, 2, 4, 8, 16])
param messagingUnits int

@description('Topic that events go to.')
param topic string

@description('Subscription of ConsumeEvent.')
param subscription string

@description('Further consumers of the topic: subscription and rule of each.')
param consumers array

@description('How often the broker delivers a message before it is a dead letter. The app must be told the same number.')
@minValue(1)
param maxDeliveries int

@description('How long the broker remembers message ids, as an ISO 8601 duration of up to seven days. It must be longer than a dispatcher can pause.')
param duplicateDetectionWindow string

@description('Give the app Manage on the subscription, so that scaling can read the exact number of messages.')
param exactScaling bool

@description('False: reachable through private endpoints only; Premium.')
param publicNetworkAccess bool

@description('Resource id of the workspace for diagnostic logs.')
param workspaceId string

var roles = {
  sender: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
  receiver: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
  owner: '090c5cfd-751d-490a-894a-3ce6f1109419'
}
// Data Owner includes what Data Receiver gives.
var subscriptionRole = exactScaling ? roles.owner : roles.receiver

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: tier == 'Premium'
    ? {
        name: 'Premium'
        tier: 'Premium'
        capacity: messagingUnits
      }
    : {
        name: 'Standard'
        tier: 'Standard'
      }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: publicNetworkAccess ? 'Enabled' : 'Disabled'
  }

  resource events 'topics' = {
    name: topic
    // No autoDeleteOnIdle: a topic that goes away in a quiet week takes its subscriptions along.
    properties: {
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: duplicateDetectionWindow
      supportOrdering: true
      enablePartitioning: false
      enableBatchedOperations: true
      defaultMessageTimeToLive: 'P14D'
      maxSizeInMegabytes: 5120
    }

    resource views 'subscriptions' = {
      name: subscription
      properties: {
        // The consumer keeps the order by the events' numbers.
        requiresSession: false
        maxDeliveryCount: maxDeliveries
        lockDuration: 'PT1M'
        defaultMessageTimeToLive: 'P14D'
        deadLetteringOnMessageExpiration: true
        deadLetteringOnFilterEvaluationExceptions: true
        enableBatchedOperations: true
      }
    }
  }
}

resource further 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2024-01-01' = [
  for consumer in consumers: {
    parent: namespace::events
    name: consumer.subscription
    properties: {
      requiresSession: false
      maxDeliveryCount: maxDeliveries
      lockDuration: 'PT1M'
      defaultMessageTimeToLive: 'P14D'
      deadLetteringOnMessageExpiration: true
      deadLetteringOnFilterEvaluationExceptions: true
      enableBatchedOperations: true
    }
  }
]

// In the place of the rule that the service makes of itself, which takes every event.
resource heard 'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules@2024-01-01' = [
  for (consumer, i) in consumers: {
    parent: further[i]
    name: '$Default'
    properties: {
      filterType: 'SqlFilter'
      sqlFilter: {
        sqlExpression: consumer.rule
      }
    }
  }
]

resource hear 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (consumer, i) in consumers: {
    name: guid(further[i].id, identityName, subscriptionRole)
    scope: further[i]
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', subscriptionRole)
    }
  }
]

resource send 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(namespace::events.id, identityName, roles.sender)
  scope: namespace::events
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.sender)
  }
}

resource receive 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(namespace::events::views.id, identityName, subscriptionRole)
  scope: namespace::events::views
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', subscriptionRole)
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: namespace
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'OperationalLogs'
        enabled: true
      }
    ]
  }
}

@description('Resource id of the namespace.')
output id string = namespace.id

@description('Fully qualified name of the namespace.')
output host string = split(split(namespace.properties.serviceBusEndpoint, '://')[1], ':')[0]
