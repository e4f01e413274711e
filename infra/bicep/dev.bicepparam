using 'main.bicep'

// The defaults are the cheapest set-up that keeps every promise.
param environmentName = 'dev'
param location = 'westeurope'
