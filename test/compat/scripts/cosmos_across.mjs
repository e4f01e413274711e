// Queries over several partitions, which the client puts together from what each range answers.
import assert from 'node:assert/strict';
import { run, code } from './cosmos_cases.mjs';

const same = assert.deepEqual;
const number = 40;

// stock is the documents of a case: n counts down, g is one of four groups, and a few have no n.
async function stock(c) {
  const documents = Array.from({ length: number }, (_, i) => {
    const d = { id: `${i}`, pk: `k${i % 11}`, n: number - i, g: ['x', 'y', 'z', 'x'][i % 4], tags: [`t${i % 3}`, 'all'] };
    if (i % 10 === 9) delete d.n;
    return d;
  });
  await Promise.all(documents.map((d) => c.items.create(d)));
  return documents;
}

// ask is a case: a query, its pages of several sizes, and what it returns of the documents.
const ask = (query, want, { parameters, order = true, options = {} } = {}) => async (c) => {
  const documents = await stock(c);
  for (const maxItemCount of [3, 100]) {
    const iterator = c.items.query({ query, parameters }, { maxItemCount, ...options });
    const got = [];
    while (iterator.hasMoreResults()) got.push(...((await iterator.fetchNext()).resources ?? []));
    const texts = (list) => (order ? list : list.map((v) => JSON.stringify(v)).sort());
    same(texts(got), texts(want(documents)));
  }
};
const numbered = (documents) => documents.filter((d) => d.n !== undefined);
const up = (documents) => numbered(documents).sort((a, b) => a.n - b.n);
const down = (documents) => up(documents).reverse();
const any = { order: false };

