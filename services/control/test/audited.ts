import { service as agents } from "@heliograph/agents";
import { service as ingress } from "@heliograph/ingress";
import { service as wallet } from "@heliograph/wallet";
import { service as webhooks } from "@heliograph/webhooks";
import { afterFile, until } from "@heliograph/testkit";
import { openWorld } from "@heliograph/testkit/world";
import { expect } from "vitest";
import { service } from "../src/index.ts";

/** A world whose audit an operator reads with the key `admin`. */
export async function openAudited() {
  const world = await openWorld({ services: [service, ingress, webhooks, agents, wallet] });
  afterFile(() => world.close());
  const operator = await world.addPartner();
  const admin = await world.addKey(operator.id, {
    environment: "live",
    scopes: ["admin", "wallet:write"],
  });
  const call = (method: string, path: string, key: string, body?: object, headers = {}) =>
    world.call(method, `/api/v1${path}`, { key, headers, ...(body !== undefined && { body }) });
  const find = async (query: string, key = admin, path = "/admin/audit") => {
    const answer = await call("GET", `${path}?${query}`, key);
    expect(answer.status, answer.text).toBe(200);
    return answer.body;
  };
  /** The rows, once there are so many. */
  const rows = (count: number, query: string, key?: string, path?: string) =>
    until(async () => {
      const { data } = await find(query, key, path);
      if (data.length !== count) throw new Error(JSON.stringify(data, null, 1));
      return data;
    });
  return { world, admin, call, find, rows };
}
