// Node's Postgres driver, in the ways services use it.
const { Client, Pool } = require("pg");
const Cursor = require("pg-cursor");
const { from: copyFrom } = require("pg-copy-streams");
const { pipeline } = require("node:stream/promises");
const { Readable } = require("node:stream");

async function main(url) {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query("create table transfers (id int primary key, amount numeric not null)");
    await client.query("create table postings (transfer int references transfers deferrable initially deferred)");
    await client.query("insert into transfers (id, amount) values ($1, $2), ($3, $4)", [1, "12.50", 2, "7"]);

    await client.query("begin");
    await client.query({ name: "debit", text: "update transfers set amount = amount - $1 where id = $2", values: [1, 1] });
    await client.query({ name: "debit", text: "update transfers set amount = amount - $1 where id = $2", values: [2, 1] });
    await client.query("select amount from transfers where id = $1 for update", [1]);
    await client.query("COMMIT");

    // A commit that fails, because a constraint is only looked at then.
    await client.query("BEGIN");
    await client.query("insert into postings values (99)");
    await client.query("COMMIT").catch(() => {});

    // A commit of what has failed before.
    await client.query("BEGIN");
    await client.query("insert into transfers values ($1, $2)", [1, 1]).catch(() => {});
    await client.query("COMMIT");

    await client.query("insert into transfers values (1, 1)").catch(() => {});
    await client.query("begin; insert into transfers values (3, 3); rollback");

    const cursor = client.query(new Cursor("select generate_series(1, $1::int)", [250]));
    while ((await cursor.read(100)).length > 0);
    await cursor.close();

    await pipeline(Readable.from(["4\t4\n", "5\t5\n"]), client.query(copyFrom("copy transfers from stdin")));

    const listener = new Client({ connectionString: url });
    await listener.connect();
    const heard = new Promise((resolve) => listener.on("notification", resolve));
    await listener.query("listen news");
    await client.query("select pg_notify('news', 'hello')");
    await heard;
    await listener.end();

    // A value that is longer than any buffer, and one without any.
    await client.query("create table blobs (id int, value text)");
    await client.query("insert into blobs values ($1, $2)", [1, "x".repeat(70_000)]);
    await client.query("select length(value), $1::text from blobs", [null]);
    await client.query("");
    await client.end();

    const pool = new Pool({ connectionString: url, max: 1 });
    await Promise.all([1, 2, 3].map((n) => pool.query("select $1::int", [n])));
    await pool.end();
}

main(process.argv[2]).catch((error) => {
    console.error(error);
    process.exit(1);
});
