import { afterAll } from "vitest";
import { endFile } from "./after-file.ts";

// Vitest runs this in a worker before each file.
afterAll(endFile);
