// A shop's orders through the AWS SDK for JavaScript v3 and lib-dynamodb. Prints what it saw as one JSON object.

import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  DynamoDBServiceException,
  ResourceNotFoundException,
  waitUntilTableExists,
  waitUntilTableNotExists,
} from "@aws-sdk/client-dynamodb";
import {
  BatchGetCommand,
  BatchWriteCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
  paginateQuery,
  paginateScan,
} from "@aws-sdk/lib-dynamodb";

const [TableName, archive, archived] = process.argv.slice(2);
const BATCH = 25;
const SEGMENTS = 4;
const client = new DynamoDBClient({});
const db = DynamoDBDocumentClient.from(client);
// A client of its own: what a document client translates is kept in the client below it.
const exactDb = DynamoDBDocumentClient.from(new DynamoDBClient({}), { unmarshallOptions: { wrapNumbers: true } });
const waiting = { client, minDelay: 1, maxDelay: 1, maxWaitTime: 30 };

async function create() {
  const key = (AttributeName, KeyType) => ({ AttributeName, KeyType });
  await client.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [
        { AttributeName: "customer", AttributeType: "S" },
        { AttributeName: "order", AttributeType: "S" },
        { AttributeName: "total", AttributeType: "N" },
      ],
      KeySchema: [key("customer", "HASH"), key("order", "RANGE")],
      LocalSecondaryIndexes: [
        {
          IndexName: "by-total",
          KeySchema: [key("customer", "HASH"), key("total", "RANGE")],
          Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["status"] },
        },
      ],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  await waitUntilTableExists(waiting, { TableName });
  const { Table } = await client.send(new DescribeTableCommand({ TableName }));
  return {
    status: Table.TableStatus,
    sort_key: Table.KeySchema[1].AttributeName,
    index: Table.LocalSecondaryIndexes[0].IndexName,
  };
}

const order = (customer, number) => ({
  customer,
  order: `o${String(number).padStart(2, "0")}`,
  total: ((number * 7) % 20) + 0.5,
  status: number % 3 ? "shipped" : "open",
  note: "Größe 42, ¥",
  lines: [{ sku: "ski", quantity: number }],
  tags: new Set(["gift", "été"]),
  receipt: Uint8Array.of(number, 0, 255),
  paid: false,
  coupon: null,
});

async function writeAll() {
  const put = (customer, number) => ({ PutRequest: { Item: order(customer, number) } });
  let left = ["c0", "c1", "c2"].flatMap((customer) => Array.from({ length: 20 }, (_, n) => put(customer, n)));
  let written = 0;
  while (left.length) {
    const batch = left.slice(0, BATCH);
    const { UnprocessedItems } = await db.send(new BatchWriteCommand({ RequestItems: { [TableName]: batch } }));
    const refused = UnprocessedItems[TableName] ?? [];
    written += batch.length - refused.length;
    left = [...left.slice(BATCH), ...refused];
  }
  return written;
}

async function openOrders() {
  const question = {
    TableName,
    KeyConditionExpression: "customer = :c",
    FilterExpression: "#s = :open",
    ExpressionAttributeNames: { "#s": "status" },
    ExpressionAttributeValues: { ":c": "c1", ":open": "open" },
    ConsistentRead: true,
  };
  const seen = { orders: [], pages: 0, examined: 0 };
  for await (const page of paginateQuery({ client: db, pageSize: 6 }, question)) {
    seen.orders.push(...page.Items.map((item) => item.order));
    seen.pages += 1;
    seen.examined += page.ScannedCount;
  }
  return seen;
}

async function latest() {
  const { Items } = await db.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: "customer = :c AND begins_with(#o, :prefix)",
      ExpressionAttributeNames: { "#o": "order" },
      ExpressionAttributeValues: { ":c": "c1", ":prefix": "o1" },
      ScanIndexForward: false,
      Limit: 3,
      ConsistentRead: true,
    }),
  );
  return Items.map((item) => item.order);
}

async function byTotal() {
  const { Items } = await db.send(
    new QueryCommand({
      TableName,
      IndexName: "by-total",
      KeyConditionExpression: "customer = :c AND #t BETWEEN :low AND :high",
      ExpressionAttributeNames: { "#t": "total" },
      ExpressionAttributeValues: { ":c": "c2", ":low": 5, ":high": 9 },
      ConsistentRead: true,
    }),
  );
  return Items.map((item) => [item.order, item.total, item.status]);
}

