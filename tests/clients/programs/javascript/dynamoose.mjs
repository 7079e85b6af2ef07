// Books through Dynamoose, which makes its table itself. Prints what it saw as one JSON object.

import { setTimeout } from "node:timers/promises";
import dynamoose from "dynamoose";

const [name] = process.argv.slice(2);
const Book = dynamoose.model(
  `${name}-book`,
  new dynamoose.Schema(
    {
      author: { type: String, hashKey: true },
      title: { type: String, rangeKey: true },
      year: { type: Number, index: { name: "by-year", type: "local" } },
      lent: { type: Boolean, default: false },
      copies: { type: Number, default: 1 },
      tags: { type: Set, schema: [String] },
      published: { type: Object, schema: { by: String, place: String } },
      readers: { type: Array, schema: [String] },
      note: String,
    },
    { timestamps: { createdAt: "created", updatedAt: undefined } },
  ),
  { tableName: name },
);
const table = new dynamoose.Table(name, [Book], {
  initialize: false,
  throughput: "ON_DEMAND",
  waitForActive: { enabled: true, check: { timeout: 30000, frequency: 100 } },
});

const titled = (author, number) => ({ author, title: `Book ${String(number).padStart(2, "0")}` });
const book = (author, number) => ({
  ...titled(author, number),
  year: 1900 + ((number * 7) % 20),
  lent: number % 3 === 0,
  tags: new Set(["été", "ski"]),
  published: { by: "Insel", place: "Leipzig" },
  readers: ["Ada"],
});

async function writeAll() {
  const books = ["Rilke", "Kafka", "Musil"].flatMap((author) => Array.from({ length: 20 }, (_, n) => book(author, n)));
  let written = 0;
  for (let start = 0; start < books.length; start += 25) {
    const batch = books.slice(start, start + 25);
    const { unprocessedItems } = await Book.batchPut(batch);
    written += batch.length - unprocessedItems.length;
  }
  return written;
}

async function lentBooks() {
  const titles = [];
  let pages = 0;
  let place;
  do {
    const query = Book.query("author").eq("Rilke").filter("lent").eq(true).limit(6).consistent();
    const page = await (place ? query.startAt(place) : query).exec();
    titles.push(...page.map(({ title }) => title));
    place = page.lastKey;
    pages += 1;
  } while (place);
  return { titles, pages };
}

async function byYear() {
  const query = Book.query("author").eq("Kafka").where("year").between(1905, 1909).using("by-year").sort("descending");
  return (await query.consistent().exec()).map(({ title, year }) => [title, year]);
}

async function readOne() {
  const found = await Book.get({ author: "Musil", title: "Book 05" }, { consistent: true });
  const { tags, published, readers, lent, copies, created } = found;
  return { tags: [...tags].sort(), published, readers, lent, copies, dated: created instanceof Date };
}

async function createAgain() {
  try {
    await Book.create(book("Kafka", 1));
  } catch (refusal) {
    return [refusal.name, refusal.message];
  }
}

async function change() {
  const changed = await Book.update(
    { author: "Kafka", title: "Book 02" },
    { $SET: { note: "lost" }, $ADD: { copies: 4, readers: "Max" }, $REMOVE: ["published"] },
    { condition: new dynamoose.Condition().attribute("lent").eq(false), return: "item" },
  );
  return { note: changed.note, copies: changed.copies, readers: changed.readers, published: changed.published ?? null };
}

async function changeRefused() {
  try {
    const condition = new dynamoose.Condition().attribute("copies").gt(100);
    await Book.update({ author: "Kafka", title: "Book 02" }, { note: "?" }, { condition });
  } catch (refusal) {
    return refusal.name;
  }
}

// Dynamoose's batches cannot be read consistently: asked again until all of what was written is seen.
async function fetchSome() {
  const keys = Array.from({ length: 30 }, (_, n) => titled("Musil", n));
  let found = [];
  for (let tries = 0; found.length < 20 && tries < 40; tries += 1) {
    found = await Book.batchGet(keys);
    if (found.length < 20) await setTimeout(250);
  }
  return { found: found.length, unprocessed: found.unprocessedKeys.length };
}

async function scanAll() {
  const { count } = await Book.scan().parallel(4).all().consistent().count().exec();
  const old = await Book.scan("year").lt(1903).all(0).limit(20).consistent().exec();
  return { count, old: old.length };
}

async function removeAll() {
  await Book.batchDelete(Array.from({ length: 20 }, (_, n) => titled("Rilke", n)));
  await Book.delete({ author: "Kafka", title: "Book 00" });
  return (await Book.scan().all().consistent().exec()).length;
}

async function drop() {
  const { TableDescription } = await dynamoose.aws.ddb().deleteTable({ TableName: name });
  return TableDescription.TableStatus;
}

await table.initialize();
console.log(
  JSON.stringify({
    written: await writeAll(),
    lent: await lentBooks(),
    by_year: await byYear(),
    read: await readOne(),
    refused: await createAgain(),
    changed: await change(),
    change_refused: await changeRefused(),
    fetched: await fetchSome(),
    scanned: await scanAll(),
    left: await removeAll(),
    dropped: await drop(),
  }),
);
