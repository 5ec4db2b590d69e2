import { randomBytes } from "node:crypto";
import {
  environments,
  makeKey,
  newId,
  type Environment,
  type EventData,
  type KeyKind,
} from "@heliograph/contracts";
import { defaultPriceList } from "@heliograph/domain";
import {
  acceptMasterKey,
  adminTerms,
  keyIssued,
  operator,
  partnerCreated,
  type KeyTerms,
} from "@heliograph/platform";
import { sayTable } from "../shared/table.ts";
import { actor, onControlPlane } from "./control-plane.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const making = () => ({ actor, createdAt: new Date().toISOString() });
const newKey = (kind: KeyKind): string => makeKey(kind, randomBytes);

/** Makes a partner with a key for each environment and shows the keys, once. */
export const createPartner = (
  target: Target,
  name: string,
  requestsASecond: number | undefined,
): Promise<boolean> =>
  onControlPlane(target, async ({ directory, append }) => {
    const data: Omit<EventData<"PartnerCreated">, "created_at"> = {
      partner_id: newId("ptn"),
      name,
      currency: (directory.prices() ?? defaultPriceList).currency,
      ...(requestsASecond !== undefined && {
        rate_limit: { requests: requestsASecond, window_seconds: 1 },
      }),
    };
    const keys = environments.map((environment) => ({ environment, key: newKey(environment) }));
    const issued = keys.map(({ environment, key }) =>
      keyIssued(
        key,
        {
          partnerId: data.partner_id,
          environment,
          name: `first ${environment}`,
          scopes: ["*"],
        },
        making(),
      ),
    );
    await append([partnerCreated(data, making()), ...issued]);
    say(`Partner ${data.partner_id} (${name}). Its keys are shown this once:`);
    for (const { environment, key } of keys) say(`${environment.padEnd(8)} ${key}`);
  });

export type KeyRequest = {
  readonly name: string;
  /** A key of the operators, for `/admin/*`. */
  readonly admin: boolean;
  readonly partner: string | undefined;
  readonly environment: Environment;
};

/** Issues a key to a partner, or to the operators, and shows it, once. Throws OpsError when there is no such partner. */
export const createKey = (target: Target, request: KeyRequest): Promise<boolean> =>
  onControlPlane(target, async ({ directory, append }) => {
    const { name, environment, partner = operator.partner_id } = request;
    const terms: KeyTerms = request.admin
      ? adminTerms(name)
      : { partnerId: partner, environment, name, scopes: ["*"] };
    const known = directory.partner(terms.partnerId) !== undefined;
    if (!known && !request.admin)
      throw new OpsError(`there is no partner ${partner}; npm run ops -- partners lists them`);
    const { currency } = directory.prices() ?? defaultPriceList;
    const key = newKey(request.admin ? "admin" : environment);
    await append([
      ...(known ? [] : [partnerCreated({ ...operator, currency }, making())]),
      keyIssued(key, terms, making()),
    ]);
    say("The key is shown this once:");
    say(key);
  });

/** Makes the master key of the settings the installation's. */
export async function acceptKey({ settings, server }: Target): Promise<boolean> {
  await acceptMasterKey(settings, server);
  say(
    "The key is the installation's from now on. What another key sealed stays sealed: rotate every webhook secret.",
  );
  return true;
}

/** Shows the partners, oldest first. */
export const showPartners = (target: Target): Promise<boolean> =>
  onControlPlane(target, async ({ directory }) => {
    const rows = directory.partners().map(({ partner_id, name, currency, created_at }) => {
      const active = directory.keysOf(partner_id).filter((key) => !key.revoked).length;
      return [partner_id, name, currency, `${active}`, created_at];
    });
    sayTable([["id", "name", "currency", "keys", "created"], ...rows]);
  });

/** Shows what may be shown of the keys, of one partner or of all. */
export const showKeys = (target: Target, partner: string | undefined): Promise<boolean> =>
  onControlPlane(target, async ({ directory }) => {
    const rows = directory
      .partners()
      .filter(({ partner_id }) => partner === undefined || partner_id === partner)
      .flatMap(({ partner_id }) => directory.keysOf(partner_id))
      .map((key) => [
        key.key_id,
        key.partner_id,
        key.environment,
        `${key.prefix}…`,
        key.name,
        key.scopes.join(" "),
        key.revoked ? "revoked" : (key.expires_at ?? ""),
      ]);
    sayTable([["id", "partner", "environment", "key", "name", "scopes", "ends"], ...rows]);
  });
