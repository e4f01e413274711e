using 'main.bicep'

// What azd asks for; any other parameter can be set here or in an azd environment variable
// of your own. For production begin with the values of prod.bicepparam.
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'dev')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param alertEmail = readEnvironmentVariable('RELAYBOX_ALERT_EMAIL', '')
