import { isId, mostShards } from "@heliograph/contracts";

import {
  choice,
  decimal,
  hostPort,
  hours,
  isCidr,
  isDate,
  list,
  masterKey,
  readableFile,
  text,
  trustedProxies,
  url,
  urlList,
  whole,
  zone,
} from "./settings-kinds.ts";

const isBroker = (item: string): boolean => /^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/.test(item);
const isPartner = (item: string): boolean => isId("ptn", item);
const triedChannels = ["sms", "whatsapp", "email"];
const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const isWeekday = (item: string): boolean => weekdays.includes(item);
const isTried = (item: string): boolean => triedChannels.includes(item);

/** Of a measurement. */
const measured = (allowed: string, preset: string, consequence: string) =>
  text().meta({ allowed, preset, consequence, forTests: true });

/**
 * Every variable that this repository reads, in the order of the page that is made from it (`docs/operating/settings.md`): what it may hold, its preset where that is not the kind's
 * own, and what follows from it.
 */
export const settingsTable = {
  HELIOGRAPH_PORT: whole(0, 65_535, 8080).meta({
    allowed: "0–65535; 0 is any free port",
    consequence:
      "Where the REST API listens; a service alone has health and metrics there, and no port when it is not set.",
  }),
  HELIOGRAPH_HOST: text("127.0.0.1").meta({
    allowed: "an address of this machine",
    consequence: "`0.0.0.0` lets other machines in; put TLS in front.",
  }),
  HELIOGRAPH_PUBLIC_URL: url(["https:", "http:"], "`https://api.example.com`").meta({
    preset: "the address of each request",
    consequence:
      "Where callers reach the API: links in answers, such as `doc_url`, begin with it, and so do those by which providers fetch attachments: without it these lead to `http://localhost` and the port. Set it behind a proxy that changes `Host`.",
  }),
  HELIOGRAPH_SITE_URL: url(["https:", "http:"], "`https://www.example.com`").meta({
    preset: "`HELIOGRAPH_PUBLIC_URL`, else `http://localhost` and the port",
    consequence:
      "The one address of the public site: canonical links, the sitemap and `llms.txt` name it, whatever host a request came to, and search engines are kept from every other host.",
  }),
  HELIOGRAPH_API_URL: url(["https:", "http:"], "`http://ingress:8080`").meta({
    preset: "this process",
    consequence:
      "Where the console and the public site reach the REST API. Required by either that runs alone, which has none of its own.",
  }),
  HELIOGRAPH_DATA_DIR: text(".heliograph").meta({
    allowed: "a folder",
    consequence:
      "Holds the embedded PostgreSQL, `master.key`, `dev.json` and, where mail is not sent, `outbox/`. One running instance per folder.",
  }),
  HELIOGRAPH_ARCHIVE_DIR: text().meta({
    allowed: "a folder",
    preset: "the folder `archive` of the data folder",
    consequence:
      "Where `npm run ops -- archive` puts old events. Every process that reads the log needs the same folder: [the log's archive](archive.md).",
  }),
  HELIOGRAPH_ATTACHMENTS_URL: url(
    ["https:", "http:"],
    "`https://accesskey:secretkey@host/bucket/prefix?region=eu-central-1`",
  ).meta({
    preset: "the folder `attachments` of the data folder",
    consequence:
      "S3-compatible storage for attachments, addressed by path. Without it every process that serves the API or dispatches e-mail needs the same folder. What is stored is encrypted either way.",
  }),
  HELIOGRAPH_ATTACHMENTS_QUOTA_MB: whole(10, 1_000_000, 1_000).meta({
    consequence:
      "How much the attachments of a partner take together in each environment, in millions of bytes; more is refused. Those that came with messages take half of it at most, counted by themselves.",
  }),
  HELIOGRAPH_ATTACHMENTS_RECEIVED_DAYS: whole(1, 36_500, 3_650).meta({
    consequence:
      "Attachments that came with messages of people are destroyed after so many days; one that a message still waits to send, once that is over. What e-mails named by an address goes a week after the last message with it may be sent.",
  }),
  HELIOGRAPH_DATABASE_URL: url(
    ["postgres:", "postgresql:"],
    "`postgres://user:password@host:port/name`",
  ).meta({
    preset: "embedded PostgreSQL",
    consequence:
      "Your server; the databases are `<name>_live`, `<name>_sandbox` and `<name>_platform` (`heliograph_…` without a name), made when missing. Required by a service that runs alone.",
  }),
  HELIOGRAPH_MASTER_KEY: masterKey.meta({
    preset: "`<data folder>/master.key`, which `npm start` makes at the first start",
    consequence:
      "Seals webhook secrets and stored answers. The same for every process of an installation: one that has another or, alone, none does not start. A lost key is never made anew. Two are for a [rotation](rotating-keys.md): both open what is sealed, and `rotate-key` says which one seals.",
  }),
  HELIOGRAPH_DEMO: choice(["on", "off"]).meta({
    preset: "`on` with the embedded PostgreSQL, `off` with a given one",
    consequence:
      "Whether `npm start` makes the demo partner, with funds and an agent, and an operator, and writes their keys and passwords into `dev.json`. Without them: [the first key](first-key.md).",
  }),
  HELIOGRAPH_ENCRYPT_MESSAGES: choice(["on", "off"]).meta({
    preset: "`off`",
    consequence:
      "`on` encrypts recipients and texts of every send in the log, under keys that go with the contact that has the address; replies in conversations always are. What it costs: [erasure](../concepts/erasure.md).",
  }),
  HELIOGRAPH_SERVICES: list(() => true, "a service", "services: {services}").meta({
    preset: "all",
    consequence:
      "What `npm start` runs in this process; messages wait in the log for what runs nowhere.",
  }),
  HELIOGRAPH_LIMITS: choice(["memory", "postgres"]).meta({
    preset:
      "`memory` with `npm start`, `postgres` for the service `ingress` that runs alone and for dispatch that is divided into shards",
    consequence:
      "Where the rates of partners and of gateways are counted. `memory` is exact while one process serves the API, or dispatches, and costs nothing; with `postgres` all of them share the limits: [Limits](../guides/limits.md), [limits of a gateway](gateways.md#limits-of-a-gateway).",
  }),
  HELIOGRAPH_LIMITS_COPIES: whole(1, 1_000, 4).meta({
    consequence:
      "With `HELIOGRAPH_LIMITS=postgres`: while the database does not answer, each process that serves the API, or dispatches, allows one part in so many of each rate. As many as there are processes.",
  }),
  HELIOGRAPH_WORKERS: whole(1, 64, 1).meta({
    consequence:
      "How many processes the service `ingress` that runs alone has behind its port: accepting is bound by one thread each. [Several of a service](deploying.md#copies) says what each of them takes; each counts for `HELIOGRAPH_LIMITS_COPIES`.",
  }),
  HELIOGRAPH_LOG: choice(["postgres", "eventstoredb"], "postgres").meta({
    consequence:
      "The engine of the event log. Read models stay in PostgreSQL. [Moving the log](moving-the-log.md) says how to change it.",
  }),
  HELIOGRAPH_EVENTSTORE_URL: url(
    ["esdb:", "esdb+discover:"],
    "`esdb://user:password@host:port?tls=…`, `esdb+discover://…`",
  ).meta({
    consequence:
      "The cluster's connection string, with its credentials and TLS. Required by `HELIOGRAPH_LOG=eventstoredb`.",
  }),
  HELIOGRAPH_FEED: choice(["log", "kafka"], "log").meta({
    consequence:
      "Where consumers read. With `kafka` several copies of dispatch and webhooks share the work: [Kafka](kafka.md).",
  }),
  HELIOGRAPH_SHARDS: whole(0, 64, 0).meta({
    consequence:
      "Into how many shards of partners the wallet's ledger, dispatch, receipts and webhooks are divided, so that several processes share each: [capacity](capacity.md#several-processes-of-a-service). 0: none, or as `HELIOGRAPH_FEED=kafka` does it. Fixed by the first start with another number, before which every copy of these services has to be stopped.",
  }),
  HELIOGRAPH_KAFKA_BROKERS: list(isBroker, "host:port", "`host:port`").meta({
    consequence:
      "Publishes the public topics there, with either feed. Required by `HELIOGRAPH_FEED=kafka`.",
  }),
  HELIOGRAPH_KAFKA_SHARDS: whole(1, mostShards, 8).meta({
    consequence:
      "Partitions of the log topic and of the public topics when they are made, and the most copies of a service that share its work. Fixed by the first start with `HELIOGRAPH_FEED=kafka`.",
  }),
  HELIOGRAPH_KAFKA_REPLICATION: whole(1, 7, 1).meta({
    consequence: "Copies of each record when topics are made. 3 where there are three brokers.",
  }),
  HELIOGRAPH_KAFKA_PARTNER_TOPICS: list(
    isPartner,
    "a partner's id, ptn_…",
    "partner ids, `ptn_…`",
  ).meta({
    consequence:
      "These partners get topics of their own, `heliograph.<environment>.partner.<id>.<topic>`, to which access can be given.",
  }),
  HELIOGRAPH_KAFKA_TLS: choice(["on", "off"]).meta({
    preset: "`off`; `on` with a CA file",
    consequence: "Encrypts the connections to the brokers.",
  }),
  HELIOGRAPH_KAFKA_CA_FILE: readableFile("a PEM file").meta({
    preset: "the system's authorities",
    consequence: "Who signed the brokers' certificates, when that is nobody public.",
  }),
  HELIOGRAPH_KAFKA_SASL: choice(["scram-sha-512", "scram-sha-256", "plain"], "scram-sha-512").meta({
    consequence:
      "How user name and password are proved. `plain` without TLS shows the password to the network.",
  }),
  HELIOGRAPH_KAFKA_USERNAME: text().meta({
    allowed: "text; with a password",
    consequence: "Who the brokers take the platform for.",
  }),
  HELIOGRAPH_KAFKA_PASSWORD: text().meta({
    allowed: "text; with a user name",
    consequence: "How the user proves it.",
  }),
  HELIOGRAPH_SMTP_URL: urlList(
    ["smtp:", "smtps:"],
    "`smtp://user:password@host:port` or `smtps://…`",
  ).meta({
    consequence:
      "One live e-mail gateway for each, the first preferred, declared by the processes that run dispatch; the password is sealed in the event, `?from=` is the sender of messages that name none and `?reply_to=` where answers to them go. Where there never was one, live e-mail is refused with `channel_not_enabled`. Taking the variable away turns nothing off: `npm run ops -- gateways disable smtp-1 --env live` does.",
  }),
  HELIOGRAPH_MAIL_URL: url(
    ["smtp:", "smtps:"],
    "`smtp://user:password@host:port` or `smtps://…`",
  ).meta({
    preset: "none: mail is written into `outbox/` of the data folder",
    consequence:
      "The server that takes the installation's own mail: invitations of agents, password resets, links of evaluations. The same for every process that serves the API.",
  }),
  HELIOGRAPH_MAIL_FROM: text("Heliograph <no-reply@localhost>").meta({
    allowed: "an address, or a name and an address as in `Shop <shop@example.org>`",
    consequence: "The sender of that mail.",
  }),
  HELIOGRAPH_INBOUND_SMTP: hostPort("`host:port`, such as `0.0.0.0:25`").meta({
    consequence:
      "Where the processes that serve the API take mail: reports of what could not be delivered, complaints, and answers of people. Without it none is taken. [Send and receive e-mail](../guides/gateways/smtp.md).",
  }),
  HELIOGRAPH_INBOUND_SMTP_CERT_FILE: readableFile("a PEM file; with a key file").meta({
    consequence:
      "The certificate, with those between it and its authority, by which mail may come encrypted (STARTTLS). Looked at again each minute, so that a renewed one needs no restart.",
  }),
  HELIOGRAPH_INBOUND_SMTP_KEY_FILE: readableFile("a PEM file; with a certificate").meta({
    consequence: "Its private key.",
  }),
  HELIOGRAPH_SLACK_WEBHOOK_URL: url(
    ["https:", "http:"],
    "`https://hooks.slack.com/services/…`",
  ).meta({
    consequence:
      "Where the team is told of requests for an evaluation, and reminded; whoever has it can write there. Read by the processes that run evaluations: [Evaluations](evaluations.md). Without it nobody is told.",
  }),
  HELIOGRAPH_BUSINESS_ZONE: zone("UTC").meta({
    consequence: "Whose clocks the business hours follow, over summer time too.",
  }),
  HELIOGRAPH_BUSINESS_DAYS: list(
    isWeekday,
    `one of ${weekdays.join(", ")}`,
    weekdays.map((item) => `\`${item}\``).join(", "),
  ).meta({
    preset: "`mon,tue,wed,thu,fri`",
    consequence: "On which days the team answers.",
  }),
  HELIOGRAPH_BUSINESS_HOURS: hours("09:00-17:00").meta({
    consequence:
      "When it answers on those days. Who asks for an evaluation hears from a person within one business day; the same for every process that serves the API or runs evaluations.",
  }),
  HELIOGRAPH_BUSINESS_HOLIDAYS: list(
    isDate,
    "a date such as 2026-12-25",
    "dates, such as `2026-12-25`",
  ).meta({
    consequence: "On which days it does not, whatever day of the week they are.",
  }),
  HELIOGRAPH_LOG_GATEWAY_CHANNELS: list(
    isTried,
    `one of ${triedChannels.join(", ")}`,
    triedChannels.map((item) => `\`${item}\``).join(", "),
  ).meta({
    consequence:
      "Trials: live messages of these channels are accepted and go nowhere. Declared by the processes that run dispatch, and turned off like `HELIOGRAPH_SMTP_URL`.",
  }),
  HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: list(
    isCidr,
    "a CIDR such as 127.0.0.0/8",
    "CIDRs, such as `127.0.0.0/8,::1/128`",
  ).meta({
    consequence:
      "Webhooks may go to these private addresses, and to host names that resolve into them. All other private addresses stay refused.",
  }),
  HELIOGRAPH_WEBHOOK_PLAIN_HTTP: choice(["on", "off"], "off").meta({
    consequence:
      "Whether live webhook endpoints may be `http://`. Without it only those at addresses that `HELIOGRAPH_WEBHOOK_ALLOW_CIDRS` names; the sandbox takes both.",
  }),
  HELIOGRAPH_WEBHOOK_PROXY: url(
    ["http:", "https:"],
    "`http://user:password@proxy:3128` or `https://…`",
  ).meta({
    consequence:
      "All webhooks, and what providers' callbacks have fetched, go out through this proxy by `CONNECT`, those to plain `http://` too. It is asked for the address that was resolved and judged here, never for a name: one that lets out by name refuses that. Set it for every process that runs webhooks or serves the API.",
  }),
  HELIOGRAPH_WEBHOOK_DISABLE_DAYS_LIVE: decimal(0, 365, 5).meta({
    consequence:
      "After so many days of nothing but failures a live webhook endpoint is disabled; its owners are told when a fifth of them is over, when it is disabled and when it answers again. 0: never, and nobody is told. The same for every process that runs webhooks.",
  }),
  HELIOGRAPH_WEBHOOK_DISABLE_DAYS_SANDBOX: decimal(0, 365, 5).meta({
    consequence: "The same for endpoints of the sandbox.",
  }),
  HELIOGRAPH_WEBHOOK_KEEP_DAYS: decimal(0, 3650, 90).meta({
    consequence:
      "How long after its event a webhook delivery that is over is kept, with its attempts: to be looked at, retried and replayed. 0: for ever.",
  }),
  HELIOGRAPH_RETRY_SCALE: decimal(0, 1000, 1).meta({
    consequence:
      "Multiplies every retry delay of dispatch and webhooks. Below 1 for trials and tests.",
  }),
  HELIOGRAPH_HOLD_GRACE_HOURS: decimal(0, 720, 24).meta({
    consequence:
      "How long after the end of a message's validity the funds that it holds are given back where nothing became of it. What is sent later still is charged or written off by an entry of its own.",
  }),
  HELIOGRAPH_TRUST_PROXY: trustedProxies.meta({
    consequence:
      "Whose `X-Forwarded-For` is believed. Decides which address a key's allow-list sees; too generous a value lets callers choose theirs.",
  }),
  HELIOGRAPH_LOG_LEVEL: choice(["trace", "debug", "info", "warn", "error", "silent"], "info").meta({
    consequence: "JSON lines on standard error.",
  }),
  HELIOGRAPH_OTLP_ENDPOINT: url(["http:", "https:"], "`http://collector:4318`").meta({
    preset: "`OTEL_EXPORTER_OTLP_ENDPOINT`, else none",
    consequence:
      "Where spans are told, by OTLP over HTTP in JSON, below `/v1/traces`; without it there are none, and they cost nothing. `OTEL_EXPORTER_OTLP_HEADERS` is read for the collector's credentials. Set it for every process. [Traces](monitoring.md#traces).",
  }),
  HELIOGRAPH_TRACE_RATIO: decimal(0, 1, 0.01).meta({
    consequence:
      "Which part of the requests begins a trace that is told; what follows from a request is told when the request is.",
  }),
  HELIOGRAPH_SHUTDOWN_SECONDS: decimal(1, 600, 20).meta({
    consequence: "How long SIGTERM lets work in flight finish. A kill must come later than that.",
  }),
  HELIOGRAPH_START_WAIT_SECONDS: decimal(0, 86_400, 600).meta({
    consequence:
      "How long a start waits for a database or a log that is away before it ends with one line and exit code 2.",
  }),
  HELIOGRAPH_FAILPOINT: text().meta({
    allowed:
      "list of `name:kill`, `name:throw`, `name:delay=<ms>`, each with an optional `@<pass>`",
    preset: "none",
    consequence:
      "Stops, fails or delays the process at a named place. Never set it where messages matter.",
    forTests: true,
  }),
  HELIOGRAPH_TEST_DATABASE_URL: text().meta({
    allowed: "a URL whose role may create databases",
    preset: "embedded PostgreSQL",
    consequence: "The server that `npm test` uses.",
    forTests: true,
  }),
  HELIOGRAPH_TEST_SERVER: text().meta({
    allowed: "set by `npm test` itself",
    preset: "none",
    consequence: "Where its workers find the server of the run.",
    forTests: true,
  }),
  HELIOGRAPH_TEST_FIRST: text().meta({
    allowed: "set by `npm test` itself",
    preset: "none",
    consequence:
      "What instances of the run get a copy of in place of what they would make on their first start.",
    forTests: true,
  }),
  HELIOGRAPH_TEST_KAFKA_BROKERS: text().meta({
    allowed: "list of `host:port`",
    preset: "a broker started with Java, else a container",
    consequence: "The brokers that `npm test` uses.",
    forTests: true,
  }),
  HELIOGRAPH_TEST_KAFKA: text().meta({
    allowed: "set by `npm test` itself",
    preset: "none",
    consequence: "Where its workers ask for the broker of the run.",
    forTests: true,
  }),
  HELIOGRAPH_TEST_PYTHON: text().meta({
    allowed: "path of a Python 3",
    preset: "`python3`",
    consequence: "The interpreter that has the Kafka client for the test of the Python consumer.",
    forTests: true,
  }),
  HELIOGRAPH_TEST_BROWSER: text().meta({
    allowed: "path of a Chromium",
    preset: "`/usr/bin/chromium`, else the one that comes with the development packages",
    consequence: "The browser of tests that look at pages.",
    forTests: true,
  }),
  HELIOGRAPH_TEST_PICTURES: text().meta({
    allowed: "`all`",
    preset: "none: one of each page",
    consequence:
      "The tests that look at console and site leave a picture of each page in both themes at three widths too, in `.cache/screenshots`.",
    forTests: true,
  }),
  HELIOGRAPH_TEST_SEED: text().meta({
    allowed: "a number, or `random`",
    preset: "always the same",
    consequence: "From what the properties that `npm test` checks draw their examples.",
    forTests: true,
  }),
  HELIOGRAPH_TEST_REQUIRE: text().meta({
    allowed: "of `kafka`, `browser`, `promtool`, `haproxy`, `nginx`, `kannel`, `helm`, with commas",
    preset: "none",
    consequence: "Tests that would be skipped for want of one fail instead.",
    forTests: true,
  }),
  HELIOGRAPH_BENCH_SCALE: measured(
    "a number of messages",
    "100000",
    "How many messages `npm run bench -- scale` has in the log.",
  ),
  HELIOGRAPH_BENCH_PEOPLE: measured(
    "a number of contacts",
    "100000",
    "How many contacts, of two messages each, `npm run bench -- people` has.",
  ),
  HELIOGRAPH_BENCH_IMPORT: measured(
    "a number of rows",
    "20000",
    "How many new contacts the file of `npm run bench -- people-import` has.",
  ),
  HELIOGRAPH_BENCH_BROADCAST: measured(
    "a number of contacts",
    "20000",
    "How many contacts the broadcast of `npm run bench -- broadcast` goes to.",
  ),
  HELIOGRAPH_BENCH_USAGE: measured(
    "a number of messages",
    "1000000",
    "How many messages `npm run bench -- usage` counts.",
  ),
  HELIOGRAPH_BENCH_CLEARING: measured(
    "a number of messages",
    "1000000",
    "How many messages `npm run bench -- clearing` deletes.",
  ),
  HELIOGRAPH_BENCH_WAITING: measured(
    "a number of deliveries",
    "1000000",
    "How many deliveries wait in the table in `npm run bench -- waiting`.",
  ),
  HELIOGRAPH_BENCH_JASMIN: measured(
    "a folder",
    "none: that part is left out",
    "The Python environment in which Jasmin is installed, for its row in `npm run bench -- smpp`.",
  ),
  HELIOGRAPH_BENCH_OUTPOST: measured(
    "a folder",
    "none: that part is left out",
    "Where the programs of Outpost are for `npm run bench -- outpost`.",
  ),
  HELIOGRAPH_BENCH_DATABASE_URL: measured(
    "a URL whose role may create databases",
    "embedded PostgreSQL",
    "The server that `npm run bench -- log` measures.",
  ),
};

/** What the page says of a variable. */
export type SettingNote = {
  readonly allowed: string;
  readonly preset: string;
  readonly consequence: string;
  /** Read by tests and measurements, not by an installation. */
  readonly forTests?: boolean;
};

export const settingNotes: ReadonlyMap<string, SettingNote> = new Map(
  Object.entries(settingsTable).map(([name, schema]) => [name, schema.meta() as SettingNote]),
);
