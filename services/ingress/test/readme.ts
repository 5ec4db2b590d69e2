// What the README shows, compiled.
import type { Platform } from "@heliograph/platform";
import { startIngress } from "../src/index.ts";

declare const platform: Platform;

export async function example(): Promise<void> {
  const api = await startIngress({ ...platform, environments: platform.contexts });
  await api.stop();
}
