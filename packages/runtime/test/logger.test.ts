import { randomBytes } from "node:crypto";
import { makeKey, newSecret } from "@heliograph/contracts";
import { expect, test } from "vitest";
import { newLogger } from "../src/index.ts";

test("no line of the log has a key, wherever it stands", () => {
  const lines: string[] = [];
  const logger = newLogger("trace", {}, { write: (line) => void lines.push(line) });
  for (const secret of [makeKey("live", randomBytes), makeKey("admin", randomBytes), newSecret()]) {
    logger.info({ path: `/api/v1/keys/${secret}` }, `with ${secret}`);
    logger.child({ request_id: secret }).warn({ deep: { headers: { "x-key": [secret] } } }, "x");
    logger.error({ err: new Error(`refused ${secret}`) }, "failed");
    for (const line of lines.splice(0)) {
      expect(line).not.toContain(secret.slice(0, 20));
      expect(() => JSON.parse(line) as unknown).not.toThrow();
    }
  }
});
