import { newId, streamOf } from "@heliograph/contracts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openDesk, startDesk, type TestDesk } from "./assignment-harness.ts";

let desk: TestDesk;
beforeEach(async () => {
  desk = await openDesk();
});
afterEach(() => desk.close());

/** A contact whose profile is sealed, as its own service writes it. */
async function contactOf(language: string | null): Promise<string> {
  const contact_id = newId("cnt");
  const seal = await desk.context.vault.seal({ partner: desk.partner, subject: contact_id });
  await desk.append(streamOf("contact", contact_id), "ContactCreated", {
    contact_id,
    external_ids: [],
    name: null,
    profile: seal(JSON.stringify({ language })),
    made_by: "api",
    created_at: "2026-05-23T14:22:17.000Z",
  });
  return contact_id;
}
async function speaks(contact_id: string, language: string): Promise<void> {
  const seal = await desk.context.vault.seal({ partner: desk.partner, subject: contact_id });
  await desk.append(streamOf("contact", contact_id), "ContactUpdated", {
    contact_id,
    profile: seal(JSON.stringify({ language })),
    changed: ["language"],
    updated_at: "2026-05-23T14:22:17.000Z",
  });
}

it("the contact's language is a requirement where it is known, is read sealed, and a change of it counts", async () => {
  const ada = desk.agent("Ada", { languages: ["en"] });
  const bob = desk.agent("Bob", { languages: ["de"], capacity: 9 });
  await desk.team({ agent_ids: [ada, bob], routing: "round_robin" });
  await desk.presence(ada, "online");
  await desk.presence(bob, "online");
  const [german, french, erased] = [
    await contactOf("de-AT"),
    await contactOf("fr"),
    await contactOf("fr"),
  ];
  await desk.context.vault.destroy(desk.partner, [erased]);
  const first = await desk.open({ contact: german });
  const second = await desk.open({ contact: french });
  const unknown = await desk.open();
  const nobody = await desk.open({ contact: erased });
  const running = await startDesk(desk.context);
  try {
    await running.run();
    expect((await desk.holder(first)).agent).toBe(bob);
    expect(await desk.holder(second)).toEqual({
      agent: undefined,
      reason: "nobody of Support can take it: 2 without fr",
    });
    for (const thread of [unknown, nobody])
      expect([ada, bob]).toContain((await desk.holder(thread)).agent);
    await speaks(french, "en-GB");
    await running.run();
    expect((await desk.holder(second)).agent).toBe(ada);
  } finally {
    await running.stop();
  }
});
