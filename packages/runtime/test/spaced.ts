import { loosely } from "@heliograph/testkit";
import type { Projector } from "../src/index.ts";

/** Has a row for each `Counted` event of a space in two tables: of one the rows of a space are found by an index, the other is walked. */
export const spacedProjector: Projector = {
  kind: "projector",
  name: "spaced",
  schema: "spaced",
  types: loosely(["Counted"]),
  spaces: { found: "partner", walked: "partner" },
  ddl: `create table if not exists {schema}.found (partner text, position bigint);
    create index if not exists found_partner on {schema}.found (partner);
    create table if not exists {schema}.walked (partner text, position bigint)`,
  create: () => ({
    project: (events) =>
      ["found", "walked"].map((table) => ({
        name: table,
        sql: `insert into {schema}.${table} select * from unnest($1::text[], $2::bigint[])`,
        values: [
          events.map(({ metadata }) => metadata.partner),
          events.map(({ position }) => position),
        ],
      })),
  }),
};
