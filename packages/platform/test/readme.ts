// What the README shows, compiled.
import type { Service } from "@heliograph/runtime";
import { runService } from "../src/index.ts";

declare const service: Service;

export async function example(): Promise<void> {
  await runService(service); // the whole main.ts of a service that runs alone
}
