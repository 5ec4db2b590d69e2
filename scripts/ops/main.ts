// `npm run ops -- <command>`: what an operator does with partners, keys, gateways, projections, dead letters and the log, against the instance of the data folder or
// HELIOGRAPH_DATABASE_URL.
import { enableCompileCache } from "node:module";

// What was compiled once is not compiled again: a third of the time of a command.
enableCompileCache(new URL("../../node_modules/.cache/heliograph", import.meta.url).pathname);
await import("./program.ts");
