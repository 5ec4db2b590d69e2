import { fork, type ChildProcess } from "node:child_process";
import type { Instance } from "@heliograph/testkit";

/** The product, and the console once more as a process of its own. */
export type Measured = {
  readonly instance: Instance;
  readonly console: { readonly url: string; readonly pid: number };
};

export async function send({ baseUrl, sandboxKey }: Instance, text: string): Promise<string> {
  const answer = await fetch(`${baseUrl}/api/v1/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${sandboxKey}`, "content-type": "application/json" },
    body: JSON.stringify({ channel: "sms", to: "+15551230001", text }),
  });
  if (answer.status !== 202) throw new Error(`a message: ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { id: string }).id;
}

/** The cookie of a new session of the demo agent. One after another: a password takes a core for a while, and many at once are refused. */
export async function signIn({ instance, console }: Measured): Promise<string> {
  const answer = await fetch(`${console.url}/console/sign-in`, {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams(instance.agent),
  });
  const cookie = answer.headers.get("set-cookie");
  if (answer.status !== 303 || cookie === null) throw new Error(`a sign-in: ${answer.status}`);
  return cookie.split(";")[0]!;
}

/** A server of the baseline that is told what it needs. */
export async function startBare(file: string, told?: object): Promise<[ChildProcess, number]> {
  const child = fork(new URL(file, import.meta.url));
  const port = new Promise<number>((resolve) =>
    child.once("message", (message) => resolve((message as { port: number }).port)),
  );
  if (told !== undefined) child.send(told);
  return [child, await port];
}
