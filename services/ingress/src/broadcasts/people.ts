import { readAddresses, readFields } from "@heliograph/contacts";
import type { TemplateAt } from "@heliograph/domain";
import type pg from "pg";
import { placeOf } from "./audience.ts";
import type { Created } from "./decide.ts";
import { type Said, isPersonal, saidTo } from "./personal.ts";

/** A contact that can be written to, with what it is said; or why it is skipped. */
export type Person =
  | { readonly kind: "ready"; readonly to: string; readonly said: Said }
  | {
      readonly kind: "skipped";
      readonly reason: string;
      /** Whom it is part of now. */
      readonly root?: string | undefined;
      /** Variables that it has no value for. */
      readonly lacking?: readonly string[];
    };

/** These contacts as they are now, in their order. */
export async function readPeople(
  pool: pg.Pool,
  asked: {
    readonly partner: string;
    readonly send: Created["send"];
    /** Of a send that says something else to each of them. */
    readonly template: TemplateAt | undefined;
  },
  ids: readonly string[],
): Promise<readonly Person[]> {
  const { partner, send, template } = asked;
  const [places, fields] = await Promise.all([
    readAddresses(pool, partner, send.channel, ids),
    isPersonal(send) ? readFields(pool, partner, ids) : undefined,
  ]);
  const reached = new Map(places.map((each) => [each.id, each]));
  return ids.map((id) => {
    const place = placeOf(reached.get(id));
    if (!("to" in place)) return { kind: "skipped", ...place };
    const contact = fields?.get(id) ?? nobody;
    const found = saidTo(send, template, contact);
    return "said" in found
      ? { kind: "ready", to: place.to, said: found.said }
      : { kind: "skipped", reason: "value_missing", lacking: found.lacking };
  });
}

const nobody = { name: null, language: null, client_ref: null, attributes: {} };
