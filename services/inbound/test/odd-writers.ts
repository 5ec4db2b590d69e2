import { newId } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { expect } from "vitest";
import type { openMailWorld } from "./mail-world.ts";
import { talk } from "./servers.ts";

/** Addresses that nothing is sent to, and the form by which each is known. */
export const oddWriters = [
  ['"john doe"@Example.com', '"john doe"@example.com'],
  ['"x@evil.example y"@example.com', '"x@evil.example y"@example.com'],
  ['"eve"@example.com', "eve@example.com"],
  ["jörg@exämple.com", "jörg@xn--exmple-cua.com"],
  ["two..dots.@example.com", '"two..dots."@example.com'],
  ["root@[192.0.2.1]", "root@[192.0.2.1]"],
  ["root@localhost", "root@localhost"],
] as const;

/** Delivers a mail from it, to an address of ours with quotes that it does not need, and waits until it is somebody's. */
export async function expectKnown(
  { world, port }: Awaited<ReturnType<typeof openMailWorld>>,
  from: string,
  known: string,
): Promise<void> {
  const { log, vault } = world.platform.contexts.live;
  const id = `<${newId("msg")}@x.example>`;
  const paths = [`MAIL FROM:<${from}> SMTPUTF8`, 'RCPT TO:<"help"@shop.example>'];
  const raw = [`From: Somebody <${from}>`, `Message-ID: ${id}`, "", "Hello", "."].join("\r\n");
  const answers = await talk(port, ["EHLO x.example", ...paths, "DATA", raw]);
  expect(answers).toEqual(["220", "250", "250", "250", "354", "250"]);
  const matched = await until(async () => {
    const { events } = await log.readAll({ after: 0n, limit: 999, types: ["InboundMatched"] });
    return events.find(({ data }) => data.provider.message_id === id);
  });
  const open = await vault.open(world.partners[0]!.id, matched.data);
  expect(open(matched.data)).toMatchObject({
    from: known,
    to: "help@shop.example",
    external_id: { source: "email", id: known },
  });
}
