import { randomUUID } from "node:crypto";
import { streamOf } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import type { World } from "@heliograph/testkit/world";
import { expect } from "vitest";

type Told = { version: number; default_language?: string; description?: string };

/** The list, the single read and the read by number say the same of a version without `default_language` and `description`. */
export async function expectListedAsRead(
  world: World,
  call: (method: string, path: string, body?: unknown) => ReturnType<World["call"]>,
): Promise<void> {
  const languages = { en: { text: "Hello" } };
  const first = { slug: "older", channel: "whatsapp", languages, description: "first" };
  const { id } = (await call("POST", "", first)).body;
  const said = { languages: { de: { text: "Hallo" } }, default_language: "de", description: "x" };
  const { log } = world.platform.contexts.sandbox;
  const stream = streamOf("template", id);
  const listed = async () => {
    const { data } = (await call("GET", "?limit=100")).body;
    return data.find((template: { id: string }) => template.id === id);
  };
  for (const read of [true, false]) {
    expect((await call("PATCH", "/older", said)).status).toBe(200);
    // Once in a batch of its own, once most likely in one with the version before.
    if (read) await until(async () => (await listed()).default_language === "de");
    const newest = (await log.readStream(stream)).at(-1)!;
    const { default_language: _, description: __, ...less } = newest.data as Told;
    const data = { ...less, version: less.version + 1 };
    const { type, metadata, revision } = newest;
    const events = [{ id: randomUUID(), type, data, metadata }];
    await log.append([{ stream, expected: revision, events }]);
    await until(async () => (await listed())?.version === data.version);
    const asCreated = { version: data.version, default_language: "en", description: "first" };
    expect(await listed()).toMatchObject(asCreated);
    expect((await call("GET", "/older")).body).toMatchObject(asCreated);
    const numbered = async (number: number) =>
      (await call("GET", `/older/versions/${number}`)).body;
    expect(await numbered(data.version)).toMatchObject(asCreated);
    expect(await numbered(data.version - 1)).toMatchObject({
      ...said,
      version: data.version - 1,
    });
  }
}
