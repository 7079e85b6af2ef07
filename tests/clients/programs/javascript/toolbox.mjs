// A shop's orders through DynamoDB-Toolbox: schemas, conditions as objects, batches that try again. Prints JSON.

import {
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  waitUntilTableExists,
  waitUntilTableNotExists,
} from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import {
  $add,
  $append,
  $delete,
  $remove,
  BatchGetCommand,
  BatchGetRequest,
  BatchPutRequest,
  BatchWriteCommand,
  DeleteItemCommand,
  Entity,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  Table,
  UpdateItemCommand,
  executeBatchGet,
  executeBatchWrite,
  item,
  list,
  map,
  number,
  set,
  string,
} from "dynamodb-toolbox";

const [name] = process.argv.slice(2);
const client = new DynamoDBClient({});
const waiting = { client, minDelay: 1, maxDelay: 1, maxWaitTime: 30 };
const table = new Table({
  name,
  documentClient: DynamoDBDocumentClient.from(client),
  partitionKey: { name: "shop", type: "string" },
  sortKey: { name: "order", type: "string" },
  indexes: { "by-total": { type: "local", sortKey: { name: "total", type: "number" } } },
});
const Order = new Entity({
  name: "Order",
  table,
  schema: item({
    shop: string().key(),
    order: string().key(),
    total: number(),
    status: string().enum("open", "paid").default("open"),
    tags: set(string()).optional(),
    lines: list(map({ sku: string(), quantity: number() })).optional(),
    seen: number().optional(),
    note: string().optional(),
  }),
});
const key = (shop, n) => ({ shop, order: `o${String(n).padStart(2, "0")}` });

async function create() {
  const attribute = ([AttributeName, AttributeType]) => ({ AttributeName, AttributeType });
  const keys = (...names) => names.map((AttributeName, at) => ({ AttributeName, KeyType: at ? "RANGE" : "HASH" }));
  await client.send(
    new CreateTableCommand({
      TableName: name,
      AttributeDefinitions: Object.entries({ shop: "S", order: "S", total: "N" }).map(attribute),
      KeySchema: keys("shop", "order"),
      LocalSecondaryIndexes: [
        { IndexName: "by-total", KeySchema: keys("shop", "total"), Projection: { ProjectionType: "ALL" } },
      ],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  return (await waitUntilTableExists(waiting, { TableName: name })).state;
}

async function writeAll() {
  const put = (shop, n) =>
    Order.build(BatchPutRequest).item({
      ...key(shop, n),
      total: (n * 7) % 20,
      status: n % 3 ? "paid" : "open",
      tags: new Set(["été", "ski"]),
      lines: [{ sku: "ski", quantity: n }],
      note: "gift",
    });
  for (const shop of ["Oslo", "Bern", "Graz"]) {
    const puts = Array.from({ length: 20 }, (_, n) => put(shop, n));
    await executeBatchWrite({ maxAttempts: 5 }, table.build(BatchWriteCommand).requests(...puts));
  }
  return (await table.build(ScanCommand).options({ select: "COUNT", consistent: true }).send()).Count;
}

async function openOrders() {
  const seen = { orders: [], pages: 0 };
  let exclusiveStartKey;
  do {
    const page = await table
      .build(QueryCommand)
      .entities(Order)
      .query({ partition: "Oslo" })
      .options({ limit: 8, consistent: true, exclusiveStartKey, filters: { Order: { attr: "status", eq: "open" } } })
      .send();
    seen.orders.push(...page.Items.map(({ order }) => order));
    seen.pages += 1;
    exclusiveStartKey = page.LastEvaluatedKey;
  } while (exclusiveStartKey);
  return seen;
}

async function byTotal() {
  const { Items } = await table
    .build(QueryCommand)
    .entities(Order)
    .query({ partition: "Bern", index: "by-total", range: { between: [5, 9] } })
    .options({ consistent: true, reverse: true })
    .send();
  return Items.map(({ order, total }) => [order, total]);
}

async function putAgain() {
  try {
    const put = Order.build(PutItemCommand).item({ ...key("Oslo", 1), total: 1 });
    await put.options({ condition: { attr: "shop", exists: false } }).send();
  } catch (refusal) {
    return [refusal.name, refusal.message];
  }
}

async function change() {
  const condition = { and: [{ attr: "total", gte: 1 }, { attr: "note", beginsWith: "gi" }] };
  const { Attributes } = await Order.build(UpdateItemCommand)
    .item({
      ...key("Graz", 2),
      status: "open",
      seen: $add(2),
      tags: $delete(new Set(["ski"])),
      lines: $append([{ sku: "wax", quantity: 1 }]),
      note: $remove(),
    })
    .options({ returnValues: "ALL_NEW", condition })
    .send();
  const { status, seen, tags, lines, note = null } = Attributes;
  return { status, seen, tags: [...tags], lines, note };
}

async function fetchSome() {
  const gets = Array.from({ length: 30 }, (_, n) => Order.build(BatchGetRequest).key(key("Oslo", n)));
  const batch = table.build(BatchGetCommand).requests(...gets);
  const { Responses } = await executeBatchGet(batch.options({ consistent: true }));
  return Responses[0].filter(Boolean).length;
}

async function readPart() {
  const get = Order.build(GetItemCommand).key(key("Bern", 3));
  return (await get.options({ consistent: true, attributes: ["total", "lines[0].sku"] }).send()).Item;
}

async function remove() {
  const removal = Order.build(DeleteItemCommand).key(key("Bern", 3));
  const { Attributes } = await removal
    .options({ condition: { attr: "status", eq: "open" }, returnValues: "ALL_OLD" })
    .send();
  return Attributes.lines;
}

async function drop() {
  await client.send(new DeleteTableCommand({ TableName: name }));
  return (await waitUntilTableNotExists(waiting, { TableName: name })).state;
}

console.log(
  JSON.stringify({
    created: await create(),
    written: await writeAll(),
    open: await openOrders(),
    by_total: await byTotal(),
    refused: await putAgain(),
    changed: await change(),
    fetched: await fetchSome(),
    part: await readPart(),
    removed: await remove(),
    dropped: await drop(),
  }),
);
