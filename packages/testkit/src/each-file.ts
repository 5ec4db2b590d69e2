import { afterAll } from "vitest";
import { endFile } from "./after-file.ts";
import { processorMsSinceLast } from "./processor-time.ts";

// Vitest runs this in a worker before each file.
// oxlint-disable-next-line no-empty-pattern -- it reads the pattern to know which fixtures are wanted: none
afterAll(async ({}, file) => {
  await endFile();
  file.meta.processorMs = processorMsSinceLast();
});
