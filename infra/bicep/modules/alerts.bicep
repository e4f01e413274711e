metadata description = 'What somebody must hear of: events that do not get out, that were parked, refused or dead-lettered, a container that was replaced, failing requests, throttling.'

@description('Prefix of the alerts\' names.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Address that alerts are mailed to; empty: they are only shown in the portal.')
param email string

@description('Resource id of Application Insights, where the app\'s log lines are.')
param componentId string

@description('Resource id of the Service Bus namespace.')
param namespaceId string

@description('Resource id of the Cosmos DB account.')
param accountId string

@description('Age of the oldest pending event, in seconds, that is too old.')
@minValue(60)
param oldestPendingSeconds int

@description('Name of the topic, whose messages the alert on dead letters counts.')
param topic string

// The handler logs one JSON object a line; its attribute signal is stable (handler/app/observe.go,
// entity/consume.go, functions/OutboxDispatcher, functions/InboxSweeper). What is a state, and not
// something that happened, is read from what every sweep counts: an alert on the line of its
// beginning would end while the state lasts.
var logAlerts = [
  {
    name: 'oldest-pending'
    text: 'Events wait longer in the outbox than they should: Service Bus is away, throttled, or a key is blocked.'
    severity: 1
    window: 'PT10M'
    query: 'traces | where message has \'"signal":"sweep"\' | extend age = todouble(parse_json(message).oldestPendingSeconds) | project timestamp, age'
    measure: 'age'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    threshold: oldestPendingSeconds
  }
  {
    name: 'no-sweep'
    text: 'No run of OutboxDispatcher has succeeded for a quarter of an hour: the fast path still works, and nothing stands behind it.'
    severity: 1
    window: 'PT15M'
    query: 'traces | where message has \'"signal":"sweep"\''
    measure: ''
    aggregation: 'Count'
    operator: 'LessThan'
    threshold: 1
  }
  {
    name: 'parked'
    text: 'Events were refused while others got through and are parked; their keys wait. It fires for as long as one is there.'
    severity: 2
    window: 'PT10M'
    query: 'traces | where message has \'"signal":"sweep"\' | extend parked = todouble(parse_json(message).standing) | project timestamp, parked'
    measure: 'parked'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'refused'
    text: 'The consumer refuses an event that can never be applied: it ends in the dead-letter queue.'
    severity: 2
    window: 'PT10M'
    query: 'traces | where message has \'"signal":"refused"\''
    measure: ''
    aggregation: 'Count'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'incarnation'
    text: 'A container was made anew, restored or copied: entities go on under new incarnations, and events of the container that was are ignored.'
    severity: 2
    window: 'PT10M'
    query: 'traces | where message has \'"signal":"incarnation"\' or message has \'"signal":"superseded"\''
    measure: ''
    aggregation: 'Count'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'gap'
    text: 'The consumer has gone on without an event.'
    severity: 2
    window: 'PT10M'
    query: 'traces | where message has \'"signal":"gap"\' or message has \'"signal":"gave-up"\' or message has \'"signal":"too-old"\''
    measure: ''
    aggregation: 'Count'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'gap-blocked'
    text: 'The consumer waits, under the strict policy, for an event that does not come. It fires for as long as a key waits.'
    severity: 2
    window: 'PT10M'
    query: 'traces | where message has \'"signal":"inbox-sweep"\' | extend blocked = todouble(parse_json(message).blocked) | project timestamp, blocked'
    measure: 'blocked'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'server-errors'
    text: 'HTTP requests are answered with 5xx, those of /api/health apart: the states that it tells have alerts of their own.'
    severity: 2
    window: 'PT10M'
    query: 'requests | where toint(resultCode) >= 500 and name != \'Health\' | project timestamp, count = itemCount'
    measure: 'count'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 10
  }
]

var metricAlerts = [
  {
    name: 'dead-letters'
    text: 'Messages are in a dead-letter queue of the topic: the consumer refused them for good, or they expired.'
    severity: 2
    scope: namespaceId
    metric: 'DeadletteredMessages'
    aggregation: 'Maximum'
    threshold: 0
    dimensions: [
      {
        name: 'EntityName'
        operator: 'Include'
        values: [topic]
      }
    ]
  }
  {
    name: 'bus-throttled'
    text: 'Service Bus throttles the namespace: more capacity is needed, or Premium.'
    severity: 3
    scope: namespaceId
    metric: 'ThrottledRequests'
    aggregation: 'Total'
    threshold: 10
    dimensions: []
  }
  {
    name: 'store-throttled'
    text: 'Cosmos DB answers 429: the containers need more request units, or one key is hot.'
    severity: 3
    scope: accountId
    metric: 'TotalRequests'
    aggregation: 'Count'
    threshold: 100
    dimensions: [
      {
        name: 'StatusCode'
        operator: 'Include'
        values: ['429']
      }
    ]
  }
]

var actions = empty(email) ? [] : [group.id]

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: name
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'relaybox'
    emailReceivers: [
      {
        name: 'operator'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource logRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in logAlerts: {
    name: '${name}-${alert.name}'
    location: location
    tags: tags
    properties: {
      displayName: '${name}: ${alert.name}'
      description: alert.text
      enabled: true
      severity: alert.severity
      scopes: [componentId]
      evaluationFrequency: 'PT5M'
      windowSize: alert.window
      autoMitigate: true
      // The tables appear with the first line in them, after the deployment.
      skipQueryValidation: true
      criteria: {
        allOf: [
          union(
            {
              query: alert.query
              timeAggregation: alert.aggregation
              operator: alert.operator
              threshold: alert.threshold
              failingPeriods: {
                numberOfEvaluationPeriods: 1
                minFailingPeriodsToAlert: 1
              }
            },
            empty(alert.measure) ? {} : { metricMeasureColumn: alert.measure }
          )
        ]
      }
      actions: {
        actionGroups: actions
      }
    }
  }
]

resource metricRules 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for alert in metricAlerts: {
    name: '${name}-${alert.name}'
    location: 'global'
    tags: tags
    properties: {
      description: alert.text
      enabled: true
      severity: alert.severity
      scopes: [alert.scope]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT5M'
      autoMitigate: true
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: alert.name
            metricName: alert.metric
            operator: 'GreaterThan'
            threshold: alert.threshold
            timeAggregation: alert.aggregation
            dimensions: alert.dimensions
          }
        ]
      }
      actions: [
        for action in actions: {
          actionGroupId: action
        }
      ]
    }
  }
]
