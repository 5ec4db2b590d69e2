import { randomUUID } from "node:crypto";
import { answersUnderKeys } from "@heliograph/api";
import { currentVersion, environments, streamOf, type MasterKey } from "@heliograph/contracts";
import type { ControlPlane } from "@heliograph/platform";
import { databaseConfig, openLog, openPool } from "@heliograph/runtime";
import {
  openVault,
  resealColumn,
  resealText,
  resealVault,
  type Resealed,
  type SealedColumn,
} from "@heliograph/vault";
import type pg from "pg";
import { standingAnswers } from "../../../services/agents/src/index.ts";
import { resealEndpoints } from "../../../services/webhooks/src/index.ts";
import { actor } from "../control-plane.ts";
import type { Target } from "../target.ts";

type How = { readonly renew: boolean; onPage(): void | Promise<void> };
type Place = { readonly name: string; go(how: How): Promise<Resealed> };

const text = { columnType: "text" } as const;
/** Columns of the platform's database in which a text stands that `sealSecret` made. */
export const platformColumns: Readonly<Record<string, SealedColumn>> = {
  "mails that are not sent": {
    ...text,
    table: "credentials.mails",
    key: "id",
    keyType: "uuid",
    column: "sealed",
  },
  "secrets of codes": {
    ...text,
    table: "credentials.agents",
    key: "agent_id",
    keyType: "text",
    column: "totp",
  },
  "secrets of codes to be confirmed": {
    ...text,
    table: "credentials.agents",
    key: "agent_id",
    keyType: "text",
    column: "totp_pending",
  },
  "sessions of the console": {
    ...text,
    table: "console.sessions",
    key: "sha256",
    keyType: "bytea",
    column: "sealed",
  },
  "notices of the console": {
    ...text,
    table: "console.flashes",
    key: "id",
    keyType: "text",
    column: "told",
  },
};

/** Everything that the master key seals, in the order in which it is sealed anew. */
export async function openPlaces(
  target: Target,
  plane: ControlPlane,
  masterKey: MasterKey,
): Promise<{ readonly places: readonly Place[]; close(): Promise<void> }> {
  const { settings, server, logger } = target;
  const config = databaseConfig(server, "platform");
  const platform = openPool(config, { name: "ops", max: 1, durable: true }, logger);
  const ending: (() => Promise<void>)[] = [() => platform.end()];
  const renewed = resealText(masterKey);
  const places: Place[] = [
    { name: "gateways", go: (how) => resealGateways(plane, masterKey, how) },
    ...Object.entries(platformColumns).map(([name, column]) => ({
      name,
      go: (how: How) => resealColumn<string>(platform, column, renewed, how),
    })),
  ];
  for (const environment of environments) {
    const pool = await target.pool(environment);
    const log = await openLog(settings, server, environment, logger);
    ending.push(() => log.close());
    const own = (name: string, go: Place["go"]): void =>
      void places.push({ name: `${name} (${environment})`, go });
    own("keys of personal data", (how) => resealVault(pool, masterKey, environment, how));
    own("endpoints", (how) => resealEndpoints({ log, pool }, masterKey, how));
    own("answers to requests, for a day", async () => {
      const vault = await openVault(pool, masterKey, environment);
      return answersUnderKeys({ pool, vault, environment }, masterKey);
    });
    own("answers to sign-ins, for a minute", async () => answersOfAgents(pool, masterKey));
  }
  return {
    places,
    async close() {
      for (const end of ending) await end();
    },
  };
}

/** Stores each gateway again, its secrets sealed with the new key: the processes that use it open its connections anew. */
async function resealGateways(
  { log, directory }: ControlPlane,
  masterKey: MasterKey,
  { renew, onPage }: How,
): Promise<Resealed> {
  const sums = { renewed: 0, left: 0, lost: 0 };
  const renewed = resealText(masterKey);
  for (const { gateway_id } of environments.flatMap((each) => directory.gateways(each))) {
    const stream = streamOf("gateway", gateway_id);
    const [last] = await log.readStream(stream, { backwards: true, limit: 1 });
    if (last?.type !== "GatewayConfigured") continue;
    const sealed = Object.entries(last.data.secrets ?? {});
    const next = sealed.map(([name, value]) => [name, renewed(value, name)] as const);
    if (next.some(([, value]) => value === "lost")) sums.lost++;
    else if (next.some(([, value]) => value !== undefined)) {
      const secrets = { ...last.data.secrets };
      for (const [name, value] of next) if (value !== undefined) secrets[name] = value;
      const event = {
        id: randomUUID(),
        type: last.type,
        version: currentVersion(last.type),
        data: { ...last.data, secrets },
        metadata: { actor },
      };
      const [outcome] = renew
        ? await log.append([{ stream, expected: last.revision, events: [event] }])
        : [];
      if (outcome?.kind === "invalid") throw new Error(`${stream}: ${outcome.message}`);
      if (outcome?.kind !== "appended") sums.left++;
      else {
        sums.renewed++;
        await onPage();
      }
    }
  }
  return sums;
}

async function answersOfAgents(pool: pg.Pool, masterKey: MasterKey): Promise<Resealed> {
  const renewed = resealText(masterKey);
  const found = (await standingAnswers(pool)).map((sealed) => renewed(sealed, ""));
  const lost = found.filter((each) => each === "lost").length;
  const left = found.filter((each) => each !== undefined).length - lost;
  return { renewed: 0, left, lost };
}