await run({
  'ORDER BY': ask('SELECT c.id FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n', (d) => up(d).map(({ id }) => ({ id }))),
  'ORDER BY, whole documents': async (c) => {
    const documents = await stock(c);
    const { resources } = await c.items.query('SELECT * FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n').fetchAll();
    same(resources.map((d) => d.id), up(documents).map((d) => d.id));
    assert(resources.every((d) => d._etag && d.tags));
  },
  'ORDER BY DESC': ask('SELECT VALUE c.n FROM c WHERE c.n > 5 ORDER BY c.n DESC', (d) => down(d).map(({ n }) => n).filter((n) => n > 5)),
  'ORDER BY of strings with equals': ask('SELECT VALUE c.g FROM c ORDER BY c.g', (d) => d.map(({ g }) => g).sort()),
  'ORDER BY of what is no path': async (c) => {
    for (const key of ['t', 'c.n + 1', 'LENGTH(c.g)']) {
      same(await code(c.items.query(`SELECT VALUE t FROM c JOIN t IN c.tags ORDER BY ${key}`).fetchAll()), 400);
    }
  },
  'TOP with ORDER BY': ask('SELECT TOP 7 VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n DESC', (d) => down(d).map(({ n }) => n).slice(0, 7)),
  'TOP from a parameter': ask('SELECT TOP @k VALUE c.n FROM c WHERE c.n >= @least ORDER BY c.n', (d) => up(d).map(({ n }) => n).filter((n) => n >= 9).slice(0, 4), {
    parameters: [{ name: '@k', value: 4 }, { name: '@least', value: 9 }],
  }),
  'TOP alone': async (c) => {
    await stock(c);
    same((await c.items.query('SELECT TOP 13 * FROM c').fetchAll()).resources.length, 13);
    same((await c.items.query('SELECT TOP 0 * FROM c').fetchAll()).resources.length, 0);
  },
  'OFFSET LIMIT with ORDER BY': ask('SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n OFFSET 5 LIMIT 8', (d) => up(d).map(({ n }) => n).slice(5, 13)),
  'OFFSET LIMIT alone': async (c) => {
    await stock(c);
    same((await c.items.query('SELECT * FROM c OFFSET 35 LIMIT 10').fetchAll()).resources.length, 5);
  },
  'DISTINCT': ask('SELECT DISTINCT VALUE c.g FROM c', () => ['x', 'y', 'z'], any),
  'DISTINCT of objects': ask('SELECT DISTINCT c.g FROM c', () => [{ g: 'x' }, { g: 'y' }, { g: 'z' }], any),
  'DISTINCT in order': ask('SELECT DISTINCT VALUE c.g FROM c ORDER BY c.g DESC', () => ['z', 'y', 'x']),
  'DISTINCT, the first': ask('SELECT DISTINCT TOP 2 VALUE c.g FROM c ORDER BY c.g', () => ['x', 'y']),
  'COUNT': ask('SELECT VALUE COUNT(1) FROM c', () => [number]),
  'COUNT under a filter': ask('SELECT VALUE COUNT(1) FROM c WHERE c.g = "x"', () => [number / 2]),
  'COUNT of nothing': ask('SELECT VALUE COUNT(1) FROM c WHERE c.g = "none"', () => [0]),
  'SUM': ask('SELECT VALUE SUM(c.n) FROM c', (d) => [numbered(d).reduce((s, x) => s + x.n, 0)]),
  'AVG': ask('SELECT VALUE AVG(c.n) FROM c', (d) => [numbered(d).reduce((s, x) => s + x.n, 0) / numbered(d).length]),
  'MIN': ask('SELECT VALUE MIN(c.n) FROM c', (d) => [up(d)[0].n]),
  'MAX': ask('SELECT VALUE MAX(c.n) FROM c WHERE c.n < 30', () => [29]),
  'MIN of strings': ask('SELECT VALUE MIN(c.g) FROM c', () => ['x']),
  'several aggregates by name': ask('SELECT COUNT(1) AS all, MAX(c.n) AS most FROM c'.replace('all', 'many'), () => [{ many: number, most: number }]),
  'GROUP BY': ask('SELECT c.g, COUNT(1) AS many, SUM(c.n) AS total FROM c GROUP BY c.g', (d) =>
    ['x', 'y', 'z'].map((g) => ({ g, many: d.filter((x) => x.g === g).length, total: numbered(d).filter((x) => x.g === g).reduce((s, x) => s + x.n, 0) })), any),
  'GROUP BY, values': ask('SELECT VALUE c.g FROM c GROUP BY c.g', () => ['x', 'y', 'z'], any),
  'GROUP BY, an aggregate as value': ask('SELECT VALUE COUNT(1) FROM c GROUP BY c.g', () => [20, 10, 10], any),
  'GROUP BY two': async (c) => {
    const groups = new Set((await stock(c)).map((d) => d.pk + d.g));
    same((await c.items.query('SELECT c.pk, c.g, COUNT(1) AS n FROM c GROUP BY c.pk, c.g').fetchAll()).resources.length, groups.size);
  },
  'a plan of one\'s own asking': async (c) => {
    await stock(c);
    const { result } = await c.getQueryPlan('SELECT c.g FROM c ORDER BY c.n DESC OFFSET 2 LIMIT 3');
    same(result.queryInfo.orderBy, ['Descending']);
    same(result.queryInfo.orderByExpressions, ['c.n']);
    same([result.queryInfo.offset, result.queryInfo.limit, result.queryInfo.top], [2, 3, null]);
    same(result.queryInfo.hasSelectValue, false);
    same(result.queryRanges, [{ min: '', max: 'FF', isMinInclusive: true, isMaxInclusive: false }]);
    same((await c.items.readAll().fetchAll()).resources.length, number);
  },
  'what has no plan': async (c) => {
    const ask = (query) => c.items.query(query).fetchAll();
    same(await code(ask('SELECT VALUE COUNT(1) + 1 FROM c')), 400);
    same(await code(ask('SELECT c.g, COUNT(1) AS n FROM c GROUP BY c.g ORDER BY c.g')), 400);
    same(await code(ask('SELECT COUNT(1) AS n FROM (SELECT DISTINCT c.g FROM c)')), 400);
    same(await code(c.getQueryPlan('SELECT FROM')), 400);
  },
  'going on from a continuation': async (c) => {
    const documents = await stock(c);
    const query = 'SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n';
    const got = [];
    let continuationToken;
    for (let pages = 0; pages < 50; pages++) {
      const page = await c.items.query(query, { maxItemCount: 4, enableQueryControl: true, continuationToken }).fetchNext();
      got.push(...(page.resources ?? []));
      if (!(continuationToken = page.continuationToken)) break;
    }
    same(got, up(documents).map((d) => d.n));
  },
  'going on from a continuation, downwards among equals': async (c) => {
    const documents = await stock(c);
    const query = 'SELECT c.id, c.g FROM c ORDER BY c.g DESC';
    const got = [];
    let continuationToken;
    for (let pages = 0; pages < 50; pages++) {
      const page = await c.items.query(query, { maxItemCount: 4, enableQueryControl: true, continuationToken }).fetchNext();
      got.push(...(page.resources ?? []));
      if (!(continuationToken = page.continuationToken)) break;
    }
    same(got.map((d) => d.g), documents.map((d) => d.g).sort().reverse());
    same(new Set(got.map((d) => d.id)).size, number);
  },
});
