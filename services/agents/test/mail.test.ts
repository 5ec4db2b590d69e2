import { smtpSink, until } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mailsIn, openPeople } from "./people.ts";

let people: Awaited<ReturnType<typeof openPeople>>;
let sink: Awaited<ReturnType<typeof smtpSink>>;
beforeAll(async () => {
  sink = await smtpSink();
  people = await openPeople({
    HELIOGRAPH_MAIL_URL: `smtp://127.0.0.1:${sink.port}`,
    HELIOGRAPH_MAIL_FROM: "Shop <shop@example.org>",
    HELIOGRAPH_PUBLIC_URL: "https://api.example.com",
  });
});
afterAll(async () => {
  await people.world.close();
  await sink.close();
});

test("an invitation goes to the mail server that is set, and what was refused is tried again", async () => {
  const { key } = await people.world.addPartner();
  sink.behave({ type: "reject-recipient", code: 451 });
  const ann = await people.add(key, { password: undefined });
  const { platformPool } = people.world.platform;
  const tries = async (): Promise<number | undefined> =>
    (
      await platformPool.query("select tries, due_at > now() as waits from credentials.mails")
    ).rows.find(({ waits }) => waits)?.tries;
  await until(async () => (await tries()) === 1);
  sink.behave({ type: "accept" });
  // In place of the five seconds.
  await until(async () => {
    await platformPool.query("update credentials.mails set due_at = now() where tries = 1");
    return sink.messages.length > 0;
  });
  const [mail] = sink.messages;
  expect(mail).toMatchObject({ from: "shop@example.org", to: [ann.email] });
  expect(mail!.raw).toContain("Auto-Submitted: auto-generated");
  expect(mail!.raw).toContain("https://api.example.com/api/v1/invitations/accept");
  expect(mail!.raw).toMatch(/^Token: [\w-]{43}\r?$/m);
  expect(mailsIn(people.dataDir)).toEqual([]);
  await until(
    async () => (await platformPool.query("select 1 from credentials.mails")).rowCount === 0,
  );
});
