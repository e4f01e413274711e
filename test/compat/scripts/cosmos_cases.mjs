// Runs cases against the Cosmos DB that COSMOS_ENDPOINT names, each on a container of its own, under a deadline of its
// own. A case says how it ended in a line of JSON, with what it has returned; cosmos_test.go reads that.
import { createRequire } from 'node:module';

const load = createRequire(process.env.NODE_MODULES + '/');
export const { CosmosClient, ChangeFeedStartFrom, StatusCodes, BulkOperationType, PatchOperationType } = load('@azure/cosmos');

const key = 'C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==';
const limit = 20_000;

// code is the status of a refusal; it throws if there was none.
export async function code(promise) {
  try {
    await promise;
  } catch (error) {
    if (error.code === undefined) throw error;
    return error.code;
  }
  throw new Error('nothing was refused');
}

// bare is a document without what the server adds.
export function bare(resource) {
  if (Array.isArray(resource)) return resource.map(bare);
  if (resource === null || typeof resource !== 'object') return resource;
  return Object.fromEntries(Object.entries(resource).filter(([name]) => !/^_(rid|self|etag|ts|attachments|lsn)$/.test(name)));
}

function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it takes more than ${limit} ms`)), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// run runs the cases: functions of (container, database, client), with the container's definition as their property
// `container` where /pk does not do.
export async function run(cases) {
  // One of the servers says that it is at https wherever it is.
  const connectionPolicy = { enableBackgroundEndpointRefreshing: false, enableEndpointDiscovery: !process.env.COSMOS_STAY };
  const client = new CosmosClient({ endpoint: process.env.COSMOS_ENDPOINT, key, connectionPolicy });
  const { database } = await client.databases.create({ id: 'cases' });
  let n = 0;
  for (const [name, play] of Object.entries(cases)) {
    const line = { name };
    try {
      const definition = { id: `c${++n}`, partitionKey: { paths: ['/pk'], version: 2 }, ...play.container };
      const { container } = await database.containers.create(definition);
      line.answer = await within(play(container, database, client));
    } catch (error) {
      line.error = error?.stack ? `${error.code ? `[${error.code}] ` : ''}${error.stack}` : JSON.stringify(error);
    }
    process.stdout.write(JSON.stringify(line) + '\n');
  }
  process.stdout.write(JSON.stringify({ end: n }) + '\n');
  process.exit(0); // whatever a client still has open
}

// on gives a case the definition of its container.
export function on(container, play) {
  play.container = container;
  return play;
}
