metadata description = 'An Azure Monitor workbook of what the alerts watch: the state that sweeps count, refusals, the subscription, requests.'

@description('Name of the deployment: the workbook is shown under it.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Resource id of Application Insights, where the app\'s log lines are.')
param componentId string

@description('Resource id of the Service Bus namespace.')
param namespaceId string

@description('Name of the topic, whose messages are shown.')
param topic string

// The content names what it asks by these words: it is JSON, which no Bicep reaches into.
var ofComponent = replace(loadTextContent('workbook.json'), '$component', componentId)
var ofNamespace = replace(ofComponent, '$namespace', namespaceId)

resource workbook 'Microsoft.Insights/workbooks@2022-04-01' = {
  // The service wants a GUID.
  name: guid(resourceGroup().id, name, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: name
    category: 'workbook'
    version: 'Notebook/1.0'
    sourceId: componentId
    serializedData: replace(ofNamespace, '$topic', topic)
  }
}
