using 'main.bicep'

param environmentName = 'prod'
param location = 'westeurope'

param cosmosMode = 'autoscale'
param cosmosMaxThroughput = 4000
param cosmosContinuousBackup = true
param zoneRedundant = true

param serviceBusTier = 'Premium'
param serviceBusMessagingUnits = 1
param duplicateDetectionWindow = 'P1D'

param instanceMemoryMB = 2048
param alwaysReadyDispatcher = true

param privateNetwork = true
param alertEmail = readEnvironmentVariable('RELAYBOX_ALERT_EMAIL', '')
param logRetentionInDays = 90