async function readOne() {
  const Key = { customer: "c0", order: "o05" };
  const { Item } = await db.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
  return {
    receipt: Buffer.from(Item.receipt).toString("hex"),
    tags: [...Item.tags].sort(),
    quantity: Item.lines[0].quantity,
    note: Item.note,
    paid: Item.paid,
    coupon: Item.coupon,
  };
}

async function putAgain() {
  try {
    await db.send(
      new PutCommand({
        TableName,
        Item: order("c0", 3),
        ConditionExpression: "attribute_not_exists(customer)",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }),
    );
  } catch (refusal) {
    if (!(refusal instanceof ConditionalCheckFailedException)) throw refusal;
    return { error: refusal.name, message: refusal.message, status: refusal.Item.status.S ?? refusal.Item.status };
  }
}

async function pay() {
  const { Attributes } = await db.send(
    new UpdateCommand({
      TableName,
      Key: { customer: "c0", order: "o04" },
      UpdateExpression: "SET #s = :paid, #l[0].quantity = #l[0].quantity + :more ADD visits :more REMOVE note",
      ConditionExpression: "attribute_exists(note) AND NOT #s = :paid",
      ExpressionAttributeNames: { "#s": "status", "#l": "lines" },
      ExpressionAttributeValues: { ":paid": "paid", ":more": 2 },
      ReturnValues: "UPDATED_NEW",
    }),
  );
  return {
    names: Object.keys(Attributes).sort(),
    status: Attributes.status,
    visits: Attributes.visits,
    quantity: Attributes.lines[0].quantity,
  };
}

async function exact() {
  const Key = { customer: "c9", order: "big" };
  const amount = 12345678901234567890123456789012345678n;
  await db.send(new PutCommand({ TableName, Item: { ...Key, amount } }));
  const { Attributes } = await exactDb.send(new DeleteCommand({ TableName, Key, ReturnValues: "ALL_OLD" }));
  return Attributes.amount.value;
}

async function scanPages(pageSize, more) {
  const seen = { items: 0, pages: 0 };
  for await (const page of paginateScan({ client: db, pageSize }, { TableName, ConsistentRead: true, ...more })) {
    seen.items += page.Count;
    seen.pages += 1;
  }
  return seen;
}

async function scanSegments() {
  const segments = Array.from({ length: SEGMENTS }, (_, Segment) =>
    scanPages(10, { Segment, TotalSegments: SEGMENTS, Select: "COUNT" }),
  );
  return (await Promise.all(segments)).reduce((sum, { items }) => sum + items, 0);
}

async function fetchArchive() {
  const Keys = Array.from({ length: Number(archived) }, (_, id) => ({ id }));
  let asked = { [archive]: { Keys, ConsistentRead: true } };
  const fetched = new Set();
  let rounds = 0;
  while (Object.keys(asked).length) {
    const { Responses, UnprocessedKeys } = await db.send(new BatchGetCommand({ RequestItems: asked }));
    Responses[archive].forEach((item) => fetched.add(item.id));
    asked = UnprocessedKeys;
    rounds += 1;
  }
  return { fetched: fetched.size, rounds };
}

async function putWithoutSortKey() {
  try {
    await db.send(new PutCommand({ TableName, Item: { customer: "c0" } }));
  } catch (refusal) {
    if (!(refusal instanceof DynamoDBServiceException) || refusal.name !== "ValidationException") throw refusal;
    return refusal.message;
  }
}

async function drop() {
  await client.send(new DeleteTableCommand({ TableName }));
  await waitUntilTableNotExists(waiting, { TableName });
  try {
    await client.send(new DescribeTableCommand({ TableName }));
  } catch (refusal) {
    if (!(refusal instanceof ResourceNotFoundException)) throw refusal;
    return refusal.message;
  }
}

console.log(
  JSON.stringify({
    table: await create(),
    written: await writeAll(),
    open: await openOrders(),
    latest: await latest(),
    by_total: await byTotal(),
    read: await readOne(),
    refused: await putAgain(),
    updated: await pay(),
    exact: await exact(),
    scan: await scanPages(25),
    segments: await scanSegments(),
    archive: await fetchArchive(),
    invalid: await putWithoutSortKey(),
    dropped: await drop(),
  }),
);
