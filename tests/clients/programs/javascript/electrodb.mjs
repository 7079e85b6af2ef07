// A task list through ElectroDB: composite keys, collections in a local secondary index. Prints what it saw as JSON.

import {
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  waitUntilTableExists,
  waitUntilTableNotExists,
} from "@aws-sdk/client-dynamodb";
import { Entity, Service } from "electrodb";

const [TableName] = process.argv.slice(2);
const client = new DynamoDBClient({});
const waiting = { client, minDelay: 1, maxDelay: 1, maxWaitTime: 30 };
const options = { client, table: TableName };
const consistent = { consistent: true };
const step = { type: "map", properties: { name: { type: "string" }, done: { type: "boolean" } } };

const Task = new Entity(
  {
    model: { entity: "task", version: "1", service: "office" },
    attributes: {
      project: { type: "string", required: true },
      id: { type: "string", required: true },
      state: { type: ["open", "done"], required: true, default: "open" },
      points: { type: "number", required: true, padding: { length: 4, char: "0" } },
      labels: { type: "set", items: "string" },
      steps: { type: "list", items: step },
      owner: { type: "map", properties: { name: { type: "string" }, since: { type: "number" } } },
      seen: { type: "number", default: 0 },
      note: { type: "string" },
    },
    indexes: {
      tasks: { pk: { field: "pk", composite: ["project"] }, sk: { field: "sk", composite: ["id"] } },
      byPoints: {
        index: "ls1",
        collection: "work",
        pk: { field: "pk", composite: ["project"] },
        sk: { field: "ls1sk", composite: ["points", "id"] },
      },
    },
  },
  options,
);

const Bug = new Entity(
  {
    model: { entity: "bug", version: "1", service: "office" },
    attributes: {
      project: { type: "string", required: true },
      number: { type: "number", required: true },
      severity: { type: "string", required: true },
    },
    indexes: {
      bugs: { pk: { field: "pk", composite: ["project"] }, sk: { field: "sk", composite: ["number"] } },
      bySeverity: {
        index: "ls1",
        collection: "work",
        pk: { field: "pk", composite: ["project"] },
        sk: { field: "ls1sk", composite: ["severity"] },
      },
    },
  },
  options,
);
const office = new Service({ Task, Bug });

async function create() {
  const string = (AttributeName) => ({ AttributeName, AttributeType: "S" });
  const keys = (sort) => [
    { AttributeName: "pk", KeyType: "HASH" },
    { AttributeName: sort, KeyType: "RANGE" },
  ];
  await client.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [string("pk"), string("sk"), string("ls1sk")],
      KeySchema: keys("sk"),
      LocalSecondaryIndexes: [{ IndexName: "ls1", KeySchema: keys("ls1sk"), Projection: { ProjectionType: "ALL" } }],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  return (await waitUntilTableExists(waiting, { TableName })).state;
}

const task = (project, number) => ({
  project,
  id: `t${String(number).padStart(2, "0")}`,
  state: number % 3 ? "done" : "open",
  points: (number * 7) % 20,
  labels: ["été", "ski"],
  steps: [{ name: "plan", done: false }],
  owner: { name: "Ada", since: 1843 },
});

async function writeAll() {
  const tasks = ["alpha", "beta", "gamma"].flatMap((project) => Array.from({ length: 20 }, (_, n) => task(project, n)));
  const { unprocessed } = await Task.put(tasks).go({ concurrent: 3 });
  await Bug.put({ project: "beta", number: 1, severity: "high" }).go();
  return tasks.length - unprocessed.length;
}

async function openTasks() {
  const ids = [];
  let pages = 0;
  let cursor = null;
  do {
    const page = await Task.query
      .tasks({ project: "alpha" })
      .where(({ state }, { eq }) => eq(state, "open"))
      .go({ cursor, params: { ConsistentRead: true, Limit: 6 } });
    ids.push(...page.data.map(({ id }) => id));
    cursor = page.cursor;
    pages += 1;
  } while (cursor);
  return { ids, pages };
}

async function byPoints() {
  const { data } = await Task.query.byPoints({ project: "beta" }).between({ points: 5 }, { points: 9 }).go(consistent);
  return data.map(({ id, points }) => [id, points]);
}

async function work() {
  const { data } = await office.collections.work({ project: "beta" }).go({ ...consistent, pages: "all" });
  return { tasks: data.Task.length, bugs: data.Bug.map(({ number, severity }) => [number, severity]) };
}

async function createAgain() {
  try {
    await Task.create(task("alpha", 1)).go();
  } catch (refusal) {
    return { code: refusal.code, cause: refusal.cause.name, message: refusal.cause.message };
  }
}

async function patchMissing() {
  try {
    await Task.patch({ project: "alpha", id: "none" }).set({ note: "?" }).go();
  } catch (refusal) {
    return refusal.cause.name;
  }
}

async function change() {
  const { data } = await Task.patch({ project: "gamma", id: "t04" })
    .set({ state: "done" })
    .add({ seen: 2, labels: ["new"] })
    .append({ steps: [{ name: "ship", done: true }] })
    .data(({ owner }, { set, add }) => {
      set(owner.name, "Grace");
      add(owner.since, 63);
    })
    .where(({ points }, { between }) => between(points, 1, 10))
    .go({ response: "all_new" });
  return { state: data.state, seen: data.seen, labels: [...data.labels].sort(), steps: data.steps, owner: data.owner };
}

async function upsert() {
  const key = { project: "delta", id: "t00" };
  const changed = { points: 3, state: "open" };
  await Task.upsert(key).set(changed).add({ seen: 1 }).go();
  const { data } = await Task.upsert(key).set(changed).add({ seen: 1 }).go({ response: "all_new" });
  return data.seen;
}

async function fetchSome() {
  const keys = Array.from({ length: 40 }, (_, n) => ({ project: "alpha", id: `t${String(n).padStart(2, "0")}` }));
  const { data, unprocessed } = await Task.get(keys).go(consistent);
  return { found: data.length, unprocessed: unprocessed.length };
}

async function scanAll() {
  const { data } = await Task.scan.where(({ points }, { gte }) => gte(points, 10)).go({ ...consistent, pages: "all" });
  return data.length;
}

async function removeAll() {
  const { data } = await Task.query.tasks({ project: "alpha" }).go({ ...consistent, pages: "all" });
  await Task.delete(data).go({ concurrent: 2 });
  const left = await Task.query.tasks({ project: "alpha" }).go(consistent);
  return [data.length, left.data.length];
}

async function drop() {
  await client.send(new DeleteTableCommand({ TableName }));
  return (await waitUntilTableNotExists(waiting, { TableName })).state;
}

console.log(
  JSON.stringify({
    created: await create(),
    written: await writeAll(),
    open: await openTasks(),
    by_points: await byPoints(),
    work: await work(),
    refused: await createAgain(),
    missing: await patchMissing(),
    changed: await change(),
    upserted: await upsert(),
    fetched: await fetchSome(),
    scanned: await scanAll(),
    removed: await removeAll(),
    dropped: await drop(),
  }),
);
