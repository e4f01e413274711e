metadata description = 'The function app on Flex Consumption: a custom handler, an identity, no secret in its settings.'

@description('Name of the function app; its host name begins with it.')
@minLength(2)
@maxLength(60)
param name string

@description('Name of the Flex Consumption plan. Each app has a plan of its own.')
param planName string

@description('Azure region. Flex Consumption is not in all of them.')
param location string

@description('Tags of every resource.')
param tags object

@description('Tag by which azd finds the app that a service is deployed to.')
param azdServiceName string

@description('Resource id of the user-assigned identity.')
param identityId string

@description('Client id of that identity.')
param identityClientId string

@description('Name of the host\'s storage account.')
param storageAccountName string

@description('URL of the container that packages are deployed to.')
param deploymentUrl string

@description('Application Insights, by its connection string, which is no secret: local authentication is off.')
param applicationInsightsConnectionString string

@description('Settings of the app itself: connections, names, schedule.')
param appSettings object

@description('Settings that go over all others.')
param extraSettings object

@description('Memory of an instance in MB. Its processor share grows with it.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int

@description('Most instances that a group of functions scales out to.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int

@description('Keep one instance of OutboxDispatcher running, so that its tick never waits for a cold start.')
param alwaysReadyDispatcher bool

@description('Subnet, delegated to Microsoft.App/environments, that the app reaches the network from; empty for none.')
param subnetId string

@description('Resource id of the workspace for diagnostic logs.')
param workspaceId string

// The Functions host reads these; a Flex Consumption app must not set its runtime here.
var hostSettings = {
  AzureWebJobsStorage__accountName: storageAccountName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': azdServiceName })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'custom'
        version: '1.0'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyDispatcher
          ? [
              {
                name: 'function:OutboxDispatcher'
                instanceCount: 1
              }
            ]
          : []
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
    }
  }

  resource settings 'config' = {
    name: 'appsettings'
    properties: union(hostSettings, appSettings, extraSettings)
  }

  // Deployment signs in with Microsoft Entra; user names and passwords are off.
  resource noFtp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }

  resource noScm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: app
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'FunctionAppLogs'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

@description('Name of the function app.')
output name string = app.name

@description('Address of the function app.')
output url string = 'https://${app.properties.defaultHostName}'
